"""Hedging takes the tail off a latency, at a bounded price.

The upstream answers 95 of 100 calls in 20 ms and 5 in 500 ms, drawn by fixed seeds, over
10,000 calls of virtual time (every day: a tenth of them).
"""

import random
from collections.abc import Callable

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import Config, Fallback, Hedge, Provider
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Step, World, run, seeds

CALLERS = 10
"""How many callers ask at once, each again and again."""


@attrs.frozen
class Tail:
    """How long calls took.

    Attributes:
        median: Seconds that half of the calls took at most.
        p99: Seconds that 99 of 100 took at most.
        extra: Attempts beyond one for each call, as a share of the calls.
    """

    median: float
    p99: float
    extra: float


def _heavy(seed: int, name: str) -> Callable[[Work], Step]:
    def script(work: Work) -> Step:
        slow = random.Random(f"{seed}/{name}/{work.call}").random() < 0.05
        return Answers(name, after=0.5 if slow else 0.02)

    return script


def _measure(tree: Callable[[list[Provider]], Member], seed: int) -> Tail:
    calls = len(seeds(10_000, share=10)) // CALLERS * CALLERS
    cast = Cast()

    async def scenario(world: World) -> list[float]:
        latencies: list[float] = []
        members = [cast.provider(name, _heavy(seed, name)) for name in ("one", "two")]

        async def caller() -> None:
            for _ in range(calls // CALLERS):
                latencies.append((await llm.generate("hi")).latency)
                await trio.sleep(world.rng.uniform(0.0, 0.1))

        async with world.open(Config(default=tree(members))) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(CALLERS):
                    nursery.start_soon(caller)
            assert_idle(cast, llm)
        return sorted(latencies)

    latencies = run(scenario, seed=seed).value
    assert len(latencies) == calls
    return Tail(latencies[calls // 2], latencies[calls * 99 // 100], (cast.started - calls) / calls)


def test_without_a_hedge_the_tail_is_all_there() -> None:
    """The hundredth call takes twenty-five times the median."""
    tail = _measure(Fallback, seed=1)
    assert (tail.median, tail.p99) == pytest.approx((0.02, 0.5))
    assert tail.extra == 0.0


@pytest.mark.parametrize("seed", seeds(3, share=3, least=1))
def test_by_percentile_the_tail_is_gone(seed: int) -> None:
    """p99 is within five medians, at no more than a tenth of calls more."""
    tail = _measure(Hedge, seed)
    assert tail.median == pytest.approx(0.02)
    assert tail.p99 < 5 * tail.median
    assert 0.03 < tail.extra < 0.1


def test_after_a_fixed_delay_the_tail_is_gone() -> None:
    """The same by a delay of twice the median."""
    tail = _measure(lambda members: Hedge(members, delay=0.04), seed=1)
    assert tail.p99 < 5 * tail.median
    assert 0.03 < tail.extra < 0.1


def test_the_cap_holds_where_everything_is_late() -> None:
    """With a delay far below the median only the share that is allowed is asked twice."""
    tail = _measure(lambda members: Hedge(members, delay=0.001), seed=1)
    assert tail.extra == pytest.approx(0.1, abs=0.002)
