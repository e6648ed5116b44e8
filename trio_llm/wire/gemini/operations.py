"""Embeddings, token counts and the list of models."""

import sys
from collections.abc import Mapping
from typing import Any

from trio_llm.chat import (
    Capability,
    CountRequest,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelInfo,
    ModelList,
    Operation,
    OperationResult,
    ShowModel,
    TokenCount,
)
from trio_llm.errors import MalformedResponseError, UnsupportedError
from trio_llm.wire.answers import read_answer
from trio_llm.wire.dialect import OperationCodec, Outgoing
from trio_llm.wire.gemini.names import DIALECT, TASK_TYPE
from trio_llm.wire.gemini.paths import is_on_vertex, path_of, resource_of
from trio_llm.wire.gemini.replies import usage_of
from trio_llm.wire.gemini.requests import generate_body
from trio_llm.wire.values import as_list, as_name, as_object, write_body

_PAGE = 1000
_BESIDE_A_COUNT = {"promptTokensDetails", "cachedContentTokenCount", "totalBillableCharacters"}
_LARGEST = sys.float_info.max
_COUNTED_ON_VERTEX = ("contents", "systemInstruction", "tools", "generationConfig")
_CAPABILITIES = {
    "generateContent": (Capability.CHAT, Capability.TEXT_GENERATION),
    "embedContent": (Capability.EMBEDDING,),
    "batchEmbedContents": (Capability.EMBEDDING,),
    "predict": (Capability.IMAGE_GENERATION,),
    "predictLongRunning": (Capability.VIDEO_GENERATION,),
}
"""What a model can do, by the methods that it supports."""


class _Embed:
    """``batchEmbedContents``; on Vertex, which lacks it, ``embedContent``.

    Fields of `Operation.extra` go to each text.
    """

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        assert isinstance(operation, EmbedRequest)  # noqa: S101 - by the table below
        common: dict[str, Any] = {}
        if operation.purpose is not None:
            common["taskType"] = TASK_TYPE[operation.purpose]
        if operation.dimensions is not None:
            common["outputDimensionality"] = operation.dimensions
        common.update(operation.extra.get(DIALECT, {}))
        contents = [{"parts": [{"text": text}]} for text in operation.texts]
        if is_on_vertex(model):
            if len(contents) != 1:
                raise UnsupportedError("texts: Vertex takes one text per request")
            body = write_body({"content": contents[0], **common})
            return Outgoing(path_of(model, "embedContent"), body)
        resource = resource_of(model)
        requests = [{"model": resource, "content": content, **common} for content in contents]
        return Outgoing(path_of(model, "batchEmbedContents"), write_body({"requests": requests}))

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the vectors, one for each text."""
        assert isinstance(operation, EmbedRequest)  # noqa: S101 - by the table below
        fields = read_answer(body)
        items = as_list(fields.get("embeddings"))
        if "embedding" in fields:
            items = [fields["embedding"]]
        vectors = tuple([_vector(item) for item in items])
        if len(vectors) != len(operation.texts):
            raise MalformedResponseError(
                f"{len(vectors)} vectors came for {len(operation.texts)} texts", phase="response"
            )
        if len({len(vector) for vector in vectors}) > 1:
            raise MalformedResponseError("the vectors differ in length", phase="response")
        usage = usage_of(as_object(fields.get("usageMetadata")))
        return Embeddings(vectors=vectors, usage=usage, raw=fields)

    def decoder(self, _operation: Operation, /) -> None:
        """Give nothing: there are no events."""
        return


def _vector(item: Any) -> tuple[float, ...]:
    values = as_list(as_object(item).get("values"))
    if not values:
        raise MalformedResponseError("a vector is missing", phase="response")
    return tuple([_number(value) for value in values])


def _number(value: Any) -> float:
    if type(value) in (int, float) and abs(value) <= _LARGEST:
        return float(value)
    raise MalformedResponseError("a vector holds what is no number", phase="response")


class _Count:
    """``countTokens``, of the very request that would be sent."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        assert isinstance(operation, CountRequest)  # noqa: S101 - by the table below
        body = generate_body(operation.request, model=model)
        body.update(operation.extra.get(DIALECT, {}))
        if is_on_vertex(model):
            counted = {name: body[name] for name in _COUNTED_ON_VERTEX if name in body}
        else:
            counted = {"generateContentRequest": {"model": resource_of(model), **body}}
        return Outgoing(path_of(model, "countTokens"), write_body(counted))

    def decode(self, body: bytes, _operation: Operation, /) -> OperationResult:
        """Read the count."""
        fields = read_answer(body)
        # A count of zero is left out, as every zero is; what else is there tells a count.
        tokens = fields.get("totalTokens", 0 if _BESIDE_A_COUNT & fields.keys() else None)
        if type(tokens) is not int or tokens < 0:
            raise MalformedResponseError("the response has no token count", phase="response")
        return TokenCount(tokens=tokens, exact=True, raw=fields)

    def decoder(self, _operation: Operation, /) -> None:
        """Give nothing: there are no events."""
        return


class _Models:
    """``GET /models``, all on one page, or one of them."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        path = f"/models?pageSize={_PAGE}"
        if isinstance(operation, ShowModel):
            path = path_of(operation.model or model)
        return Outgoing(path, b"", method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the models."""
        fields = read_answer(body)
        items = as_list(fields.get("models"))
        if isinstance(operation, ShowModel):
            items = [fields]
        elif fields and type(fields.get("models")) is not list:
            raise MalformedResponseError("the response has no models", phase="response")
        return ModelList(models=tuple([_model(as_object(item)) for item in items]), raw=fields)

    def decoder(self, _operation: Operation, /) -> None:
        """Give nothing: there are no events."""
        return


def _model(fields: dict[str, Any]) -> ModelInfo:
    name = as_name(fields.get("name"))
    if name is None:
        raise MalformedResponseError("a model has no name", phase="response")
    methods = as_list(fields.get("supportedGenerationMethods"))
    known = [_CAPABILITIES.get(method, ()) for method in methods if type(method) is str]
    taken = ("name", "displayName", "inputTokenLimit", "outputTokenLimit")
    return ModelInfo(
        id=name.removeprefix("models/"),
        name=as_name(fields.get("displayName")),
        capabilities=frozenset(item for items in known for item in items) if methods else None,
        context_window=_limit(fields.get("inputTokenLimit")),
        max_output_tokens=_limit(fields.get("outputTokenLimit")),
        details={key: value for key, value in fields.items() if key not in taken},
    )


def _limit(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


OPERATIONS: Mapping[type[Operation], OperationCodec] = {
    EmbedRequest: _Embed(),
    CountRequest: _Count(),
    ListModels: _Models(),
    ShowModel: _Models(),
}
