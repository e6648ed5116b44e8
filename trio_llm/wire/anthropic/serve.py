"""Replies, streams and errors, as the server's side writes them."""

from typing import Any

from trio_llm.chat import (
    Completion,
    Delta,
    Part,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    Usage,
)
from trio_llm.wire.anthropic.names import DIALECT, FINISH, STOP_REASON
from trio_llm.wire.values import write_body

_MESSAGE_ID = "msg_0"
_ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    503: "overloaded_error",
    529: "overloaded_error",
}


def encode_reply(completion: Completion) -> bytes:
    """Write a whole reply."""
    blocks = [block for part in completion.message.content if (block := _block(part)) is not None]
    body = {
        **_head(completion.model or "", completion.response_id or _MESSAGE_ID),
        "content": blocks,
        "stop_reason": _stop_reason(completion),
        "usage": None if completion.usage is None else _usage(completion.usage),
    }
    return write_body(body)


def encode_error(status: int, message: str, code: str | None) -> bytes:
    """Write an error body; a code goes into the details, where this dialect keeps codes."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error: dict[str, Any] = {"type": kind, "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    return write_body({"type": "error", "error": error})


class MessageEncoder:
    """Writes one streamed reply; every change of kind begins a new content block.

    A signature belongs into its thinking block. Where the deltas bring it, the block
    ends with it. Where only the completion does, the block stays open until then,
    beside those that follow it.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._open: str | int | None = None
        self._next = 0
        self._calls: dict[int, int] = {}
        self._state: list[Any] = []
        self._unsigned: list[int] = []

    def start(self) -> bytes:
        """Give the bytes before the first delta."""
        message: dict[str, Any] = {
            **_head(self._model, _MESSAGE_ID),
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return _event("message_start", {"message": message})

    def delta(self, delta: Delta, /) -> bytes:
        """Give the bytes of one delta."""
        if isinstance(delta, TextDelta):
            head = self._enter("text", {"type": "text", "text": ""})
            return head + self._piece({"type": "text_delta", "text": delta.text})
        if isinstance(delta, ReasoningDelta):
            return self._reasoning(delta)
        head = b""
        if delta.index not in self._calls:
            call: dict[str, Any] = {
                "type": "tool_use",
                "id": delta.id or f"call_{delta.index}",
                "name": delta.name or "",
                "input": {},
            }
            head = self._enter(delta.index, call)
            self._calls[delta.index] = self._next - 1
        if not delta.arguments:
            return head
        piece = {"type": "input_json_delta", "partial_json": delta.arguments}
        return head + self._piece(piece, self._calls[delta.index])

    def finish(self, completion: Completion, /) -> bytes:
        """Give the stop reason, the usage and the terminal event."""
        tail = self._leave() + self._sign(completion)
        delta = {"stop_reason": _stop_reason(completion), "stop_sequence": None}
        usage = {"output_tokens": 0} if completion.usage is None else _usage(completion.usage)
        end = _event("message_delta", {"delta": delta, "usage": usage})
        return tail + end + _event("message_stop", {})

    def fail(self, message: str, /) -> bytes:
        """Give an error frame in the middle of the stream."""
        return b"event: error\ndata: " + encode_error(500, message, None) + b"\n\n"

    def _reasoning(self, delta: ReasoningDelta) -> bytes:
        opaque = dict(delta.opaque or {}) if delta.origin == DIALECT else {}
        written = b""
        signature = opaque.get("signature")
        if delta.text or signature:
            written = self._enter("thinking", _thinking("", ""))
        if delta.text:
            written += self._piece({"type": "thinking_delta", "thinking": delta.text})
        if signature:
            written += self._signature(signature, self._next - 1)
            self._open = None
        if "redacted_thinking" in opaque:
            written += self._redacted(opaque["redacted_thinking"])
        return written

    def _sign(self, completion: Completion) -> bytes:
        """Give the state of the completion's reasoning that the deltas did not bring."""
        written = b""
        for part in completion.message.content:
            if not isinstance(part, Reasoning):
                continue
            opaque = dict(part.opaque or {}) if part.origin == DIALECT else {}
            sealed, signature = opaque.get("redacted_thinking"), opaque.get("signature")
            if "redacted_thinking" in opaque and sealed not in self._state:
                written += self._redacted(sealed)
            elif signature and signature not in self._state:
                if not self._unsigned:
                    # Readable reasoning would have come as deltas.
                    written += self._enter("thinking", _thinking("", "")) + self._leave()
                written += self._signature(signature, self._unsigned.pop(0))
            elif part.text and not signature and self._unsigned:
                written += _stop(self._unsigned.pop(0))
        written += b"".join([_stop(index) for index in self._unsigned])
        self._unsigned.clear()
        return written

    def _signature(self, signature: str, index: int) -> bytes:
        self._state.append(signature)
        piece = {"type": "signature_delta", "signature": signature}
        return self._piece(piece, index) + _stop(index)

    def _redacted(self, sealed: Any) -> bytes:
        self._state.append(sealed)
        block = {"type": "redacted_thinking", "data": sealed}
        return self._enter("redacted_thinking", block) + self._leave()

    def _enter(self, key: str | int, block: dict[str, Any]) -> bytes:
        if self._open == key:
            return b""
        tail = self._leave()
        self._open = key
        self._next += 1
        return tail + _event(
            "content_block_start", {"index": self._next - 1, "content_block": block}
        )

    def _leave(self) -> bytes:
        left, self._open = self._open, None
        if left is None:
            return b""
        if left == "thinking":
            self._unsigned.append(self._next - 1)
            return b""
        return _stop(self._next - 1)

    def _piece(self, delta: dict[str, Any], index: int | None = None) -> bytes:
        place = self._next - 1 if index is None else index
        return _event("content_block_delta", {"index": place, "delta": delta})


def _stop(index: int) -> bytes:
    return _event("content_block_stop", {"index": index})


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), write_body({"type": kind, **fields}))


def _head(model: str, message_id: str) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_sequence": None,
    }


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolCall():
            return {
                "type": "tool_use",
                "id": part.id,
                "name": part.name,
                "input": dict(part.arguments),
            }
        case Reasoning():
            opaque = dict(part.opaque or {}) if part.origin == DIALECT else {}
            if "redacted_thinking" in opaque:
                return {"type": "redacted_thinking", "data": opaque["redacted_thinking"]}
            return _thinking(part.text, opaque.get("signature", ""))
        case _:
            return None


def _thinking(text: str, signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": signature}


def _stop_reason(completion: Completion) -> str:
    """Give the reason in the words it came in, where they are of this dialect."""
    raw = completion.raw_finish
    if raw == "pause_turn" or FINISH.get(raw or "") == completion.finish_reason:
        return raw or ""
    return STOP_REASON[completion.finish_reason]


def _usage(usage: Usage) -> dict[str, Any]:
    fresh = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    return {
        "input_tokens": max(0, fresh),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }
