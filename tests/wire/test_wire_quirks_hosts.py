"""Hosts with one or two traps each: Databricks, Fireworks, Bedrock, gateways, Gemini's copy."""

from typing import Any

import pytest

from tests.wire.wire_chat import DONE, chunk, event, refused, reply, sent, stream, usage_of
from trio_llm.chat import TextDelta, Usage
from trio_llm.errors import (
    AuthenticationError,
    ModelNotFoundError,
    ProviderError,
    RateLimitError,
)
from trio_llm.wire.presets import BEDROCK


def test_databricks_gives_usage_in_every_chunk_with_nulls() -> None:
    """A null does not take back what an earlier chunk said, and the cache's names are others."""
    early = {"prompt_tokens": 36, "completion_tokens": None, "cache_read_input_tokens": 8}
    late = {"prompt_tokens": 36, "completion_tokens": 5, "total_tokens": 41}
    cache = {"cache_read_input_tokens": None, "cache_creation_input_tokens": 4}
    usage = usage_of(
        chunk({"content": "a"}, usage=early), chunk(finish="stop", usage=late | cache), DONE
    )
    assert usage == Usage(36, 5, cached_tokens=8, cache_write_tokens=4)


def test_fireworks_writes_its_rate_limit_as_a_string() -> None:
    """The sentence is in ``message``, beside an ``error`` that only names the status."""
    body = {"error": "Too Many Requests", "message": "Rate limit exceeded, please try again later"}
    error = refused(429, body)
    assert isinstance(error, RateLimitError)
    assert "Too Many Requests" in error.message


@pytest.mark.parametrize(
    ("status", "message", "cls"),
    [
        (403, "The security token included in the request is invalid.", AuthenticationError),
        (400, "The provided model identifier is invalid.", ModelNotFoundError),
        (429, "Too many requests, please wait before trying again.", RateLimitError),
    ],
)
def test_bedrock_says_only_a_message(status: int, message: str, cls: type[ProviderError]) -> None:
    """A bad key is 403, a model that does not exist is 400."""
    assert type(refused(status, {"message": message})) is cls


def test_bedrock_gives_reasoning_and_is_sent_none() -> None:
    """Its field is ``reasoning``; it stores nothing."""
    message = reply({"content": "x", "reasoning": "hm", "refusal": None}).message
    assert message.reasoning == "hm"
    body = sent(message, quirks=BEDROCK, metadata={"a": "b"})
    assert body == {"model": "m", "messages": [{"role": "assistant", "content": "x"}]}


def test_venice_writes_errors_as_strings() -> None:
    """With the status of a missing model."""
    error = refused(404, {"error": "Specified model not found: x. Did you mean: y?"})
    assert isinstance(error, ModelNotFoundError)


def test_copilot_names_no_role_and_pads_its_messages() -> None:
    """A first chunk without choices, and counts of reasoning beside the usual ones."""
    first = event({"choices": [], "id": "", "model": "gpt", "prompt_filter_results": []})
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "reasoning_tokens": 0}
    completion = stream(
        first, chunk({"content": "a", "padding": "abc"}), chunk(finish="stop", usage=counts), DONE
    )[1]
    assert (completion.message.text, completion.model) == ("a", "gpt")
    assert completion.usage == Usage(3, 2)


def test_zai_reasons_token_by_token_before_it_answers() -> None:
    """Without a finish reason until the end, where usage comes too."""
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    last = {"index": 0, "finish_reason": "stop", "delta": {"role": "assistant", "content": ""}}
    deltas, completion = stream(
        event({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}),
        event({"choices": [{"index": 0, "delta": {"content": "x"}}]}),
        event({"choices": [last], "usage": counts}),
        DONE,
    )
    assert deltas[-1] == TextDelta("x")
    assert completion.usage == Usage(3, 2)


def test_gateways_state_costs_beside_counts() -> None:
    """Vercel, Avian and Venice: amounts of money are no tokens."""
    counts: dict[str, Any] = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    costs = {"cost": 0.1, "market_cost": 0.2, "cache_creation_input_tokens": 0}
    assert usage_of(chunk({"content": "a"}, "stop", usage=counts | costs), DONE) == Usage(3, 2)


def test_geminis_copy_of_the_form_names_no_calls_and_hides_its_thoughts() -> None:
    """An empty identifier is replaced, and tokens beyond the sum are reasoning."""
    call = {"id": "", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    counts = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}
    completion = reply({"tool_calls": [call]}, "tool_calls", usage=counts)
    assert completion.message.tool_calls[0].id == "call_0"
    assert completion.usage == Usage(35, 74, reasoning_tokens=62)


def test_geminis_copy_of_the_form_signs_messages() -> None:
    """The signature of a message goes back with it."""
    signed = {"google": {"thought": True, "thought_signature": "c2ln"}}
    message = reply({"content": "x", "extra_content": signed}).message
    assert sent(message)["messages"][0]["extra_content"] == signed
