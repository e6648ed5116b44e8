"""Streamed replies, as the client reads them."""

from typing import Any

import attrs

from trio_llm.chat import (
    Completion,
    Delta,
    Message,
    Part,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.errors import MalformedResponseError, StreamInterruptedError
from trio_llm.wire.anthropic.replies import finish_reason, redacted_part, thinking_part, usage_of
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.decoding import EventDecoding
from trio_llm.wire.values import as_name, as_object, as_text, load, rewrite


@attrs.define
class _Block:
    """One content block in the making; `call` is the place among the tool calls."""

    kind: str
    pieces: list[str] = attrs.field(factory=list[str])
    call: int = -1
    id: str = ""
    name: str = ""
    given: dict[str, Any] = attrs.field(factory=dict[str, Any])
    signature: str = ""
    opaque: Any = None

    def part(self) -> Part | None:
        text = "".join(self.pieces)
        if self.kind == "text":
            return Text(text) if text else None
        if self.kind == "thinking":
            return thinking_part(text, self.signature)
        if self.kind == "redacted_thinking":
            return redacted_part(self.opaque)
        return ToolCall.parse(self.id, self.name, text) if self.kind == "tool_use" else None


def _state_of(part: Reasoning) -> ReasoningDelta:
    return ReasoningDelta("", part.opaque, part.origin)


class MessageDecoder(EventDecoding):
    """Turns the bytes of one stream into deltas and a completion."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[Any, _Block] = {}
        self._calls = 0
        self._done = False
        self._finish: str | None = None
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._id: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._done or self._error is not None

    def close(self) -> Completion:
        """Say that the input has ended; give the whole completion."""
        self._read_end()
        parts = [part for block in self._blocks.values() if (part := block.part()) is not None]
        message = Message("assistant", parts)
        if self._finish is None and not self._done:
            raise StreamInterruptedError(
                "the stream ended before the reply did", partial_text=message.text, phase="stream"
            )
        return Completion(
            message=message,
            finish_reason=finish_reason(self._finish, calls=bool(message.tool_calls)),
            raw_finish=self._finish,
            usage=usage_of(self._usage),
            model=self._model,
            response_id=self._id,
        )

    def _event(self, name: str, text: str, deltas: list[Delta]) -> None:
        if self._done:
            return
        if text == "[DONE]":
            # Some proxies add OpenAI's marker.
            return
        try:
            event = load(text)
        except ValueError:
            if name == "error":
                raise classify_frame(text, phase="stream") from None
            raise MalformedResponseError(
                "an event of the stream is no JSON", phase="stream"
            ) from None
        if type(event) is not dict:
            raise MalformedResponseError("an event of the stream is no object", phase="stream")
        fields = as_object(event)
        self._take(fields.get("type") or name, fields, deltas)

    def _take(self, kind: Any, fields: dict[str, Any], deltas: list[Delta]) -> None:
        if kind == "content_block_delta":
            self._delta(fields, deltas)
        elif kind == "error" or fields.get("error"):
            raise classify_frame(fields, phase="stream")
        elif kind == "content_block_start":
            self._open(fields.get("index"), as_object(fields.get("content_block")), deltas)
        elif kind == "content_block_stop":
            self._stop(fields.get("index"), deltas)
        elif kind == "message_start":
            self._start(as_object(fields.get("message")))
        elif kind == "message_delta":
            self._seen = True
            self._finish = (
                as_name(as_object(fields.get("delta")).get("stop_reason")) or self._finish
            )
            self._count(fields.get("usage"))
        elif kind == "message_stop":
            self._done = True

    def _start(self, message: dict[str, Any]) -> None:
        self._seen = True
        self._model = as_name(message.get("model"))
        self._id = as_name(message.get("id"))
        self._count(message.get("usage"))

    def _count(self, usage: Any) -> None:
        counts = as_object(usage).items()
        self._usage.update({name: count for name, count in counts if count is not None})

    def _delta(self, event: dict[str, Any], deltas: list[Delta]) -> None:
        delta = as_object(event.get("delta"))
        block = self._block(event.get("index"), delta)
        text = delta.get("text")
        if type(text) is str:
            if block.kind == "text" and text:
                block.pieces.append(text)
                deltas.append(TextDelta(text))
        elif block.kind == "tool_use":
            self._arguments(block, as_text(delta.get("partial_json")), deltas)
        elif block.kind == "thinking":
            block.signature += as_text(delta.get("signature"))
            thought = as_text(delta.get("thinking"))
            if thought:
                block.pieces.append(thought)
                deltas.append(ReasoningDelta(thought))

    def _block(self, index: Any, delta: dict[str, Any]) -> _Block:
        """Find a block; one that nobody opened is of the kind that its delta tells."""
        if type(index) is not int:
            raise MalformedResponseError("a block of the stream has no index", phase="stream")
        block = self._blocks.get(index)
        if block is None:
            self._seen = True
            kind = {"text_delta": "text", "thinking_delta": "thinking"}
            block = self._blocks[index] = _Block(kind.get(as_text(delta.get("type")), "unknown"))
        return block

    def _open(self, index: Any, content: dict[str, Any], deltas: list[Delta]) -> None:
        if type(index) is not int:
            raise MalformedResponseError("a block of the stream has no index", phase="stream")
        self._seen = True
        block = self._blocks[index] = _Block(as_text(content.get("type")))
        if block.kind == "tool_use":
            block.call = self._calls
            self._calls += 1
            block.id = as_name(content.get("id")) or f"call_{block.call}"
            block.name = as_text(content.get("name"))
            block.given = as_object(content.get("input"))
            deltas.append(ToolCallDelta(block.call, block.id, block.name))
        elif block.kind == "thinking":
            block.signature = as_text(content.get("signature"))
            self._delta({"index": index, "delta": content}, deltas)
        elif block.kind == "text":
            self._delta({"index": index, "delta": content}, deltas)
        elif block.kind == "redacted_thinking":
            block.opaque = content.get("data")
            deltas.append(_state_of(redacted_part(block.opaque)))

    def _stop(self, index: Any, deltas: list[Delta]) -> None:
        block = self._blocks.get(index) if type(index) is int else None
        if block is None:
            return
        if block.given and not block.pieces:
            # A server that sends the whole input at once.
            self._arguments(block, rewrite(block.given), deltas)
        elif block.signature:
            deltas.append(_state_of(thinking_part("", block.signature)))

    @staticmethod
    def _arguments(block: _Block, text: str, deltas: list[Delta]) -> None:
        if text:
            block.pieces.append(text)
            deltas.append(ToolCallDelta(block.call, arguments=text))
