"""Replies, streams and errors, as the server's side writes them.

A dialect knows no clock: ``created`` is 0, and a stream's identifier is a constant.
"""

from typing import Any

from trio_llm.chat import Completion, Delta, Reasoning, ReasoningDelta, TextDelta, ToolCall, Usage
from trio_llm.wire.openai_chat.names import CALLS, CARRIED_FIELDS, DIALECT
from trio_llm.wire.values import as_object, write_body, write_text

_STREAM_ID = "chatcmpl-0"
_ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def encode_reply(completion: Completion, origin: str = DIALECT) -> bytes:
    """Write a whole reply."""
    message: dict[str, Any] = {"role": "assistant", "content": completion.message.text or None}
    if completion.message.reasoning:
        message["reasoning_content"] = completion.message.reasoning
    carried = _carried(completion, origin)
    beside = as_object(carried.pop(CALLS, None))
    message.update(carried)
    calls = [_call(call) | as_object(beside.get(call.id)) for call in completion.message.tool_calls]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": _finish(completion)}
    body: dict[str, Any] = {
        "id": completion.response_id or _STREAM_ID,
        "object": "chat.completion",
        "created": 0,
        "model": completion.model or "",
        "choices": [choice],
    }
    if completion.usage is not None:
        body["usage"] = _usage(completion.usage)
    return write_body(body)


def encode_error(status: int, message: str, code: str | None) -> bytes:
    """Write an error body."""
    kind = _ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return write_body({"error": {"message": message, "type": kind, "param": None, "code": code}})


class ChunkEncoder:
    """Writes one streamed reply.

    Args:
        model: The model to name.
        origin: The dialect's name.
    """

    def __init__(self, model: str, origin: str = DIALECT) -> None:
        self._model = model
        self._origin = origin

    def start(self) -> bytes:
        """Give the bytes before the first delta."""
        return self._choice({"role": "assistant", "content": ""})

    def delta(self, delta: Delta, /) -> bytes:
        """Give the bytes of one delta."""
        if isinstance(delta, TextDelta):
            return self._choice({"content": delta.text})
        if isinstance(delta, ReasoningDelta):
            return self._choice({"reasoning_content": delta.text})
        function: dict[str, Any] = {}
        call: dict[str, Any] = {"index": delta.index, "function": function}
        if delta.id is not None:
            call |= {"id": delta.id, "type": "function"}
        if delta.name is not None:
            function["name"] = delta.name
        function["arguments"] = delta.arguments
        return self._choice({"tool_calls": [call]})

    def finish(self, completion: Completion, /) -> bytes:
        """Give the finish reason, the usage and the terminal marker."""
        carried = _carried(completion, self._origin)
        beside = as_object(carried.pop(CALLS, None))
        late = [
            {"index": index, **as_object(beside[call.id])}
            for index, call in enumerate(completion.message.tool_calls)
            if call.id in beside
        ]
        if late:
            carried["tool_calls"] = late
        last = self._choice(carried, _finish(completion))
        if completion.usage is not None:
            last += self._chunk({"choices": [], "usage": _usage(completion.usage)})
        return last + b"data: [DONE]\n\n"

    def fail(self, message: str, /) -> bytes:
        """Give an error frame in the middle of the stream."""
        return b"data: " + encode_error(500, message, None) + b"\n\n"

    def _choice(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return self._chunk({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def _chunk(self, fields: dict[str, Any]) -> bytes:
        head = {
            "id": _STREAM_ID,
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self._model,
        }
        return b"data: " + write_body({**head, **fields}) + b"\n\n"


def _finish(completion: Completion) -> str:
    return "stop" if completion.finish_reason == "unknown" else completion.finish_reason


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = write_text(dict(call.arguments)) if call.raw is None else call.raw
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _carried(completion: Completion, origin: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for part in completion.message.content:
        if isinstance(part, Reasoning) and part.origin == origin and part.opaque:
            names = (*CARRIED_FIELDS, CALLS)
            fields |= {name: part.opaque[name] for name in names if name in part.opaque}
    return fields


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
