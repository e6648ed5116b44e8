"""What each attempt is booked with: by its outcome, and by what is known of it."""

from decimal import Decimal
from typing import Any

import pytest
import trio

from tests.guarantees.scenes import Cast
from trio_llm import (
    Attempt,
    AuthenticationError,
    Certainty,
    Config,
    ConnectionFailedError,
    Cost,
    EmbedRequest,
    Fallback,
    LLMError,
    PriceSettings,
    Provider,
    ProviderTimeoutError,
    Race,
    Retry,
    ServerError,
    Usage,
)
from trio_llm.testing import (
    Answers,
    Cuts,
    Embeds,
    Fails,
    ScriptedProvider,
    SendsGarbage,
    Stalls,
    Step,
    World,
    run,
)

PRICE = PriceSettings(input=10.0, output=100.0)
QUESTION = "twelve bytes"
READ = 7
"""Tokens that it is estimated to have: a quarter of its bytes, and four for the message."""

EXACT, ESTIMATED, AT_LEAST = Certainty.EXACT, Certainty.ESTIMATED, Certainty.AT_LEAST


def dollars(read: int, written: int) -> Decimal:
    """Give what so many tokens cost."""
    return Decimal(read * 10 + written * 100) / 1_000_000


def cost_of_one(step: Step, *, stream: bool = False, **settings: Any) -> Cost | None:
    """Give what the one attempt of a call is booked with."""

    async def scenario(world: World) -> Cost | None:
        cast = Cast()
        settings.setdefault("price", PRICE)
        async with world.open(Config(default=cast.provider("it", step, **settings))) as llm:
            attempts: tuple[Attempt, ...] = ()
            try:
                with trio.move_on_after(5.0):
                    if stream:
                        async with llm.stream(QUESTION) as pieces:
                            async for _ in pieces:
                                pass
                    else:
                        reply = await llm.generate(QUESTION)
                        assert reply.cost == Cost.total([reply.attempts[0].cost])
            except LLMError as error:
                attempts = error.attempts
            assert len(attempts) <= 1
            (row,) = await llm.ledger.usage()
            assert (row.cost, row.attempts) == (llm.statistics().cost, 1)
            assert row.cost == llm.statistics().nodes["it"].cost
            return None if row.unpriced else row.cost

    return run(scenario).value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Answers(usage=Usage(1000, 50)), Cost(dollars(1000, 50))),
        (Answers("x" * 80, usage=None), Cost(dollars(READ, 20), ESTIMATED)),
        (Answers(usage=Usage(1000, 50), charged=Decimal("0.5")), Cost(Decimal("0.5"))),
        (Answers(usage=None, charged=Decimal(0)), Cost()),
        (Fails(AuthenticationError), Cost()),
        (Fails(ConnectionFailedError("refused", phase="connect")), Cost()),
        (Fails(ServerError), Cost()),
        (SendsGarbage(), Cost(dollars(READ, 0), AT_LEAST)),
        (Fails(ProviderTimeoutError("late", phase="total")), Cost(dollars(READ, 0), AT_LEAST)),
        (Stalls(), Cost(dollars(READ, 0), AT_LEAST)),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_attempt_is_booked_by_its_outcome(step: Step, expected: Cost, *, stream: bool) -> None:
    """Exact where it was counted or refused, an estimate without a count, else at least so much."""
    assert cost_of_one(step, stream=stream) == expected


def test_a_stream_that_breaks_is_booked_with_what_came() -> None:
    """The letters that arrived are paid for, at least."""
    cut = Cuts(pieces=2, text="x" * 90)
    assert cost_of_one(cut, stream=True) == Cost(dollars(READ, 15), AT_LEAST)


def test_without_a_price_only_what_the_provider_charges_is_known() -> None:
    """An attempt is booked without a cost; what the provider says it charged is believed."""
    assert cost_of_one(Answers(), price=None) is None
    charged = Answers(charged=Decimal("0.25"))
    assert cost_of_one(charged, price=None) == Cost(Decimal("0.25"))


def test_a_free_provider_costs_nothing_for_sure() -> None:
    """Even an attempt that is cut off: there is nothing that it could have cost."""
    assert cost_of_one(Stalls(), price=PriceSettings()) == Cost()


def test_a_reply_costs_what_all_its_attempts_did() -> None:
    """Retries, members that failed and losers that were cancelled are in it, with their mark."""

    async def scenario(world: World) -> None:
        cast = Cast()
        flaky = cast.provider(
            "flaky",
            [Fails(ServerError), SendsGarbage()],
            price=PRICE,
            retry=Retry(attempts=1),
        )
        quick = cast.provider("quick", Answers(usage=Usage(5, 5), after=1.0), price=PRICE)
        slow = cast.provider("slow", Answers(after=9.0), price=PRICE)
        async with world.open(Config(default=Fallback((flaky, Race((quick, slow)))))) as llm:
            reply = await llm.generate(QUESTION)
            costs = [(each.provider, each.cost) for each in reply.attempts]
            begun = Cost(dollars(READ, 0), AT_LEAST)
            assert costs == [
                ("flaky", Cost()),
                ("flaky", begun),
                ("quick", Cost(dollars(5, 5))),
                ("slow", begun),
            ]
            assert reply.cost == Cost(2 * dollars(READ, 0) + dollars(5, 5), AT_LEAST)
            assert str(reply.cost).startswith(">=$")
            assert llm.statistics().calls.cost == reply.cost

    run(scenario)


def test_operations_are_booked_like_calls() -> None:
    """Vectors are paid by their input; what asks for no tokens costs nothing."""

    async def scenario(world: World) -> None:
        script = ScriptedProvider(Embeds(), {EmbedRequest})
        embedder = Provider("custom", "it", cls=script, price=PRICE, embedding_model="small")
        async with world.open(Config(default=embedder)) as llm:
            vectors = await llm.embed(["four", "five!"], tags={"job": "index"})
            assert vectors.cost == Cost(dollars(9, 0))
            (row,) = await llm.ledger.usage("operation", "model", "tag:job")
            assert (row.key, row.cost) == (("embed", "small", "index"), vectors.cost)

    run(scenario)
