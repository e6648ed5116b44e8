"""What hedging does to the tail of a latency, and what each order of a load balance costs."""

import math
import random
from collections.abc import Callable

import trio

from tests.benchmarks.measure import Row, cpu_per_call
from trio_llm import (
    Completion,
    Config,
    CooldownSettings,
    Fallback,
    Hedge,
    LoadBalance,
    Message,
    PriceSettings,
    Provider,
    ProviderStatus,
    Request,
    Timeouts,
    open_runtime,
)
from trio_llm.config import Member
from trio_llm.config.schema import LOAD_BALANCE_STRATEGIES
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, ScriptedProvider, Step, World, run

CALLS = 10_000
CALLERS = 10
_ANSWER = Completion(Message("assistant", "hi"))
_UNTIMED = Timeouts(math.inf, math.inf, math.inf, math.inf)


def _heavy(seed: int, name: str) -> Callable[[Work], Step]:
    def script(work: Work) -> Step:
        slow = random.Random(f"{seed}/{name}/{work.call}").random() < 0.05
        return Answers(name, after=0.5 if slow else 0.02)

    return script


def _tail(tree: Callable[[list[Provider]], Member], seed: int) -> tuple[list[float], int]:
    """Ask in virtual time; give the latencies in order, and how many attempts there were."""
    scripts = [ScriptedProvider(_heavy(seed, name)) for name in ("one", "two")]

    async def scenario(world: World) -> list[float]:
        latencies: list[float] = []
        members = [Provider("custom", f"p{i}", cls=script) for i, script in enumerate(scripts)]

        async def caller() -> None:
            for _ in range(CALLS // CALLERS):
                reply = await llm.generate("hi")
                latencies.append(reply.latency)
                await trio.sleep(world.rng.uniform(0.0, 0.1))

        async with (
            world.open(Config(default=tree(members))) as llm,
            trio.open_nursery() as nursery,
        ):
            for _ in range(CALLERS):
                nursery.start_soon(caller)
        return sorted(latencies)

    return run(scenario, seed=seed).value, sum(script.started for script in scripts)


def tails() -> list[Row]:
    """Measure the tail of a heavy-tailed upstream: 95 % of calls take 20 ms, 5 % 500 ms."""
    cases: dict[str, Callable[[list[Provider]], Member]] = {
        "fallback, no hedge": Fallback,
        "hedge at p90": Hedge,
        "hedge at p95": lambda members: Hedge(members, percentile=0.95),
        "hedge after 40 ms": lambda members: Hedge(members, delay=0.04),
        "hedge after 1 ms, within the cap": lambda members: Hedge(members, delay=0.001),
    }
    rows: list[Row] = []
    for name, tree in cases.items():
        latencies, attempts = _tail(tree, seed=1)
        shown = [latencies[CALLS * share // 1000] * 1000 for share in (500, 950, 990, 999)]
        extra = (attempts - CALLS) / CALLS
        rows.append((name, *[f"{value:.0f}" for value in shown], f"{extra:.1%}"))
    return rows


class _Instant:
    """Answers at once."""

    async def generate(self, _request: Request) -> Completion:
        """Give the same completion every time."""
        return _ANSWER


class _Declared:
    """Leaves members in declared order."""

    def order(self, _request: Request, members: tuple[ProviderStatus, ...]) -> list[str]:
        """Name them."""
        return [member.name for member in members]


def _members(*, priced: bool = True) -> list[Provider]:
    price = PriceSettings(1.0, 2.0) if priced else None
    tireless = CooldownSettings(after_failures=10**9)
    return [
        Provider("custom", n, cls=_Instant(), timeouts=_UNTIMED, cooldown=tireless, price=price)
        for n in "abc"
    ]


def _balance(strategy: str, *, affinity: bool = False) -> LoadBalance:
    return LoadBalance(
        _members(),
        strategy=strategy,
        weights=dict.fromkeys("abc", 1.0) if strategy == "weighted" else {},
        selection=_Declared() if strategy == "custom" else None,
        affinity=affinity,
    )


async def orders() -> list[Row]:
    """Measure one call through each order, and through hedges that need not hedge."""
    cases: dict[str, Member] = {"one provider": _members()[0]}
    cases["fallback, the primary answers"] = Fallback(_members())
    cases |= {name: _balance(name) for name in LOAD_BALANCE_STRATEGIES}
    cases["round_robin, with affinity"] = _balance("round_robin", affinity=True)
    cases["hedge after a fixed delay"] = Hedge(_members(), delay=1.0)
    cases["hedge by percentile"] = Hedge(_members())
    cases["hedge by percentile, no prices"] = Hedge(_members(priced=False))
    rows: list[Row] = []
    for name, member in cases.items():
        async with open_runtime(Config(default=member)) as llm:

            async def call(runtime: object = llm) -> object:
                return (await runtime.generate("hi")).text  # type: ignore[attr-defined]

            cost = await cpu_per_call(call, calls=2000, concurrency=1, rounds=5)
        rows.append((name, f"{cost:.0f}"))
    return rows
