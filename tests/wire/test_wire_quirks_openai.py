"""OpenAI itself: what its streams, replies and errors hold beside the plain case."""

from typing import Any

import pytest

from tests.wire.wire_chat import DONE, call, chunk, event, refused, reply, sent, stream, usage_of
from trio_llm.chat import Message, Reasoning, TextDelta, ToolCallDelta, Usage
from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from trio_llm.wire.presets import OPENAI


def test_openai_pads_its_chunks() -> None:
    """``obfuscation`` and ``service_tier`` are no part of the reply."""
    first = chunk({"role": "assistant", "content": "", "refusal": None}, obfuscation="aB3")
    deltas, completion = stream(first, chunk({"content": "hi"}, service_tier="default"), DONE)
    assert deltas == [TextDelta("hi")]
    assert completion.message.text == "hi"


def test_openai_gives_usage_last_and_null_before() -> None:
    """The last chunk has no choices and the only usage."""
    counts = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    last = event({"choices": [], "usage": counts})
    usage = usage_of(chunk({"content": "a"}, usage=None), chunk(finish="stop"), last, DONE)
    assert usage == Usage(9, 2)


def test_openai_begins_a_calls_arguments_with_an_empty_string() -> None:
    """The empty fragment opens the call and adds nothing."""
    deltas, completion = stream(
        chunk(call("", index=0, id="c1", name="f")),
        chunk(call('{"a":', index=0)),
        chunk(call("1}", index=0)),
        chunk(finish="tool_calls"),
    )
    assert deltas[0] == ToolCallDelta(0, "c1", "f")
    assert completion.message.tool_calls[0].arguments == {"a": 1}


def test_openai_streams_a_refusal_as_filtered_content() -> None:
    """A refusal is no text; the finish reason tells of it."""
    refusal = chunk({"refusal": "I cannot"})
    deltas, completion = stream(refusal, chunk(finish="stop"), DONE)
    assert (deltas, completion.finish_reason) == ([], "content_filter")
    assert reply({"content": None, "refusal": "no"}).finish_reason == "content_filter"


def test_openai_ends_a_forced_call_with_stop() -> None:
    """A call that was forced by name is a tool call all the same."""
    message = {"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    assert reply(message, "stop").finish_reason == "tool_calls"


def test_openai_breaks_off_with_an_error_in_the_stream() -> None:
    """The text before it is given, and the error is the server's."""
    broken = event({"error": {"message": "the server had an error", "type": "server_error"}})
    with pytest.raises(ServerError, match="had an error"):
        stream(chunk({"content": "a"}), broken, b"")


def test_openai_takes_no_field_of_another_provider() -> None:
    """Reasoning that another provider wants back is not sent to OpenAI."""
    thought = Reasoning("t", {"reasoning_content": "t"}, "openai_chat")
    body = sent(Message("assistant", [thought, "x"]), quirks=OPENAI)
    assert body["messages"] == [{"role": "assistant", "content": "x"}]


@pytest.mark.parametrize(
    ("status", "error", "cls"),
    [
        (401, {"code": "invalid_api_key", "message": "Incorrect API key"}, AuthenticationError),
        (403, {"code": None, "message": "You may not sample from it"}, PermissionDeniedError),
        (404, {"code": "model_not_found", "message": "The model `x`"}, ModelNotFoundError),
        (400, {"code": "model_not_found", "message": "The model `x`"}, ModelNotFoundError),
        (400, {"code": "context_length_exceeded", "message": "x"}, ContextLengthError),
        (400, {"code": None, "message": "maximum context length is 9"}, ContextLengthError),
        (400, {"code": "content_policy_violation", "message": "x"}, ContentFilterError),
        (400, {"code": "invalid_prompt", "message": "x"}, ContentFilterError),
        (400, {"code": "empty_array", "message": "Invalid 'messages'"}, InvalidRequestError),
        (
            429,
            {"type": "insufficient_quota", "code": "credit_balance_exhausted"},
            QuotaExceededError,
        ),
        (
            429,
            {"type": "insufficient_quota", "code": "organization_spend_limit_exceeded"},
            QuotaExceededError,
        ),
        (
            429,
            {"type": "insufficient_quota", "code": "project_spend_limit_exceeded"},
            QuotaExceededError,
        ),
        (
            429,
            {"type": "insufficient_quota", "code": "organization_usage_limit_exceeded"},
            QuotaExceededError,
        ),
        (429, {"code": "rate_limit_exceeded", "message": "tokens per min"}, RateLimitError),
        (429, {"code": "slow_down", "message": "x"}, OverloadedError),
        (500, {"type": "server_error", "message": "x"}, ServerError),
        (503, {"code": "server_is_overloaded", "message": "x"}, OverloadedError),
    ],
)
def test_openai_errors_have_their_classes(
    status: int, error: dict[str, Any], cls: type[ProviderError]
) -> None:
    """Money is no rate limit, and a model is missing under two statuses."""
    assert type(refused(status, {"error": error})) is cls


def test_openai_says_in_words_how_long_to_wait() -> None:
    """A rate limit without a header is waited for as its sentence says."""
    message = "Rate limit reached on tokens per min. Please try again in 3.89s. Visit"
    error = refused(429, {"error": {"message": message, "code": "rate_limit_exceeded"}})
    assert error.retry_after == pytest.approx(3.89)
