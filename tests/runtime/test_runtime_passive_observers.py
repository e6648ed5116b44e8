"""Who is content with what is rare is not told of what every call has."""

import pytest

from tests.guarantees.scenes import Cast
from trio_llm import Budget, BudgetExceededError, Config, PriceSettings, events
from trio_llm.events import Event, EventStream
from trio_llm.testing import Answers, World, run


def test_what_is_usual_goes_to_those_alone_who_watch_everything() -> None:
    """What is not usual goes to all of them, in the same order."""
    stream, watched, rare = EventStream(), list[Event](), list[Event]()
    stream.subscribe(rare.append, passive=True)
    assert not stream.watched
    stop = stream.subscribe(watched.append)
    usual = events.RequestStarted(0.0, 1, ("a",), streaming=False)
    crash = events.ActorCrashed(1.0, None, ("a",), "ValueError")
    stream.emit(usual, usual=True)
    stream.emit(crash)
    assert (watched, rare) == ([usual, crash], [crash])
    stop()
    stream.emit(usual, usual=True)
    assert (watched, rare) == ([usual, crash], [crash])


def test_a_call_says_nothing_unusual_unless_something_is() -> None:
    """Beside a watcher, who is told of all, the passive one hears of a refusal alone."""

    async def scene(world: World) -> None:
        price = PriceSettings(input=10.0, output=20.0)
        provider = Cast().provider("a", Answers(), model="m", price=price)
        budgets = {"all": Budget(limit=0.006)}
        async with world.open(Config(default=provider, budgets=budgets)) as llm:
            watched, rare = list[str](), list[str]()
            llm.subscribe(lambda event: watched.append(event.kind))
            stream: EventStream = llm._switchboard.events  # pyright: ignore[reportPrivateUsage]
            stream.subscribe(lambda event: rare.append(event.kind), passive=True)
            await llm.generate("hi")
            assert watched[0] == "RequestStarted"
            assert watched[-1] == "RequestFinished"
            assert rare == []
            with pytest.raises(BudgetExceededError):
                await llm.generate("hi " * 10_000)
            assert rare == ["BudgetExceeded"]

    run(scene)
