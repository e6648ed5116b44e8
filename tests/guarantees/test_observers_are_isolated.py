"""Observers see one stream of events, in order, and can harm nothing.

One that raises is logged and keeps its place; the others and the call go on.
"""

import logging

import pytest

from tests.guarantees.scenes import Cast, by_attempt
from trio_llm import Config, Fallback, LLMError, Race, events
from trio_llm.testing import Answers, Crashes, Fails, Stalls, World, explore, run, seeds


def test_every_observer_sees_the_same_events_in_the_same_order() -> None:
    """Observers before and behind one that raises see every event, in order of time."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = (Answers(after=0.5), Fails(after=0.5), Crashes(), Crashes(actor=True))
        a, b, c = (cast.provider(name, by_attempt(world.seed, name, steps)) for name in "abc")
        first: list[events.Event] = []
        last: list[events.Event] = []

        def raises(_event: events.Event) -> None:
            raise ValueError("an observer's own fault")

        async with world.open(Config(default=Race((Fallback((a, b), name="f"), c)))) as llm:
            for observer in (first.append, raises, last.append):
                llm.subscribe(observer)
            for _ in range(4):
                try:
                    await llm.generate("hello")
                except LLMError:
                    continue
        assert first == last
        assert len(first) == len(world.log) > 8
        assert [event.time for event in first] == sorted(event.time for event in first)

    logging.getLogger("trio_llm.events").disabled = True
    try:
        explore(scenario, seeds=seeds(1000, share=50))
    finally:
        logging.getLogger("trio_llm.events").disabled = False


def test_an_observer_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the event on which an observer raised, with the traceback."""

    async def scenario(world: World) -> None:
        def raises(_event: events.Event) -> None:
            raise ValueError("an observer's own fault")

        async with world.open(Config(default=Cast().provider("a", Answers()))) as llm:
            unsubscribe = llm.subscribe(raises)
            await llm.generate("hello")
            unsubscribe()
            await llm.generate("hello")

    run(scenario)
    raised = [record for record in caplog.records if record.exc_info]
    assert [record.args for record in raised] == [
        ("RequestStarted",),
        ("AttemptStarted",),
        ("AttemptSucceeded",),
        ("RequestFinished",),
    ]


def test_an_observer_can_leave_while_an_event_is_handed_out() -> None:
    """An observer that unsubscribes itself is called no more, and the others miss nothing."""

    async def scenario(world: World) -> None:
        seen: list[str] = []

        async with world.open(Config(default=Cast().provider("a", Answers()))) as llm:

            def once(event: events.Event) -> None:
                seen.append(event.kind)
                leave()

            leave = llm.subscribe(once)
            await llm.generate("hello")
        assert seen == ["RequestStarted"]
        assert len(world.log) == 5

    run(scenario)


def test_a_call_tells_its_story_in_order() -> None:
    """A race with a loser is told from the request to its end, each record once."""

    async def scenario(world: World) -> None:
        cast = Cast()
        race = Race(
            (cast.provider("a", Answers(after=1.0)), cast.provider("b", Stalls())), name="r"
        )
        async with world.open(Config(default=race)) as llm:
            await llm.generate("hello")
            told = [(entry.actor, entry.kind) for entry in world.log]
        assert told[0] == ("r", "RequestStarted")
        assert set(told[1:3]) == {("r/a", "AttemptStarted"), ("r/b", "AttemptStarted")}
        assert told[3:] == [
            ("r/a", "AttemptSucceeded"),
            ("r", "WinnerChosen"),
            ("r", "LoserCancelled"),
            ("r/b", "AttemptCancelled"),
            ("r", "RequestFinished"),
        ]

    explore(scenario, seeds=seeds(1000, share=50))
