"""Replies, streams and errors, as the server's side writes them."""

from typing import Any

from trio_llm.chat import (
    Completion,
    Delta,
    Message,
    Reasoning,
    ReasoningDelta,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from trio_llm.wire.cohere.names import DIALECT, FINISH_REASON, TOOL_PLAN
from trio_llm.wire.values import write_body, write_text

_MESSAGE_ID = "00000000-0000-0000-0000-000000000000"


def encode_reply(completion: Completion) -> bytes:
    """Write a whole reply; this dialect names no model in it."""
    body: dict[str, Any] = {
        "id": completion.response_id or _MESSAGE_ID,
        "message": _message(completion.message),
        "finish_reason": FINISH_REASON[completion.finish_reason],
    }
    if completion.usage is not None:
        body["usage"] = _usage(completion.usage)
    return write_body(body)


def encode_error(status: int, message: str, code: str | None) -> bytes:
    """Write an error body, in which the status does not show."""
    del status
    body = {"id": _MESSAGE_ID, "message": message}
    return write_body(body if code is None else {"error_type": code, **body})


class EventEncoder:
    """Writes one streamed reply; every change of kind begins a new block of content."""

    def __init__(self) -> None:
        self._open: str | int | None = None
        self._blocks = 0
        self._calls: set[int] = set()

    def start(self) -> bytes:
        """Give the bytes before the first delta."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": [],
            TOOL_PLAN: "",
            "tool_calls": [],
            "citations": [],
        }
        return _event("message-start", {"id": _MESSAGE_ID, "delta": {"message": message}})

    def delta(self, delta: Delta, /) -> bytes:
        """Give the bytes of one delta."""
        if isinstance(delta, ToolCallDelta):
            return self._call(delta)
        kind = "thinking" if isinstance(delta, ReasoningDelta) else "text"
        head = b""
        if self._open != kind:
            head = self._leave()
            self._open = kind
            self._blocks += 1
            head += self._content("content-start", {"type": kind, kind: ""})
        return head + self._content("content-delta", {kind: delta.text})

    def finish(self, completion: Completion, /) -> bytes:
        """Give the finish reason, the usage and the terminal marker."""
        end: dict[str, Any] = {"finish_reason": FINISH_REASON[completion.finish_reason]}
        if completion.usage is not None:
            end["usage"] = _usage(completion.usage)
        return self._leave() + _event("message-end", {"delta": end}) + b"data: [DONE]\n\n"

    def fail(self, message: str, /) -> bytes:
        """Give the end of a stream that failed in the middle."""
        return _event("message-end", {"delta": {"finish_reason": "ERROR", "error": message}})

    def _call(self, delta: ToolCallDelta) -> bytes:
        index, head = delta.index, b""
        if index not in self._calls:
            head = self._leave()
            self._open = index
            self._calls.add(index)
            call: dict[str, Any] = {
                "id": delta.id or f"call_{index}",
                "type": "function",
                "function": {"name": delta.name or "", "arguments": ""},
            }
            head += _message_event("tool-call-start", index, {"tool_calls": call})
        if not delta.arguments:
            return head
        piece = {"tool_calls": {"function": {"arguments": delta.arguments}}}
        return head + _message_event("tool-call-delta", index, piece)

    def _content(self, kind: str, content: dict[str, Any]) -> bytes:
        return _message_event(kind, self._blocks - 1, {"content": content})

    def _leave(self) -> bytes:
        """End what is open."""
        left, self._open = self._open, None
        if left is None:
            return b""
        if isinstance(left, int):
            return _event("tool-call-end", {"index": left})
        return _event("content-end", {"index": self._blocks - 1})


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), write_body({"type": kind, **fields}))


def _message_event(kind: str, index: int, message: dict[str, Any]) -> bytes:
    return _event(kind, {"index": index, "delta": {"message": message}})


def _message(message: Message) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    plans: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in message.content:
        match part:
            case Text(text):
                content.append({"type": "text", "text": text})
            case Reasoning():
                if part.origin == DIALECT and TOOL_PLAN in (part.opaque or {}):
                    plans.append(part.text)
                else:
                    content.append({"type": "thinking", "thinking": part.text})
            case ToolCall():
                calls.append(_tool_call(part))
            case _:
                pass
    body: dict[str, Any] = {"role": "assistant"}
    if content:
        body["content"] = content
    if plans:
        body[TOOL_PLAN] = "".join(plans)
    if calls:
        body["tool_calls"] = calls
    return body


def _tool_call(call: ToolCall) -> dict[str, Any]:
    arguments = write_text(dict(call.arguments)) if call.raw is None else call.raw
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _usage(usage: Usage) -> dict[str, Any]:
    counts = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
    return {
        "billed_units": counts,
        "tokens": {**counts, "reasoning_tokens": usage.reasoning_tokens},
        "cached_tokens": usage.cached_tokens,
    }
