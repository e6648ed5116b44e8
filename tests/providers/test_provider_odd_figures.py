"""Odd figures of a provider: put right where that is plain, else the failure of one attempt."""

import math
from decimal import Decimal
from typing import Any, Final

import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    Budget,
    Certainty,
    Completion,
    Config,
    Cost,
    CountRequest,
    Embeddings,
    EmbedRequest,
    Fallback,
    LLMError,
    MalformedResponseError,
    Message,
    PriceSettings,
    Provider,
    ProviderCrashedError,
    Race,
    Request,
    Runtime,
    StreamInterruptedError,
    TokenCount,
    Usage,
)
from trio_llm.config.schema import Member
from trio_llm.providers.bookings import Bookings
from trio_llm.providers.figures import MOST_DOLLARS, MOST_TOKENS, with_sound_figures
from trio_llm.providers.outcomes import Outcomes
from trio_llm.providers.soundness import demand_sound
from trio_llm.testing import Answers, World, run

PRICE: Final = PriceSettings(input=10.0, output=20.0)
HELLO: Final = Message("assistant", "hello")


class Gives:
    """Answers "hello" with the figures it was made with."""

    def __init__(self, **figures: Any) -> None:
        self.figures = figures

    async def generate(self, _request: Request) -> Completion:
        """Answer."""
        return Completion(HELLO, **self.figures)


def _usage(*counts: Any) -> Usage:
    return Usage(*counts)


ODD: Final[list[tuple[str, dict[str, Any]]]] = [
    ("charged is Decimal", {"charged": Decimal("NaN")}),
    ("charged is Decimal", {"charged": Decimal("sNaN")}),
    ("charged is inf", {"charged": math.inf}),
    ("charged is -inf", {"charged": -math.inf}),
    ("charged is nan", {"charged": math.nan}),
    ("charged is below zero", {"charged": Decimal(-1)}),
    ("charged is below zero", {"charged": -0.5}),
    ("charged is more", {"charged": Decimal("1e95")}),
    ("charged is more", {"charged": 10**5000}),
    ("charged is '0.1'", {"charged": "0.1"}),
    ("charged is True", {"charged": True}),
    ("certainty is 'exact'", {"charged": 0.5, "certainty": "exact"}),
    ("usage is {'input_tokens': 3}", {"usage": {"input_tokens": 3}}),
    ("usage.input_tokens is 1.5", {"usage": _usage(1.5, 2)}),
    ("usage.output_tokens is nan", {"usage": _usage(1, math.nan)}),
    ("usage.output_tokens is inf", {"usage": _usage(1, math.inf)}),
    ("usage.input_tokens is None", {"usage": _usage(None, None)}),
    ("usage.input_tokens is '5'", {"usage": _usage("5", 1)}),
    ("usage.input_tokens is True", {"usage": _usage(True, 1)}),
    ("usage.input_tokens is below zero", {"usage": _usage(-1, 1)}),
    ("usage.cached_tokens is below zero", {"usage": _usage(1, 1, -1)}),
    ("usage.output_tokens is more", {"usage": _usage(1, 10**400)}),
]
"""What no account can take, by the beginning of what is said of it."""


async def _stream(llm: Runtime) -> str:
    """Give the text of a stream, or fail if it does not end."""
    with trio.fail_after(1000.0):
        async with llm.stream("hi") as stream:
            async for _ in stream:
                pass
            return stream.reply.text


@pytest.mark.parametrize(("says", "figures"), ODD)
def test_a_figure_that_is_none_fails_the_attempt_and_names_the_field(
    says: str, figures: dict[str, Any]
) -> None:
    """A plain call hears it, a stream ends with it, and both are booked, *at least*."""

    async def scenario(world: World) -> None:
        provider = Provider("custom", "a", cls=Gives(**figures), price=PRICE)
        budgets = {"all": Budget(limit=1.0)}
        async with world.open(Config(default=provider, budgets=budgets)) as llm:
            with pytest.raises(MalformedResponseError, match=f"a: {says}"):
                await llm.generate("hi")
            with pytest.raises(StreamInterruptedError, match=f"broke: {says}"):
                await _stream(llm)
            await llm.check()
            booked = await llm.ledger.total()
            assert (booked.attempts, booked.succeeded) == (3, 0)
            assert booked.cost == llm.statistics().cost
            assert booked.cost.certainty is Certainty.AT_LEAST
            assert 0 < booked.cost.amount < 1
            (budget,) = llm.budgets()
            assert budget.spent == booked.cost.amount
            assert not budget.reserved
            assert_idle(Cast(), llm)
            assert llm.status()[0].restarts == 0

    run(scenario)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (0.002, Decimal("0.002")),
        (0.1, Decimal("0.1")),
        (1e-7, Decimal("1e-7")),
        (3, Decimal(3)),
        (0.0, Decimal(0)),
        (Decimal("0.25"), Decimal("0.25")),
        (MOST_DOLLARS, Decimal(MOST_DOLLARS)),
    ],
)
def test_an_amount_that_is_a_number_is_taken_by_its_digits(given: Any, taken: Decimal) -> None:
    """A float of dollars is the natural mistake; what was written is what is booked."""

    async def scenario(world: World) -> None:
        async with world.open(
            Config(default=Provider("custom", "a", cls=Gives(charged=given)))
        ) as llm:
            assert (await llm.generate("hi")).cost == Cost(taken)
            assert await _stream(llm) == "hello"
            assert (await llm.check()).healthy
            assert (await llm.ledger.total()).cost == Cost(3 * taken)

    run(scenario)


def test_tokens_that_are_whole_are_taken_as_whole_numbers() -> None:
    """A float without a fraction is a count; sound figures are given as they came."""
    result = Completion(HELLO, usage=_usage(5.0, 7, 0.0, 0, MOST_TOKENS))
    taken = with_sound_figures(result).usage
    assert taken == Usage(5, 7, 0, 0, MOST_TOKENS)
    assert taken is not None
    assert {type(taken.input_tokens), type(taken.cached_tokens)} == {int}
    sound = Completion(HELLO, usage=Usage(1, 2), charged=Decimal(1))
    assert with_sound_figures(sound) is sound


def test_operations_are_held_to_the_same() -> None:
    """Their figures, too, and the number of tokens that was asked for."""
    embed = EmbedRequest(texts=("hi",))
    vectors = Embeddings(vectors=((1.0,),), charged=0.5)  # type: ignore[arg-type]
    assert demand_sound(embed, vectors).charged == Decimal("0.5")
    with pytest.raises(MalformedResponseError, match="usage"):
        demand_sound(embed, Embeddings(vectors=((1.0,),), usage=_usage(-1)))
    count = CountRequest(request=Request(messages=(Message("user", "hi"),)))
    with pytest.raises(MalformedResponseError, match="tokens is nan"):
        demand_sound(count, TokenCount(tokens=math.nan, exact=True))  # type: ignore[arg-type]


def test_a_message_that_is_none_is_said_to_be_none() -> None:
    """A text in the place of the message is no answer."""
    request = Request(messages=(Message("user", "hi"),))
    with pytest.raises(MalformedResponseError, match="message is str"):
        demand_sound(request, Completion("hello"))  # type: ignore[arg-type]


def test_odd_counts_teach_the_estimates_nothing() -> None:
    """How many tokens a request has is learnt from counts that are some."""

    async def scenario(world: World) -> None:
        odd = Provider("custom", "a", cls=Gives(usage=_usage(1e300, 1)))
        async with world.open(Config(default=odd)) as llm:
            before = await llm.count_tokens("hello there")
            with pytest.raises(MalformedResponseError):
                await llm.generate("hello there")
            assert (await llm.count_tokens("hello there")).tokens == before.tokens

    run(scenario)


@pytest.mark.parametrize("shape", ["fallback", "race"])
def test_a_balancer_asks_its_next_member(shape: str) -> None:
    """The odd figure harms its own attempt; the others' answers, and all sums, stand."""

    async def scenario(world: World) -> None:
        odd = Provider("custom", "odd", cls=Gives(charged=Decimal("NaN")), price=PRICE)
        good = Cast().provider(
            "good", Answers("good", after=1.0, usage=Usage(10, 100)), price=PRICE
        )
        members = (odd, good)
        tree: Member = Fallback(members) if shape == "fallback" else Race(members)
        async with world.open(Config(default=tree, budgets={"all": Budget(limit=1.0)})) as llm:
            for _ in range(3):
                assert (await llm.generate("hi")).text == "good"
            assert llm.statistics().cost.amount.is_finite()
            assert (await llm.ledger.total()).attempts == 6

    run(scenario)


@pytest.mark.parametrize("where", [Bookings, Outcomes])
@pytest.mark.parametrize("streaming", [False, True])
def test_whatever_goes_wrong_with_an_answer_ends_its_call(
    where: type[Any], streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it came from nobody's backend: the entry is closed, and the consumer is told."""

    def fails(*_args: object, **_named: object) -> None:
        raise ArithmeticError("beyond all accounts")

    async def scenario(world: World) -> None:
        provider = Provider("custom", "a", cls=Gives(usage=Usage(1, 1)), price=PRICE)
        budgets = {"all": Budget(limit=1.0)}
        async with world.open(Config(default=provider, budgets=budgets)) as llm:
            with monkeypatch.context() as patch:
                patch.setattr(where, "succeeded", fails)
                expected = StreamInterruptedError if streaming else ProviderCrashedError
                with pytest.raises(expected, match="beyond all accounts"):
                    await (_stream(llm) if streaming else llm.generate("hi"))
                health = await llm.check()
            assert not health.healthy
            assert isinstance(health.error, ProviderCrashedError)
            assert (await llm.ledger.total()).attempts == 2
            assert llm.budgets()[0].reserved == 0
            assert await _answered(llm)
            assert (llm.status()[0].restarts, llm.status()[0].in_flight) == (0, 0)

    run(scenario)


async def _answered(llm: Runtime) -> bool:
    """Tell whether a later call is answered, once the provider has rested."""
    for _ in range(5):
        try:
            return (await llm.generate("hi")).text == "hello"
        except LLMError:
            await trio.sleep(100.0)
    return False
