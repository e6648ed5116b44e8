"""Whole replies, as the client reads them, and the pieces that streams share with them."""

from typing import Any

from trio_llm.chat import Completion, FinishReason, Usage
from trio_llm.errors import MalformedResponseError, ProviderError, ServerError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.openai_chat.charged import charged_of
from trio_llm.wire.openai_responses.drafts import OutputDraft
from trio_llm.wire.openai_responses.names import INCOMPLETE
from trio_llm.wire.values import as_count, as_list, as_name, as_object, read_body


def decode_reply(body: bytes) -> Completion:
    """Read a whole response of status 200.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    value = read_body(body)
    reply = as_object(value)
    failed = failure(reply, phase="response")
    if failed is not None:
        raise failed
    output = reply.get("output")
    if type(output) is not list:
        if any(name in reply for name in ("errors", "detail")):
            raise classify_frame(reply, phase="response")
        raise MalformedResponseError("the response has no output", phase="response")
    if reply.get("status") in ("queued", "in_progress"):
        raise MalformedResponseError(
            "the response is still being made; do not ask for it in the background",
            phase="response",
        )
    draft = OutputDraft()
    for item in as_list(output):
        draft.add(as_object(item))
    return completion_of(draft, reply, as_name(reply.get("status")), raw=value)


def failure(response: dict[str, Any], *, phase: str) -> ProviderError | None:
    """Give the error that a response says of itself, if it says one."""
    error = response.get("error")
    if error or response.get("object") == "error":
        # The caller's own metadata, which a response repeats, is not to be taken for codes.
        frame = {name: field for name, field in response.items() if name != "metadata"}
        return classify_frame(frame, phase=phase)
    status = response.get("status")
    if status == "failed":
        return ServerError("the reply failed; the provider gave no reason", phase=phase)
    if status == "cancelled":
        return ServerError("the provider cancelled the reply", phase=phase)
    return None


def completion_of(
    draft: OutputDraft, response: dict[str, Any], status: str | None, *, raw: Any = None
) -> Completion:
    """Make the completion of all output items and of what the response says of itself."""
    return Completion(
        message=draft.message(),
        finish_reason=finish_reason(
            status,
            as_name(as_object(response.get("incomplete_details")).get("reason")),
            calls=draft.has_calls,
            refused=draft.refused,
        ),
        raw_finish=status,
        usage=usage_of(response.get("usage")),
        model=as_name(response.get("model")),
        response_id=as_name(response.get("id")),
        raw=raw,
        charged=charged_of(response.get("usage")),
    )


def finish_reason(
    status: str | None, reason: str | None, *, calls: bool, refused: bool
) -> FinishReason:
    """Give the finish reason in this library's words."""
    if refused:
        return "content_filter"
    if status == "incomplete" or reason is not None:
        return INCOMPLETE.get(reason or "", "unknown")
    if calls:
        return "tool_calls"
    return "stop" if status == "completed" else "unknown"


def usage_of(value: Any) -> Usage | None:
    """Read the token counts; ``None`` where there are none."""
    usage = as_object(value)
    if usage.get("input_tokens") is None and usage.get("output_tokens") is None:
        return None
    read = as_object(usage.get("input_tokens_details"))
    written = as_object(usage.get("output_tokens_details"))
    return Usage(
        input_tokens=as_count(usage.get("input_tokens")),
        output_tokens=as_count(usage.get("output_tokens")),
        cached_tokens=as_count(read.get("cached_tokens")),
        cache_write_tokens=as_count(read.get("cache_write_tokens")),
        reasoning_tokens=as_count(written.get("reasoning_tokens")),
    )
