"""What else can be asked: embeddings and the list of models."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
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
    Price,
    ShowModel,
)
from trio_llm.errors import MalformedResponseError, ModelNotFoundError, UnsupportedError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.cloudflare.names import DIALECT, run_path
from trio_llm.wire.cloudflare.replies import result_of
from trio_llm.wire.dialect import OperationCodec, Outgoing, ProgressDecoder
from trio_llm.wire.openai_chat.embed import as_embedding, embedding_usage
from trio_llm.wire.openai_chat.pricing import dollars
from trio_llm.wire.values import as_list, as_name, as_object, as_text, read_body, write_body
from trio_llm.wire.vectors import read_vectors

_TASKS: Final[Mapping[str, frozenset[Capability]]] = {
    "Text Generation": frozenset({Capability.CHAT, Capability.TEXT_GENERATION}),
    "Text Embeddings": frozenset({Capability.EMBEDDING}),
    "Text-to-Image": frozenset({Capability.IMAGE_GENERATION}),
    "Text-to-Speech": frozenset({Capability.AUDIO_GENERATION}),
    "Automatic Speech Recognition": frozenset({Capability.AUDIO_INPUT}),
    "Image-to-Text": frozenset({Capability.VISION, Capability.TEXT_GENERATION}),
    "Translation": frozenset({Capability.TRANSLATION}),
    "Summarization": frozenset({Capability.SUMMARIZATION}),
}
_PROPERTIES: Final = {"function_calling": Capability.TOOLS, "vision": Capability.VISION}
_PAGE = 1000


class RunEmbedCodec:
    """``POST /run/{model}`` with texts."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request.

        Raises:
            UnsupportedError: A length of the vectors is asked for.
        """
        asked = as_embedding(operation)
        if asked.dimensions is not None:
            raise UnsupportedError(
                "dimensions: this provider's interface does not let one choose; leave them out"
            )
        body: dict[str, Any] = {"text": list(asked.texts)}
        body.update(asked.extra.get(DIALECT, {}))
        return Outgoing(run_path(model), write_body(body))

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the response.

        Raises:
            ProviderError: An error inside the 200, classified; or
                `MalformedResponseError`, also when there is not one vector for each text.
        """
        value = read_body(body)
        result = result_of(value)
        return Embeddings(
            vectors=read_vectors(as_list(result.get("data")), as_embedding(operation)),
            usage=embedding_usage(result.get("usage")),
            raw=value,
        )

    def decoder(self, _operation: Operation, /) -> ProgressDecoder | None:
        """Give nothing: vectors come all at once."""
        return None


class SearchCodec:
    """``GET /models/search``, for all models and for one."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request; one model is searched for by its name."""
        path = f"/models/search?per_page={_PAGE}"
        if isinstance(operation, ShowModel):
            path += f"&search={quote(operation.model or model, safe='')}"
        return Outgoing(path, b"", method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the response.

        Raises:
            ProviderError: An error inside the 200, classified; `ModelNotFoundError` when
                there is no model of that name; or `MalformedResponseError`.
        """
        value = read_body(body)
        reply = as_object(value)
        if reply.get("success") is False or reply.get("errors"):
            raise classify_frame(reply, phase="response")
        if type(reply.get("result")) is not list:
            raise MalformedResponseError("the response has no list of models", phase="response")
        entries = [as_object(item) for item in as_list(reply.get("result"))]
        models = [_info(entry, name) for entry in entries if (name := as_name(entry.get("name")))]
        if isinstance(operation, ShowModel):
            models = [model for model in models if model.id == operation.model][:1]
            if not models:
                raise ModelNotFoundError(
                    f"the provider lists no model named {operation.model!r}", phase="response"
                )
        return ModelList(models=tuple(models), raw=value)

    def decoder(self, _operation: Operation, /) -> ProgressDecoder | None:
        """Give nothing: a list comes all at once."""
        return None


def _info(entry: dict[str, Any], name: str) -> ModelInfo:
    properties = {
        as_text(as_object(item).get("property_id")): as_object(item).get("value")
        for item in as_list(entry.get("properties"))
    }
    task = as_text(as_object(entry.get("task")).get("name"))
    abilities = {
        ability for word, ability in _PROPERTIES.items() if properties.get(word) in (True, "true")
    }
    window = as_text(properties.get("context_window"))
    return ModelInfo(
        id=name,
        capabilities=_TASKS.get(task, frozenset()) | abilities or None,
        context_window=int(window) if window.isdecimal() and 0 < len(window) < 12 else None,
        price=_price(properties.get("price")),
        details=entry,
    )


def _price(value: Any) -> Price | None:
    amounts: dict[str, Decimal | None] = {
        as_text(as_object(item).get("unit")).lower(): dollars(as_object(item).get("price"))
        for item in as_list(value)
        if as_object(item).get("currency") in (None, "USD")
    }
    paid, earned = amounts.get("per m input tokens"), amounts.get("per m output tokens")
    if paid is None or earned is None:
        return None
    return Price(paid, earned, amounts.get("per m cached input tokens"))


_SEARCH: Final = SearchCodec()

RUN_OPERATIONS: Final[Mapping[type[Operation], OperationCodec]] = MappingProxyType(
    {EmbedRequest: RunEmbedCodec(), ListModels: _SEARCH, ShowModel: _SEARCH}
)
"""The operations of Cloudflare's own interface."""
