"""Whole replies, as the client reads them, and the pieces that streams share with them."""

from typing import Any, Literal

from trio_llm.chat import Completion, FinishReason, Part, Reasoning, Text, ToolCall, Usage
from trio_llm.chat.messages import Message
from trio_llm.errors import (
    MalformedResponseError,
    ProviderError,
    ProviderTimeoutError,
    ServerError,
)
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.cohere.names import DIALECT, FINISH, TOOL_PLAN
from trio_llm.wire.values import (
    as_count,
    as_list,
    as_name,
    as_object,
    as_text,
    read_body,
    rewrite,
)

Phase = Literal["response", "stream"]


def decode_reply(body: bytes) -> Completion:
    """Read a whole response of status 200.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    value = read_body(body)
    reply = as_object(value)
    message = reply.get("message")
    if reply.get("error") or as_name(message):
        raise classify_frame(reply, phase="response")
    if type(message) is not dict:
        raise MalformedResponseError("the response has no message", phase="response")
    raw_finish = as_name(reply.get("finish_reason"))
    failure = failure_of(raw_finish, None, phase="response")
    if failure is not None:
        raise failure
    turn = Message("assistant", _parts(as_object(message)))
    return Completion(
        message=turn,
        finish_reason=finish_reason(raw_finish, calls=bool(turn.tool_calls)),
        raw_finish=raw_finish,
        usage=usage_of(reply.get("usage")),
        response_id=as_name(reply.get("id")),
        raw=value,
    )


def failure_of(raw: str | None, error: Any, *, phase: Phase) -> ProviderError | None:
    """Give the error that an end of generation stands for, if it stands for one.

    Args:
        raw: The finish reason.
        error: What the end says went wrong; nothing, most often.
        phase: Where it was read.
    """
    said = classify_frame(error, phase=phase) if error else None
    if raw == "TIMEOUT":
        message = (
            "generation took longer than the provider allows" if said is None else said.message
        )
        return ProviderTimeoutError(message, code=raw, phase=phase)
    if raw == "ERROR" and said is None:
        return ServerError("generation failed inside the provider", code=raw, phase=phase)
    return said


def finish_reason(raw: str | None, *, calls: bool) -> FinishReason:
    """Give the finish reason in this library's words."""
    reason = FINISH.get(raw or "", "unknown")
    return "tool_calls" if calls and reason == "stop" else reason


def usage_of(value: Any) -> Usage | None:
    """Read the token counts: those of the model, and not those that are billed.

    The two differ, by the provider's own preamble for one. Of the model's, the
    tokens of pictures are counted apart.
    """
    usage = as_object(value)
    tokens = as_object(usage.get("tokens"))
    counts = tokens or as_object(usage.get("billed_units"))
    if counts.get("input_tokens") is None and counts.get("output_tokens") is None:
        return None
    pictures = as_count(tokens.get("image_tokens"))
    return Usage(
        input_tokens=as_count(counts.get("input_tokens")) + pictures,
        output_tokens=as_count(counts.get("output_tokens")),
        cached_tokens=as_count(usage.get("cached_tokens")),
        reasoning_tokens=as_count(counts.get("reasoning_tokens")),
    )


def thinking_part(text: str) -> Reasoning:
    """Make the part of a piece of thinking."""
    return Reasoning(text, None, DIALECT)


def plan_part(text: str) -> Reasoning:
    """Make the part of the words that precede tool calls; here they go back under their name."""
    return Reasoning(text, {TOOL_PLAN: text}, DIALECT)


def arguments_text(value: Any) -> str:
    """Give a call's arguments as text, whatever they came as."""
    if type(value) is str:
        return as_text(value)
    return rewrite(value) if value else ""


def _parts(message: dict[str, Any]) -> list[Part]:
    parts: list[Part] = []
    content = message.get("content")
    if as_name(content):
        parts.append(Text(as_text(content)))
    for item in as_list(content):
        block = as_object(item)
        text, thinking = as_text(block.get("text")), as_text(block.get("thinking"))
        if block.get("type") == "thinking" and thinking:
            parts.append(thinking_part(thinking))
        elif block.get("type") == "text" and text:
            parts.append(Text(text))
    plan = as_text(message.get(TOOL_PLAN))
    if plan:
        parts.append(plan_part(plan))
    for index, item in enumerate(as_list(message.get("tool_calls"))):
        call = as_object(item)
        function = as_object(call.get("function"))
        call_id = as_name(call.get("id")) or f"call_{index}"
        arguments = arguments_text(function.get("arguments"))
        parts.append(ToolCall.parse(call_id, as_text(function.get("name")), arguments))
    return parts
