"""The store of a runtime that is given none: in memory, and gone with the process."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from trio_llm.chat import Charge, Reservation, Subject
from trio_llm.store.dimensions import Account, check, reader
from trio_llm.store.protocol import CachedAnswer, Change, UsageQuery, UsageRow
from trio_llm.store.quarters import PER_DAY, quarter_of, span
from trio_llm.store.shelf import Shelf
from trio_llm.store.sums import Sums, rows_of

_logger = logging.getLogger("trio_llm.store")

_REMEMBERED: Final = 10_000
"""So many charges back, at least, one is known that is booked a second time. Nobody in this
process has a reason to; what is written again is what a store on disk did not take.
"""

_SLICE: Final = 1000
"""So many rows are summed up before other tasks have their turn: about a millisecond."""


def _without_user(account: Account) -> Account:
    quarter, whose, outcome = account
    subject = Subject(whose.provider, whose.kind, whose.model, operation=whose.operation)
    return quarter, subject, outcome


def _by_day(account: Account) -> Account:
    quarter, subject, outcome = _without_user(account)
    return quarter - quarter % PER_DAY, subject, outcome


def _by_provider(account: Account) -> Account:
    quarter, whose, outcome = account
    return quarter - quarter % (32 * PER_DAY), Subject(whose.provider, whose.kind, ""), outcome


def _by_outcome(account: Account) -> Account:
    quarter, _, outcome = account
    return quarter - quarter % (32 * PER_DAY), Subject("", "", ""), outcome


_COARSER: Final[tuple[Callable[[Account], Account], ...]] = (
    _without_user,
    _by_day,
    _by_provider,
    _by_outcome,
)


@attrs.define(eq=False)
class MemoryStore:
    """Usage, reservations and cached answers in memory.

    Usage is kept in rows, one for each quarter of an hour, subject and outcome. When
    there are too many, the oldest half of them is folded: first they lose user and tags,
    if that is not enough the time of the (UTC) day, then all but the provider. No charge is
    ever lost to the sums.

    Args:
        rows: How many rows of usage are kept; at some 0.7 kB each.
    """

    rows: int = 50_000
    _sums: dict[Account, Sums] = attrs.field(factory=dict[Account, Sums], init=False)
    _reserved: dict[str, Reservation] = attrs.field(factory=dict[str, Reservation], init=False)
    _booked: set[str] = attrs.field(factory=set[str], init=False)
    _booked_before: set[str] = attrs.field(factory=set[str], init=False)
    _shelf: Shelf[CachedAnswer] = attrs.field(factory=Shelf[CachedAnswer], init=False)

    @property
    def durable(self) -> bool:
        """Nothing outlives the process."""
        return False

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None, None]:
        """Do nothing: what is in it stays, from one runtime to the next."""
        await trio.lowlevel.checkpoint()
        yield

    async def write(self, changes: Sequence[Change], /) -> None:
        """Write changes."""
        await trio.lowlevel.checkpoint()
        for change in changes:
            self.book(change)

    def book(self, change: Change) -> None:
        """Write one change, at once."""
        if isinstance(change, Charge):
            self._charge(change)
        elif isinstance(change, Reservation):
            if not self._has(change.id):
                self._reserved.setdefault(change.id, change)
        else:
            self._reserved.pop(change.id, None)

    def _has(self, identifier: str) -> bool:
        return identifier in self._booked or identifier in self._booked_before

    def _charge(self, charge: Charge) -> None:
        identifier = charge.id
        if self._has(identifier):
            return
        if len(self._booked) >= _REMEMBERED:
            self._booked_before, self._booked = self._booked, set()
        self._booked.add(identifier)
        self._reserved.pop(identifier, None)
        account = (quarter_of(charge.time), charge.subject, charge.outcome)
        sums = self._sums.get(account)
        if sums is None:
            sums = self._sums[account] = Sums()
            if len(self._sums) > self.rows:
                sums.book(charge)
                self._fold()
                return
        sums.book(charge)

    def _fold(self) -> None:
        """Make fewer rows of the oldest half, and keep every sum.

        Sums that a query may be looking at do not change by it: what is folded is new.
        """
        for coarser in _COARSER:
            rows = sorted(self._sums.items(), key=lambda row: row[0][0])
            old = len(rows) // 2
            kept: dict[Account, Sums] = {}
            for place, (account, sums) in enumerate(rows):
                target = coarser(account) if place < old else account
                found = kept.get(target)
                kept[target] = sums if found is None else found + sums
            self._sums = kept
            if len(kept) <= self.rows * 3 // 4:
                break
        _logger.info(
            "usage in memory: %d rows were folded into %d; a store on disk keeps all of them",
            self.rows + 1,
            len(self._sums),
        )

    async def outstanding(self) -> tuple[Reservation, ...]:
        """Give the reservations that no charge and no release has ended."""
        await trio.lowlevel.checkpoint()
        return tuple(sorted(self._reserved.values(), key=lambda each: (each.time, each.id)))

    async def usage(self, query: UsageQuery, /) -> tuple[UsageRow, ...]:
        """Sum charges up; rows in the order of their keys."""
        days = check(query)
        await trio.lowlevel.checkpoint()
        first, end = span(query.since, query.until)
        keys = [reader(name, days) for name in query.by]
        wanted = [(reader(name, days), value) for name, value in query.only]
        found: dict[tuple[str, ...], Sums] = {}
        rows = list(self._sums.items())
        for start in range(0, len(rows), _SLICE):
            for account, sums in rows[start : start + _SLICE]:
                if first <= account[0] < end and all(read(account) == v for read, v in wanted):
                    key = tuple([read(account) for read in keys])
                    found[key] = sums + found[key] if key in found else sums
            await trio.lowlevel.checkpoint()
        return rows_of(found)

    async def prune(self, before: float, /) -> None:  # noqa: ARG002 - as the protocol has it
        """Do nothing: charges are folded as they come."""
        await trio.lowlevel.checkpoint()

    async def cached(self, key: bytes, /) -> CachedAnswer | None:
        """Give a cached answer, expired ones included; ``None`` if there is none."""
        await trio.lowlevel.checkpoint()
        return self._shelf.take(key)

    async def keep(self, answer: CachedAnswer, /, *, entries: int, size: int) -> int:
        """Keep an answer; give how many were let go of."""
        await trio.lowlevel.checkpoint()
        return self._shelf.keep(answer, entries=entries, size=size)

    async def forget(self, *, expired_before: float | None = None) -> int:
        """Forget cached answers; give how many."""
        await trio.lowlevel.checkpoint()
        return self._shelf.forget(expired_before)

    async def cache_size(self) -> tuple[int, int]:
        """Give the number of cached answers and of the bytes in them."""
        await trio.lowlevel.checkpoint()
        return len(self._shelf), self._shelf.size
