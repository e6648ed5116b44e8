"""DeepSeek: reasoning that must come back, cache counts of its own, plain content."""

from typing import Any

import pytest

from tests.wire.wire_chat import DONE, chunk, refused, reply, sent, stream, usage_of
from trio_llm.chat import Image, Message, Tool, ToolCall, Usage
from trio_llm.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    OverloadedError,
    ProviderError,
    QuotaExceededError,
)
from trio_llm.wire.presets import DEEPSEEK

CALLS = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


def test_deepseek_counts_its_cache_in_fields_of_its_own() -> None:
    """Hits are part of the input; misses say nothing new."""
    counts = {
        "prompt_tokens": 20,
        "completion_tokens": 4,
        "total_tokens": 24,
        "prompt_cache_hit_tokens": 16,
        "prompt_cache_miss_tokens": 4,
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    usage = usage_of(chunk({"content": "a"}), chunk(finish="stop", usage=counts), DONE)
    assert usage == Usage(20, 4, cached_tokens=16, reasoning_tokens=3)


def test_deepseek_gives_usage_unasked() -> None:
    """With the last choice, though other chunks have it null."""
    counts = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
    last = chunk({"content": ""}, "stop", usage=counts)
    assert usage_of(chunk({"content": "a"}, usage=None), last, DONE) == Usage(2, 1)


def test_deepseek_wants_its_reasoning_back_beside_calls() -> None:
    """Both in whole replies and in streams; without calls it goes nowhere."""
    whole = reply({"reasoning_content": "hm", "content": "", "tool_calls": CALLS}).message
    streamed = stream(
        chunk({"reasoning_content": "h", "content": None}),
        chunk({"reasoning_content": "m", "content": None}),
        chunk({"tool_calls": [{"index": 0, **CALLS[0]}]}, "tool_calls"),
    )[1].message
    for message in (whole, streamed):
        assert sent(message, quirks=DEEPSEEK)["messages"][0]["reasoning_content"] == "hm"
    plain = reply({"reasoning_content": "hm", "content": "x"}).message
    assert "reasoning_content" not in sent(plain, quirks=DEEPSEEK)["messages"][0]


def test_deepseek_takes_content_only_as_a_string() -> None:
    """Texts are joined; a picture is refused by its place."""
    body = sent(Message("user", ["a", "b"]), quirks=DEEPSEEK)
    assert body["messages"][0]["content"] == "ab"
    with pytest.raises(InvalidRequestError, match=r"content\[0\].*image"):
        sent(Message("user", Image(url="https://e.org/a.png")), quirks=DEEPSEEK)


def test_deepseek_has_no_seed_and_no_labels() -> None:
    """What it does not know is not sent."""
    body = sent(quirks=DEEPSEEK, seed=1, user="u", metadata={"a": "b"})
    assert body.keys() == {"model", "messages"}


def test_deepseek_is_asked_for_shapes_in_words() -> None:
    """It knows no schema, and while thinking it refuses a forced choice of tool."""
    assert DEEPSEEK.output == "prompt"
    body = {"error": {"message": "Thinking mode does not support this tool_choice"}}
    assert isinstance(refused(400, body), InvalidRequestError)
    assert sent(quirks=DEEPSEEK, tools=[Tool("f")], tool_choice="auto")["tool_choice"] == "auto"


def test_deepseek_ends_a_reply_when_it_runs_out_of_resources() -> None:
    """That finish reason is an overload, not an answer."""
    with pytest.raises(OverloadedError):
        stream(chunk({"content": "a"}), chunk(finish="insufficient_system_resource"), DONE)


@pytest.mark.parametrize(
    ("status", "error", "cls"),
    [
        (
            401,
            {"type": "authentication_error", "message": "Authentication Fails"},
            AuthenticationError,
        ),
        (
            402,
            {"code": "invalid_request_error", "message": "Insufficient Balance"},
            QuotaExceededError,
        ),
        (
            400,
            {"message": "This model's maximum context length is 1048565 tokens."},
            ContextLengthError,
        ),
        (422, {"message": "Invalid parameters"}, InvalidRequestError),
        (503, {"message": "Server overloaded"}, OverloadedError),
    ],
)
def test_deepseek_errors_have_their_classes(
    status: int, error: dict[str, Any], cls: type[ProviderError]
) -> None:
    """An empty purse has the code of a bad request, and is one of quota."""
    assert type(refused(status, {"error": error})) is cls


def test_deepseek_state_does_not_go_to_it_from_elsewhere() -> None:
    """Details of OpenRouter's are not for DeepSeek."""
    message = reply(
        {"reasoning_details": [{"type": "reasoning.text", "text": "t"}], "tool_calls": CALLS}
    ).message
    assert isinstance(message.content[-1], ToolCall)
    assert "reasoning_details" not in sent(message, quirks=DEEPSEEK)["messages"][0]
