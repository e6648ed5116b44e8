"""Guards Trio's private names: the seeded scheduler still means what it says."""

import itertools
import random
from typing import Any

import pytest
import trio
import trio._core._run

from trio_llm.testing import seeded_scheduler

SCHEDULER: Any = trio._core._run


def _order(seed: int, tasks: int = 4) -> tuple[int, ...]:
    ran: list[int] = []

    async def task(number: int) -> None:
        await trio.lowlevel.checkpoint()
        ran.append(number)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(tasks):
                nursery.start_soon(task, number)

    with seeded_scheduler(seed):
        trio.run(main)
    return tuple(ran)


def test_the_private_names_are_there() -> None:
    """Trio still has the switch, and the generator behind it."""
    assert isinstance(SCHEDULER._ALLOW_DETERMINISTIC_SCHEDULING, bool)
    assert isinstance(SCHEDULER._r, random.Random)


def test_one_seed_is_one_schedule() -> None:
    """The order in which tasks run follows from the seed alone."""
    for seed in range(20):
        assert _order(seed) == _order(seed)


def test_many_seeds_explore_every_order() -> None:
    """All permutations of a few tasks occur, not only the two that Trio tries by itself."""
    assert {_order(seed) for seed in range(400)} == set(itertools.permutations(range(4)))


@pytest.mark.parametrize("switch", [False, True])
def test_the_state_of_trio_is_put_back(switch: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the block, also after an error in it, the switch and the generator are as before."""
    monkeypatch.setattr(SCHEDULER, "_ALLOW_DETERMINISTIC_SCHEDULING", switch)
    state = SCHEDULER._r.getstate()
    with pytest.raises(ValueError, match="in the block"), seeded_scheduler(5):
        _draw_and_raise()
    assert SCHEDULER._ALLOW_DETERMINISTIC_SCHEDULING is switch
    assert SCHEDULER._r.getstate() == state


def _draw_and_raise() -> None:
    assert SCHEDULER._ALLOW_DETERMINISTIC_SCHEDULING is True
    SCHEDULER._r.random()
    raise ValueError("in the block")
