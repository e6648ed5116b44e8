"""What can be asked of this provider besides a conversation."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from trio_llm.chat import (
    Capability,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelInfo,
    ModelList,
    Operation,
    OperationResult,
    ShowModel,
    Usage,
)
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.cohere.names import DIALECT
from trio_llm.wire.dialect import OperationCodec, Outgoing, ProgressDecoder
from trio_llm.wire.values import as_count, as_list, as_name, as_object, read_body, write_body
from trio_llm.wire.vectors import read_vectors

_INPUT_TYPE = {
    None: "search_document",
    "document": "search_document",
    "query": "search_query",
    "classification": "classification",
    "clustering": "clustering",
}
_PAGE = 1000
"""The most models that one page can hold."""
_ENDPOINTS = {
    "chat": (Capability.CHAT, Capability.TEXT_GENERATION),
    "generate": (Capability.TEXT_GENERATION,),
    "summarize": (Capability.SUMMARIZATION,),
    "embed": (Capability.EMBEDDING,),
}
_FEATURES = {
    "tools": Capability.TOOLS,
    "vision": Capability.VISION,
    "json_schema": Capability.STRUCTURED_OUTPUT,
}


class _Plain:
    """An operation whose response comes whole."""

    def decoder(self, operation: Operation, /) -> ProgressDecoder | None:
        """There are no events."""
        del operation
        return None


class EmbedCodec(_Plain):
    """Embeddings; the interface wants to know what for, and is told ``search_document``."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        assert isinstance(operation, EmbedRequest)  # noqa: S101 - the table below says so
        body: dict[str, Any] = {
            "model": model,
            "texts": list(operation.texts),
            "input_type": _INPUT_TYPE[operation.purpose],
            "embedding_types": ["float"],
        }
        if operation.dimensions is not None:
            body["output_dimension"] = operation.dimensions
        body.update(operation.extra.get(DIALECT, {}))
        return Outgoing("/v2/embed", write_body(body))

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read a whole response of status 200."""
        assert isinstance(operation, EmbedRequest)  # noqa: S101 - the table below says so
        value = read_body(body)
        reply = _checked(value)
        embeddings = reply.get("embeddings")
        if type(embeddings) is dict:
            # By type; the caller's extra fields may have asked for the second.
            types = as_object(embeddings)
            embeddings = types.get("float") or types.get("base64")
        vectors = read_vectors(as_list(embeddings), operation)
        return Embeddings(vectors=vectors, usage=_embed_usage(reply.get("meta")), raw=value)


class ListCodec(_Plain):
    """The list of models, in one page."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        del operation, model
        return Outgoing(f"/v1/models?page_size={_PAGE}", b"", method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read a whole response of status 200."""
        del operation
        value = read_body(body)
        models = _checked(value).get("models")
        if type(models) is not list:
            raise MalformedResponseError("the response has no models", phase="response")
        infos = [_info(as_object(item)) for item in as_list(models)]
        return ModelList(models=tuple([info for info in infos if info.id]), raw=value)


class ShowCodec(_Plain):
    """One model."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        del operation
        return Outgoing(f"/v1/models/{quote(model, safe='')}", b"", method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read a whole response of status 200."""
        del operation
        value = read_body(body)
        info = _info(_checked(value))
        if not info.id:
            raise MalformedResponseError("the response names no model", phase="response")
        return ModelList(models=(info,), raw=value)


OPERATIONS: Final[Mapping[type[Operation], OperationCodec]] = {
    EmbedRequest: EmbedCodec(),
    ListModels: ListCodec(),
    ShowModel: ShowCodec(),
}


def _checked(value: Any) -> dict[str, Any]:
    """Give the body of a response that is no error."""
    reply = as_object(value)
    if reply.get("error") or as_name(reply.get("message")):
        raise classify_frame(reply, phase="response")
    return reply


def _embed_usage(value: Any) -> Usage | None:
    meta = as_object(value)
    counts = as_object(meta.get("tokens")) or as_object(meta.get("billed_units"))
    if counts.get("input_tokens") is None:
        return None
    return Usage(input_tokens=as_count(counts["input_tokens"]))


def _info(fields: dict[str, Any]) -> ModelInfo:
    capabilities: set[Capability] = set()
    for endpoint in as_list(fields.get("endpoints")):
        capabilities.update(_ENDPOINTS.get(endpoint, ()) if type(endpoint) is str else ())
    features = as_list(fields.get("features"))
    capabilities |= {_FEATURES[name] for name in _FEATURES if name in features}
    details = ("finetuned", "is_deprecated", "default_endpoints", "tokenizer_url", "features")
    return ModelInfo(
        id=as_name(fields.get("name")) or "",
        capabilities=frozenset(capabilities) or None,
        context_window=as_count(fields.get("context_length")) or None,
        details={name: fields[name] for name in details if fields.get(name) is not None},
    )
