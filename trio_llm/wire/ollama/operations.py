"""What can be asked besides a conversation: vectors, and the models of the server."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from trio_llm.chat import (
    DeleteModel,
    Done,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelList,
    Operation,
    OperationResult,
    PullModel,
    ShowModel,
    Usage,
)
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.answers import read_answer
from trio_llm.wire.dialect import OperationCodec, Outgoing, ProgressDecoder
from trio_llm.wire.ollama.models import listed, shown
from trio_llm.wire.ollama.names import DIALECT
from trio_llm.wire.ollama.pull import PullDecoder
from trio_llm.wire.values import as_count, as_list, as_name, as_object, write_body
from trio_llm.wire.vectors import read_vectors


class _Whole:
    """An operation whose answer comes in one piece."""

    def decoder(self, operation: Operation, /) -> None:
        """There are no events."""
        del operation


class _Embed(_Whole):
    """Turns texts into vectors.

    The server cuts a text that is too long; ``truncate: false`` among the
    operation's extra fields makes that an error.
    """

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request; `purpose` and `user` have no place in it."""
        asked = cast("EmbedRequest", operation)
        body: dict[str, Any] = {"model": model, "input": list(asked.texts)}
        if asked.dimensions is not None:
            body["dimensions"] = asked.dimensions
        return _post("/api/embed", body, operation)

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the vectors, one for each text."""
        value = read_answer(body)
        asked = cast("EmbedRequest", operation)
        count = value.get("prompt_eval_count")
        return Embeddings(
            vectors=read_vectors(as_list(value.get("embeddings")), asked),
            usage=None if count is None else Usage(as_count(count)),
            model=as_name(value.get("model")),
            raw=value,
        )


class _List(_Whole):
    """Lists the models on the server's disk."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Ask for all of them."""
        del operation, model
        return Outgoing("/api/tags", b"", method="GET")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the models; an entry without a name is no model."""
        del operation
        value = read_answer(body)
        if type(value.get("models")) is not list:
            raise MalformedResponseError("the response has no list of models", phase="response")
        found = [listed(as_object(entry)) for entry in as_list(value["models"])]
        return ModelList(models=tuple([info for info in found if info is not None]), raw=value)


class _Show(_Whole):
    """Tells about one model."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Ask for one model by its name."""
        return _post("/api/show", {"model": model}, operation)

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the model; the response does not repeat its name."""
        value = read_answer(body)
        if type(value.get("details")) is not dict and type(value.get("model_info")) is not dict:
            raise MalformedResponseError("the response describes no model", phase="response")
        name = operation.model or ""
        return ModelList(models=(shown(name, value),), model=name, raw=value)


class _Pull:
    """Has the server fetch a model; it reports line by line, asked for events or not."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        return _post("/api/pull", {"model": model, "stream": True}, operation)

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read all lines at once."""
        decoder = self.decoder(operation)
        decoder.feed(body)
        return decoder.close()

    def decoder(self, operation: Operation, /) -> ProgressDecoder:
        """Make a decoder for the lines."""
        del operation
        return PullDecoder()


class _Delete(_Whole):
    """Has the server delete a model."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        return _post("/api/delete", {"model": model}, operation, method="DELETE")

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the response, which is empty."""
        del operation
        if body.strip():
            read_answer(body)
        return Done()


OPERATIONS: Final[Mapping[type[Operation], OperationCodec]] = MappingProxyType(
    {
        EmbedRequest: _Embed(),
        ListModels: _List(),
        ShowModel: _Show(),
        PullModel: _Pull(),
        DeleteModel: _Delete(),
    }
)
"""How each operation is asked for."""


def _post(
    path: str, body: dict[str, Any], operation: Operation, *, method: str = "POST"
) -> Outgoing:
    body.update(operation.extra.get(DIALECT, {}))
    return Outgoing(path, write_body(body), method=method)
