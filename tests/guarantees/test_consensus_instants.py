"""A consensus stops in the very instant that decides it, and its deadlines are exact.

Whoever would have answered later is cancelled in that instant, and gone before the call
returns. An answer that comes at a deadline comes too late: at the timeout it is not
counted, and at the caller's own deadline it does not save the call.
"""

from typing import Any

import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle, kinds, steps_later
from trio_llm import (
    AllProvidersFailed,
    Config,
    Consensus,
    Fallback,
    ProviderTimeoutError,
    Race,
    Runtime,
)
from trio_llm.balancing.arrivals import MARGIN
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Clings, Fails, Stalls, Step, World, explore, seeds


def _answers(world: World, text: str, after: float) -> Answers:
    return Answers(text, after=after, passes=world.rng.randrange(6))


def _panel(cast: Cast, *steps: Step, **settings: Any) -> Consensus:
    members = [cast.provider(name, step) for name, step in zip("abcdefg", steps, strict=False)]
    return Consensus(members, name="panel", **settings)


def _somewhere(world: World, panel: Member) -> Config:
    """Put a consensus at the top, or below another balancer."""
    return Config(default=world.rng.choice((panel, Race([panel]), Fallback([Race([panel])]))))


async def _ask(world: World, llm: Runtime) -> str:
    if world.rng.random() < 0.5:
        return (await llm.generate("hello")).text
    async with llm.stream("hello") as stream:
        return "".join([piece async for piece in stream.text()])


def _is_now(instant: float) -> bool:
    return instant <= trio.current_time() <= steps_later(instant)


def test_the_decisive_vote_ends_it() -> None:
    """Members that would answer later are cancelled in the instant of the decisive vote."""

    async def scenario(world: World) -> None:
        cast = Cast()
        panel = _panel(
            cast,
            _answers(world, "x", 1.0),
            Answers("x", after=2.5),
            _answers(world, "x", 2.0),
            Stalls(1, after=1.0),
            _answers(world, "y", 0.5),
            _answers(world, "x", 2.0),
        )
        async with world.open(_somewhere(world, panel)) as llm:
            assert await _ask(world, llm) == "x"
            assert _is_now(2.0)
            assert_idle(cast, llm)
        gone = kinds(world.log, "AttemptCancelled")
        assert [entry.actor[-1] for entry in gone] in (["b", "d"], ["d", "b"])
        assert all(2.0 <= entry.time <= steps_later(2.0) for entry in gone)

    explore(scenario, seeds=seeds(1000, share=50))


def test_it_returns_only_when_the_others_have_left() -> None:
    """A member that is slow to leave is waited for, and named if it takes too long."""

    async def scenario(world: World) -> None:
        cast = Cast()
        seconds = world.rng.choice((1.5, 1.75, 9.0))
        panel = _panel(cast, _answers(world, "x", 1.0), _answers(world, "x", 1.0), Clings(seconds))
        async with world.open(Config(default=panel, close_deadline=1.0)) as llm:
            assert await _ask(world, llm) == "x"
            assert _is_now(min(seconds, 2.0))
            assert llm.statistics().overruns == (seconds > 2.0)
            assert cast.running == (seconds > 2.0)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_lost_quorum_ends_it() -> None:
    """Once there can be too few answers only, nobody goes on with one."""

    async def scenario(world: World) -> None:
        cast = Cast()
        passes = world.rng.randrange(6)
        panel = _panel(
            cast,
            _answers(world, "x", 0.5),
            Fails(after=1.0, passes=passes),
            Stalls(1),
            Fails(after=1.0),
            Answers("x", after=2.0),
            quorum=4,
        )
        async with world.open(_somewhere(world, panel)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await _ask(world, llm)
            assert "4 of 5 answers needed, 1 came" in str(caught.value)
            failed = [error.provider for error in caught.value.errors]
            assert failed == ["b", "d", "panel"]
            assert _is_now(1.0)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("enough", [False, True])
def test_an_answer_of_the_instant_of_the_timeout_is_not_counted(enough: bool) -> None:
    """The answers before it decide, if they are enough."""

    async def scenario(world: World) -> None:
        cast = Cast()
        panel = _panel(
            cast,
            _answers(world, "y", 2.0),
            _answers(world, "y", 2.0),
            _answers(world, "x", 1.0),
            Stalls(1),
            timeout=2.0,
            quorum=1 if enough else 2,
        )
        async with world.open(_somewhere(world, panel)) as llm:
            if enough:
                assert await _ask(world, llm) == "x"
            else:
                with pytest.raises(AllProvidersFailed) as caught:
                    await _ask(world, llm)
                *overdue, few = caught.value.errors
                assert {type(error) for error in overdue} == {ProviderTimeoutError}
                assert [error.provider for error in overdue] == ["a", "b", "d"]
                assert (few.provider, few.code) == ("panel", "quorum")
            assert _is_now(2.0)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


def test_enough_answers_go_up_before_the_callers_deadline() -> None:
    """At any depth the answer reaches a caller that would have been cancelled."""

    async def scenario(world: World) -> None:
        cast = Cast()
        panel = _panel(
            cast,
            Stalls(1),
            _answers(world, "x", 1.0),
            Stalls(),
            _answers(world, "y", 2.0),
            quorum=2,
        )
        async with world.open(_somewhere(world, panel)) as llm:
            with trio.move_on_after(4.0) as scope:
                assert await _ask(world, llm) == "x"
            assert not scope.cancelled_caught
            assert 4.0 - MARGIN <= trio.current_time() < 4.0
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


def test_the_callers_deadline_beats_the_decisive_vote_of_its_instant() -> None:
    """A caller whose scope ends then is cancelled, and leaves nothing behind."""

    async def scenario(world: World) -> None:
        cast = Cast()
        panel = _panel(cast, _answers(world, "x", 1.0), _answers(world, "x", 2.0), Stalls(1))
        async with world.open(_somewhere(world, panel)) as llm:
            with trio.move_on_after(2.0) as scope:
                await _ask(world, llm)
            assert scope.cancelled_caught
            assert _is_now(2.0)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))
