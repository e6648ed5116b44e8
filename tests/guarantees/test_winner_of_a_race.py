"""The winner of a race does not depend on the scheduler.

It is the success with the smallest ``(stamp, declared rank)``, the stamp being the
completion at the leaf, however deep races, fallbacks and load balances are nested.
The worlds are full of ties: answers of one instant that take chains of tasks of
different length. The rule is computed from the plan alone, without the runtime.
"""

import random

import pytest

from tests.guarantees.scenes import Branching, Cast, Leaf, Planned, configure, draw, foresee
from trio_llm import AllProvidersFailed, TextDelta
from trio_llm.testing import Entry, World, canonical, run, seeds


def _planned(world: int, depth: int) -> Planned:
    return draw(random.Random(f"world {world} of depth {depth}"), depth)


def _play(planned: Planned, schedule: int, *, streaming: bool) -> tuple[str | None, list[Entry]]:
    async def scenario(world: World) -> str | None:
        async with world.open(configure(planned, Cast())) as llm:
            try:
                if not streaming:
                    return (await llm.generate("who?")).text
                async with llm.stream("who?") as stream:
                    shown = [event.text async for event in stream if isinstance(event, TextDelta)]
                    assert "".join(shown) == stream.provider == stream.reply.text
                    return stream.provider
            except AllProvidersFailed:
                return None

    outcome = run(scenario, schedule=schedule)
    return outcome.value, canonical(outcome.log)


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_schedule_gives_the_winner_of_the_rule(depth: int, streaming: bool) -> None:
    """Every schedule lets the success with the smallest stamp and rank win."""
    for number in seeds(500, share=50):
        planned = _planned(number, depth)
        expected = foresee(planned)[1]
        logs: list[list[Entry]] = []
        for schedule in seeds(20, share=7, least=2):
            winner, log = _play(planned, schedule, streaming=streaming)
            assert winner == expected, (number, schedule, planned)
            logs.append(log)
        assert all(log == logs[0] for log in logs), (number, planned)


def test_the_worlds_are_full_of_ties() -> None:
    """At least a third of the drawn worlds have two first-level successes in one instant."""
    ties = 0
    for number in range(200):
        planned = _planned(number, 2)
        assert isinstance(planned, Branching)
        outcomes = [foresee(member) for member in planned.members]
        stamps = [stamp for stamp, winner in outcomes if winner is not None]
        ties += planned.kind == "race" and stamps.count(min(stamps, default=0.0)) > 1
    assert ties > 30


def test_the_first_declared_wins_a_tie_with_the_longest_chain() -> None:
    """The member declared first wins its instant even when its chain of tasks is the longest."""
    planned = Branching(
        "n", "race", (Leaf("slow", 1.0, True, 30), *(Leaf(f"f{i}", 1.0, True, 0) for i in range(3)))
    )
    for schedule in seeds(1000, share=50):
        assert _play(planned, schedule, streaming=False)[0] == "slow"


def test_an_earlier_stamp_beats_an_earlier_rank() -> None:
    """A member that answers an instant earlier wins over those declared before it."""
    planned = Branching("n", "race", (Leaf("first", 1.0, True, 0), Leaf("quick", 0.5, True, 9)))
    for schedule in range(10):
        assert _play(planned, schedule, streaming=False)[0] == "quick"
