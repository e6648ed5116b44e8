"""Shared or not, kept or not: what the outcomes of all callers cost is what was spent.

Every attempt is told of in exactly one outcome, so sums over replies and errors are right.
"""

from functools import partial

import trio

from tests.guarantees.flight_scenes import Callers, assert_nothing_left, sharing
from tests.guarantees.scenes import Cast, by_attempt
from trio_llm import CooldownSettings, Fallback, PriceSettings, Race
from trio_llm.chat import Cost
from trio_llm.testing import (
    Answers,
    Cuts,
    Fails,
    World,
    explore,
    seeds,
)

STEPS = (
    Answers("one", after=1.0, pieces=3, gap=0.25),
    Answers("two", after=0.5),
    Fails(after=0.5),
    Cuts(pieces=1, text="cut off", after=0.5),
)


def test_the_outcomes_of_all_callers_cost_what_was_spent() -> None:
    """Plain and streaming callers of a few questions, over a tree that fails now and then."""

    async def scenario(world: World) -> None:
        cast, callers, rng = Cast(), Callers(), world.rng
        sturdy = CooldownSettings(after_failures=10_000)
        price = PriceSettings(1.0, 2.0)
        a, b, c = (
            cast.provider(name, by_attempt(world.seed, name, STEPS), price=price, cooldown=sturdy)
            for name in "abc"
        )
        tree = Fallback((Race((a, b), name="r"), c), name="f")
        mode = rng.choice(("off", "on"))
        config = sharing(tree, mode=mode, ttl=4.0, stale_if_error=rng.choice((0.0, 9.0)))
        async with world.open(config) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(12):
                    prompt = rng.choice("xyz")
                    if rng.random() < 0.5:
                        call = partial(llm.generate, prompt)
                    else:
                        call = partial(callers.read, number, llm, prompt=prompt)
                    callers.begin(nursery, number, call, after=rng.uniform(0.0, 8.0))
            assert_nothing_left(cast, llm)
            spent = llm.statistics().cost
        told = [
            *[attempt for reply in callers.replies for attempt in reply.attempts],
            *[attempt for error in callers.errors for attempt in error.attempts],
        ]
        assert len(told) == cast.started
        assert Cost.total(attempt.cost for attempt in told) == spent
        paid = Cost.total(reply.cost for reply in callers.replies)
        lost = Cost.total(attempt.cost for error in callers.errors for attempt in error.attempts)
        assert (paid + lost).amount == spent.amount

    explore(scenario, seeds=seeds(1000, share=100))
