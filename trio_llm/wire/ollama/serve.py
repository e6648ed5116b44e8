"""Replies, streams and errors, as the server's side writes them.

A dialect knows no clock: ``created_at`` is the epoch.
"""

from typing import Any

from trio_llm.chat import Completion, Delta, ReasoningDelta, TextDelta, ToolCall
from trio_llm.wire.values import write_body

_CREATED_AT = "1970-01-01T00:00:00Z"


def encode_reply(completion: Completion) -> bytes:
    """Write a whole reply."""
    message: dict[str, Any] = {"role": "assistant", "content": completion.message.text}
    if completion.message.reasoning:
        message["thinking"] = completion.message.reasoning
    calls = [_call(call) for call in completion.message.tool_calls]
    if calls:
        message["tool_calls"] = calls
    return write_body({**_head(completion.model or ""), "message": message, **_last(completion)})


def encode_error(status: int, message: str, code: str | None) -> bytes:
    """Write an error body; this dialect has one sentence and nothing else.

    A code goes in front of the sentence. The status is not in the body.
    """
    del status
    return write_body({"error": message if code is None else f"{code}: {message}"})


class ChatEncoder:
    """Writes one streamed reply.

    Tool calls go out whole, at the end: the dialect knows no fragments of them.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def start(self) -> bytes:
        """Give the bytes before the first delta: none."""
        return b""

    def delta(self, delta: Delta, /) -> bytes:
        """Give the bytes of one delta."""
        if isinstance(delta, TextDelta):
            return self._line({"role": "assistant", "content": delta.text})
        if isinstance(delta, ReasoningDelta):
            return self._line({"role": "assistant", "content": "", "thinking": delta.text})
        return b""

    def finish(self, completion: Completion, /) -> bytes:
        """Give the tool calls, the reason for being done and the usage."""
        calls = [_call(call) for call in completion.message.tool_calls]
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        lines = self._line({**message, "tool_calls": calls}) if calls else b""
        last = {**_head(self._model), "message": message, **_last(completion)}
        return lines + write_body(last) + b"\n"

    def fail(self, message: str, /) -> bytes:
        """Give an error frame in the middle of the stream."""
        return encode_error(500, message, None) + b"\n"

    def _line(self, message: dict[str, Any]) -> bytes:
        return write_body({**_head(self._model), "message": message, "done": False}) + b"\n"


def _head(model: str) -> dict[str, Any]:
    return {"model": model, "created_at": _CREATED_AT}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "function": {"name": call.name, "arguments": dict(call.arguments)}}


def _last(completion: Completion) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "done": True,
        "done_reason": "length" if completion.finish_reason == "length" else "stop",
    }
    if completion.usage is not None:
        fields["prompt_eval_count"] = completion.usage.input_tokens
        fields["eval_count"] = completion.usage.output_tokens
    return fields
