"""What can be asked besides a conversation: a count of tokens, and the models."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import quote

import attrs

from trio_llm.chat import (
    Capability,
    CountRequest,
    ListModels,
    ModelInfo,
    ModelList,
    Operation,
    OperationResult,
    ShowModel,
    TokenCount,
)
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.answers import read_answer
from trio_llm.wire.anthropic.names import DIALECT
from trio_llm.wire.anthropic.requests import conversation_body, version_header
from trio_llm.wire.dialect import OperationCodec, Outgoing
from trio_llm.wire.values import as_count, as_list, as_name, as_object, write_body

_PAGE = 1000
"""The most models that one page holds; the provider has some dozens."""

_NOT_COUNTED = (
    "container",
    "inference_geo",
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
)
"""Fields of a request for an answer that one for a count does not have."""

_EVERY_MODEL = frozenset(
    {
        Capability.TEXT_GENERATION,
        Capability.CHAT,
        Capability.CODE_GENERATION,
        Capability.TRANSLATION,
        Capability.SUMMARIZATION,
        Capability.TOOLS,
    }
)
_CAPABILITIES = {
    "image_input": Capability.VISION,
    "pdf_input": Capability.FILE_INPUT,
    "structured_outputs": Capability.STRUCTURED_OUTPUT,
}


def operations_of(version: str) -> Mapping[type[Operation], OperationCodec]:
    """Give what can be asked at one version of the interface."""
    return MappingProxyType(
        {CountRequest: _Count(version), ListModels: _List(version), ShowModel: _Show(version)}
    )


@attrs.frozen
class _Count:
    """Counts the input tokens of a conversation."""

    version: str

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request: a conversation without what concerns only its answer."""
        request = cast("CountRequest", operation).request
        body = conversation_body(request, model)
        body.update(request.extra.get(DIALECT, {}))
        body = {name: value for name, value in body.items() if name not in _NOT_COUNTED}
        body.update(operation.extra.get(DIALECT, {}))
        return Outgoing("/messages/count_tokens", write_body(body), version_header(self.version))

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the number."""
        value = read_answer(body)
        tokens = value.get("input_tokens")
        if type(tokens) is not int or tokens < 0:
            raise MalformedResponseError("the response has no count of tokens", phase="response")
        return TokenCount(tokens=tokens, exact=True, model=operation.model, raw=value)

    def decoder(self, operation: Operation, /) -> None:
        """There are no events."""
        del operation


@attrs.frozen
class _List:
    """Lists the models."""

    version: str

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Ask for one page that holds all of them."""
        del operation, model
        return Outgoing(f"/models?limit={_PAGE}", b"", version_header(self.version), method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the models; an entry without a name is no model."""
        del operation
        value = read_answer(body)
        if type(value.get("data")) is not list:
            raise MalformedResponseError("the response has no list of models", phase="response")
        entries = [as_object(entry) for entry in as_list(value["data"])]
        return ModelList(
            models=tuple([_info(entry) for entry in entries if as_name(entry.get("id"))]),
            raw=value,
        )

    def decoder(self, operation: Operation, /) -> None:
        """There are no events."""
        del operation


@attrs.frozen
class _Show:
    """Tells about one model."""

    version: str

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Ask for one model by its name."""
        del operation
        path = f"/models/{quote(model, safe='')}"
        return Outgoing(path, b"", version_header(self.version), method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the model."""
        del operation
        value = read_answer(body)
        name = as_name(value.get("id"))
        if name is None:
            raise MalformedResponseError("the response names no model", phase="response")
        return ModelList(models=(_info(value),), model=name, raw=value)

    def decoder(self, operation: Operation, /) -> None:
        """There are no events."""
        del operation


def _info(entry: dict[str, Any]) -> ModelInfo:
    known = ("id", "type", "display_name", "max_input_tokens", "max_tokens")
    return ModelInfo(
        id=entry["id"],
        name=as_name(entry.get("display_name")),
        capabilities=_capabilities(entry.get("capabilities")),
        context_window=as_count(entry.get("max_input_tokens")) or None,
        max_output_tokens=as_count(entry.get("max_tokens")) or None,
        details={name: value for name, value in entry.items() if name not in known},
    )


def _capabilities(stated: Any) -> frozenset[Capability] | None:
    """Give what every model does and what this one says about itself."""
    abilities = as_object(stated)
    if not abilities:
        return None
    told = {
        capability
        for name, capability in _CAPABILITIES.items()
        if as_object(abilities.get(name)).get("supported") is True
    }
    return _EVERY_MODEL | told
