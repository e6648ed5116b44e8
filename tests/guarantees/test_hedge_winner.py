"""Who wins a hedge, and who is asked for it, does not depend on the scheduler.

The winner is the success with the smallest ``(stamp, declared rank)``. The worlds are
full of ties: answers, failures and delays of one instant, at several depths, that take
chains of tasks of different length. The rule is computed from the plan alone.
"""

import random

import pytest

from tests.guarantees.hedge_scenes import Branching, Planned, configure, draw, foresee
from tests.guarantees.scenes import Cast, Leaf, kinds
from trio_llm import AllProvidersFailed, TextDelta
from trio_llm.testing import Entry, World, canonical, run, seeds


def _planned(world: int, depth: int) -> Planned:
    return draw(random.Random(f"hedged world {world} of depth {depth}"), depth)


def _play(planned: Planned, schedule: int, *, streaming: bool) -> tuple[str | None, list[Entry]]:
    async def scenario(world: World) -> str | None:
        cast = Cast()
        async with world.open(configure(planned, cast)) as llm:
            try:
                if not streaming:
                    return (await llm.generate("who?")).text
                async with llm.stream("who?") as stream:
                    shown = [event.text async for event in stream if isinstance(event, TextDelta)]
                    assert "".join(shown) == stream.provider == stream.reply.text
                    return stream.provider
            except AllProvidersFailed:
                return None
            finally:
                assert cast.running == 0

    outcome = run(scenario, schedule=schedule)
    return outcome.value, canonical(outcome.log)


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_schedule_gives_the_winner_of_the_rule(depth: int, streaming: bool) -> None:
    """Every schedule lets the same member win, and asks the same members at the same instants."""
    for number in seeds(300, share=30):
        planned = _planned(number, depth)
        expected = foresee(planned)[1]
        logs: list[list[Entry]] = []
        for schedule in seeds(20, share=7, least=2):
            winner, log = _play(planned, schedule, streaming=streaming)
            assert winner == expected, (number, schedule, planned)
            logs.append(log)
        assert all(log == logs[0] for log in logs), (number, planned)


def test_the_worlds_hedge() -> None:
    """Most of the drawn worlds start a hedge, and many of these are won by one of them."""
    hedged = won = 0
    for number in range(100):
        planned = _planned(number, 1)
        winner, log = _play(planned, 0, streaming=False)
        started = {dict(entry.fields)["member"] for entry in kinds(log, "HedgeStarted")}
        hedged += bool(started)
        won += winner in started
    assert hedged > 60
    assert won > 15


def test_an_answer_of_the_instant_in_which_a_hedge_is_due_wins_over_it() -> None:
    """The hedge is asked in every schedule, and has lost in every schedule."""
    leaves = (Leaf("slow", 1.0, True, 9), Leaf("other", 0.5, True, 0))
    planned = Branching("n", "hedge", leaves, delay=1.0)
    for schedule in seeds(1000, share=50):
        winner, log = _play(planned, schedule, streaming=False)
        assert winner == "slow"
        assert [entry.time for entry in kinds(log, "HedgeStarted")] == [1.0]


def test_the_first_declared_wins_the_instant_of_its_hedge() -> None:
    """A hedge that answers in the same instant as the first member loses to it."""
    leaves = (Leaf("slow", 1.5, True, 9), Leaf("other", 0.5, True, 0))
    planned = Branching("n", "hedge", leaves, delay=1.0)
    for schedule in seeds(1000, share=50):
        assert _play(planned, schedule, streaming=False)[0] == "slow"
