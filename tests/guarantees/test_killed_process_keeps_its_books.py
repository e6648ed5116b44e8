"""A process that is killed has lost nothing of what it told, and nothing is booked twice.

A process spends money on a provider, from many callers at once, and is killed with SIGKILL at
a random moment; then another one goes on with its file, and is killed, too. Afterwards the
store must hold what every caller was told; each attempt that was under way must have been set
aside before it was made, and be booked by that; and the budget must stand at the sum of all.
"""

import random
import signal
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from tests.guarantees.spending_victim import config_for
from trio_llm import open_runtime
from trio_llm.store import UsageQuery
from trio_llm.store.sqlite import SQLiteStore
from trio_llm.testing import seeds


def _killed(path: Path, run: str, lines: int) -> list[list[str]]:
    """Let a process spend until it has said so many lines, kill it, and give what it said."""
    command = [sys.executable, "-m", "tests.guarantees.spending_victim", str(path), run]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:  # noqa: S603
        assert victim.stdout is not None
        said = [victim.stdout.readline() for _ in range(lines)]
        victim.send_signal(signal.SIGKILL)
        said += victim.stdout.readlines()
    return [line.split() for line in said if line.endswith("\n")]


async def _look(path: Path, told: dict[str, Decimal], asked: Counter[str]) -> None:
    store = SQLiteStore(path, read_only=True)
    async with store.opened():
        before = await store.usage(UsageQuery(by=("tag:run",)))
        left = await store.outstanding()
    booked = {row.key[0]: row for row in before}
    for run, attempts in asked.items():
        under_way = sum(dict(each.subject.tags)["run"] == run for each in left)
        # What was asked is booked or set aside; what was set aside may not have been asked yet.
        row = booked.get(run)
        lost = 0 if row is None else row.attempts
        assert attempts <= lost + under_way <= attempts + 6
    config = config_for(str(path))
    async with open_runtime(config) as llm:
        after = {row.key[0]: row for row in await llm.ledger.usage("tag:run")}
        for run, cost in told.items():
            assert after[run].cost.amount >= cost
        assert await llm.ledger.usage(only={"outcome": "lost"}) != () or not left
        (budget,) = llm.budgets()
        total = await llm.ledger.total()
        assert budget.spent == total.cost.amount
        assert budget.reserved == 0
        assert total.attempts == sum(row.attempts for row in before) + len(left)
        expected = sum((each.estimate for each in left), Decimal(0))
        assert total.cost.amount == sum((r.cost.amount for r in before), Decimal(0)) + expected


@pytest.mark.parametrize("seed", seeds(40, share=40, least=1))
def test_a_killed_process_has_booked_what_it_told(seed: int, tmp_path: Path) -> None:
    """Two processes on one file, one after the other, each killed at a random moment."""
    rng = random.Random(seed)
    path = tmp_path / "usage.db"
    told: dict[str, Decimal] = {}
    asked: Counter[str] = Counter()
    for run in ("first", "second"):
        for what, whose, *rest in _killed(path, run, rng.randrange(1, 400)):
            if what == "asked":
                asked[whose] += 1
            else:
                told[whose] = told.get(whose, Decimal(0)) + Decimal(rest[0])
    trio.run(_look, path, told, asked)
