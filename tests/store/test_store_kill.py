"""A process that is killed: what it was told is written is there, once, and nothing by half."""

import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.store.store_pieces import virtually
from trio_llm.store import Release, SQLiteStore, UsageQuery, UsageRow
from trio_llm.testing import seeds

ROUNDS = 2


def _killed(path: Path, first: int, size: int, rng: random.Random) -> dict[str, int]:
    """Let a process write, kill it at some point; give up to where it said that it had come."""
    command = [sys.executable, "-m", "tests.store.store_victim", str(path), str(first), str(size)]
    said = {"reserved": first, "charged": first}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as victim:  # noqa: S603 - ours
        assert victim.stdout is not None
        lines = [victim.stdout.readline() for _ in range(rng.randrange(1, 200))]
        victim.kill()
        lines += victim.stdout.readlines()
    for line in lines[1:]:
        what, number = line.split()
        said[what.decode()] = int(number) + size
    return said


async def _found(path: Path) -> tuple[int, list[int]]:
    """Open the file again; give how many charges are in it, and what was under way.

    What was under way is released, as a runtime would book it as lost.
    """
    async with (store := SQLiteStore(path)).opened():
        (row,) = await store.usage(UsageQuery()) or (UsageRow(),)
        under_way = await store.outstanding()
        await store.write([Release(each.id) for each in under_way])
        assert await store.cache_size() <= (20, 100_000)
    # Each of the numbers from 0 up is there, and is there once.
    assert row.input_tokens == row.attempts * (row.attempts - 1) // 2
    assert row.cost.amount == Decimal("0.015") * row.attempts
    return row.attempts, sorted(int(each.id.removeprefix("run-")) for each in under_way)


@pytest.mark.parametrize("seed", seeds(40, share=40, least=1))
def test_what_was_acknowledged_is_there_after_a_kill(seed: int, tmp_path: Path) -> None:
    """Several times over, with reservations, folding and cached answers in the same file."""
    rng, path, charged = random.Random(seed), tmp_path / "store.db", 0
    for _ in range(ROUNDS):
        first, size = charged, rng.choice([1, 7, 50, 300])
        said = _killed(path, first, size, rng)
        charged, under_way = virtually(lambda: _found(path))
        assert said["charged"] <= charged <= said["charged"] + size
        assert (charged - first) % size == 0
        assert under_way in ([], list(range(charged, charged + size)))
        assert charged + len(under_way) >= said["reserved"]
    assert not list(tmp_path.glob("*damaged*"))
