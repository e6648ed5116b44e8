"""The accounts of one budget: what is spent and set aside in each, period by period."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import attrs

from trio_llm.chat import Certainty, Cost
from trio_llm.chat.cost import EXACT, rounded
from trio_llm.policy import calendar
from trio_llm.policy.allowance import Alert, BudgetStatus, Obstacle, Rule

OTHERS: Final = "(others)"
"""The account that names share for which there is no more room."""

_ZERO: Final = Decimal(0)
_EARLIEST: Final = 0.05
"""The share of a period that must have passed before its end is foretold."""

_sum: Final = EXACT.add
_difference: Final = EXACT.subtract


@attrs.define(eq=False)
class Account:
    """What one account holds in the present period.

    Attributes:
        book: The book that it stands in.
        name: Whose it is.
        spent: US dollars spent.
        reserved: US dollars set aside for attempts under way.
        certainty: How sure `spent` is.
        unpriced: Attempts whose price is not known.
        under_way: Attempts that have not been settled.
        armed: Alerts that have not been sent: the amount and the share of each, ascending.
    """

    book: "Book"
    name: str
    armed: tuple[tuple[Decimal, float], ...]
    spent: Decimal = _ZERO
    reserved: Decimal = _ZERO
    certainty: Certainty = Certainty.EXACT
    unpriced: int = 0
    under_way: int = 0

    @property
    def unused(self) -> bool:
        """Whether a new account would be the same."""
        return not (self.under_way or self.spent or self.certainty)

    def begin(self) -> None:
        """Begin a period; what is set aside goes along."""
        self.armed = self.book.marks
        self.spent = _ZERO
        self.certainty = Certainty.EXACT
        self.unpriced = 0

    def set_aside(self, expected: Decimal) -> None:
        """Take up an attempt."""
        self.under_way += 1
        self.reserved = _sum(self.reserved, expected)

    def give_back(self, expected: Decimal) -> None:
        """Let go of an attempt."""
        self.under_way -= 1
        self.reserved = _difference(self.reserved, expected)

    def book_cost(self, cost: Cost | None) -> tuple[Alert, ...]:
        """Add what an attempt cost, and give the alerts that this sets off."""
        if cost is None:
            self.unpriced += 1
            self.certainty = Certainty.AT_LEAST
            return ()
        self.spent = _sum(self.spent, cost.amount)
        if cost.certainty > self.certainty:  # noqa: PLR1730 - a call costs more than this
            self.certainty = cost.certainty
        if not self.armed or self.spent < self.armed[0][0]:
            return ()
        reached = tuple(share for amount, share in self.armed if amount <= self.spent)
        self.armed = self.armed[len(reached) :]
        return tuple(Alert(self.book.rule, self.name, share, self.spent) for share in reached)


@attrs.define(eq=False)
class Book:
    """All accounts of one budget, each with something in it, or certain to be asked for.

    Names beyond its capacity share one more account, and further ones do so as long as it
    holds anything: so nobody gets a second account while what they spent is in the first.

    Attributes:
        rule: The budget.
        capacity: How many accounts there may be.
        window: The present period; ``None`` until the first one begins.
        end: When it ends, in seconds since the epoch.
        accounts: Its accounts by name.
        others: The account that further names share, if there are any.
        marks: The amount and the share of each alert, ascending.
    """

    rule: Rule
    capacity: int
    window: calendar.Window | None = attrs.field(default=None, init=False)
    end: float = attrs.field(default=-math.inf, init=False)
    accounts: dict[str, Account] = attrs.field(factory=dict[str, Account], init=False)
    others: Account | None = attrs.field(default=None, init=False)
    marks: tuple[tuple[Decimal, float], ...] = attrs.field(default=(), init=False)
    _standing: tuple[str, ...] = attrs.field(default=(), init=False)

    def __attrs_post_init__(self) -> None:
        self.marks = _marks(self.rule)
        self._standing = self.rule.standing
        for name in self._standing:
            self.accounts[name] = Account(self, name, self.marks)

    @property
    def entries(self) -> tuple[Account, ...]:
        """All accounts, by name, and at the end the one that others share."""
        accounts = tuple(account for _, account in sorted(self.accounts.items()))
        return accounts if self.others is None else (*accounts, self.others)

    def find(self, name: str) -> Account | None:
        """Give the account that a name has; ``None`` if it would be a new one."""
        return self.accounts.get(name) or self.others

    def open(self, name: str) -> Account:
        """Give the account that a name has, or a new one."""
        account = self.find(name)
        if account is None:
            if len(self.accounts) < self.capacity:
                account = self.accounts[name] = Account(self, name, self.marks)
            else:
                account = self.others = Account(self, OTHERS, self.marks)
        return account

    def tidy(self, account: Account) -> None:
        """Close an account that nothing is in, unless it is always there."""
        if not account.unused:
            return
        if account is self.others:
            self.others = None
        elif account.name not in self._standing:
            self.accounts.pop(account.name, None)

    def turn(self, now: float) -> Account | None:
        """Begin the period of an instant.

        What was restored before the first one is of that one.

        Returns:
            The account that others shared, if attempts are under way in it; it is closed.
        """
        first = self.window is None
        self.window = calendar.window(now, self.rule.period, self.rule.time_zone)
        self.end = math.inf if self.window.end is None else self.window.end
        if first:
            return None
        for account in self.entries:
            account.begin()
            self.tidy(account)
        others, self.others = self.others, None
        return others

    def adopt(self, rule: Rule) -> None:
        """Go by another rule from now on.

        Alerts that were sent are sent again where they are now beyond what has been spent.
        """
        shares = {share for _, share in self.marks}
        self.rule = rule
        self.marks = _marks(rule)
        for account in self.entries:
            sent = shares.difference(share for _, share in account.armed)
            account.armed = tuple(
                (amount, share)
                for amount, share in self.marks
                if amount > account.spent or share not in sent
            )

    def obstacle(self, now: float, name: str, expected: Decimal | None) -> Obstacle | None:
        """Say why there is no room for an attempt; ``None`` if there is."""
        account = self.find(name)
        spent, reserved = (_ZERO, _ZERO) if account is None else (account.spent, account.reserved)
        used = _sum(spent, reserved)
        limit = self.rule.limit
        if used < limit if expected is None else _sum(used, expected) <= limit:
            return None
        return Obstacle(
            self.rule,
            name if account is None else account.name,
            spent,
            reserved,
            expected or _ZERO,
            None if self.end == math.inf else self.end - now,
        )

    def statuses(self, now: float) -> Iterator[BudgetStatus]:
        """Say of each account how much is used up, by name."""
        rule, span = self.rule, self.window or calendar.Window(now, None)
        for account in self.entries:
            used = _sum(account.spent, account.reserved)
            yield BudgetStatus(
                name=rule.name,
                account=account.name,
                per=rule.per,
                period=rule.period,
                limit=rule.limit,
                spent=account.spent,
                reserved=account.reserved,
                remaining=max(_ZERO, _difference(rule.limit, used)),
                share=float(EXACT.divide(account.spent, rule.limit)),
                certainty=account.certainty,
                unpriced=account.unpriced,
                since=span.start,
                until=span.end,
                on_limit=rule.on_limit,
                projected=_projected(account.spent, span, now),
            )


def _marks(rule: Rule) -> tuple[tuple[Decimal, float], ...]:
    return tuple((EXACT.multiply(rule.limit, Decimal(str(a))), a) for a in rule.alerts)


def _projected(spent: Decimal, span: calendar.Window, now: float) -> Decimal | None:
    """Extrapolate from the share of a period that has passed."""
    if span.end is None:
        return None
    passed = (now - span.start) / (span.end - span.start)
    if passed < _EARLIEST:
        return None
    return rounded(EXACT.divide(spent, Decimal(passed)))
