"""What a custom provider's answer cost, where it is that of another runtime."""

from decimal import Decimal
from typing import Any, Final

from tests.guarantees.scenes import Cast
from trio_llm import (
    Budget,
    CacheSettings,
    Certainty,
    Config,
    Cost,
    Embeddings,
    EmbedRequest,
    Fallback,
    Message,
    PriceSettings,
    Provider,
    Reply,
    Request,
    Runtime,
    Usage,
)
from trio_llm.chat import UNKNOWN
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Cuts, Embeds, ScriptedProvider, World, run

PRICE: Final = PriceSettings(input=10.0, output=20.0)
USAGE: Final = Usage(10, 100)


class Passes:
    """Gives what another runtime answers."""

    def __init__(self, inner: Runtime) -> None:
        self.inner = inner

    async def generate(self, request: Request) -> Reply:
        """Ask it."""
        return await self.inner.generate(request)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Ask it for vectors."""
        return await self.inner.embed(request.texts)


def _booked(
    inner: Member, price: PriceSettings | None = None, *, times: int = 1, **settings: Any
) -> list[Cost]:
    """Give what calls cost that go through another runtime, each as the outer one booked it."""

    async def scenario(world: World) -> list[Cost]:
        async with world.open(Config(default=inner, **settings)) as within:
            provider = Provider("custom", "outer", cls=Passes(within), price=price)
            budgets = {"all": Budget(limit=9.0)}
            async with world.open(Config(default=provider, budgets=budgets)) as llm:
                costs = [(await llm.generate("hi")).cost for _ in range(times)]
                total = Cost.total(costs)
                assert (await llm.ledger.total()).cost == total == llm.statistics().cost
                assert llm.budgets()[0].spent == total.amount
                return costs

    return run(scenario).value


def _member(usage: Usage | None = USAGE, **settings: Any) -> Provider:
    return Cast().provider("inner", Answers("fine", usage=usage), **settings)


def test_the_cost_of_a_reply_is_what_was_charged() -> None:
    """It counts as it is, and for more than the provider's own price."""
    assert _booked(_member(price=PRICE)) == [Cost(Decimal("0.0021"))]
    assert _booked(_member(price=PRICE), PriceSettings(input=1.0, output=1.0)) == [
        Cost(Decimal("0.0021"))
    ]


def test_an_estimate_stays_an_estimate() -> None:
    """What was not counted within is not exact without."""
    (cost,) = _booked(_member(None, price=PRICE))
    assert cost.certainty is Certainty.ESTIMATED
    assert cost.amount > 0


def test_what_was_at_least_spent_is_at_least_charged() -> None:
    """Where an attempt within was cut off, what is known of it counts."""
    cut = Cast().provider("cut", Cuts(after=1.0), price=PRICE)
    (cost,) = _booked(Fallback((cut, _member(price=PRICE))))
    assert cost.certainty is Certainty.AT_LEAST
    assert cost.amount > Decimal("0.0021")


def test_a_price_that_is_not_known_within_is_the_provider_s_own() -> None:
    """If it has none either, the cost is unknown."""
    assert _booked(_member()) == [UNKNOWN]
    assert _booked(_member(), PRICE) == [Cost(Decimal("0.0021"))]


def test_what_was_free_within_is_free() -> None:
    """So is an answer that came out of a cache: the second costs nothing, whatever the price."""
    free = PriceSettings(input=0.0, output=0.0)
    assert _booked(_member(price=free), PRICE) == [Cost()]
    cached = _booked(_member(price=PRICE), PRICE, times=2, cache=CacheSettings(mode="on"))
    assert cached == [Cost(Decimal("0.0021")), Cost()]


def test_a_reply_made_by_hand_says_nothing_of_its_cost() -> None:
    """Nobody was asked for it that a runtime knows of, so the provider's price holds."""

    class ByHand:
        async def generate(self, _request: Request) -> Reply:
            return Reply(
                message=Message("assistant", "fine"),
                finish_reason="stop",
                usage=Usage(10, 100),
                provider="",
                model="m",
                latency=0.0,
            )

    async def scenario(world: World) -> Cost:
        provider = Provider("custom", "outer", cls=ByHand(), price=PRICE)
        async with world.open(Config(default=provider)) as llm:
            return (await llm.generate("hi")).cost

    assert run(scenario).value == Cost(Decimal("0.0021"))


def test_vectors_of_another_runtime_keep_their_cost() -> None:
    """Operations are passed on like replies."""

    async def scenario(world: World) -> None:
        script = ScriptedProvider(Embeds(), {EmbedRequest})
        inner = Provider("custom", "inner", cls=script, price=PRICE)
        async with world.open(Config(default=inner)) as within:
            provider = Provider("custom", "outer", cls=Passes(within))
            async with world.open(Config(default=provider)) as llm:
                cost = (await llm.embed(["hi"])).cost
                assert cost == within.statistics().cost
                assert cost.amount > 0

    run(scenario)
