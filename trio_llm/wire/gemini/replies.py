"""Whole replies, as the client reads them, and the pieces that streams share with them."""

import re
from collections.abc import Sequence
from typing import Any

from trio_llm.chat import Completion, FinishReason, Message, Part, ToolCall, Usage
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.fault import fault_of
from trio_llm.wire.gemini.names import FAILED, FINISH, FINISH_NUMBERS
from trio_llm.wire.gemini.turns import read_part
from trio_llm.wire.redact import presentable
from trio_llm.wire.values import as_count, as_list, as_name, as_object, as_text, read_body

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_ID_LENGTH = 24
_COUNTS = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "totalTokenCount",
)


def decode_reply(body: bytes) -> Completion:
    """Read a whole response of status 200.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    value = read_body(body)
    reply = as_object(value)
    if reply.get("error") or (type(value) is list and fault_of(value).texts):
        raise classify_frame(value, phase="response")
    candidate = candidate_of(reply)
    if candidate is None and blocked(reply) is None:
        raise MalformedResponseError("the response has no candidates", phase="response")
    parts: list[Part] = []
    for fields in parts_of(candidate or {}):
        calls = sum(isinstance(part, ToolCall) for part in parts)
        parts.extend(read_reply_part(fields, calls, reply.get("responseId"), phase="response"))
    return completion_of(
        parts, reply, candidate or {}, as_object(reply.get("usageMetadata")), value
    )


def candidate_of(reply: dict[str, Any]) -> dict[str, Any] | None:
    """Give the first candidate, the only one unless more were asked for."""
    for item in as_list(reply.get("candidates")):
        candidate = as_object(item)
        if candidate and not candidate.get("index"):
            return candidate
    return None


def parts_of(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the parts of a candidate; content and parts may both be missing."""
    content = as_object(candidate.get("content"))
    return [as_object(item) for item in as_list(content.get("parts"))]


def read_reply_part(
    fields: dict[str, Any], calls: int, response_id: Any, *, phase: str
) -> tuple[Part, ...]:
    """Read a part of a reply.

    A call without an identifier gets one of its number and the response, so that
    it is like no other of the conversation.

    Args:
        fields: The part.
        calls: How many calls have come before it.
        response_id: The provider's identifier of the response.
        phase: For errors.

    Raises:
        MalformedResponseError: It is a call without a name, or a piece of one.
    """

    def new_id() -> str:
        suffix = _NOT_IN_ID.sub("_", as_text(response_id)[:_ID_LENGTH])
        return f"call_{calls}_{suffix}" if suffix else f"call_{calls}"

    try:
        return read_part(fields, new_id)
    except ValueError as error:
        raise MalformedResponseError(str(error), phase=phase) from None


def finish_of(candidate: dict[str, Any]) -> str | None:
    """Give the finish reason; one by its number is given by its name."""
    raw = candidate.get("finishReason")
    if type(raw) is int:
        return FINISH_NUMBERS[raw] if 0 <= raw < len(FINISH_NUMBERS) else str(raw)[:100]
    return as_name(raw)


def blocked(reply: dict[str, Any]) -> str | None:
    """Give why the prompt was refused; empty if that is not said, ``None`` if it was not."""
    feedback = as_object(reply.get("promptFeedback"))
    reason = feedback.get("blockReason")
    if reason or feedback.get("blockReasonMessage"):
        return as_text(reason)
    return None


def completion_of(
    parts: Sequence[Part],
    reply: dict[str, Any],
    candidate: dict[str, Any],
    usage: dict[str, Any],
    raw: Any,
) -> Completion:
    """Make the completion of the parts of a turn and what was said about it.

    Args:
        parts: The turn.
        reply: Who answered, and whether the prompt was refused.
        candidate: Why the turn ended.
        usage: The token counts.
        raw: The decoded body.

    Raises:
        ProviderError: The finish reason says that there is no answer.
    """
    finish = finish_of(candidate)
    refusal = blocked(reply)
    message = Message("assistant", parts)
    if finish in FAILED:
        said = presentable(as_text(candidate.get("finishMessage")))
        raise FAILED[finish](
            f"the model gave no answer: {said or finish}", code=finish, phase="response"
        )
    reason: FinishReason = FINISH.get(finish or "", "unknown")
    if finish is None and refusal is not None:
        reason, finish = "content_filter", refusal or None
    elif reason == "stop" and message.tool_calls:
        # Gemini says STOP for tool calls too.
        reason = "tool_calls"
    return Completion(
        message=message,
        finish_reason=reason,
        raw_finish=finish,
        usage=usage_of(usage),
        model=as_name(reply.get("modelVersion")),
        response_id=as_name(reply.get("responseId")),
        raw=raw,
    )


def usage_of(usage: dict[str, Any]) -> Usage | None:
    """Read the token counts.

    The prompt's count includes the cached tokens, but not what tools of the
    provider read in; the candidates' count leaves the thoughts out.
    """
    if all(usage.get(name) is None for name in _COUNTS):
        return None
    thoughts = as_count(usage.get("thoughtsTokenCount"))
    return Usage(
        input_tokens=as_count(usage.get("promptTokenCount"))
        + as_count(usage.get("toolUsePromptTokenCount")),
        output_tokens=as_count(usage.get("candidatesTokenCount")) + thoughts,
        cached_tokens=as_count(usage.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
    )
