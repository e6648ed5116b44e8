"""A stream is committed at its first useful event, and never before.

Roles, empty pieces and reasoning that nobody asked for decide nothing: a racer that
sends only those can still lose, and what a loser sent is never shown.
"""

from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, steps_later
from trio_llm import (
    Completion,
    Config,
    Fallback,
    Finished,
    Message,
    Provider,
    ProviderTimeoutError,
    Race,
    ReasoningDelta,
    Request,
    TextDelta,
    Timeouts,
    ToolCallDelta,
)
from trio_llm.chat import Delta, StreamEvent
from trio_llm.errors import ServerError, StreamInterruptedError
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, World, explore, run, seeds


@attrs.frozen
class Sends:
    """Sends given events, each so many seconds after the one before, and then ends or fails."""

    timed: tuple[tuple[float, Delta], ...]
    error: type[ServerError] | None = None
    end_after: float = 0.0

    async def play(self, work: Work) -> Completion:
        """Send them."""
        text = ""
        for pause, delta in self.timed:
            await trio.sleep(pause)
            if isinstance(delta, TextDelta):
                text += delta.text
            if work.sink is not None:
                await work.sink.put([delta])
        await trio.sleep(self.end_after)
        if self.error is not None:
            raise self.error("scripted failure")
        return Completion(Message("assistant", text))


NOT_USEFUL: tuple[Delta, ...] = (TextDelta(""), ReasoningDelta("let me think"), ReasoningDelta(""))


async def _events(
    world: World, default: Race | Fallback | Provider, **options: Any
) -> tuple[str, float, list[StreamEvent]]:
    request = Request(messages="hello", **options)
    async with world.open(Config(default=default)) as llm, llm.stream(request) as stream:
        committed = trio.current_time()
        events = [event async for event in stream]
        return stream.provider, committed, events


@pytest.mark.parametrize("early", NOT_USEFUL, ids=["empty text", "reasoning", "empty reasoning"])
def test_what_is_not_useful_does_not_win_a_race(early: Delta) -> None:
    """A racer that sends early but nothing useful loses to the first text, and shows nothing."""

    async def scenario(world: World) -> None:
        cast = Cast()
        talker = cast.provider("talker", Sends(((0.25, early), (5.0, TextDelta("too late")))))
        answering = cast.provider("answering", Answers("text", after=1.0))
        provider, committed, events = await _events(world, Race((talker, answering)))
        assert provider == "answering"
        assert committed <= steps_later(1.0)
        assert [type(event) for event in events] == [TextDelta, Finished]
        assert cast.running == 0

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("early", NOT_USEFUL, ids=["empty text", "reasoning", "empty reasoning"])
def test_what_is_not_useful_does_not_stop_a_fallback(early: Delta) -> None:
    """A member that fails after events that were not useful is followed by the next."""

    async def scenario(world: World) -> None:
        cast = Cast()
        broken = cast.provider("broken", Sends(((0.25, early),), ServerError))
        default = Fallback((broken, cast.provider("answering", Answers("text", after=1.0))))
        provider, _committed, events = await _events(world, default)
        assert provider == "answering"
        assert events[0] == TextDelta("text")

    explore(scenario, seeds=seeds(1000, share=50))


def test_reasoning_is_useful_to_a_caller_that_asked_for_it() -> None:
    """With ``reasoning=`` a reasoning delta commits the stream; without it does not."""

    async def scenario(world: World) -> None:
        thinking = Sends(((0.5, ReasoningDelta("hm")), (0.5, TextDelta("text"))))
        provider = Cast().provider("a", thinking)
        asked = await _events(world, provider, reasoning="low")
        assert asked[1] == 0.5
        start = trio.current_time()
        plain = await _events(world, Cast().provider("a", thinking))
        assert plain[1] == start + 1.0

    run(scenario)


def test_a_tool_call_is_useful() -> None:
    """A tool-call delta commits the stream like text."""

    async def scenario(world: World) -> None:
        cast = Cast()
        caller = cast.provider("caller", Sends(((0.5, ToolCallDelta(0, "c", "look", "{}")),)))
        default = Race((cast.provider("text", Answers("text", after=1.0)), caller))
        provider, committed, _events_seen = await _events(world, default)
        assert (provider, committed <= steps_later(0.5)) == ("caller", True)

    run(scenario)


def test_the_first_token_limit_runs_until_something_useful_comes() -> None:
    """Events that are not useful do not satisfy the first_token limit."""

    async def scenario(world: World) -> None:
        chatter = Sends(tuple((0.5, TextDelta("")) for _ in range(10)))
        provider = Cast().provider("a", chatter, timeouts=Timeouts(first_token=2.0, idle=1.0))
        with pytest.raises(ProviderTimeoutError) as caught:
            await _events(world, provider)
        assert (caught.value.phase, caught.value.elapsed) == ("first_token", 2.0)

    run(scenario)


def test_an_empty_stream_that_ends_well_is_a_reply() -> None:
    """A stream that finishes without any useful event is committed by its end."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Sends(((0.5, TextDelta("")),), end_after=0.5))
        _provider, committed, events = await _events(world, provider)
        assert committed == 1.0
        assert isinstance(events[-1], Finished)
        assert events[-1].reply.text == ""

    run(scenario)


def test_the_prefix_of_a_loser_is_never_shown() -> None:
    """Racers that commit in one instant show the winner's events alone, from the first one."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = tuple(
            cast.provider(name, Answers(name * 12, 1.0, 12, 0.25, passes=world.rng.randrange(6)))
            for name in ("a", "b", "c")
        )
        provider, _committed, events = await _events(world, Race(members))
        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert (provider, text) == ("a", "a" * 12)

    explore(scenario, seeds=seeds(1000))


def test_a_stream_does_not_fall_back_after_its_commit() -> None:
    """A failure after the commit point ends the stream; no other member is asked."""

    async def scenario(world: World) -> None:
        cast = Cast()
        broken = cast.provider("a", Sends(((0.5, TextDelta("half")),), ServerError))
        other = cast.provider("b", Fails())
        with pytest.raises(StreamInterruptedError, match="broke"):
            await _events(world, Fallback((broken, other)))
        assert cast.scripts["b"].started == 0

    run(scenario)
