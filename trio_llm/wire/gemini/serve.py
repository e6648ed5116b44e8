"""Replies, streams and errors, as the server's side writes them."""

from collections.abc import Iterator
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
from trio_llm.wire.gemini.names import (
    DIALECT,
    FINISH_REASON,
    NEXT_SIGNATURE,
    PART,
    THOUGHT_SIGNATURE,
)
from trio_llm.wire.gemini.turns import write_call, write_parts, write_reasoning
from trio_llm.wire.values import write_body

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def encode_reply(completion: Completion) -> bytes:
    """Write a whole reply."""
    parts = list(write_parts(completion.message.content))
    return write_body({"candidates": [_candidate(parts, completion)], **_about(completion)})


def encode_error(status: int, message: str, code: str | None) -> bytes:
    """Write an error body; a code goes into the details, where this dialect keeps reasons."""
    fallback = "INVALID_ARGUMENT" if status < 500 else "INTERNAL"
    error: dict[str, Any] = {
        "code": status,
        "message": message,
        "status": _STATUS.get(status, fallback),
    }
    if code is not None:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": kind, "reason": code}]
    return write_body({"error": error})


class GenerateEncoder:
    """Writes one streamed reply, with the line ends that the provider uses.

    Tool calls and signatures go out whole, at the end: the dialect knows no
    fragments of them.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def start(self) -> bytes:
        """Give the bytes before the first delta: none."""
        return b""

    def delta(self, delta: Delta, /) -> bytes:
        """Give the bytes of one delta."""
        if isinstance(delta, TextDelta):
            return self._parts([{"text": delta.text}])
        if isinstance(delta, ReasoningDelta):
            return self._parts([{"text": delta.text, "thought": True}])
        return b""

    def finish(self, completion: Completion, /) -> bytes:
        """Give the tool calls, what is signed, the finish reason and the usage."""
        parts = list(_not_streamed(completion.message.content))
        head = self._parts(parts) if parts else b""
        candidate = _candidate([{"text": ""}], completion)
        last = {"candidates": [candidate], **_about(completion), "modelVersion": self._model}
        return head + _event(last)

    def fail(self, message: str, /) -> bytes:
        """Give an error in the middle of the stream: a bare object, in no event."""
        return encode_error(500, message, None) + b"\r\n"

    def _parts(self, parts: list[dict[str, Any]]) -> bytes:
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
        return _event({"candidates": [candidate], "modelVersion": self._model})


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: %b\r\n\r\n" % write_body(chunk)


def _candidate(parts: list[dict[str, Any]], completion: Completion) -> dict[str, Any]:
    return {
        "content": {"parts": parts, "role": "model"},
        "finishReason": FINISH_REASON[completion.finish_reason],
        "index": 0,
    }


def _about(completion: Completion) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if completion.usage is not None:
        fields["usageMetadata"] = _usage(completion.usage)
    if completion.model is not None:
        fields["modelVersion"] = completion.model
    if completion.response_id is not None:
        fields["responseId"] = completion.response_id
    return fields


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "promptTokenCount": usage.input_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "candidatesTokenCount": max(0, usage.output_tokens - usage.reasoning_tokens),
        "thoughtsTokenCount": usage.reasoning_tokens,
        "totalTokenCount": usage.total_tokens,
    }


def _not_streamed(parts: tuple[Part, ...]) -> Iterator[dict[str, Any]]:
    """Write what no delta has carried: calls, and the provider's state.

    The signature of a text or of a thought that is out already comes on an empty one.
    """
    signature: str | None = None
    for part in parts:
        fields: dict[str, Any] | None = None
        opaque = (part.opaque or {}) if isinstance(part, Reasoning) else {}
        if isinstance(part, Reasoning) and part.origin != DIALECT:
            continue
        if NEXT_SIGNATURE in opaque:
            signature = opaque[NEXT_SIGNATURE]
        elif isinstance(part, Reasoning) and (PART in opaque or THOUGHT_SIGNATURE in opaque):
            fields = write_reasoning(Reasoning("", opaque, DIALECT))
        elif isinstance(part, ToolCall):
            fields = write_call(part, part.id)
        elif isinstance(part, Text) and signature is not None:
            fields = {"text": ""}
        if fields is not None:
            if signature is not None:
                fields["thoughtSignature"] = signature
                signature = None
            yield fields
