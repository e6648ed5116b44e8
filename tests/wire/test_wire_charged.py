"""What a provider says that it charged is believed where it is in dollars, and nowhere else."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.wire_corpus import is_failure, is_supported, read_whole
from tests.wire.wire_recordings import Exchange, recordings
from trio_llm.chat import Completion, EmbedRequest, OperationResult
from trio_llm.wire import DIALECTS
from trio_llm.wire.openai_chat.charged import charged_of
from trio_llm.wire.presets import OPENAI, OPENROUTER

ALL = recordings()
STATED = [
    each
    for each in ALL
    if b"cost" in each.body and b'"usage"' in each.body
    if is_supported(each) and not is_failure(each)
]
SAYS: dict[str, tuple[str, ...]] = {
    "openrouter": ("cost",),
    "vercel-gateway": ("cost",),
    "perplexity": ("cost", "total_cost"),
    "xai": ("cost_in_usd_ticks",),
}
"""Who says it in dollars, and where beside the tokens."""


def usage_in(exchange: Exchange) -> Any:
    """Find the last object ``usage`` of a recorded body, as it was written."""
    text = exchange.body.decode()
    place = text.rindex('"usage"')
    start = text.index("{", place)
    return json.JSONDecoder(parse_float=Decimal).raw_decode(text[start:])[0]


@pytest.mark.parametrize("exchange", STATED, ids=lambda exchange: exchange.name)
def test_what_a_recorded_provider_charged_is_read_to_the_last_digit(exchange: Exchange) -> None:
    """Whole or streamed, conversations and vectors; who says it in no known unit says nothing."""
    result = read_whole(exchange)
    stated = usage_in(exchange)
    names = SAYS.get(exchange.provider)
    if names is None:
        assert result.charged is None
        return
    wanted = stated
    for name in names:
        wanted = wanted[name]
    dollars = Decimal(wanted)
    if exchange.provider == "xai":
        dollars /= 10**10
    if stated.get("is_byok"):
        dollars += stated["cost_details"]["upstream_inference_cost"]
    assert result.charged == dollars


def test_the_recordings_hold_all_who_say_it() -> None:
    """Plain and streamed, in both of the dialects; otherwise the test above shows little."""
    if not ALL:
        pytest.skip("no recordings")
    seen = {(each.provider, each.api, each.stream) for each in STATED if each.provider in SAYS}
    for provider in ("openrouter", "xai"):
        for api in ("chat", "responses"):
            assert {(provider, api, True), (provider, api, False)} <= seen
    assert {("perplexity", "chat", True), ("perplexity", "embeddings", False)} <= seen


COUNTS: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
BYOK: dict[str, Any] = {"is_byok": True, "cost": 0.01}


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"cost_in_usd_ticks": 37_756_000}, "0.0037756"),
        ({"cost_in_usd_ticks": 0}, "0"),
        ({"cost": {"total_cost": 0.00503, "request_cost": 0.005}}, "0.00503"),
        ({"cost": {"currency": "USD", "total_cost": 0.000000012}}, "0.000000012"),
        ({"cost": 3.6e-6, "is_byok": False}, "0.0000036"),
        ({"cost": 2, "cost_details": {"upstream_inference_cost": 19}}, "2"),
        ({"cost": 0, "is_byok": False}, "0"),
        ({**BYOK, "cost_details": {"upstream_inference_cost": 0.2}}, "0.21"),
    ],
)
def test_an_amount_is_read_where_its_unit_is_known(usage: dict[str, Any], dollars: str) -> None:
    """Ticks of xAI, totals of Perplexity, credits of OpenRouter and what its upstream takes."""
    assert charged_of({**COUNTS, **usage}) == Decimal(dollars)


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"cost": 0.5},
        {"estimated_cost": 0.5},
        {"total_cost": 0.5},
        {"cost": {"currency": "EUR", "total_cost": 0.5}},
        {"cost": {"currency": None, "total_cost": 0.5}},
        {"cost": {"input_tokens_cost": 0.5}},
        {"cost": None, "is_byok": False},
        {"is_byok": False},
        {**BYOK},
        {**BYOK, "cost_details": {"upstream_inference_cost": None}},
        {**BYOK, "cost_details": {"upstream_inference_cost": -1}},
        {**BYOK, "cost": None, "cost_details": {"upstream_inference_cost": 1}},
    ],
)
def test_what_may_be_something_else_is_not_believed(usage: dict[str, Any]) -> None:
    """A bare number, an estimate, another currency, a part of a sum: the tokens count then."""
    assert charged_of({**COUNTS, **usage}) is None


WRONG: tuple[Any, ...] = (
    *(-0.01, -1, float("nan"), float("inf"), 1e12, 1e-300, 10**40, 10**5000),
    *("0.5", "", True, [1], {"total_cost": {}}),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: str(type(value).__name__))
@pytest.mark.parametrize("place", ["openrouter", "perplexity", "xai", "bare"])
def test_nonsense_is_passed_over(place: str, wrong: Any) -> None:
    """An amount below nothing, beyond all measure or of another type is no amount."""
    usages: dict[str, dict[str, Any]] = {
        "openrouter": {"cost": wrong, "is_byok": False},
        "perplexity": {"cost": {"total_cost": wrong}},
        "xai": {"cost_in_usd_ticks": wrong},
        "bare": {"cost": wrong},
    }
    assert charged_of(usages[place], bare=place == "bare") is None


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["cost", "total_cost", "currency", "cost_details", "is_byok", "cost_in_usd_ticks"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(usage=junk, bare=st.booleans())
def test_whatever_comes_is_an_amount_or_nothing(usage: Any, bare: bool) -> None:
    """No shape of the counts is an error, and no amount is negative or without end."""
    charged = charged_of(usage, bare=bare)
    assert charged is None or 0 <= charged <= 2_000_000


TEXT: dict[str, Any] = {
    "choices": [{"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]
}
OUTPUT: dict[str, Any] = {"object": "response", "status": "completed", "output": []}


@pytest.mark.parametrize("ticks", [None, -5, "12", 10_000_000])
def test_a_reply_is_read_whatever_it_says_of_its_cost(ticks: Any) -> None:
    """The text is there, and what was charged only if that can be."""
    wanted = Decimal("0.001") if ticks == 10_000_000 else None
    usage = {**COUNTS, "cost_in_usd_ticks": ticks}
    chat = DIALECTS["openai_chat"].decode(json.dumps({**TEXT, "usage": usage}).encode())
    responses = DIALECTS["openai_responses"].decode(json.dumps({**OUTPUT, "usage": usage}).encode())
    assert (chat.message.text, chat.charged, responses.charged) == ("hi", wanted, wanted)


def _embedded(usage: dict[str, Any], *, by_openrouter: bool) -> OperationResult:
    quirks = OPENROUTER if by_openrouter else OPENAI
    body = {"data": [{"index": 0, "embedding": [0.5]}], "usage": usage}
    asked = EmbedRequest(texts=["a"], model="m")
    codec = DIALECTS["openai_chat"].adapted(quirks).operations[EmbedRequest]
    return codec.decode(json.dumps(body).encode(), asked)


def test_vectors_of_openrouter_say_it_by_a_number_alone() -> None:
    """Its counts of an embedding have the cost and nothing beside it."""
    usage = {"prompt_tokens": 8, "total_tokens": 8, "cost": 0.0001}
    assert _embedded(usage, by_openrouter=True).charged == Decimal("0.0001")
    assert _embedded(usage, by_openrouter=False).charged is None


def test_the_other_dialects_say_nothing() -> None:
    """None of their providers states an amount; a field of that name is somebody else's."""
    body = {
        "type": "message",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1, "cost": 0.5, "is_byok": False},
    }
    completion = DIALECTS["anthropic"].decode(json.dumps(body).encode())
    assert isinstance(completion, Completion)
    assert completion.charged is None
