"""xAI: output counted without reasoning, errors as strings, 400 for a bad key."""

from typing import Any

import pytest

from tests.wire.wire_chat import DONE, call, chunk, event, refused, sent, stream, usage_of
from trio_llm.chat import ToolCallDelta, Usage
from trio_llm.errors import (
    AuthenticationError,
    ModelNotFoundError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
)
from trio_llm.wire.presets import XAI


def test_xai_counts_output_without_reasoning() -> None:
    """The total tells: reasoning is output too."""
    counts = {
        "prompt_tokens": 496,
        "completion_tokens": 77,
        "total_tokens": 694,
        "completion_tokens_details": {"reasoning_tokens": 121},
        "cost_in_usd_ticks": 12345,
        "num_sources_used": 0,
    }
    usage = usage_of(chunk({"content": "a"}, "stop"), event({"choices": [], "usage": counts}), DONE)
    assert usage == Usage(496, 198, reasoning_tokens=121)


def test_xai_sends_a_whole_call_in_one_delta() -> None:
    """One delta opens the call and one completes it."""
    deltas, _ = stream(chunk(call('{"a":1}', index=0, id="call_1", name="f"), "tool_calls"), DONE)
    assert deltas == [ToolCallDelta(0, "call_1", "f"), ToolCallDelta(0, arguments='{"a":1}')]


def test_xai_reasons_in_a_field_of_its_own() -> None:
    """And ends with usage in a chunk without choices."""
    _, completion = stream(chunk({"reasoning_content": "hm"}), chunk({"content": "x"}, "stop"))
    assert completion.message.reasoning == "hm"


EXHAUSTED = (
    "Your team 0 has either used all available credits or reached its monthly spending limit."
)


@pytest.mark.parametrize(
    ("status", "code", "text", "cls"),
    [
        (400, "Client specified an invalid argument", "Incorrect API key", AuthenticationError),
        (400, "Client specified an invalid argument", "Model not found: g", ModelNotFoundError),
        (404, "Some requested entity was not found", "The model g does not", ModelNotFoundError),
        (429, "Some resource has been exhausted", EXHAUSTED, QuotaExceededError),
        (403, "The caller does not have permission", EXHAUSTED, QuotaExceededError),
        (429, "Some resource has been exhausted", "Too many tokens for team 0", RateLimitError),
    ],
)
def test_xai_errors_are_strings(
    status: int, code: str, text: str, cls: type[ProviderError]
) -> None:
    """The same code and status mean several things; the sentence tells them apart."""
    error = refused(status, {"code": code, "error": text})
    assert type(error) is cls
    assert text[:20] in error.message


def test_xai_is_sent_the_newer_limit() -> None:
    """Its reference calls the older name deprecated."""
    body: dict[str, Any] = sent(quirks=XAI, max_tokens=5)
    assert body["max_completion_tokens"] == 5
