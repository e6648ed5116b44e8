"""Streamed replies, as the client reads them."""

from typing import Any

import attrs

from trio_llm.chat import (
    Completion,
    Delta,
    Part,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.errors import MalformedResponseError, StreamInterruptedError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.decoding import Decoding
from trio_llm.wire.gemini.frames import Frames
from trio_llm.wire.gemini.names import DIALECT
from trio_llm.wire.gemini.replies import (
    blocked,
    candidate_of,
    completion_of,
    finish_of,
    parts_of,
    read_reply_part,
)
from trio_llm.wire.stray import what_came_instead
from trio_llm.wire.values import as_object, load, rewrite


@attrs.define
class _Run:
    """Pieces that follow each other, of the answer or of a thought, without a signature."""

    is_thought: bool
    pieces: list[str] = attrs.field(factory=list[str])

    def part(self) -> Part:
        text = "".join(self.pieces)
        return Reasoning(text, None, DIALECT) if self.is_thought else Text(text)


class GenerateDecoder(Decoding[Delta]):
    """Turns the bytes of one stream into deltas and a completion.

    Nothing marks the end: the last chunk has the finish reason, but older servers
    give one in every chunk. So the end is the end of the response.
    """

    def __init__(self) -> None:
        super().__init__()
        self._frames = Frames()
        self._parts: list[Part | _Run] = []
        self._calls = 0
        self._seen = False
        # What was said last about the candidate, about the reply, and about tokens.
        self._candidate: dict[str, Any] = {}
        self._reply: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._error is not None

    def _read(self, data: bytes, events: list[Delta]) -> None:
        for text in self._frames.feed(data):
            self._chunk(text, events)

    def close(self) -> Completion:
        """Say that the input has ended; give the whole completion."""
        if self._error is not None:
            raise self._error
        is_cut = False
        try:
            for text in self._frames.close():
                self._chunk(text, [])
        except MalformedResponseError:
            is_cut = True
        if not self._seen and not is_cut:
            raise what_came_instead(self._frames.stray)
        ended = finish_of(self._candidate) is not None or blocked(self._reply) is not None
        if is_cut or not ended:
            self._interrupted()
        parts = [part.part() if isinstance(part, _Run) else part for part in self._parts]
        return completion_of(parts, self._reply, self._candidate, self._usage, None)

    def _interrupted(self) -> None:
        if not self._seen or not self._parts:
            raise MalformedResponseError("the stream holds no part of an answer", phase="stream")
        runs = [part.part() if isinstance(part, _Run) else part for part in self._parts]
        text = "".join([part.text for part in runs if isinstance(part, Text)])
        raise StreamInterruptedError(
            "the stream ended before the reply did", partial_text=text, phase="stream"
        )

    def _chunk(self, text: str, deltas: list[Delta]) -> None:
        if not text.strip() or text == "[DONE]":
            # Some proxies add OpenAI's marker.
            return
        try:
            value = load(text)
        except ValueError:
            raise MalformedResponseError(
                "a chunk of the stream is no JSON", phase="stream"
            ) from None
        chunk = as_object(value)
        if type(value) is not dict:
            raise MalformedResponseError("a chunk of the stream is no object", phase="stream")
        if chunk.get("error"):
            raise classify_frame(chunk, phase="stream")
        candidate = candidate_of(chunk)
        usage = as_object(chunk.get("usageMetadata"))
        if candidate is None and not usage and blocked(chunk) is None:
            return
        self._seen = True
        self._usage.update({name: count for name, count in usage.items() if count is not None})
        for name in ("modelVersion", "responseId", "promptFeedback"):
            if chunk.get(name):
                self._reply[name] = chunk[name]
        if candidate is not None:
            for name in ("finishReason", "finishMessage"):
                if candidate.get(name):
                    self._candidate[name] = candidate[name]
            for fields in parts_of(candidate):
                self._part(fields, deltas)

    def _part(self, fields: dict[str, Any], deltas: list[Delta]) -> None:
        read = read_reply_part(fields, self._calls, self._reply.get("responseId"), phase="stream")
        for part in read:
            if isinstance(part, ToolCall):
                self._parts.append(self._call(part, deltas))
            elif isinstance(part, Text):
                deltas.append(TextDelta(part.text))
                self._add(part, part.text, is_alone=len(read) > 1)
            elif isinstance(part, Reasoning):
                if part.text:
                    deltas.append(ReasoningDelta(part.text))
                self._add(part, part.text, is_alone=part.opaque is not None)

    def _add(self, part: Text | Reasoning, text: str, *, is_alone: bool) -> None:
        """Join a piece to the run before it, unless it or that bears a signature."""
        is_thought = isinstance(part, Reasoning)
        last = self._parts[-1] if self._parts else None
        if is_alone:
            self._parts.append(part)
        elif isinstance(last, _Run) and last.is_thought == is_thought:
            last.pieces.append(text)
        else:
            self._parts.append(_Run(is_thought, [text]))

    def _call(self, call: ToolCall, deltas: list[Delta]) -> ToolCall:
        """Give a call's two deltas; the call keeps its arguments as they were given there."""
        text = rewrite(dict(call.arguments)) if call.raw is None else call.raw
        deltas.append(ToolCallDelta(self._calls, call.id, call.name))
        deltas.append(ToolCallDelta(self._calls, arguments=text))
        self._calls += 1
        return ToolCall(call.id, call.name, call.arguments, text)
