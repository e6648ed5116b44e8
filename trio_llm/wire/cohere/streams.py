"""Streamed replies, as the client reads them."""

from typing import Any

from trio_llm.chat import Completion, Delta, Message, Part, ReasoningDelta, Text, TextDelta
from trio_llm.errors import MalformedResponseError, StreamInterruptedError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.cohere.names import TOOL_PLAN
from trio_llm.wire.cohere.replies import (
    arguments_text,
    failure_of,
    finish_reason,
    plan_part,
    thinking_part,
    usage_of,
)
from trio_llm.wire.decoding import EventDecoding
from trio_llm.wire.draft import CallDraft, Draft
from trio_llm.wire.values import as_list, as_name, as_object, as_text, load

_EVENTS = frozenset(
    {
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "tool-plan-delta",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "citation-start",
        "citation-end",
        "message-end",
    }
)


class ChatDecoder(EventDecoding):
    """Turns the bytes of one stream into deltas and a completion.

    Citations are skipped: the vocabulary has no place for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._draft = Draft()
        self._thoughts: list[str] = []
        self._plan: list[str] = []
        self._by_index: dict[int, CallDraft] = {}
        self._ended = False
        self._done = False
        self._finish: str | None = None
        self._usage: Any = None
        self._id: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        return self._done or self._error is not None

    def close(self) -> Completion:
        """Say that the input has ended; give the whole completion."""
        self._read_end()
        if not self._ended:
            raise StreamInterruptedError(
                "the stream ended before the reply did",
                partial_text=self._draft.partial_text,
                phase="stream",
            )
        return Completion(
            message=self._message(),
            finish_reason=finish_reason(self._finish, calls=bool(self._draft.calls)),
            raw_finish=self._finish,
            usage=usage_of(self._usage),
            response_id=self._id,
        )

    def _message(self) -> Message:
        parts: list[Part] = []
        if self._thoughts:
            parts.append(thinking_part("".join(self._thoughts)))
        if self._draft.text:
            parts.append(Text(self._draft.partial_text))
        if self._plan:
            parts.append(plan_part("".join(self._plan)))
        parts.extend([call.finish() for call in self._draft.calls])
        return Message("assistant", parts)

    def _event(self, name: str, text: str, deltas: list[Delta]) -> None:
        if self._done:
            return
        if text.strip() == "[DONE]":
            self._done = True
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
        kind = as_name(fields.get("type")) or name
        if kind in _EVENTS:
            self._seen = True
            self._take(kind, fields.get("index"), as_object(fields.get("delta")), fields, deltas)
        elif kind == "error" or fields.get("error") or as_name(fields.get("message")):
            raise classify_frame(fields, phase="stream")

    def _take(
        self,
        kind: str,
        index: Any,
        delta: dict[str, Any],
        event: dict[str, Any],
        deltas: list[Delta],
    ) -> None:
        message = as_object(delta.get("message"))
        match kind:
            case "content-delta" | "content-start":
                self._content(as_object(message.get("content")), deltas)
            case "tool-plan-delta":
                plan = as_text(message.get(TOOL_PLAN))
                if plan:
                    self._plan.append(plan)
                    deltas.append(ReasoningDelta(plan))
            case "tool-call-start":
                self._open_call(index, _call_of(message), deltas)
            case "tool-call-delta":
                self._go_on(index, _call_of(message), deltas)
            case "message-start":
                self._id = as_name(event.get("id"))
            case "message-end":
                self._end(delta)
            case _:
                pass

    def _content(self, content: dict[str, Any], deltas: list[Delta]) -> None:
        text, thinking = as_text(content.get("text")), as_text(content.get("thinking"))
        if thinking:
            self._thoughts.append(thinking)
            deltas.append(ReasoningDelta(thinking))
        if text:
            self._draft.text.append(text)
            deltas.append(TextDelta(text))

    def _open_call(self, index: Any, call: dict[str, Any], deltas: list[Delta]) -> None:
        function = as_object(call.get("function"))
        name = as_text(function.get("name"))
        draft = self._draft.open_call(as_name(call.get("id")), name, deltas)
        self._by_index[index if type(index) is int else draft.index] = draft
        arguments = arguments_text(function.get("arguments"))
        if arguments:
            self._draft.add_arguments(draft, arguments, deltas)

    def _go_on(self, index: Any, call: dict[str, Any], deltas: list[Delta]) -> None:
        calls = self._draft.calls
        latest = calls[-1] if calls else None
        draft = self._by_index.get(index) if type(index) is int else latest
        if draft is None:
            raise MalformedResponseError(
                "a piece of a tool call belongs to none that began", phase="stream"
            )
        arguments = arguments_text(as_object(call.get("function")).get("arguments"))
        if arguments:
            self._draft.add_arguments(draft, arguments, deltas)

    def _end(self, delta: dict[str, Any]) -> None:
        self._finish = as_name(delta.get("finish_reason"))
        failure = failure_of(self._finish, delta.get("error"), phase="stream")
        if failure is not None:
            raise failure
        self._usage = delta.get("usage")
        self._ended = True


def _call_of(message: dict[str, Any]) -> dict[str, Any]:
    """Give the call of an event; an array, which whole replies have, is taken for its first."""
    calls = message.get("tool_calls")
    if type(calls) is list:
        calls = next(iter(as_list(calls)), None)
    return as_object(calls)
