"""The log of a shared stream: each reader at its own pace, within a bound."""

import trio

from trio_llm import OnInterrupt, Switched, TextDelta
from trio_llm.cache import Cursor, EventLog
from trio_llm.providers.feed import ROOM
from trio_llm.providers.visit import Answer
from trio_llm.testing import World, explore, run, seeds


def _events(count: int, start: int = 0) -> list[TextDelta]:
    return [TextDelta(str(number)) for number in range(start, start + count)]


async def _read(cursor: Cursor, pause: float = 0.0) -> list[object]:
    """Read to the end, slowly."""
    events: list[object] = []
    while taken := await cursor.take():
        events += taken
        await trio.sleep(pause)
    return events


def test_every_reader_is_given_every_event_in_order() -> None:
    """Whatever the paces and the room are; and no more is held than there is room for."""

    async def scenario(world: World) -> None:
        rng = world.rng
        log = EventLog(rng.randint(1, 8))
        readers = [log.join() for _ in range(rng.randint(1, 4))]
        seen: dict[int, list[object]] = {}
        most = 0

        async def read(number: int, cursor: Cursor) -> None:
            seen[number] = await _read(cursor, rng.choice((0.0, 0.5, 1.0)))

        async with trio.open_nursery() as nursery:
            for number, cursor in enumerate(readers):
                nursery.start_soon(read, number, cursor)
            for start in range(0, 40, 4):
                await log.put(_events(4, start))
                most = max(most, len(log))
                await trio.sleep(rng.choice((0.0, 0.25)))
            log.close()
        assert all(events == _events(40) for events in seen.values())
        assert len(seen) == len(readers)
        assert most <= log.capacity

    explore(scenario, seeds=seeds(1000, share=40))


def test_the_writer_waits_for_the_slowest_only_when_there_is_no_room() -> None:
    """A reader that has taken nothing holds the writer up at the bound, and not before."""

    async def scenario(_world: World) -> None:
        log = EventLog(4)
        slow, quick = log.join(), log.join()
        await log.put(_events(4))
        assert await quick.take() == _events(4)
        with trio.move_on_after(5.0) as scope:
            await log.put(_events(1, 4))
        assert (scope.cancelled_caught, log.whole) == (True, True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.put, _events(1, 4))
            await trio.sleep(1.0)
            assert await slow.take() == _events(4)
        assert (log.whole, len(log)) == (False, 1)
        assert await slow.take() == await quick.take() == _events(1, 4)

    run(scenario)


def test_a_reader_that_leaves_frees_the_writer() -> None:
    """Nobody waits for one that reads no more; leaving twice is once."""

    async def scenario(_world: World) -> None:
        log = EventLog(2)
        gone, stays = log.join(), log.join()
        await log.put(_events(2))
        await stays.take()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.put, _events(2, 2))
            await trio.sleep(1.0)
            log.leave(gone)
            log.leave(gone)
        assert await stays.take() == _events(2, 2)
        log.leave(stays)
        await log.put(_events(9))  # with nobody there, nothing is waited for
        assert len(log) <= 2

    run(scenario)


def test_who_comes_late_is_given_the_beginning_while_it_is_there() -> None:
    """The log tells whether it is; then all of it is given, before what is new."""

    async def scenario(_world: World) -> None:
        log = EventLog(6)
        first = log.join()
        await log.put(_events(3))
        assert await first.take() == _events(3)
        assert log.whole
        late = log.join()
        await log.put(_events(3, 3))
        log.close()
        assert await _read(late) == _events(6)
        assert await _read(log.join()) == _events(6)

    run(scenario)


def test_a_hand_over_is_no_larger_than_that_of_a_feed() -> None:
    """So that what a reader has in its hands is bounded, too."""

    async def scenario(_world: World) -> None:
        log = EventLog(10 * ROOM)
        await log.put(_events(3 * ROOM))
        cursor = log.join()
        assert [len(await cursor.take()) for _ in range(3)] == [ROOM] * 3

    run(scenario)


def test_a_reader_knows_who_goes_on_when_it_comes_to_that() -> None:
    """Each reader's answer changes hands at its own place in the stream."""

    async def scenario(_world: World) -> None:
        log = EventLog(9)
        early, late = log.join(), log.join()
        early.answer, late.answer = Answer("a", "m"), Answer("a", "m")
        await log.put([TextDelta("x"), Switched("b", "n", "a", "broke", OnInterrupt.RESTART)])
        await early.take()
        assert (early.answer.provider, early.answer.model) == ("b", "n")
        assert (late.answer.provider, late.answer.model) == ("a", "m")

    run(scenario)


def test_no_more_than_the_room_is_ever_held_at_a_bound_of_one() -> None:
    """The smallest log works: writer and reader take turns."""

    async def scenario(_world: World) -> None:
        log = EventLog(1)
        cursor = log.join()
        got: list[object] = []

        async def read() -> None:
            got.extend(await _read(cursor))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await log.put(_events(20))
            log.close()
        assert got == _events(20)

    run(scenario)
