"""The journal: order, batches, those who wait, and a store that fails."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_llm.chat import Charge, Cost, Reservation, Subject, Usage
from trio_llm.errors import StoreError
from trio_llm.events import Event, EventStream, StoreFailed
from trio_llm.ledger import Journal
from trio_llm.ledger import journal as journal_room
from trio_llm.store import CachedAnswer, Change, MemoryStore, UsageQuery, UsageRow

SUBJECT = Subject("openai", "openai", "gpt")


def charge(number: int) -> Charge:
    """Make a charge of a dollar."""
    return Charge(f"run-{number}", 0.0, SUBJECT, number, "succeeded", Usage(1, 1), Cost(Decimal(1)))


@attrs.define(eq=False)
class SlowStore:
    """Takes a second for each write; fails while it is told to."""

    failing: bool = False
    batches: list[list[Change]] = attrs.field(factory=list[list[Change]])

    @property
    def durable(self) -> bool:
        return True

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None, None]:
        yield

    async def write(self, changes: Sequence[Change]) -> None:
        await trio.sleep(1.0)
        if self.failing:
            raise StoreError("the disk is full")
        self.batches.append(list(changes))

    async def outstanding(self) -> tuple[Reservation, ...]:
        return ()

    async def usage(self, _query: UsageQuery) -> tuple[UsageRow, ...]:
        return ()

    async def prune(self, before: float) -> None:
        """Nothing is old."""

    async def cached(self, _key: bytes) -> CachedAnswer | None:
        return None

    async def keep(self, _answer: CachedAnswer, *, entries: int, size: int) -> int:
        return entries * size * 0

    async def forget(self, *, expired_before: float | None = None) -> int:
        return 0 if expired_before is None else 1

    async def cache_size(self) -> tuple[int, int]:
        return 0, 0


@asynccontextmanager
async def running(store: SlowStore, seen: list[Event]) -> AsyncGenerator[Journal, None]:
    """Run a journal until the block is left."""
    stream = EventStream()
    stream.subscribe(seen.append)
    journal = Journal(store, stream)
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        yield journal
        journal.close()


async def test_what_gathers_during_a_write_is_the_next_batch(autojump_clock: MockClock) -> None:
    """Order is kept, and a hundred charges cost two writes."""
    store = SlowStore()
    async with running(store, []) as journal:
        journal.put(charge(0))
        await wait_all_tasks_blocked()
        for number in range(1, 101):
            journal.put(charge(number))
        await journal.written()
        assert autojump_clock.current_time() == 2.0
    assert [len(batch) for batch in store.batches] == [1, 100]
    assert [change.id for batch in store.batches for change in batch] == [
        f"run-{number}" for number in range(101)
    ]


async def test_those_who_wait_go_on_when_theirs_is_written(autojump_clock: MockClock) -> None:
    """A wait ends with the batch in which the change stands, not with a later one."""
    store = SlowStore()
    async with running(store, []) as journal:
        journal.put(charge(0))
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:

            async def first() -> None:
                await journal.written()
                assert autojump_clock.current_time() == 1.0

            nursery.start_soon(first)
            await wait_all_tasks_blocked()
            journal.put(charge(1))


async def test_a_store_that_fails_loses_nothing(autojump_clock: MockClock) -> None:
    """What it did not take is written when it works again; nobody waits for it meanwhile."""
    store, seen = SlowStore(failing=True), list[Event]()
    async with running(store, seen) as journal:
        journal.put(charge(0))
        await journal.written()  # returns: the store has failed, and that is known
        assert autojump_clock.current_time() == 1.0
        failures = [event for event in seen if isinstance(event, StoreFailed)]
        assert [(event.error, event.pending) for event in failures] == [("the disk is full", 1)]
        journal.put(charge(1))
        await journal.written()
        assert autojump_clock.current_time() == 1.0
        await trio.sleep(10.0)
        store.failing = False
        await trio.sleep(60.0)
        assert [[change.id for change in batch] for batch in store.batches] == [["run-0", "run-1"]]
        assert journal.lost == 0


async def test_the_journal_is_bounded_when_the_store_never_works(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go, charges among them are counted, and the rest is written later."""
    monkeypatch.setattr(journal_room, "PENDING", 3)
    store = SlowStore(failing=True)
    async with running(store, []) as journal:
        for number in range(5):
            journal.put(charge(number))
        await trio.sleep(5.0)
        assert journal.lost == 2
        store.failing = False
        await trio.sleep(60.0)
        await journal.written()
    assert [change.id for batch in store.batches for change in batch] == ["run-2", "run-3", "run-4"]
    assert autojump_clock.current_time() > 60.0


async def test_closing_writes_what_is_left(autojump_clock: MockClock) -> None:
    """It ends after the last change is written, and at once when the store fails."""
    for failing in (False, True):
        store = SlowStore(failing=failing)
        began = autojump_clock.current_time()
        async with running(store, []) as journal:
            journal.put(charge(0))
        assert autojump_clock.current_time() == began + 1.0
        assert len(store.batches) == int(not failing)


async def test_a_store_in_memory_takes_everything_at_once() -> None:
    """There is nothing to wait for, and no task is needed."""
    store = MemoryStore()
    journal = Journal(store, EventStream())
    assert not journal.durable
    journal.put(charge(0))
    (row,) = await store.usage(UsageQuery())
    assert (row.attempts, row.cost.amount) == (1, Decimal(1))
