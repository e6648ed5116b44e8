"""Replies, whole and streamed, as the client reads them."""

from typing import Any

from trio_llm.chat import Completion, Delta, FinishReason, Usage
from trio_llm.errors import MalformedResponseError, StreamInterruptedError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.decoding import Decoding
from trio_llm.wire.draft import Draft
from trio_llm.wire.ndjson import JSONLines
from trio_llm.wire.ollama.names import DIALECT, FINISH
from trio_llm.wire.values import (
    as_count,
    as_list,
    as_name,
    as_object,
    as_text,
    read_body,
    rewrite,
)


def decode_reply(body: bytes) -> Completion:
    """Read a whole response of status 200.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    value = read_body(body)
    reply = as_object(value)
    if reply.get("error"):
        raise classify_frame(reply, phase="response")
    if type(reply.get("message")) is not dict:
        raise MalformedResponseError("the response has no message", phase="response")
    draft = Draft()
    take_message(as_object(reply["message"]), draft, [])
    return completion_of(reply, draft, value)


def take_message(message: dict[str, Any], draft: Draft, deltas: list[Delta]) -> None:
    """Add one message, whole or a piece, to the draft."""
    thought = as_text(message.get("thinking"))
    if thought:
        draft.add_reasoning(thought, deltas)
    text = as_text(message.get("content"))
    if text:
        draft.add_text(text, deltas)
    for item in as_list(message.get("tool_calls")):
        call = as_object(item)
        function = as_object(call.get("function"))
        opened = draft.open_call(as_name(call.get("id")), as_text(function.get("name")), deltas)
        arguments = function.get("arguments")
        written = arguments if type(arguments) is str else rewrite(arguments or {})
        draft.add_arguments(opened, written, deltas)


def completion_of(last: dict[str, Any], draft: Draft, raw: Any) -> Completion:
    """Make the completion of a draft and the fields that came with its end."""
    raw_finish = as_name(last.get("done_reason"))
    reason: FinishReason = FINISH.get(raw_finish or "", "unknown")
    if draft.calls and reason != "length":
        # Ollama says "stop" for tool calls too.
        reason = "tool_calls"
    return Completion(
        message=draft.message(DIALECT),
        finish_reason=reason,
        raw_finish=raw_finish,
        usage=_usage(last),
        model=as_name(last.get("model")),
        raw=raw,
    )


def _usage(last: dict[str, Any]) -> Usage | None:
    read, written = last.get("prompt_eval_count"), last.get("eval_count")
    if read is None and written is None:
        return None
    return Usage(as_count(read), as_count(written))


class ChatDecoder(Decoding[Delta]):
    """Turns the bytes of one stream into deltas and a completion."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = JSONLines()
        self._draft = Draft()
        self._seen = False
        self._last: dict[str, Any] | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._last is not None or self._error is not None

    def _read(self, data: bytes, events: list[Delta]) -> None:
        for value in self._lines.feed(data):
            self._line(value, events)

    def close(self) -> Completion:
        """Say that the input has ended; give the whole completion."""
        if self._error is not None:
            raise self._error
        for value in self._lines.close():
            self._line(value, [])
        if self._last is not None:
            return completion_of(self._last, self._draft, None)
        if not self._seen:
            raise MalformedResponseError("the stream holds nothing", phase="stream")
        raise StreamInterruptedError(
            "the stream ended before the reply did",
            partial_text=self._draft.partial_text,
            phase="stream",
        )

    def _line(self, value: Any, deltas: list[Delta]) -> None:
        if self._last is not None:
            return
        if type(value) is not dict:
            raise MalformedResponseError("a line of the stream is no object", phase="stream")
        line = as_object(value)
        if line.get("error"):
            raise classify_frame(line, phase="stream")
        message = line.get("message")
        if type(message) is not dict and line.get("done") is not True:
            raise MalformedResponseError("a line of the stream has no message", phase="stream")
        self._seen = True
        take_message(as_object(message), self._draft, deltas)
        if line.get("done") is True:
            self._last = line
