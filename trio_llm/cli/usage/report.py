"""What the books answer to a question, all of it."""

from collections.abc import Sequence
from datetime import date, timedelta

import attrs

from trio_llm.cli.usage.question import Question
from trio_llm.ledger import Ledger, Projection
from trio_llm.ledger.reports import Measure
from trio_llm.policy.calendar import day_of, day_start
from trio_llm.store import UsageRow

_USUAL_DAYS = 30
_USUAL_TOP = 5


@attrs.frozen
class Report:
    """The answer.

    Attributes:
        question: What was asked.
        rows: Sums by what was asked for: all of them, or the greatest.
        left_out: The sum of those that are not among them.
        total: The sum of all.
        days: A row for each day of the chart, also where nothing was used.
        providers: A row for each provider, the greatest first.
        models: The greatest by model.
        users: The greatest by user; those without a name are left out.
        projection: What the next thirty days would cost.
    """

    question: Question
    rows: tuple[UsageRow, ...]
    left_out: UsageRow
    total: UsageRow
    days: tuple[UsageRow, ...]
    providers: tuple[UsageRow, ...]
    models: tuple[UsageRow, ...]
    users: tuple[UsageRow, ...]
    projection: Projection

    @property
    def by_cost(self) -> bool:
        """Whether shares and bars go by cost; by attempts where nothing has cost anything."""
        return bool(self.total.cost.amount)

    def amount(self, row: UsageRow) -> float:
        """Give what the bar of a row stands for."""
        return float(row.cost.amount) if self.by_cost else float(row.attempts)

    def share(self, row: UsageRow) -> float:
        """Give the share that a row has of the total."""
        whole = self.amount(self.total)
        return self.amount(row) / whole if whole else 0.0


async def answer(ledger: Ledger, question: Question, now: float) -> Report:
    """Ask the books.

    Args:
        ledger: The books.
        question: What is asked.
        now: The present instant, in seconds since the epoch.

    Raises:
        StoreError: They cannot be read.
    """
    since, until, only = question.since, question.until, question.only
    found = await ledger.usage(*question.by, since=since, until=until, only=only)
    total = _sum(found)
    measure: Measure = "cost" if total.cost.amount else "attempts"
    rows = found if "day" in question.by and question.top is None else _greatest_first(found)
    rows, others = rows[: question.top], rows[len(rows[: question.top]) :]
    count = _USUAL_TOP if question.top is None else question.top
    return Report(
        question,
        rows,
        _sum(others),
        total,
        await _days(ledger, question, now),
        _greatest_first(await ledger.usage("provider", since=since, until=until, only=only)),
        await ledger.top_models(count, measure=measure, since=since, until=until, only=only),
        await ledger.top_users(count, measure=measure, since=since, until=until, only=only),
        await ledger.projection(only=only),
    )


def _sum(rows: Sequence[UsageRow]) -> UsageRow:
    total = UsageRow()
    for row in rows:
        total += row
    return total


def _greatest_first(rows: Sequence[UsageRow]) -> tuple[UsageRow, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.cost.amount, -row.attempts, row.key)))


async def _days(ledger: Ledger, question: Question, now: float) -> tuple[UsageRow, ...]:
    """Give a row for each day that is drawn.

    Where no number of them was asked for, those before the first use are left out.
    """
    zone = ledger.time_zone
    last = now if question.until is None else min(now, question.until - 1.0)
    end = date.fromisoformat(day_of(last, zone))
    first = end - timedelta(days=(question.days or _USUAL_DAYS) - 1)
    if question.since is not None:
        first = max(first, date.fromisoformat(day_of(min(question.since, last), zone)))
    since = max(question.since or 0.0, day_start(first.isoformat(), zone))
    rows = await ledger.usage("day", since=since, until=question.until, only=question.only)
    if question.days is None:
        if not rows:
            return ()
        first = max(first, date.fromisoformat(rows[0].key[0]))
    known = {row.key[0]: row for row in rows}
    wanted = [
        (first + timedelta(days=after)).isoformat() for after in range((end - first).days + 1)
    ]
    return tuple([known.get(day, UsageRow((day,))) for day in wanted])
