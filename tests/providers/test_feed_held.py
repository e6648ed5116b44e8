"""A feed whose events are held back until all of them are there."""

import trio
import trio.testing

from trio_llm import TextDelta
from trio_llm.providers.feed import ROOM, Feed

FULL = [TextDelta(str(number)) for number in range(ROOM)]


async def test_a_held_feed_takes_in_everything() -> None:
    """Its producer never waits, and everything can be taken in the end."""
    feed = Feed()
    assert not feed.offer(FULL)
    feed.hold()
    for _ in range(5):
        assert feed.offer(FULL)
        await feed.room_made()
    feed.close()
    assert await feed.take() == FULL * 6
    assert await feed.take() == []


async def test_a_producer_that_waits_goes_on_when_its_feed_is_held() -> None:
    """Whoever waits for room has it at once."""
    feed = Feed()
    feed.offer(FULL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.room_made)
        await trio.testing.wait_all_tasks_blocked()
        feed.hold()


async def test_what_is_spliced_onto_a_held_feed_is_held_too() -> None:
    """Before the splice and after it, and whoever waits for room there goes on."""
    first, second, third = Feed(), Feed(), Feed()
    first.splice(second, None, 0)
    first.hold()
    assert second.offer(FULL)
    third.offer(FULL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(third.room_made)
        await trio.testing.wait_all_tasks_blocked()
        second.splice(third, None, 0)
    assert third.offer(FULL)
    third.close()
    assert await first.take() == FULL
    assert await first.take() == FULL * 2
