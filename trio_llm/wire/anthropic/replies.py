"""Whole replies, as the client reads them, and the pieces that streams share with them."""

from typing import Any

from trio_llm.chat import Completion, FinishReason, Part, Reasoning, Text, ToolCall, Usage
from trio_llm.chat.messages import Message
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.anthropic.names import DIALECT, FINISH
from trio_llm.wire.classify import classify_frame
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
    if reply.get("error") or reply.get("type") == "error":
        raise classify_frame(reply, phase="response")
    content = reply.get("content")
    if type(content) is not list:
        raise MalformedResponseError("the response has no content blocks", phase="response")
    parts: list[Part] = []
    for item in as_list(content):
        part = _part(as_object(item), len(parts))
        if part is not None:
            parts.append(part)
    message = Message("assistant", parts)
    raw_finish = as_name(reply.get("stop_reason"))
    return Completion(
        message=message,
        finish_reason=finish_reason(raw_finish, calls=bool(message.tool_calls)),
        raw_finish=raw_finish,
        usage=usage_of(reply.get("usage")),
        model=as_name(reply.get("model")),
        response_id=as_name(reply.get("id")),
        raw=value,
    )


def finish_reason(raw: str | None, *, calls: bool) -> FinishReason:
    """Give the stop reason in this library's words."""
    reason = FINISH.get(raw or "", "unknown")
    return "tool_calls" if calls and reason == "stop" else reason


def usage_of(value: Any) -> Usage | None:
    """Read the token counts; ``input_tokens`` on this wire leaves the cached ones out."""
    usage = as_object(value)
    if usage.get("input_tokens") is None and usage.get("output_tokens") is None:
        return None
    cached = as_count(usage.get("cache_read_input_tokens"))
    written = as_count(usage.get("cache_creation_input_tokens"))
    details = as_object(usage.get("output_tokens_details"))
    return Usage(
        input_tokens=as_count(usage.get("input_tokens")) + cached + written,
        output_tokens=as_count(usage.get("output_tokens")),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=as_count(details.get("thinking_tokens")),
    )


def thinking_part(text: str, signature: str) -> Reasoning:
    """Make the part of a thinking block."""
    return Reasoning(text, {"signature": signature} if signature else None, DIALECT)


def redacted_part(opaque: Any) -> Reasoning:
    """Make the part of a thinking block that nobody may read."""
    return Reasoning("", {"redacted_thinking": opaque}, DIALECT)


def _part(block: dict[str, Any], number: int) -> Part | None:
    """Read a block; those of kinds that the vocabulary lacks are skipped."""
    match block.get("type"):
        case "text":
            text = as_text(block.get("text"))
            return Text(text) if text else None
        case "thinking":
            signature = as_text(block.get("signature"))
            return thinking_part(as_text(block.get("thinking")), signature)
        case "redacted_thinking":
            return redacted_part(block.get("data"))
        case "tool_use":
            call_id = as_name(block.get("id")) or f"call_{number}"
            name = as_text(block.get("name"))
            arguments = block.get("input")
            if type(arguments) is dict:
                return ToolCall(call_id, name, as_object(arguments))
            text = arguments if type(arguments) is str else rewrite(arguments or {})
            return ToolCall.parse(call_id, name, text)
        case _:
            return None
