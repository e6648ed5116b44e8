"""Fetching a model, which the server reports line by line."""

from typing import Any

from trio_llm.chat import AnyEvent, Done, OperationResult, PullProgress
from trio_llm.errors import (
    MalformedResponseError,
    ModelNotFoundError,
    ProviderError,
    StreamInterruptedError,
)
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.decoding import Decoding
from trio_llm.wire.ndjson import JSONLines
from trio_llm.wire.values import as_name, as_object

_SUCCESS = "success"


class PullDecoder(Decoding[AnyEvent]):
    """Turns the lines of one pull into events and its result.

    The last line says ``success`` and becomes the result; a stream that ends
    without it was cut, however far it had come.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines = JSONLines()
        self._seen = False
        self._done = False

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._done or self._error is not None

    def _read(self, data: bytes, events: list[AnyEvent]) -> None:
        for value in self._lines.feed(data):
            self._line(value, events)

    def close(self) -> OperationResult:
        """Say that the input has ended; give the result."""
        if self._error is not None:
            raise self._error
        for value in self._lines.close():
            self._line(value, [])
        if self._done:
            return Done(status=_SUCCESS)
        if not self._seen:
            raise MalformedResponseError("the stream holds nothing", phase="stream")
        raise StreamInterruptedError("the stream ended before the pull did", phase="stream")

    def _line(self, value: Any, events: list[AnyEvent]) -> None:
        if self._done:
            return
        if type(value) is not dict:
            raise MalformedResponseError("a line of the stream is no object", phase="stream")
        line = as_object(value)
        if line.get("error"):
            raise _failure(line)
        status = as_name(line.get("status"))
        if status is None:
            raise MalformedResponseError("a line of the stream has no status", phase="stream")
        self._seen = True
        if status == _SUCCESS:
            self._done = True
            return
        total, completed = _bytes(line.get("total")), _bytes(line.get("completed"))
        events.append(PullProgress(status, as_name(line.get("digest")), total, completed))


def _failure(line: dict[str, Any]) -> ProviderError:
    """Classify an error; the registry says of a model it lacks that a file does not exist."""
    error = classify_frame(line, phase="stream")
    if "file does not exist" in error.message:
        return ModelNotFoundError(error.message, phase="stream")
    return error


def _bytes(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
