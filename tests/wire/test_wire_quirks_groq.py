"""Groq: usage in a field of its own, named error events, waits in words."""

from decimal import Decimal
from typing import Any

import pytest

from tests.wire.wire_chat import DONE, chunk, event, refused, sent, stream, usage_of
from tests.wire.wire_operations import listed
from trio_llm.chat import Capability, ListModels, Price, Usage
from trio_llm.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    RateLimitError,
    ServerError,
)
from trio_llm.wire.presets import GROQ

COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10, "queue_time": 0.1}


def test_groq_gives_usage_in_a_field_of_its_own() -> None:
    """In the last choice's chunk, unasked."""
    assert usage_of(chunk({"content": "a"}), chunk(finish="stop", x_groq={"usage": COUNTS})) == (
        Usage(7, 3)
    )


def test_groq_gives_usage_in_both_places_when_asked() -> None:
    """The two agree, and it counts once."""
    last = event({"choices": [], "usage": COUNTS, "x_groq": {"usage": COUNTS}})
    done = chunk(finish="stop", x_groq={"id": "req_1", "usage": COUNTS})
    assert usage_of(chunk({"content": "a"}, x_groq={"id": "req_1"}), done, last, DONE) == (
        Usage(7, 3)
    )


def test_groq_names_its_error_event_and_sends_no_marker_after_it() -> None:
    """The text before it is given first; nothing more is waited for."""
    failed = (
        b'event: error\ndata: {"error":{"message":"Failed to call a function.",'
        b'"type":"invalid_request_error","code":"tool_use_failed",'
        b'"failed_generation":"{\\"name\\":","status_code":400}}\n\n'
    )
    with pytest.raises(InvalidRequestError, match="Failed to call") as caught:
        stream(chunk({"content": "a"}), failed, b"")
    assert (caught.value.status, caught.value.code) == (400, "tool_use_failed")


def test_groq_tells_the_channel_of_reasoning() -> None:
    """Reasoning is reasoning whatever channel it came through."""
    _, completion = stream(
        chunk({"reasoning": "hm", "channel": "analysis"}),
        chunk({"content": "x", "channel": "final"}, finish="stop"),
        DONE,
    )
    assert (completion.message.reasoning, completion.message.text) == ("hm", "x")


@pytest.mark.parametrize(
    ("status", "error", "cls"),
    [
        (401, {"code": "invalid_api_key", "message": "Invalid API Key"}, AuthenticationError),
        (404, {"code": "model_not_found", "message": "The model `x`"}, ModelNotFoundError),
        (400, {"code": "tool_use_failed", "message": "Failed to call"}, InvalidRequestError),
        (413, {"message": "Request Entity Too Large"}, InvalidRequestError),
        (422, {"message": "Unprocessable"}, InvalidRequestError),
        (424, {"message": "Failed dependency"}, ServerError),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, RateLimitError),
        (498, {"code": "capacity_exceeded", "message": "Flex tier"}, OverloadedError),
        (499, {"message": "Request cancelled"}, ServerError),
        (500, {"message": "Internal"}, ServerError),
        (503, {"message": "Unavailable"}, OverloadedError),
    ],
)
def test_groq_errors_have_their_classes(
    status: int, error: dict[str, Any], cls: type[ProviderError]
) -> None:
    """Its own statuses included."""
    assert type(refused(status, {"error": error})) is cls


def test_groq_says_in_words_how_long_to_wait() -> None:
    """With more digits than a clock has."""
    message = "Rate limit reached. Please try again in 50.597142857s. Need more tokens?"
    error = refused(429, {"error": {"message": message, "type": "tokens"}})
    assert error.retry_after == pytest.approx(50.597142857)


def test_groq_is_sent_the_newer_limit_and_no_metadata() -> None:
    """Its SDK calls the older name deprecated and metadata unsupported."""
    body = sent(quirks=GROQ, max_tokens=5, metadata={"a": "b"}, user="u")
    assert body["max_completion_tokens"] == 5
    assert "metadata" not in body
    assert body["user"] == "u"


def test_groq_lists_windows_and_prices() -> None:
    """A model without a price for output has no price, and one without any has none."""
    entry = {
        "id": "openai/gpt-oss-20b",
        "context_window": 131_072,
        "max_completion_tokens": 65_536,
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "supported_features": ["tools", "structured_outputs", "reasoning"],
        "pricing": {
            "prompt": "0.000000075",
            "completion": "0.0000003",
            "input_cache_read": "0.0000000375",
            "image": "0",
        },
    }
    speech = {"id": "orpheus", "output_modalities": ["speech"], "pricing": {"prompt": "0.000022"}}
    text, voice = listed(ListModels(), {"data": [entry, speech]}, quirks=GROQ)
    assert (text.context_window, text.max_output_tokens) == (131_072, 65_536)
    assert text.price == Price(Decimal("0.075"), Decimal("0.3"), Decimal("0.0375"))
    assert text.capabilities is not None
    assert {Capability.TOOLS, Capability.STRUCTURED_OUTPUT} < text.capabilities
    assert voice.price is None
    assert voice.capabilities == frozenset({Capability.AUDIO_GENERATION})
