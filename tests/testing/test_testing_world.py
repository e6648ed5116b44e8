"""Worlds: virtual time, replay from a seed, and failures that name theirs."""

import math
import os
import random

import pytest
import trio

from trio_llm import Config, LoadBalance, Provider, Race, Timeouts
from trio_llm.testing import (
    Answers,
    Entry,
    ScriptedProvider,
    SeedFailed,
    Stalls,
    World,
    canonical,
    explore,
    run,
    seeds,
)
from trio_llm.testing.world import EPOCH


async def _busy(world: World) -> list[str]:
    order: list[str] = []
    members = tuple(
        Provider("custom", name, cls=ScriptedProvider(Answers(after=1.0, passes=2)))
        for name in "abc"
    )
    race = Race(members[:2], name="race")

    async def caller(llm_name: str) -> None:
        await trio.sleep(world.rng.choice((0.0, 0.5)))
        order.append(f"{llm_name} {(await llm.generate('hello')).provider}")

    async with (
        world.open(Config(default=LoadBalance((race, members[2]), strategy="random"))) as llm,
        trio.open_nursery() as nursery,
    ):
        for name in ("one", "two", "three"):
            nursery.start_soon(caller, name)
    return order


def test_a_seed_is_a_run() -> None:
    """The same seed gives the same value and the same log, to the last event."""
    for seed in seeds(1000):
        assert run(_busy, seed=seed).log == run(_busy, seed=seed).log


def test_seeds_explore_different_runs() -> None:
    """Many seeds give many different orders of arrival."""
    orders = {tuple(outcome.value) for outcome in explore(_busy, seeds=range(60))}
    assert len(orders) > 10


def test_a_schedule_changes_the_order_and_not_the_world() -> None:
    """One world under many schedules has one canonical log and several raw ones."""

    async def scenario(world: World) -> float:
        members = tuple(
            Provider("custom", name, cls=ScriptedProvider(Answers(after=1.0))) for name in "abc"
        )
        async with world.open(Config(default=Race(members))) as llm:
            await llm.generate("hello")
        return world.rng.random()

    outcomes = [run(scenario, seed=3, schedule=schedule) for schedule in range(20)]
    assert len({outcome.value for outcome in outcomes}) == 1
    assert len({outcome.log for outcome in outcomes}) > 1
    logs = [canonical(outcome.log) for outcome in outcomes]
    assert all(log == logs[0] for log in logs)


def test_hours_take_no_time() -> None:
    """The clock starts at zero and jumps as soon as every task waits."""

    async def scenario(world: World) -> tuple[float, float]:
        assert trio.current_time() == 0.0
        await trio.sleep(36_000.0)
        return trio.current_time(), world.wall_clock()

    assert run(scenario).value == (36_000.0, EPOCH + 36_000.0)


def test_a_failure_names_the_seed_that_replays_it() -> None:
    """`explore` raises SeedFailed with the seed in its message, and the failure as its cause."""

    async def scenario(world: World) -> None:
        await trio.lowlevel.checkpoint()
        if random.Random(world.seed).random() < 0.2:
            raise ValueError("now and then")

    with pytest.raises(SeedFailed, match="failed with seed") as caught:
        explore(scenario, seeds=range(100))
    assert f"run(scenario, seed={caught.value.seed})" in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ValueError, match="now and then"):
        run(scenario, seed=caught.value.seed)


def test_a_deadlock_is_an_error() -> None:
    """A scenario in which every task waits for ever ends in TimeoutError."""

    async def scenario(world: World) -> None:
        patient = Timeouts(first_token=math.inf, total=math.inf)
        stalled = Provider("custom", "a", cls=ScriptedProvider(Stalls()), timeouts=patient)
        async with world.open(Config(default=stalled)) as llm:
            await llm.generate("hello")

    with pytest.raises(TimeoutError, match="deadlock"):
        run(scenario)
    with pytest.raises(SeedFailed, match="TimeoutError: deadlock"):
        explore(scenario, seeds=[7])


def test_a_scenario_can_write_into_the_log() -> None:
    """`World.note` adds an entry at the present instant."""

    async def scenario(world: World) -> None:
        await trio.sleep(2.0)
        world.note("caller", "Looked", at="the clock", twice=True)

    assert run(scenario).log == (
        Entry(2.0, "caller", "Looked", (("at", "the clock"), ("twice", True))),
    )


def test_everyday_runs_take_a_fixed_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable a share of the seeds is explored, and no less than the least."""
    monkeypatch.delenv("TRIO_LLM_SEEDS", raising=False)
    assert seeds(1000) == range(50)
    assert seeds(100) == range(10)
    assert seeds(4) == range(4)
    assert seeds(1000, share=4) == range(250)


@pytest.mark.parametrize(("wish", "count"), [("full", 1000), ("3", 3), ("2500", 2500)])
def test_the_environment_asks_for_more_or_less(
    wish: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``TRIO_LLM_SEEDS`` asks for all seeds, or for so many."""
    monkeypatch.setenv("TRIO_LLM_SEEDS", wish)
    assert seeds(1000) == range(count)
    assert os.environ["TRIO_LLM_SEEDS"] == wish
