"""What balancers that choose come to does not depend on the scheduler.

Weighted races, quality races and consensus stand in each other, in plain races and in
fallbacks, to any depth. Their worlds are full of ties: answers, breaks, ends of the grace
and timeouts of one instant, reached by chains of tasks of different length. Who answers,
and when, is computed from the plan alone.
"""

import random

import pytest
import trio

from tests.guarantees.choosing_rules import Foreseen, foresee
from tests.guarantees.choosing_scenes import (
    Branching,
    Planned,
    draw,
    fill,
    leaves,
    stage,
    vitals_of,
)
from tests.guarantees.scenes import Cast, assert_idle, steps_later
from trio_llm import AllProvidersFailed, Config, StreamInterruptedError, TextDelta
from trio_llm.testing import Entry, World, canonical, run, seeds


def _planned(world: int, depth: int) -> Planned:
    return draw(random.Random(f"choosing {world} of depth {depth}"), depth)


def _play(
    planned: Planned, schedule: int, *, streaming: bool
) -> tuple[tuple[float, str | None, str], list[Entry]]:
    """Play one call; give when it was answered, by whom, and with what."""
    cast = Cast()

    async def scenario(world: World) -> tuple[float, str | None, str]:
        async with world.open(Config(default=stage(planned, cast), max_attempts=100)) as llm:
            committed = 0.0
            for leaf in leaves(planned):
                fill(vitals_of(llm, leaf.name), leaf.won, leaf.lost)
            try:
                if not streaming:
                    reply = await llm.generate("who?")
                    return trio.current_time(), reply.provider, reply.text
                async with llm.stream("who?") as stream:
                    committed = trio.current_time()
                    shown = [event.text async for event in stream if isinstance(event, TextDelta)]
                    assert "".join(shown) == stream.reply.text
                    return committed, stream.provider, stream.reply.text
            except AllProvidersFailed:
                return trio.current_time(), None, ""
            except StreamInterruptedError as error:
                return committed, error.provider, "broken"
            finally:
                assert_idle(cast, llm)

    outcome = run(scenario, schedule=schedule)
    return outcome.value, canonical(outcome.log)


def _demanded(expected: Foreseen) -> tuple[str | None, str]:
    if expected.leaf is None:
        return None, ""
    return expected.leaf, "broken" if expected.broken else expected.text


@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_schedule_gives_the_outcome_of_the_rules(depth: int, streaming: bool) -> None:
    """Every schedule gives the answer, and the instant, that follow from the plan."""
    for number in seeds(500, share=50):
        planned = _planned(number, depth)
        expected = foresee(planned, streaming=streaming)
        logs: list[list[Entry]] = []
        for schedule in seeds(20, share=7, least=2):
            (at, leaf, text), log = _play(planned, schedule, streaming=streaming)
            place = (number, schedule, planned, expected)
            assert (leaf, text) == _demanded(expected), place
            assert expected.at <= at <= steps_later(expected.at, 12), (at, place)
            logs.append(log)
        assert all(log == logs[0] for log in logs), (number, planned)


def test_the_worlds_hold_every_kind_of_outcome() -> None:
    """Every kind of balancer both succeeds and fails in the drawn worlds, and streams break."""
    seen: set[tuple[str, bool]] = set()
    broken = 0
    for number in range(300):
        planned = _planned(number, 2)
        assert isinstance(planned, Branching)
        outcome = foresee(planned, streaming=True)
        seen.add((planned.kind, outcome.leaf is not None))
        broken += outcome.broken
    assert len(seen) == 10
    assert broken > 5
