"""A hedge keeps its promises while everything fails around it.

Many callers at once, some of whom give up, over hedges of flaky members: no attempt of a
call is alive when its caller has the outcome, and at every instant hedges and what they
cost stay within the budget.
"""

from collections import Counter

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle, by_attempt
from trio_llm import (
    Config,
    Fallback,
    Hedge,
    LLMError,
    LoadBalance,
    PriceSettings,
    Provider,
    Request,
    Timeouts,
    events,
)
from trio_llm.assembly import strategies
from trio_llm.config.schema import Member
from trio_llm.events import Event
from trio_llm.policy.hedging import HedgeBudget
from trio_llm.testing import (
    Answers,
    Crashes,
    Cuts,
    Fails,
    RateLimits,
    SendsGarbage,
    Stalls,
    Step,
    World,
    explore,
    seeds,
)

_STEPS: tuple[Step, ...] = (
    *[Answers("a", after=0.1, pieces=2, gap=0.1)] * 4,
    Answers("late", after=2.0),
    Answers("tied", after=0.5, passes=3),
    Fails(after=0.5),
    Fails(),
    RateLimits(0.5, after=0.25),
    Cuts(after=0.25),
    Stalls(),
    Stalls(1, after=0.5),
    SendsGarbage(after=0.5),
    Crashes(after=0.5),
    Crashes(after=0.5, actor=True),
)


@attrs.define
class _Audited(HedgeBudget):
    """A budget that keeps books beside its own, and looks at every entry.

    Attributes:
        broken: Whether a promise was ever broken.
    """

    broken: bool = attrs.field(default=False, init=False)
    calls: int = attrs.field(default=0, init=False)
    hedges: int = attrs.field(default=0, init=False)
    spend: float = attrs.field(default=0.0, init=False)
    extra: float = attrs.field(default=0.0, init=False)
    dearest: float = attrs.field(default=0.0, init=False)

    def called(self, cost: float) -> None:
        """Note a call."""
        super().called(cost)
        self.calls += 1
        self.spend += cost
        self.dearest = max(self.dearest, cost)

    def hedged(self, cost: float) -> None:
        """Note a hedge, and see that it was within the budget."""
        super().hedged(cost)
        self.hedges += 1
        self.extra += cost
        self.broken |= self.hedges > self.max_extra_calls * self.calls + 1.0 + 1e-9
        self.broken |= self.extra > self.max_extra_cost * self.spend + self.dearest + 1e-9


@attrs.define
class _Living:
    """Counts the attempts that run for each call.

    Attributes:
        left: The calls that ended while an attempt was still running.
    """

    running: Counter[int] = attrs.field(factory=Counter[int])
    left: list[int] = attrs.field(factory=list[int])

    def __call__(self, event: Event) -> None:
        """Count, and note a call that ends too early."""
        ended = (events.AttemptSucceeded, events.AttemptFailed, events.AttemptCancelled)
        if event.call is None:
            return
        if isinstance(event, events.AttemptStarted):
            self.running[event.call] += 1
        elif isinstance(event, ended):
            self.running[event.call] -= 1
        elif isinstance(event, events.RequestFinished) and self.running.pop(event.call, 0):
            self.left.append(event.call)


def test_nothing_outlives_a_call_and_the_budget_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call ends with nothing left of it, and hedges never exceed their share."""
    audits: list[_Audited] = []

    def audited(of_calls: float, of_spend: float) -> _Audited:
        audits.append(_Audited(of_calls, of_spend))
        return audits[-1]

    async def scenario(world: World) -> None:
        rng, cast = world.rng, Cast()

        def member(name: str) -> Provider:
            return cast.provider(
                name,
                by_attempt(world.seed, name, _STEPS),
                max_concurrency=rng.choice((1, 2, 8)),
                timeouts=Timeouts(total=4.0),
                price=PriceSettings(rng.choice((0.0, 1.0, 50.0)), 1.0),
            )

        def hedge(name: str, *members: Member) -> Hedge:
            return Hedge(
                members,
                name=name,
                delay=rng.choice((None, 0.0, 0.2, 0.5)),
                minimum_samples=3,
                max_extra_calls=rng.choice((0.05, 0.3, 1.0)),
                max_extra_cost=rng.choice((0.1, 1.0)),
            )

        inner = hedge("inner", member("a"), member("b"))
        pool = LoadBalance([member("c"), member("d")], name="pool")
        tree = Fallback([hedge("outer", inner, pool, member("e"))])
        living = _Living()

        async def caller(number: int) -> None:
            await trio.sleep(0.25 * rng.randrange(20))
            with trio.move_on_after(rng.choice((0.5, 1.0, 3.0, 30.0))):
                try:
                    request = Request(messages="hi", side_effects=number % 7 == 0, max_tokens=100)
                    if number % 2:
                        await llm.generate(request)
                    else:
                        async with llm.stream(request) as stream:
                            async for _ in stream:
                                if rng.random() < 0.1:
                                    break
                except LLMError:
                    pass

        async with world.open(Config(default=tree)) as llm:
            llm.subscribe(living)
            async with trio.open_nursery() as nursery:
                for number in range(25):
                    nursery.start_soon(caller, number)
            assert_idle(cast, llm)
            assert not living.left
            assert not +living.running

    monkeypatch.setattr(strategies, "HedgeBudget", audited)
    explore(scenario, seeds=seeds(1000, share=40))
    assert not any(audit.broken for audit in audits)
    assert sum(audit.hedges for audit in audits) > 50
