"""Where a model is: its name is part of the path here, not of the body."""

import re
from urllib.parse import quote, unquote

from trio_llm.errors import InvalidRequestError

_PREFIXES = ("models/", "tunedModels/", "publishers/", "projects/", "endpoints/")
_ON_VERTEX = ("publishers/", "projects/", "endpoints/")
_PATH = re.compile(r"/(?P<model>[^?:]+):(?P<method>[A-Za-z]+)(?:\?.*)?", re.DOTALL)


def resource_of(model: str) -> str:
    """Give the resource name of a model: ``models/...`` unless it has a place already.

    Raises:
        InvalidRequestError: It is no name.
    """
    if any(step in ("", ".", "..") for step in model.split("/")):
        raise InvalidRequestError(f"model: {model[:100]!r} is not the name of a model")
    return model if model.startswith(_PREFIXES) else f"models/{model}"


def is_on_vertex(model: str) -> bool:
    """Tell whether a model is named as Vertex names models."""
    return model.startswith(_ON_VERTEX)


def path_of(model: str, method: str | None = None) -> str:
    """Give the path of a method of a model; without a method, of the model itself.

    Raises:
        InvalidRequestError: The model's name is none.
    """
    path = f"/{quote(resource_of(model), safe='/@-._~')}"
    return path if method is None else f"{path}:{method}"


def read_path(path: str) -> tuple[str, str]:
    """Give the model and the method that a path names.

    Raises:
        InvalidRequestError: It names none.
    """
    found = _PATH.fullmatch(path)
    model = "" if found is None else unquote(found["model"]).removeprefix("models/")
    if found is None or not model:
        raise InvalidRequestError("the path: must be /models/{model}:{method}")
    return model, found["method"]
