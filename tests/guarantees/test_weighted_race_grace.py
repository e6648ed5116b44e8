"""The grace of a race is exact, and its losers are gone when it is over.

A success that comes at the very end of the grace comes too late, under every schedule,
as one does that comes at a deadline. The grace never reaches beyond the timeout, nor so
near to the caller's deadline that a success would be lost to it.
"""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from tests.guarantees.choosing_scenes import fill, vitals_of
from tests.guarantees.scenes import Cast, assert_idle, kinds, steps_later
from trio_llm import AllProvidersFailed, Config, ProviderTimeoutError, Race, Runtime
from trio_llm.balancing.arrivals import MARGIN
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Clings, Stalls, World, explore, seeds

STRATEGIES = pytest.mark.parametrize("strategy", ["weighted", "quality"])


def _answers(world: World, text: str, after: float) -> Answers:
    return Answers(text, after=after, passes=world.rng.randrange(6))


def _best(_request: object, completion: Any) -> float:
    """Score the text ``better`` above all others."""
    return float(completion.message.text == "better")


def _race(strategy: str, members: Sequence[Member], grace: float, **settings: Any) -> Race:
    if strategy == "quality":
        settings["scorer"] = _best
    return Race(members, strategy=strategy, grace_period=grace, **settings)


async def _ask(llm: Runtime, *, streaming: bool) -> str:
    fill(vitals_of(llm, "better"), 20, 0)
    fill(vitals_of(llm, "quick"), 0, 20)
    if not streaming:
        return (await llm.generate("hello")).text
    async with llm.stream("hello") as stream:
        return "".join([piece async for piece in stream.text()])


@STRATEGIES
@pytest.mark.parametrize("late", [False, True])
def test_a_success_at_the_end_of_the_grace_is_late(strategy: str, late: bool) -> None:
    """The better answer is taken an instant before the end, and not at the end itself."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", _answers(world, "better", 1.5 if late else 1.4999)),
            cast.provider("stalling", Stalls()),
        ]
        async with world.open(Config(default=_race(strategy, members, 0.5))) as llm:
            streaming = world.rng.random() < 0.5
            assert await _ask(llm, streaming=streaming) == ("quick" if late else "better")
            assert 1.5 <= trio.current_time() <= steps_later(1.5)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_the_losers_are_gone_at_the_end_of_the_grace(strategy: str) -> None:
    """Whoever still works is cancelled then, and has left before the call returns."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", Stalls()),
            cast.provider("clinging", Clings(world.rng.choice((1.75, 2.0, 2.25)))),
            cast.provider("begun", Stalls(pieces=1, after=2.0)),
        ]
        async with world.open(Config(default=_race(strategy, members, 0.5))) as llm:
            assert await _ask(llm, streaming=world.rng.random() < 0.5) == "quick"
            assert_idle(cast, llm)
            gone = {e.actor: e for e in kinds(world.log, "AttemptCancelled")}
            assert {"default/better", "default/begun"} <= gone.keys()
            for name in ("default/better", "default/begun"):
                assert 1.5 <= gone[name].time <= steps_later(1.5)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_nobody_waits_for_the_grace_when_everybody_has_come(strategy: str) -> None:
    """A race is decided as soon as the last one has answered or failed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", _answers(world, "better", 1.25)),
        ]
        async with world.open(Config(default=_race(strategy, members, 60.0))) as llm:
            assert await _ask(llm, streaming=world.rng.random() < 0.5) == "better"
            assert 1.25 <= trio.current_time() <= steps_later(1.25)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_without_grace_those_of_the_first_instant_are_compared(strategy: str) -> None:
    """A grace of no time still lets all successes of the first instant count."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", _answers(world, "better", 1.0)),
            cast.provider("late", Stalls()),
        ]
        async with world.open(Config(default=_race(strategy, members, 0.0))) as llm:
            assert await _ask(llm, streaming=world.rng.random() < 0.5) == "better"
            assert 1.0 <= trio.current_time() <= steps_later(1.0)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_the_timeout_ends_the_grace(strategy: str) -> None:
    """A success before the timeout is not lost to a longer grace; one at it is too late."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", _answers(world, "better", 2.0)),
        ]
        race = _race(strategy, members, 60.0, timeout=2.0)
        async with world.open(Config(default=race)) as llm:
            assert await _ask(llm, streaming=world.rng.random() < 0.5) == "quick"
            assert 2.0 <= trio.current_time() <= steps_later(2.0)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_a_timeout_without_a_success_names_everybody(strategy: str) -> None:
    """Answers of the instant of the timeout come too late."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", Stalls()),
        ]
        race = _race(strategy, members, 60.0, timeout=1.0)
        async with world.open(Config(default=race)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert {type(error) for error in caught.value.errors} == {ProviderTimeoutError}
            assert {error.phase for error in caught.value.errors} == {"race"}
            assert 1.0 <= trio.current_time() <= steps_later(1.0)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_a_success_is_not_lost_to_the_callers_deadline(strategy: str) -> None:
    """The grace ends shortly before the caller's deadline, and the caller has its answer."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", Stalls()),
        ]
        inner = _race(strategy, members, 60.0, name="inner")
        race = world.rng.choice((inner, Race([inner]), _race("weighted", [inner], 60.0)))
        async with world.open(Config(default=race)) as llm:
            with trio.move_on_after(4.0) as scope:
                assert await _ask(llm, streaming=world.rng.random() < 0.5) == "quick"
            assert not scope.cancelled_caught
            assert 4.0 - MARGIN <= trio.current_time() < steps_later(4.0 - MARGIN)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_a_first_success_within_the_margin_is_taken_at_once(strategy: str) -> None:
    """Where the first success comes just before the caller's deadline there is no grace."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 3.99)),
            cast.provider("better", Stalls()),
        ]
        async with world.open(Config(default=_race(strategy, members, 60.0))) as llm:
            with trio.move_on_after(4.0):
                assert await _ask(llm, streaming=world.rng.random() < 0.5) == "quick"
            assert 3.99 <= trio.current_time() <= steps_later(3.99)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
def test_the_callers_deadline_beats_the_first_success_of_its_instant(strategy: str) -> None:
    """A caller whose scope ends in the instant of the first success is cancelled."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", _answers(world, "better", 1.0)),
        ]
        async with world.open(Config(default=_race(strategy, members, 0.5))) as llm:
            with trio.move_on_after(1.0) as scope:
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert scope.cancelled_caught
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


@STRATEGIES
@pytest.mark.parametrize("first", [False, True])
def test_an_outer_race_sees_when_an_inner_one_has_decided(strategy: str, first: bool) -> None:
    """Its answer counts from its decision on, not from when the answer came."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("quick", _answers(world, "quick", 1.0)),
            cast.provider("better", Stalls()),
        ]
        inner = _race(strategy, members, 0.5, name="inner")
        beside = cast.provider("beside", _answers(world, "beside", 1.5))
        race = Race([beside, inner] if first else [inner, beside])
        async with world.open(Config(default=race)) as llm:
            text = await _ask(llm, streaming=world.rng.random() < 0.5)
            assert text == ("beside" if first else "quick")
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))
