"""A shared stream that breaks does so for each of its readers, where they have come to.

Each gets an error of its own, with the text that there was; and where another provider goes
on with the stream, each meets that in its place.
"""

from functools import partial

import pytest
import trio

from tests.guarantees.flight_scenes import Callers, assert_nothing_left, rest_of, sharing
from tests.guarantees.scenes import Cast
from trio_llm import (
    AllProvidersFailed,
    Fallback,
    LLMError,
    ProviderCrashedError,
    Race,
    ServerError,
    StreamInterruptedError,
    Switched,
    TextDelta,
)
from trio_llm.testing import (
    Answers,
    Crashes,
    Cuts,
    Fails,
    World,
    explore,
    run,
    seeds,
)

TEXT = "abcdefgh"
SLOWLY = Answers(TEXT, after=1.0, pieces=8, gap=0.5)


def test_a_stream_that_breaks_breaks_for_each_with_all_of_its_text() -> None:
    """Everyone has been given what came, and gets an error of its own that tells it."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        cut = Cuts(pieces=3, text="abcdefgh", after=1.0, gap=0.5)
        async with world.open(sharing(cast.provider("a", cut))) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    after = 0.75 * number
                    callers.begin(nursery, number, partial(callers.read, number, llm), after=after)
            assert cast.started == 1
            assert_nothing_left(cast, llm)
        assert [type(error) for error in callers.errors] == [StreamInterruptedError] * 3
        assert len({id(error) for error in callers.errors}) == 3
        for number, error in enumerate(callers.errors):
            assert isinstance(error, StreamInterruptedError)
            assert error.partial_text == "abcdef"
            pieces = [e.text for e in callers.events[number] if isinstance(e, TextDelta)]
            assert "".join(pieces) == "abcdef"
        assert [len(error.attempts) for error in callers.errors] == [1, 0, 0]

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("actor", [False, True])
def test_a_crash_in_the_middle_is_told_to_each(actor: bool) -> None:
    """The provider's code breaks down before the commit: every caller has that error."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        async with world.open(sharing(cast.provider("a", Crashes(1.0, actor=actor)))) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    callers.begin(nursery, number, partial(callers.read, number, llm))
            assert [type(error) for error in callers.errors] == [ProviderCrashedError] * 3
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_an_error_before_the_commit_is_raised_where_the_block_is_entered() -> None:
    """For each caller, whole, and in its own objects."""

    async def scenario(world: World) -> None:
        cast, errors = Cast(), list[LLMError]()
        members = (cast.provider("a", Fails(after=1.0)), cast.provider("b", Fails(ServerError)))
        async with world.open(sharing(Race(members, name="r"))) as llm:

            async def read() -> None:
                with pytest.raises(AllProvidersFailed) as caught:
                    async with llm.stream("hello"):
                        raise AssertionError("never entered")
                errors.append(caught.value)

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(read)
            assert cast.started == 2
            assert len({id(error) for error in errors}) == 3
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_all_follow_a_switch_to_another_provider() -> None:
    """The stream breaks and begins anew elsewhere; each reader meets that in its place."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        cut = Cuts(pieces=2, text="abcd", after=1.0, gap=0.5)
        members = (cast.provider("a", cut), cast.provider("b", Answers("whole", after=1.0)))
        member = Fallback(members, name="f", on_interrupt="restart")
        async with world.open(sharing(member)) as llm:
            async with trio.open_nursery() as nursery:
                for number, after in enumerate((0.0, 1.25, 2.5)):
                    callers.begin(nursery, number, partial(callers.read, number, llm), after=after)
            assert [reply.provider for reply in callers.replies] == ["b"] * 3
            first = callers.events[0]
            assert [type(event) for event in first].count(Switched) == 1
            for events in callers.events.values():
                assert events[:-1] == first[:-1]
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_the_provider_of_a_reader_is_who_wrote_what_it_reads() -> None:
    """`ReplyStream.provider` changes for each where it comes to the switch."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = (
            cast.provider("a", Cuts(pieces=1, text="ab", after=1.0, gap=0.5)),
            cast.provider("b", Answers("whole", after=1.0)),
        )
        member = Fallback(members, name="f", on_interrupt="restart")
        async with (
            world.open(sharing(member)) as llm,
            llm.stream("hello") as one,
            llm.stream("hello") as two,
        ):
            assert (one.provider, two.provider) == ("a", "a")
            await rest_of(one)
            assert (one.provider, two.provider) == ("b", "a")
            await rest_of(two)
            assert two.provider == "b"
            assert cast.started == 2
            assert "ReplyStream of 'b', ended" in repr(two)

    run(scenario)
