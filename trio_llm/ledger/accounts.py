"""The accounts: every physical attempt is opened before it begins, and closed once.

To open an entry is one synchronous step: the budgets are looked at and what the attempt is
expected to cost is set aside. To close it is another: what it did cost takes the place of
that, in the budgets, and goes to the journal. An entry that was opened is closed or given
back in a ``finally``, so nothing stays set aside for what runs no more.
"""

import itertools
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import attrs
import trio

from trio_llm import events
from trio_llm.chat import NOTHING, UNKNOWN, Certainty, Charge, Cost, Reservation, Subject, Usage
from trio_llm.chat.cost import EXACT, Sum
from trio_llm.errors import BudgetExceededError
from trio_llm.events import EventStream
from trio_llm.ledger.journal import Journal
from trio_llm.policy.calendar import window
from trio_llm.policy.spending import BudgetStatus, Hold, Obstacle, Rule, Spending
from trio_llm.store import Release, UsageQuery

_DIMENSIONS: Final = {
    "runtime": (),
    "provider": ("provider",),
    "model": ("model",),
    "user": ("user",),
}


@attrs.define(eq=False)
class Entry:
    """One attempt in the accounts.

    Attributes:
        subject: Whose attempt it is.
        call: The number of its call.
        id: What it will be booked under; empty until that is needed.
        hold: What the budgets have set aside; ``None`` where there are none.
        open: Whether it has still to be closed.
        reserved: Whether the journal knows of it.
    """

    subject: Subject
    call: int
    id: str = ""
    hold: Hold | None = None
    open: bool = True
    reserved: bool = False


@attrs.frozen
class Spent:
    """What was spent in the present period of a budget, as the store remembers it.

    Attributes:
        rule: The name of the budget.
        account: Whose it is; empty for the whole runtime.
        cost: What was spent.
        unpriced: Attempts whose price is not known.
        since: When the period began, in seconds since the epoch.
    """

    rule: str
    account: str
    cost: Cost
    unpriced: int
    since: float


@attrs.define(eq=False)
class Accounts:
    """Books attempts, and keeps to the budgets.

    Args:
        run: What tells this run of the runtime from all others.
        wall_clock: Seconds since the epoch.
        events: Where records go.
        journal: Where charges go.
        spending: The budgets.
    """

    run: str
    wall_clock: Callable[[], float]
    events: EventStream
    journal: Journal
    spending: Spending
    _paid: Sum = attrs.field(factory=Sum, init=False)
    _meanwhile: list[tuple[Subject, Cost | None]] | None = attrs.field(default=None, init=False)
    _numbers: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1), init=False)

    @property
    def paid(self) -> Cost:
        """What all attempts of this run have cost so far."""
        return self._paid.cost

    @property
    def budgeted(self) -> bool:
        """Whether there is any budget to be looked at."""
        return bool(self.spending.rules)

    def obstacle(self, subject: Subject, expected: Decimal | None) -> BudgetExceededError | None:
        """Say that the budgets have no room for an attempt; books nothing."""
        obstacle = self.spending.obstacle(self.wall_clock(), subject, expected)
        return None if obstacle is None else error_of(obstacle, expected)

    def open(
        self, subject: Subject, call: int, path: tuple[str, ...], expected: Decimal | None
    ) -> Entry | BudgetExceededError:
        """Open an entry for an attempt that is about to begin, if the budgets have room.

        Args:
            subject: Whose attempt it is.
            call: The number of its call.
            path: The way to its provider, for the records.
            expected: US dollars that it may cost; ``None`` where the price is not known.
        """
        if not self.spending.rules:
            return Entry(subject, call)
        now = self.wall_clock()
        hold = self.spending.reserve(now, subject, expected)
        if isinstance(hold, Obstacle):
            error = error_of(hold, expected)
            self.tell(error, call, path)
            return error
        for warned in hold.warned:
            self.tell(error_of(warned, expected), call, path, "warn")
        entry = Entry(subject, call, self._next(), hold)
        if self.journal.durable and expected:
            self.journal.put(Reservation(entry.id, now, subject, call, expected))
            entry.reserved = True
        return entry

    async def secured(self, entry: Entry) -> None:
        """Wait until what is set aside is on disk; no checkpoint where nothing has to be."""
        if entry.reserved:
            await self.journal.written()

    def close(
        self,
        entry: Entry,
        outcome: str,
        usage: Usage | None,
        cost: Cost | None,
        latency: float,
        path: tuple[str, ...],
    ) -> None:
        """Book what an attempt cost; once.

        Args:
            entry: The attempt.
            outcome: ``succeeded``, ``failed`` or ``cancelled``.
            usage: Tokens, as far as known.
            cost: What it cost; ``None`` where the price is not known.
            latency: Seconds that it took.
            path: The way to its provider, for the records.
        """
        if not entry.open:
            return
        entry.open = False
        now = self.wall_clock()
        self._paid.add(cost)
        if self.spending.rules or entry.hold is not None:
            self._settle(now, entry, cost, path)
        if self._meanwhile is not None:
            self._meanwhile.append((entry.subject, cost))
        self.journal.put(
            Charge(
                entry.id or self._next(),
                now,
                entry.subject,
                entry.call,
                outcome,
                usage,
                cost,
                latency,
            )
        )

    def _settle(self, now: float, entry: Entry, cost: Cost | None, path: tuple[str, ...]) -> None:
        """Put what an attempt did cost in the place of what was set aside for it.

        Nothing was for a probe, and for an attempt that began when there was no budget;
        they count all the same, and where nothing is set aside there is always room.
        """
        hold = entry.hold or self.spending.reserve(now, entry.subject, NOTHING.amount)
        if isinstance(hold, Obstacle):
            raise TypeError("a budget has no room for nothing")
        for alert in self.spending.settle(now, hold, cost):
            rule = alert.rule
            self.events.emit(
                events.BudgetAlert(
                    trio.current_time(),
                    entry.call or None,
                    path,
                    rule.name,
                    alert.account,
                    alert.threshold,
                    alert.spent,
                    rule.limit,
                )
            )

    def release(self, entry: Entry) -> None:
        """Give back what was set aside for an attempt that was not made."""
        if not entry.open:
            return
        entry.open = False
        if entry.hold is not None:
            self.spending.release(self.wall_clock(), entry.hold)
        if entry.reserved:
            self.journal.put(Release(entry.id))

    def budgets(self) -> tuple[BudgetStatus, ...]:
        """Tell how the budgets stand."""
        return self.spending.snapshot(self.wall_clock())

    async def recover(self) -> None:
        """Book what was under way when an earlier process ended, by what was set aside.

        Nobody knows what became of it, so it counts as spent, *estimated*.

        Raises:
            StoreError: The store cannot be read.
        """
        left = await self.journal.store.outstanding()
        if not left:
            return
        charges = [
            Charge(
                each.id,
                each.time,
                each.subject,
                each.call,
                "lost",
                None,
                Cost(each.estimate, Certainty.ESTIMATED),
            )
            for each in left
        ]
        await self.journal.store.write(charges)
        total = Cost.total([charge.cost for charge in charges])
        now = trio.current_time()
        self.events.emit(events.StoreRecovered(now, None, (), len(charges), total))

    async def history(self, rules: Sequence[Rule]) -> tuple[Spent, ...]:
        """Give what was spent in the present periods of budgets that begin anew.

        From now on until `reconfigure`, or `stay`, what is closed is kept in mind besides. So
        nothing is missed of what happens meanwhile; a part of it may count twice, until the
        period ends.

        Raises:
            StoreError: The store cannot be read.
        """
        anew = [rule for rule in rules if not any(map(rule.continues, self.spending.rules))]
        self._meanwhile = []
        try:
            if self.journal.durable:
                await self.journal.written()
            self._meanwhile += [(each.subject, each.cost) for each in self.journal.unwritten]
            return await self._spent(anew)
        except BaseException:
            self.stay()
            raise

    async def _spent(self, rules: Sequence[Rule]) -> tuple[Spent, ...]:
        now = self.wall_clock()
        found: list[Spent] = []
        for rule in rules:
            by = _DIMENSIONS[rule.per]
            since = window(now, rule.period, rule.time_zone).start
            for row in await self.journal.store.usage(UsageQuery(by=by, since=since)):
                name = row.key[0] if by else ""
                if name or not by:  # who gave no name has no account
                    found.append(Spent(rule.name, name, row.cost, row.unpriced, since))
        return tuple(found)

    def stay(self) -> None:
        """Stay with the budgets that there are: the change that was prepared does not come."""
        self._meanwhile = None

    def reconfigure(
        self, rules: Sequence[Rule], history: Sequence[Spent], *, told: bool = False
    ) -> None:
        """Go by other budgets from now on; those that begin anew begin with their history.

        Attempts that began when there was no budget at all count when they end.

        Args:
            rules: The budgets.
            history: What was spent.
            told: Whether the alerts that this calls for were sent already, by an earlier run.
        """
        anew = self.spending.reconfigure(rules)
        for spent in history:
            self.spending.restore(
                spent.rule, spent.account, spent.cost, spent.unpriced, spent.since, told=told
            )
        meanwhile, self._meanwhile = self._meanwhile or [], None
        for rule in anew:
            for subject, cost in meanwhile:
                account = rule.account(subject)
                if account is not None:
                    unpriced = int(cost is None)
                    self.spending.restore(rule.name, account, cost or UNKNOWN, unpriced, told=False)

    def tell(
        self, error: BudgetExceededError, call: int, path: tuple[str, ...], how: str = ""
    ) -> None:
        """Record that a budget has no room for an attempt.

        Args:
            error: Why, as a caller is told.
            call: The number of the call; 0 where it is not known.
            path: The way to the provider.
            how: ``warn`` where the attempt is made all the same.
        """
        if self.events.heard:
            self.events.emit(
                events.BudgetExceeded(
                    trio.current_time(),
                    call or None,
                    path,
                    error.budget,
                    error.account,
                    how or ("fall_on" if error.falls_through else "refuse"),
                    error.expected,
                    error.spent,
                    error.limit,
                )
            )

    def _next(self) -> str:
        return f"{self.run}-{next(self._numbers)}"


def error_of(obstacle: Obstacle, expected: Decimal | None) -> BudgetExceededError:
    """Make the error for an attempt that a budget has no room for.

    Args:
        obstacle: The budget, and how it stands.
        expected: US dollars that the attempt may cost; ``None`` where that is not known.
    """
    rule = obstacle.rule
    whose = f" of {rule.per} {obstacle.account!r}" if obstacle.account else ""
    per = "in all" if rule.period == "total" else f"a {rule.period}"
    used = EXACT.add(obstacle.spent, obstacle.reserved)
    price = (
        "the price of the attempt is not known"
        if expected is None
        else f"the attempt may cost ${_shown(expected)}"
    )
    return BudgetExceededError(
        f"budget {rule.name!r}{whose}: ${_shown(used)} of ${_shown(rule.limit)} {per} are spent or "
        f"set aside, and {price}",
        budget=rule.name,
        account=obstacle.account,
        limit=rule.limit,
        spent=used,
        expected=expected,
        retry_after=obstacle.retry_after,
        falls_through=rule.on_limit == "fall_on",
    )


def _shown(amount: Decimal) -> str:
    return f"{amount.normalize(EXACT):f}" if amount else "0"
