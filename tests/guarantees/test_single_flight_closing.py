"""A runtime that is closed leaves no shared call behind, and no caller without an outcome.

Callers may stand outside its block: they are answered within the time to drain, or told that
it is over.
"""

from functools import partial

import attrs
import pytest
import trio

from tests.guarantees.flight_scenes import Callers, assert_nothing_left, sharing
from tests.guarantees.scenes import Cast
from trio_llm import (
    Fallback,
    LLMError,
    ProviderUnavailableError,
    TextDelta,
)
from trio_llm.testing import Answers, World, explore, run, seeds

SLOWLY = Answers("abcdefgh", after=1.0, pieces=8, gap=0.5)


@pytest.mark.parametrize("after", [1.0, 9.0])
def test_a_runtime_that_is_closed_ends_its_shared_calls(after: float) -> None:
    """Callers outside the block are answered within the time to drain, or told that it is over."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        config = sharing(Fallback((cast.provider("a", Answers(after=after)),), name="f"))
        async with trio.open_nursery() as nursery:
            async with world.open(attrs.evolve(config, drain_deadline=3.0)) as llm:
                for number in range(3):
                    callers.begin(nursery, number, partial(llm.generate, "hello"))
                await trio.sleep(0.5)
            assert trio.current_time() == min(after, 3.5)
            assert_nothing_left(cast, llm)
        if after < 3.0:
            assert len(callers.replies) == 3
        else:
            assert len(callers.errors) == 3
            assert all(isinstance(error, LLMError) for error in callers.errors)
        assert len(callers.ended) == 3

    explore(scenario, seeds=seeds(200, share=20))


def test_a_body_that_is_cancelled_can_still_share_in_its_finally() -> None:
    """The body is cancelled before the actors, and before the shared calls."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        with trio.move_on_after(1.0):
            async with world.open(sharing(cast.provider("a", Answers(after=2.0)))) as llm:
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.CancelScope(shield=True):
                        async with trio.open_nursery() as nursery:
                            for number in range(2):
                                callers.begin(nursery, number, partial(llm.generate, "hello"))
        assert [reply.text for reply in callers.replies] == ["ok", "ok"]
        assert cast.started == 1
        assert trio.current_time() == 3.0

    explore(scenario, seeds=seeds(200, share=20))


def test_what_is_asked_of_a_runtime_that_drains_is_refused() -> None:
    """Nobody begins a shared call while it is being closed; who may join one does."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        async with (
            trio.open_nursery() as nursery,
            world.open(sharing(cast.provider("a", Answers(after=2.0)))) as llm,
        ):
            callers.begin(nursery, 0, partial(llm.generate, "one"))
            callers.begin(nursery, 1, partial(llm.generate, "one"), after=1.0)
            callers.begin(nursery, 2, partial(llm.generate, "two"), after=1.0)
            await trio.sleep(0.5)
        assert [reply.cached for reply in callers.replies] == [None, "shared"]
        (error,) = callers.errors
        assert isinstance(error, ProviderUnavailableError)
        assert error.code == "draining"

    explore(scenario, seeds=seeds(200, share=20))


def test_a_runtime_that_is_closed_ends_shared_streams() -> None:
    """Readers outside the block get a typed error after what they have been given."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        config = attrs.evolve(sharing(cast.provider("a", SLOWLY)), drain_deadline=1.0)
        async with trio.open_nursery() as nursery:
            async with world.open(config) as llm:
                for number in range(3):
                    read = partial(callers.read, number, llm, pause=float(number))
                    callers.begin(nursery, number, read)
                await trio.sleep(1.75)
            assert trio.current_time() == 2.75
            assert_nothing_left(cast, llm)
        assert len(callers.errors) == 3
        for number in range(3):
            texts = [e.text for e in callers.events[number] if isinstance(e, TextDelta)]
            assert "".join(texts) == "abcd"

    explore(scenario, seeds=seeds(200, share=20))


def test_a_reader_that_holds_the_closing_up_is_cut() -> None:
    """The log is full and nobody reads: the runtime closes all the same, and says so."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        member = cast.provider("a", Answers("x" * 20, pieces=20))
        config = attrs.evolve(sharing(member, flight_events=5), drain_deadline=2.0)
        async with trio.open_nursery() as nursery:
            async with world.open(config) as llm:
                callers.begin(nursery, 0, partial(callers.read, 0, llm, pause=50.0))
                await trio.sleep(1.0)
            assert trio.current_time() == 3.0
            assert_nothing_left(cast, llm)
        (error,) = callers.errors
        assert getattr(error, "code", None) == "draining"
        assert "closed" in str(error)

    run(scenario)
