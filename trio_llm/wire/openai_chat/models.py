"""Lists of models, as the compatible providers write them."""

from typing import Any
from urllib.parse import quote

from trio_llm.chat import ModelInfo, ModelList, Operation, OperationResult, ShowModel
from trio_llm.errors import MalformedResponseError, ModelNotFoundError
from trio_llm.wire.dialect import Outgoing, ProgressDecoder
from trio_llm.wire.openai_chat.abilities import capabilities_of
from trio_llm.wire.openai_chat.hosts import hosts_of
from trio_llm.wire.openai_chat.pricing import price_of
from trio_llm.wire.openai_chat.replies import raise_failure
from trio_llm.wire.openai_chat.requests import with_version
from trio_llm.wire.quirks import PLAIN, Quirks
from trio_llm.wire.values import as_list, as_name, as_object, read_body

_WINDOWS = ("context_length", "context_window", "max_context_length", "max_model_len")
_OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_output_length")


class ModelsCodec:
    """``GET /models`` and ``GET /models/{id}``.

    Beside OpenAI's four fields it reads what others tell of a model: its window and
    longest output, what it can do, its price. What a provider does not say stays
    ``None``; the whole entry is in `ModelInfo.details`. Where several hosts serve a
    model (Hugging Face's router), the smallest window and the highest price count.

    Args:
        quirks: In what the provider differs.
    """

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request; one model of a provider that only lists is picked from its list."""
        path = "/models"
        if isinstance(operation, ShowModel) and not self._quirks.lists_only:
            path = f"/models/{quote(operation.model or model, safe='/:@')}"
        return Outgoing(with_version(path, self._quirks), b"", method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the response.

        Raises:
            ProviderError: An error inside the 200, classified; `ModelNotFoundError` when
                the list has no model of that name; or `MalformedResponseError`.
        """
        value = read_body(body)
        reply = as_object(value)
        raise_failure(reply, "data")
        # Together gives a bare list, Hugging Face's router an object in ``data``.
        data: Any = reply.get("data") if "data" in reply else value
        entries = [as_object(item) for item in as_list(data)]
        only = as_object(data)
        if isinstance(operation, ShowModel) and as_name(only.get("id")):
            models = [model_info(only, str(only["id"]))]
        elif type(data) is list:
            models = [model_info(entry, name) for entry in entries if (name := _name(entry))]
            if isinstance(operation, ShowModel):
                models = _named(models, operation.model or "")
        else:
            raise MalformedResponseError("the response has no list of models", phase="response")
        return ModelList(models=tuple(models), raw=value)

    def decoder(self, _operation: Operation, /) -> ProgressDecoder | None:
        """Give nothing: a list comes all at once."""
        return None


def model_info(entry: dict[str, Any], name: str) -> ModelInfo:
    """Read one entry of a list of models."""
    return ModelInfo(
        id=name,
        name=as_name(entry.get("display_name")) or as_name(entry.get("name")),
        capabilities=capabilities_of(entry),
        context_window=_window(entry),
        max_output_tokens=_first_count(as_object(entry.get("top_provider")), _OUTPUTS)
        or _first_count(entry, _OUTPUTS),
        price=price_of(entry),
        size=_first_count(as_object(entry.get("meta")), ("size",)),
        details=entry,
    )


def _name(entry: dict[str, Any]) -> str | None:
    return as_name(entry.get("id")) or as_name(entry.get("name"))


def _named(models: list[ModelInfo], name: str) -> list[ModelInfo]:
    """Find one model by its name, another name of it, or the name before its last colon."""
    for known in (name, name.rpartition(":")[0]):
        for model in models:
            if known and (known == model.id or known in as_list(model.details.get("aliases"))):
                return [model]
    raise ModelNotFoundError(f"the provider lists no model named {name!r}", phase="response")


def _window(entry: dict[str, Any]) -> int | None:
    stated = _first_count(entry, _WINDOWS)
    if stated is not None:
        return stated
    # What a llama.cpp server was started with counts, not what the model was trained for.
    stated = _first_count(as_object(entry.get("meta")), ("n_ctx", "n_ctx_train"))
    if stated is not None:
        return stated
    windows = [_first_count(host, _WINDOWS) for host in hosts_of(entry)]
    return min((window for window in windows if window is not None), default=None)


def _first_count(fields: dict[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = fields.get(name)
        if type(value) is int and value > 0:
            return value
    return None
