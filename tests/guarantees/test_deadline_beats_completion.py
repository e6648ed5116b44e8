"""A deadline beats a completion at the same instant.

So it is for the caller's own scope, for the timeout of a race, and for a provider's
limits of time, plain and streaming, under every schedule.
"""

import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle, steps_later
from trio_llm import (
    AllProvidersFailed,
    Config,
    Fallback,
    LoadBalance,
    Provider,
    ProviderTimeoutError,
    Race,
    Runtime,
    StreamInterruptedError,
    Timeouts,
)
from trio_llm.testing import Answers, Stalls, World, explore, run, seeds


async def _ask(llm: Runtime, *, streaming: bool) -> str:
    if not streaming:
        return (await llm.generate("hello")).text
    async with llm.stream("hello") as stream:
        return "".join([piece async for piece in stream.text()])


def _answering(world: World, cast: Cast, name: str = "a", **settings: object) -> Provider:
    step = Answers("answer", after=1.0, passes=world.rng.randrange(6))
    return cast.provider(name, step, **settings)


def test_the_callers_deadline_beats_an_answer_of_its_instant() -> None:
    """A caller whose scope ends in the instant of the answer is cancelled."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a, b = _answering(world, cast), _answering(world, cast, "b")
        default = world.rng.choice((a, Race((a, b)), Fallback((a, b)), LoadBalance((a, b))))
        async with world.open(Config(default=default)) as llm:
            with trio.move_on_after(1.0) as scope:
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert scope.cancelled_caught
            assert trio.current_time() <= steps_later(1.0)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000))


def test_the_timeout_of_a_race_beats_an_answer_of_its_instant() -> None:
    """A race whose timeout is the instant of every answer fails for every member."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = tuple(_answering(world, cast, name) for name in "abc")
        inner = Race(members[:2], name="inner")
        default = Race((inner, members[2]), timeout=1.0, name="outer")
        async with world.open(Config(default=default)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert {type(error) for error in caught.value.errors} == {ProviderTimeoutError}
            assert {error.phase for error in caught.value.errors} == {"race"}
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000))


def test_the_first_token_limit_beats_an_answer_of_its_instant() -> None:
    """A provider whose first_token limit is the instant of its answer has timed out."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _answering(world, cast, timeouts=Timeouts(first_token=1.0))
        async with world.open(Config(default=provider)) as llm:
            with pytest.raises(ProviderTimeoutError) as caught:
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert caught.value.phase == "first_token"
            assert caught.value.elapsed == 1.0

    explore(scenario, seeds=seeds(1000))


@pytest.mark.parametrize("phase", ["total", "idle"])
def test_the_limits_of_a_running_stream_beat_an_event_of_their_instant(phase: str) -> None:
    """A stream whose next event comes in the instant of a limit is interrupted by the limit."""

    async def scenario(world: World) -> None:
        step = Answers("abcdef", after=0.5, pieces=3, gap=1.0)
        timeouts = Timeouts(idle=1.0) if phase == "idle" else Timeouts(total=1.5)
        provider = Cast().provider("a", step, timeouts=timeouts)
        async with world.open(Config(default=provider)) as llm:
            with pytest.raises(StreamInterruptedError) as caught:
                await _ask(llm, streaming=True)
            assert caught.value.partial_text == "ab"
            assert caught.value.phase == phase
            assert isinstance(caught.value.__cause__, ProviderTimeoutError)

    explore(scenario, seeds=seeds(1000))


def test_a_deadline_in_the_past_makes_no_reply() -> None:
    """A caller without any time is cancelled even when the answer takes none."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(Config(default=cast.provider("a", Answers()))) as llm:
            with trio.move_on_after(0.0) as scope:
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert scope.cancelled_caught
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_race_in_time_is_decided_by_the_answer() -> None:
    """An answer before the timeout of its race wins, and the race does not wait for more."""

    async def scenario(world: World) -> None:
        cast = Cast()
        race = Race((_answering(world, cast), cast.provider("b", Stalls())), timeout=1.25)
        async with world.open(Config(default=race)) as llm:
            assert await _ask(llm, streaming=True) == "answer"
            assert trio.current_time() <= steps_later(1.0)

    run(scenario)
