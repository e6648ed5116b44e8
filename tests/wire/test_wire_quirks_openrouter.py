"""OpenRouter: comments, errors under a 200, reasoning details, prices on the wire."""

from decimal import Decimal
from typing import Any

import pytest

from tests.wire.wire_chat import DONE, chunk, event, refused, reply, sent, stream
from tests.wire.wire_operations import asked, listed
from trio_llm.chat import Capability, ListModels, Message, Price, ShowModel, TextDelta, Usage
from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from trio_llm.wire.presets import OPENROUTER

PROCESSING = b": OPENROUTER PROCESSING\n\n"


def test_openrouter_keeps_the_connection_alive_with_comments() -> None:
    """They come before and between the chunks and say nothing."""
    deltas, completion = stream(
        PROCESSING * 3, chunk({"content": "a"}), PROCESSING, chunk(finish="stop"), DONE
    )
    assert deltas == [TextDelta("a")]
    assert completion.finish_reason == "stop"


def test_openrouter_gives_usage_with_the_last_choice_and_its_cost() -> None:
    """Usage comes unasked, with fields that count no tokens."""
    counts = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6, "cost": 0.00012}
    last = chunk(
        finish="stop",
        usage={**counts, "is_byok": False, "cost_details": {"upstream_inference_cost": None}},
        provider="OpenAI",
    )
    assert stream(chunk({"content": "a"}), last, DONE)[1].usage == Usage(4, 2)


@pytest.mark.parametrize("finish", ["error", None])
def test_openrouter_fails_in_the_middle_of_a_200(finish: str | None) -> None:
    """The error stands beside the choices of a chunk, and the stream still ends properly."""
    failed = chunk(finish=finish, error={"code": 502, "message": "Upstream error from Z"})
    with pytest.raises(ServerError, match="Upstream error") as caught:
        stream(chunk({"content": "a"}), failed + DONE, b"")
    assert caught.value.status == 502


def test_openrouter_fails_with_a_finish_reason_alone() -> None:
    """A reply that ends with ``error`` is no reply."""
    with pytest.raises(ServerError):
        stream(chunk({"content": "a"}), chunk(finish="error"), DONE)


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        ({"code": 400, "message": "x/y is not a valid model ID"}, ModelNotFoundError),
        ({"code": 400, "message": "maximum context length is 9 tokens"}, ContextLengthError),
        ({"code": 401, "message": "No cookie auth credentials found"}, AuthenticationError),
        ({"code": 401, "message": "Missing Authentication header"}, AuthenticationError),
        ({"code": 402, "message": "This request requires more credits"}, QuotaExceededError),
        (
            {"code": 403, "message": "Denied", "metadata": {"reasons": ["violence"]}},
            ContentFilterError,
        ),
        ({"code": 408, "message": "Timed out"}, ProviderTimeoutError),
        ({"code": 429, "message": "Provider returned error"}, RateLimitError),
        ({"code": 502, "message": "Provider returned error"}, ServerError),
        ({"code": 503, "message": "No instances available"}, OverloadedError),
    ],
)
def test_openrouter_errors_have_their_classes(
    error: dict[str, Any], cls: type[ProviderError]
) -> None:
    """Its codes are statuses, also where they come under a 200."""
    assert type(refused(error["code"], {"error": error, "user_id": "user_1"})) is cls
    with pytest.raises(cls):
        stream(event({"error": error}))


def test_openrouter_quotes_the_upstream() -> None:
    """The upstream's own words are in the message."""
    raw = "z/glm is temporarily rate-limited upstream. Please retry shortly"
    error = refused(
        429,
        {
            "error": {
                "code": 429,
                "message": "Provider returned error",
                "metadata": {"raw": raw, "provider_name": "BaseTen"},
            }
        },
    )
    assert raw in error.message


def test_openrouter_names_a_request_by_its_generation() -> None:
    """Its header is the identifier that its support asks for."""
    error = refused(502, {"error": {"code": 502, "message": "x"}}, {"x-generation-id": "gen-1"})
    assert error.request_id == "gen-1"


def test_openrouter_lets_an_upstreams_context_error_be_seen() -> None:
    """What the upstream says inside ``metadata.raw`` decides the class."""
    raw = '{"error":{"message":"prompt is too long: 250000 tokens > 200000 maximum"}}'
    error = {"code": 400, "message": "Provider returned error", "metadata": {"raw": raw}}
    assert isinstance(refused(400, {"error": error}), ContextLengthError)


def test_openrouter_gives_reasoning_twice() -> None:
    """The text counts once, and the details go back as they came."""
    first = {"type": "reasoning.text", "text": "be", "index": 0, "format": "anthropic-claude-v1"}
    second = {"type": "reasoning.text", "text": "cause", "index": 0}
    sealed = {"type": "reasoning.encrypted", "data": "c2VhbA==", "index": 1}
    _, completion = stream(
        chunk({"content": "", "reasoning": "be", "reasoning_details": [first]}),
        chunk({"content": "", "reasoning": "cause", "reasoning_details": [second]}),
        chunk({"content": "", "reasoning_details": [sealed]}),
        chunk({"content": "x"}, finish="stop"),
        DONE,
    )
    assert completion.message.reasoning == "because"
    body = sent(completion.message, quirks=OPENROUTER)
    whole = {**first, "text": "because"}
    assert body["messages"][0]["reasoning_details"] == [whole, sealed]


def test_openrouter_hears_about_effort_in_an_object() -> None:
    """One form that it turns into the upstream's own."""
    assert sent(quirks=OPENROUTER, reasoning="high")["reasoning"] == {"effort": "high"}


def test_openrouter_wants_plain_reasoning_back_from_nobody() -> None:
    """Reasoning without details is not replayed there."""
    message = {
        "reasoning_content": "t",
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    }
    turn: Message = reply(message).message
    assert "reasoning_content" not in sent(turn, quirks=OPENROUTER)["messages"][0]


def test_openrouter_lists_windows_prices_and_abilities() -> None:
    """Prices are strings for one token; the longest output is the top provider's."""
    entry = {
        "id": "anthropic/claude",
        "name": "Anthropic: Claude",
        "context_length": 1_000_000,
        "architecture": {
            "input_modalities": ["image", "text", "file"],
            "output_modalities": ["text"],
        },
        "pricing": {
            "prompt": "0.000003",
            "completion": "0.000015",
            "input_cache_read": "0.0000003",
            "input_cache_write": "0.00000375",
            "overrides": [{"min_prompt_tokens": 200_000, "prompt": "0.000006"}],
        },
        "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000},
        "supported_parameters": ["tools", "structured_outputs", "top_p"],
    }
    (model,) = listed(ListModels(), {"data": [entry], "total_count": 1}, quirks=OPENROUTER)
    assert (model.name, model.context_window) == ("Anthropic: Claude", 1_000_000)
    assert model.max_output_tokens == 64_000
    assert model.price == Price(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"))
    assert model.capabilities == frozenset(
        {
            Capability.CHAT,
            Capability.TEXT_GENERATION,
            Capability.VISION,
            Capability.FILE_INPUT,
            Capability.TOOLS,
            Capability.STRUCTURED_OUTPUT,
        }
    )


def test_openrouter_has_no_price_for_its_router() -> None:
    """Minus one means that it depends, and is neither free nor a price."""
    entry = {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}}
    (model,) = listed(ShowModel(model="openrouter/auto"), {"data": [entry]}, quirks=OPENROUTER)
    assert model.price is None
    assert asked(ShowModel(model="openrouter/auto"), quirks=OPENROUTER).path == "/models"
