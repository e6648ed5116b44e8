"""Metrics, fed from events alone, say the same as `statistics()` and as the callers saw.

Random trees of flaky members are asked by many callers, plain and streaming, of whom some
give up. When all is quiet the two ways of counting agree, to the last token and cent.
"""

import random
from collections import Counter
from decimal import Decimal

import attrs
import trio

from tests.guarantees.scenes import Cast, assert_idle, by_attempt
from trio_llm import (
    Config,
    CooldownSettings,
    Endpoint,
    Fallback,
    Hedge,
    LLMError,
    LoadBalance,
    PriceSettings,
    Race,
    Restart,
    Retry,
    Runtime,
    TelemetrySettings,
    Timeouts,
)
from trio_llm.config.schema import Member
from trio_llm.testing import (
    Answers,
    Clings,
    Crashes,
    Cuts,
    Fails,
    RateLimits,
    Stalls,
    Step,
    World,
    explore,
    seeds,
)

STEPS: tuple[Step, ...] = (
    *[Answers("yes", after=0.25, pieces=3, gap=0.25)] * 4,
    Answers("late", after=2.0),
    Fails(after=0.25),
    RateLimits(0.5, after=0.25),
    Cuts(after=0.25),
    Stalls(1, after=0.25),
    Crashes(after=0.5),
    Crashes(after=0.5, actor=True),
    Clings(0.5),
)


def _grow(rng: random.Random, cast: Cast, seed: int, depth: int, name: str = "n") -> Member:
    if depth == 0 or (name != "n" and rng.random() < 0.4):
        return cast.provider(
            name,
            by_attempt(seed, name, rng.choices(STEPS, k=6)),
            max_concurrency=rng.randint(1, 3),
            timeouts=Timeouts(first_token=3.0, idle=1.5, total=6.0),
            retry=Retry(attempts=rng.randrange(3), base_delay=0.1),
            cooldown=CooldownSettings(initial=0.5, maximum=2.0, after_failures=rng.randint(2, 4)),
            price=PriceSettings(input=2.0, output=10.0) if rng.random() < 0.7 else None,
        )
    members = tuple(
        _grow(rng, cast, seed, depth - 1, f"{name}{index}") for index in range(rng.randint(2, 3))
    )
    kind = rng.randrange(4)
    if kind == 0:
        return Race(members, name=name)
    if kind == 1:
        return Fallback(members, name=name)
    if kind == 2:
        return LoadBalance(members, name=name)
    return Hedge(members, delay=0.5, max_extra_calls=1.0, max_extra_cost=1.0, name=name)


@attrs.define
class _Callers:
    """Asks, and notes how each call ended for the one who asked."""

    rng: random.Random
    outcomes: Counter[str] = attrs.field(factory=Counter[str])

    async def one(self, target: Endpoint) -> None:
        await trio.sleep(self.rng.choice((0.0, 0.25, 1.0, 3.0)))
        streaming, patience = self.rng.random() < 0.5, self.rng.choice((0.5, 2.0, 99.0, 99.0))
        outcome = "cancelled"
        with trio.move_on_after(patience):
            try:
                if streaming:
                    async with target.stream("hello") as stream:
                        async for _ in stream:
                            pass
                else:
                    await target.generate("hello")
                outcome = "succeeded"
            except LLMError:
                outcome = "failed"
        self.outcomes[outcome] += 1


def _agree(llm: Runtime, callers: Counter[str]) -> Decimal:
    """Demand that both ways of counting agree; give what it all cost."""
    metrics, statistics = llm.metrics(), llm.statistics()
    assert metrics.requests.by("outcome") == dict(callers)
    assert metrics.requests_in_flight.total() == 0
    assert metrics.request_duration.total().count == callers.total()
    assert metrics.distribution == statistics.distribution
    for status in llm.status():
        name, node = status.name, statistics.nodes[status.name]
        assert metrics.attempts.total(provider=name) == node.attempts
        assert metrics.attempt_duration.total(provider=name).count == node.attempts
        assert metrics.retries.total(provider=name) == node.retries
        assert metrics.restarts.total(actor=name) == status.restarts
        if status.members:
            hedges = {
                "started": node.hedges,
                "won": node.hedges_won,
                "suppressed": node.hedges_suppressed,
            }
            for result, count in hedges.items():
                assert metrics.hedges.total(balancer=name, result=result) == count
        else:
            assert metrics.input_tokens.total(provider=name) == node.input_tokens
            assert metrics.output_tokens.total(provider=name) == node.output_tokens
    assert metrics.cost.total() == statistics.cost.amount
    return metrics.cost.total()


def test_metrics_and_statistics_agree() -> None:
    """Calls, attempts, retries, hedges, restarts, tokens and money, over random worlds."""

    async def scene(world: World) -> Decimal:
        rng, cast = random.Random(world.seed), Cast()
        config = Config(
            default=_grow(rng, cast, world.seed, 2),
            telemetry=TelemetrySettings(metrics=True),
            restart=Restart(max_restarts=1000),
        )
        async with world.open(config) as llm:
            callers = _Callers(rng)
            async with trio.open_nursery() as nursery:
                for _ in range(12):
                    nursery.start_soon(callers.one, llm)
            await trio.sleep(10.0)  # until the last that clings has let go
            assert_idle(cast, llm)
            return _agree(llm, callers.outcomes)

    outcomes = explore(scene, seeds=seeds(1000, share=50))
    assert sum(outcome.value > 0 for outcome in outcomes) > len(outcomes) / 2
