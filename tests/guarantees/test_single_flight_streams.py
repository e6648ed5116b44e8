"""Callers who read the same stream at the same time share it, each at its own pace.

All are given the same events; who comes late is given the beginning from a bounded log. The
provider is held up by the slowest of them only when there is no more room, and by nobody who
has left.
"""

from functools import partial

import trio

from tests.guarantees.flight_scenes import Callers, assert_nothing_left, rest_of, sharing
from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    Finished,
    Hedge,
    Runtime,
    TextDelta,
)
from trio_llm.chat import NOTHING
from trio_llm.providers.feed import ROOM
from trio_llm.testing import (
    Answers,
    CallsTool,
    Stalls,
    World,
    explore,
    run,
    seeds,
)

TEXT = "abcdefgh"
SLOWLY = Answers(TEXT, after=1.0, pieces=8, gap=0.5)


def test_all_are_given_the_same_events_whenever_they_come() -> None:
    """From before the commit to just before the end; the reply of one has the cost."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        count = world.rng.randint(2, 6)
        async with world.open(sharing(cast.provider("a", SLOWLY))) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(count):
                    after = 0.0 if not number else world.rng.uniform(0.0, 4.4)
                    pause = world.rng.choice((0.0, 0.1, 1.0))
                    read = partial(callers.read, number, llm, pause=pause)
                    callers.begin(nursery, number, read, after=after)
            assert cast.started == 1
            assert_nothing_left(cast, llm)
            assert len(callers.replies) == count
            deltas = [TextDelta(letter) for letter in TEXT]
            for number, reply in enumerate(callers.replies):
                assert callers.events[number] == [*deltas, Finished(reply)]
                assert (reply.text, reply.finish_reason) == (TEXT, "stop")
                assert reply.time_to_first_token is not None
                assert 0.0 <= reply.time_to_first_token <= 1.0
                assert reply.time_to_first_token <= reply.latency <= 4.5
            assert [reply.cached for reply in callers.replies] == [None, *["shared"] * (count - 1)]
            assert {reply.cost for reply in callers.replies[1:]} <= {NOTHING}
        started = [field(entry, "call") for entry in kinds(world.log, "RequestStarted")]
        finished = [field(entry, "call") for entry in kinds(world.log, "RequestFinished")]
        assert sorted(started) == sorted(finished)
        assert len(started) == count

    explore(scenario, seeds=seeds(1000, share=40))


def test_when_the_beginning_is_gone_a_new_call_begins() -> None:
    """The log is bounded: who comes too late for it has a stream of its own."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        async with world.open(sharing(cast.provider("a", SLOWLY), flight_events=4)) as llm:
            async with trio.open_nursery() as nursery:
                for number, after in enumerate((0.0, 2.6, 3.1, 3.2)):
                    callers.begin(nursery, number, partial(callers.read, number, llm), after=after)
            assert cast.started == 2
            assert [reply.cached for reply in callers.replies] == [None, "shared", None, "shared"]
            assert {reply.text for reply in callers.replies} == {TEXT}
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_the_slowest_holds_the_provider_up_only_when_there_is_no_room() -> None:
    """One that does not read: the others go on for as many events as the log has room for."""
    pieces = 4 * ROOM

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        member = cast.provider("a", Answers("x" * pieces, pieces=pieces, gap=0.01))
        async with world.open(sharing(member, flight_events=ROOM)) as llm:
            woken = trio.Event()

            async def sleeper() -> None:
                async with llm.stream("hello") as stream:
                    await woken.wait()
                    callers.outcomes[1] = await rest_of(stream)

            async with trio.open_nursery() as nursery:
                callers.begin(nursery, 0, partial(callers.read, 0, llm))
                nursery.start_soon(sleeper)
                await trio.sleep(60.0)
                assert len(callers.events[0]) == ROOM
                assert cast.running == 1
                woken.set()
            assert [reply.text for reply in callers.replies] == ["x" * pieces] * 2
            assert_nothing_left(cast, llm)

    run(scenario)


def test_a_caller_that_leaves_holds_nobody_up() -> None:
    """The slow one leaves without reading; the quick one gets the rest."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        member = cast.provider("a", Answers("x" * 200, pieces=200, gap=0.01))
        async with world.open(sharing(member, flight_events=10)) as llm:

            async def sleeper() -> None:
                async with llm.stream("hello"):
                    await trio.sleep(60.0)

            async with trio.open_nursery() as nursery:
                callers.begin(nursery, 0, partial(callers.read, 0, llm))
                nursery.start_soon(sleeper)
            assert [reply.text for reply in callers.replies] == ["x" * 200]
            assert 60.0 <= callers.ended[0] < 63.0
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_leaving_a_stream_early_ends_it_when_nobody_else_reads() -> None:
    """Each leaves after some events; the last one to do so ends the exchange at once."""

    async def scenario(world: World) -> None:
        cast = Cast()
        counts = [world.rng.randint(0, 6) for _ in range(3)]
        left: list[float] = []

        async def read(llm: Runtime, count: int) -> None:
            async with llm.stream("hello") as stream:
                for _ in range(count):
                    await anext(stream)
            left.append(trio.current_time())

        async with world.open(sharing(cast.provider("a", SLOWLY), mode="on")) as llm:
            async with trio.open_nursery() as nursery:
                for count in counts:
                    nursery.start_soon(read, llm, count)
            assert left[-1] == 1.0 + 0.5 * max(0, max(counts) - 1)
            assert_nothing_left(cast, llm)
            assert llm.cache.statistics().stores == 0
        (gone,) = kinds(world.log, "AttemptCancelled")
        assert gone.time == left[-1]
        outcomes = [field(entry, "outcome") for entry in kinds(world.log, "RequestFinished")]
        assert outcomes == ["cancelled"] * 3

    explore(scenario, seeds=seeds(1000, share=50))


def test_tool_calls_are_shared_piece_by_piece() -> None:
    """Each caller puts together the same call."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        call = CallsTool("look", ('{"x": ', "1}"), after=1.0)
        hedge = Hedge((cast.provider("a", call), cast.provider("b", Stalls())), name="h")
        async with world.open(sharing(hedge, mode="on")) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    callers.begin(nursery, number, partial(callers.read, number, llm))
            assert [reply.tool_calls[0].arguments for reply in callers.replies] == [{"x": 1}] * 3
            assert callers.events[0][:-1] == callers.events[2][:-1]
            assert llm.cache.statistics().stores == 1
            assert (await llm.generate("hello")).tool_calls[0].arguments == {"x": 1}
            assert_nothing_left(cast, llm)

    run(scenario)


def test_a_stream_that_has_gone_by_is_read_to_its_end_by_the_slow() -> None:
    """The provider is done and its place is free long before the last reader is through."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        async with world.open(sharing(cast.provider("a", Answers(TEXT, pieces=8)))) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(2):
                    read = partial(callers.read, number, llm, pause=10.0 * number)
                    callers.begin(nursery, number, read)
                await trio.sleep(1.0)
                assert_nothing_left(cast, llm)
            assert [reply.text for reply in callers.replies] == [TEXT] * 2
            assert callers.ended[1] >= 80.0

    run(scenario)
