"""The operations of a custom provider: one optional async method for each.

=========================  ======================================================
method                     gives
=========================  ======================================================
``embed(request)``         a vector for each text, or `Embeddings`
``moderate(request)``      for each text whether it is flagged, or a `Verdict`; or
                           `Moderation`
``count_tokens(request)``  the tokens of a `Request`, or `TokenCount`
``models()``               names, or `ModelInfo` records
=========================  ======================================================

What they give is checked like the answer of a server.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

import attrs

from trio_llm.chat import (
    CountRequest,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelInfo,
    ModelList,
    ModerateRequest,
    Moderation,
    Operation,
    OperationResult,
    TokenCount,
    Verdict,
)
from trio_llm.errors import InvalidRequestError, MalformedResponseError

METHODS: Final[Mapping[type[Operation], str]] = MappingProxyType(
    {
        EmbedRequest: "embed",
        ModerateRequest: "moderate",
        CountRequest: "count_tokens",
        ListModels: "models",
    }
)
"""The method that does an operation."""


def operations_of(provider: object) -> frozenset[type[Operation]]:
    """Give the operations that a class, or an object of it, has methods for."""
    return frozenset(
        operation
        for operation, method in METHODS.items()
        if callable(getattr(provider, method, None))
    )


async def operate(provider: object, operation: Operation, model: str) -> OperationResult:
    """Have an object do one operation.

    Args:
        provider: The user's object.
        operation: What is asked; it is told the model, if it names none.
        model: The model to use.

    Raises:
        InvalidRequestError: It has no method for that.
        MalformedResponseError: What the method gave is no result.
    """
    method: Callable[..., Awaitable[object]] | None = getattr(
        provider, METHODS.get(type(operation), ""), None
    )
    if method is None:
        raise InvalidRequestError(f"this provider does not offer {operation.what}")
    if isinstance(operation, ListModels):
        return _to_list(await method())
    if isinstance(operation, CountRequest):
        request = operation.request
        if request.model is None:
            request = attrs.evolve(request, model=model or None)
        return _to_count(await method(request))
    if operation.model is None:
        operation = attrs.evolve(operation, model=model or None)
    value = await method(operation)
    return _to_vectors(value) if isinstance(operation, EmbedRequest) else _to_verdicts(value)


def _to_vectors(value: object) -> Embeddings:
    if isinstance(value, Embeddings):
        return value
    vectors: list[tuple[float, ...]] = []
    for index, vector in enumerate(_items(value, "embed()", "a sequence of vectors")):
        vectors.append(
            tuple(
                _number(entry, f"vector {index}")
                for entry in _items(vector, f"embed(), vector {index}", "a sequence of numbers")
            )
        )
    return Embeddings(vectors=tuple(vectors))


def _number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _malformed(f"embed(), {place}", "finite numbers", value)
    return float(value)


def _to_verdicts(value: object) -> Moderation:
    if isinstance(value, Moderation):
        return value
    verdicts: list[Verdict] = []
    for item in _items(value, "moderate()", "one verdict for each text"):
        if isinstance(item, bool):
            verdicts.append(Verdict(item))
        elif isinstance(item, Verdict):
            verdicts.append(item)
        else:
            raise _malformed("moderate()", "booleans or Verdict records", item)
    return Moderation(verdicts=tuple(verdicts))


def _to_count(value: object) -> TokenCount:
    if isinstance(value, TokenCount):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return TokenCount(tokens=value, exact=True)
    raise _malformed("count_tokens()", "an int or a TokenCount", value)


def _to_list(value: object) -> ModelList:
    if isinstance(value, ModelList):
        return value
    models: list[ModelInfo] = []
    for item in _items(value, "models()", "names or ModelInfo records"):
        if isinstance(item, str):
            models.append(ModelInfo(id=item))
        elif isinstance(item, ModelInfo):
            models.append(item)
        else:
            raise _malformed("models()", "names or ModelInfo records", item)
    return ModelList(models=tuple(models))


def _items(value: object, place: str, wanted: str) -> Sequence[object]:
    kind = type(value)
    if not issubclass(kind, Iterable) or issubclass(kind, str | bytes | Mapping):
        raise _malformed(place, wanted, value)
    return tuple(cast("Iterable[object]", value))


def _malformed(place: str, wanted: str, value: object) -> MalformedResponseError:
    return MalformedResponseError(
        f"a custom provider's {place} gives {wanted}, not {type(value).__name__}",
        phase="response",
    )
