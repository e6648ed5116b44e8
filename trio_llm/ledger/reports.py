"""The ledger: what was used and what it cost, summed up by whatever is asked."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias, TypedDict, Unpack

import attrs

from trio_llm.chat import Certainty, Cost
from trio_llm.chat.cost import EXACT, rounded
from trio_llm.errors import StoreError
from trio_llm.ledger.accounts import Accounts
from trio_llm.policy.calendar import day_of, day_start
from trio_llm.store import DIMENSIONS, UsageQuery, UsageRow

Instant: TypeAlias = float | date | datetime
"""Seconds since the epoch; the start of a day in the ledger's time zone; or an instant (a
`datetime` without a zone is meant in UTC)."""

Measure: TypeAlias = Literal["cost", "attempts", "tokens"]

_DAY: Final = 86_400.0


class Narrowing(TypedDict, total=False):
    """Which attempts are looked at, as in `Ledger.usage`."""

    since: Instant | None
    until: Instant | None
    only: dict[str, str] | None


@attrs.frozen
class Projection:
    """What would be spent if use went on as of late.

    Attributes:
        cost: US dollars expected in so many days. Never *exact*: *estimated*, or *at least*
            where what it rests on is that.
        days: How many days that is for.
        per_day: US dollars a day of late.
        basis_days: Of how many days' use that is the mean; 0 when there was none.
    """

    cost: Cost
    days: float
    per_day: Decimal
    basis_days: float


@attrs.define(eq=False)
class Ledger:
    """Questions to what was booked.

    Each physical attempt is in it once: retries and losers that were cancelled, too. A sum
    is as sure as the least sure attempt in it.

    Args:
        accounts: Where attempts are booked.
        time_zone: The IANA name of the time zone in which days begin.
    """

    _accounts: Accounts
    time_zone: str = "UTC"

    async def usage(
        self,
        *by: str,
        since: Instant | None = None,
        until: Instant | None = None,
        only: dict[str, str] | None = None,
    ) -> tuple[UsageRow, ...]:
        """Sum up attempts, kept apart by any of their properties.

        ``await ledger.usage("day", "provider", since=date(2026, 11, 1))``

        Args:
            by: ``provider``, ``kind``, ``model``, ``user``, ``operation``, ``outcome``,
                ``day``, or ``tag:NAME`` for the value of a tag. None means one row of all.
            since: From this instant on; ``None`` means from the beginning.
            until: Until before this instant; ``None`` means until now.
            only: For names as in `by`, the value that an attempt must have.

        Returns:
            A row for each combination that occurs, in the order of the keys.

        Raises:
            ValueError: There is no such property.
            StoreError: The store cannot be read, or does not take what is booked.
        """
        only = only or {}
        for name in (*by, *only):
            if name not in DIMENSIONS and not (name.startswith("tag:") and len(name) > 4):
                msg = f"usage has no {name!r}; known are {', '.join(DIMENSIONS)} and tag:NAME"
                raise ValueError(msg)
        journal = self._accounts.journal
        if journal.durable:
            await journal.written()
            if journal.failing:
                raise StoreError(
                    f"{len(journal.unwritten)} attempts are not in the store yet, which does not "
                    "take them; the log says why"
                )
        return await journal.store.usage(
            UsageQuery(
                by,
                0.0 if since is None else self._seconds(since),
                None if until is None else self._seconds(until),
                tuple(sorted(only.items())),
                self.time_zone,
            )
        )

    async def total(
        self, *, since: Instant | None = None, until: Instant | None = None
    ) -> UsageRow:
        """Sum up everything, or everything in a time.

        Raises:
            StoreError: The store cannot be read.
        """
        rows = await self.usage(since=since, until=until)
        return rows[0] if rows else UsageRow()

    async def top(
        self,
        by: str,
        count: int = 5,
        *,
        measure: Measure = "cost",
        **narrowing: Unpack[Narrowing],
    ) -> tuple[UsageRow, ...]:
        """Give those that cost most, or were used most; the first is the one at the top.

        Attempts that have no such property, as those of no user, are left out.

        Args:
            by: A name as in `usage`.
            count: How many.
            measure: ``cost``, ``attempts`` or ``tokens``.
            narrowing: ``since``, ``until`` and ``only``, as in `usage`.

        Raises:
            ValueError: There is no such property or measure.
            StoreError: The store cannot be read.
        """
        if measure not in _MEASURES:
            msg = f"no measure {measure!r}; known are {', '.join(_MEASURES)}"
            raise ValueError(msg)
        size = _MEASURES[measure]
        rows = [row for row in await self.usage(by, **narrowing) if row.key[0]]
        return tuple(sorted(rows, key=lambda row: (-size(row), row.key))[:count])

    async def top_models(
        self, count: int = 5, *, measure: Measure = "cost", **narrowing: Unpack[Narrowing]
    ) -> tuple[UsageRow, ...]:
        """Give the models that cost most, or were used most; see `top`."""
        return await self.top("model", count, measure=measure, **narrowing)

    async def top_users(
        self, count: int = 5, *, measure: Measure = "cost", **narrowing: Unpack[Narrowing]
    ) -> tuple[UsageRow, ...]:
        """Give the users who cost most, or used most; see `top`."""
        return await self.top("user", count, measure=measure, **narrowing)

    async def daily_costs(self, days: int = 30) -> tuple[UsageRow, ...]:
        """Give a row for each of the last days, today included, also where nothing was used.

        Raises:
            StoreError: The store cannot be read.
        """
        today = date.fromisoformat(day_of(self._now(), self.time_zone))
        wanted = [(today - timedelta(days=back)).isoformat() for back in reversed(range(days))]
        since = day_start(wanted[0], self.time_zone) if wanted else self._now()
        found = {row.key[0]: row for row in await self.usage("day", since=since)}
        return tuple([found.get(day, UsageRow((day,))) for day in wanted])

    async def projection(
        self, days: float = 30.0, *, recent: float = 7.0, only: dict[str, str] | None = None
    ) -> Projection:
        """Tell what would be spent in the days to come if use went on as of late.

        It is the mean of the last `recent` days, or of the time since the first use where
        that is shorter, but of one day at least, so that an hour's test is no trend.

        Args:
            days: How many days to come.
            recent: How many days back count.
            only: As in `usage`.

        Raises:
            ValueError: There are no such days back.
            StoreError: The store cannot be read.
        """
        if not recent > 0:
            msg = f"recent must be more than 0 days, not {recent}"
            raise ValueError(msg)
        now = self._now()
        since = now - recent * _DAY
        rows = await self.usage("day", since=since, only=only)
        if not rows:
            return Projection(Cost(certainty=Certainty.ESTIMATED), days, Decimal(0), 0.0)
        if await self.usage(until=since, only=only):
            basis = recent
        else:
            first = max(since, day_start(rows[0].key[0], self.time_zone))
            basis = max(1.0, (now - first) / _DAY)
        spent = Cost.total([row.cost for row in rows])
        per_day = EXACT.divide(spent.amount, Decimal(repr(basis)))
        certainty = max(spent.certainty, Certainty.ESTIMATED)
        coming = EXACT.multiply(per_day, Decimal(repr(float(days))))
        return Projection(Cost(rounded(coming), certainty), days, rounded(per_day), basis)

    def _now(self) -> float:
        return self._accounts.wall_clock()

    def _seconds(self, instant: Instant) -> float:
        if isinstance(instant, datetime):
            zoned = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
            return zoned.timestamp()
        if isinstance(instant, date):
            return day_start(instant.isoformat(), self.time_zone)
        return float(instant)


_MEASURES: Final[dict[str, Callable[[UsageRow], Decimal | int]]] = {
    "cost": lambda row: row.cost.amount,
    "attempts": lambda row: row.attempts,
    "tokens": lambda row: row.input_tokens + row.output_tokens,
}
