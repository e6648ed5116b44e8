"""A month in an afternoon: many calls with all accounts open, and nothing grows.

Agents ask a tree of providers that cost something, again and again, in virtual time over
many days, with budgets per user, a cache, metrics, a store on disk and a performance file.
Users come and go, models change, calls fail, are cancelled and are left early. Objects,
tasks, threads and file handles are counted after a warm-up and again at the end.
"""

import gc
import os
import random
from decimal import Decimal
from pathlib import Path

import trio
import trio.testing

from tests.guarantees.money_scenes import Receipts, ask, grow
from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    Budget,
    CacheSettings,
    Config,
    LoggingSettings,
    Runtime,
    StoreSettings,
    TelemetrySettings,
)
from trio_llm.chat import Cost
from trio_llm.testing import World, run, seeds

CALLS_IN_ALL = 100_000
ROUND = 100
ROUNDS = len(seeds(CALLS_IN_ALL // ROUND, share=50))
"""Everyday a fiftieth of them."""

WARM_UP = ROUNDS // 4
GROWTH = 4.0
"""Objects that each round may leave: what is kept for each user and quarter of an hour."""


def _handles() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 - no files of ours


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


async def _round(rng: random.Random, llm: Runtime, replies: list[Cost]) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(ROUND):
            nursery.start_soon(ask, rng, llm, replies)
    await trio.sleep(rng.choice((10.0, 600.0, 7200.0)))


def test_nothing_grows_with_the_calls(tmp_path: Path) -> None:
    """After many calls there are as many tasks and handles as before, and hardly more objects."""

    async def scenario(world: World) -> None:
        rng, cast, receipts = world.rng, Cast(), Receipts()
        config = Config(
            default=grow(rng, cast, world.seed, 2),
            budgets={
                "user": Budget(limit=1e6, period="day", per="user"),
                "all": Budget(limit=1e6, period="total", on_limit="warn"),
            },
            cache=CacheSettings(mode="on", ttl=30.0, entries=64, persistent=True),
            store=StoreSettings(path=str(tmp_path / "usage.db")),
            telemetry=TelemetrySettings(metrics=True),
            performance_file=str(tmp_path / "performance.toml"),
            logging=LoggingSettings(level="CRITICAL"),  # pytest would keep every record
        )
        async with world.open(config) as llm:
            llm.subscribe(receipts)
            world.log.clear()
            found: dict[str, tuple[int, int, int]] = {}
            for number in range(ROUNDS):
                replies: list[Cost] = []
                await _round(rng, llm, replies)
                world.log.clear()
                if number in {WARM_UP, ROUNDS - 1}:
                    del replies
                    await trio.testing.wait_all_tasks_blocked()
                    tasks = trio.lowlevel.current_statistics().tasks_living
                    found["later" if found else "first"] = (tasks, _handles(), _objects())
            assert_idle(cast, llm)
            (tasks, handles, objects), later = found["first"], found["later"]
            assert later[:2] == (tasks, handles)
            assert later[2] - objects < GROWTH * (ROUNDS - WARM_UP) + 500
            total = await llm.ledger.total()
            assert (total.cost, total.attempts) == (receipts.total, receipts.attempts)
            assert llm.statistics().cost == receipts.total
            budget = next(status for status in llm.budgets() if status.name == "all")
            assert (budget.spent, budget.reserved) == (receipts.total.amount, Decimal(0))
            assert llm.cache.statistics().hits > 0

    run(scenario, seed=7)
