"""What has been spent and what is set aside, by budget: room first, the bill afterwards."""

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import attrs

from trio_llm.chat import Cost, Subject
from trio_llm.policy.account_book import OTHERS as OTHERS
from trio_llm.policy.account_book import Account, Book
from trio_llm.policy.allowance import Alert as Alert
from trio_llm.policy.allowance import BudgetStatus as BudgetStatus
from trio_llm.policy.allowance import Obstacle as Obstacle
from trio_llm.policy.allowance import Rule as Rule

_ZERO: Final = Decimal(0)
_STRICTNESS: Final = {"refuse": 0, "fall_on": 1, "warn": 2}


@attrs.define(eq=False)
class Hold:
    """What is set aside for one attempt, until it is settled or released.

    Attributes:
        subject: Whose attempt it is.
        expected: US dollars that it is expected to cost; 0 where its price is not known.
        warned: The budgets that have no room for it, and let it go with a warning.
    """

    subject: Subject
    expected: Decimal
    warned: tuple[Obstacle, ...] = ()


@attrs.define
class Spending:
    """All budgets of a runtime.

    An attempt is made when every budget has room for what it is expected to cost, which is
    set aside in the same synchronous step; what it did cost takes its place afterwards. So
    callers at the same time exceed a limit by no more than the errors of their estimates.

    Room is what is neither spent nor set aside. Where none is left, attempts whose price is
    not known are refused, too; free ones never are.

    When a period ends, what is set aside goes along into the next, and what an attempt cost
    counts where it is settled. The clock may be set back; periods never go back.

    Amounts are never negative. All instants are wall-clock time, in seconds since the epoch.

    Args:
        rules: The budgets, in the order in which they are declared.
        accounts: How many accounts each of them keeps apart; names beyond that share one.
    """

    rules: Sequence[Rule]
    accounts: int = 10_000
    _books: tuple[Book, ...] = attrs.field(default=(), init=False)
    _strict_first: tuple[Book, ...] = attrs.field(default=(), init=False)
    _open: dict[Hold, list[Account]] = attrs.field(factory=dict[Hold, list[Account]], init=False)
    _end: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self.reconfigure(self.rules)

    def obstacle(self, now: float, subject: Subject, expected: Decimal | None) -> Obstacle | None:
        """Give the first budget that has no room for an attempt; ``None`` if all have.

        Budgets that refuse come before those that let a balancer go on; those that only
        warn are no obstacle. Nothing is set aside.

        Args:
            now: The present instant.
            subject: Whose attempt it is.
            expected: US dollars that it is expected to cost; ``None`` where its price is
                not known.
        """
        for obstacle in self._obstacles(now, subject, expected):
            if obstacle.rule.on_limit != "warn":
                return obstacle
        return None

    def reserve(self, now: float, subject: Subject, expected: Decimal | None) -> Hold | Obstacle:
        """Set aside what an attempt is expected to cost, in all budgets or in none.

        Args:
            now: The present instant.
            subject: Whose attempt it is.
            expected: US dollars that it is expected to cost; ``None`` where its price is
                not known.

        Returns:
            A hold, to be settled or released; or the first budget that has no room.
        """
        warned: tuple[Obstacle, ...] = ()
        for obstacle in self._obstacles(now, subject, expected):
            if obstacle.rule.on_limit != "warn":
                return obstacle
            warned += (obstacle,)
        hold = Hold(subject, expected or _ZERO, warned)
        self._open[hold] = self._placed(hold)
        return hold

    def settle(self, now: float, hold: Hold, cost: Cost | None) -> tuple[Alert, ...]:
        """Put what an attempt did cost in the place of what was set aside; once.

        Args:
            now: The present instant.
            hold: What `reserve` gave.
            cost: What it cost; ``None`` where the price is not known.

        Returns:
            The alerts that this sets off: each once in a period, the lower ones first.
        """
        if now >= self._end:
            self._turn(now)
        alerts: tuple[Alert, ...] = ()
        for account in self._open.pop(hold, ()):
            account.give_back(hold.expected)
            alerts += account.book_cost(cost)
            account.book.tidy(account)
        return alerts

    def release(self, now: float, hold: Hold) -> None:
        """Give back what was set aside for an attempt that was not made; once."""
        if now >= self._end:
            self._turn(now)
        for account in self._open.pop(hold, ()):
            account.give_back(hold.expected)
            account.book.tidy(account)

    def restore(
        self,
        rule: str,
        account: str,
        spent: Cost,
        unpriced: int = 0,
        since: float | None = None,
        *,
        told: bool = True,
    ) -> None:
        """Add what was spent earlier in the present period, as a store remembers it.

        Nothing happens where there is no such budget or account, or where another period has
        begun meanwhile.

        Args:
            rule: The name of the budget.
            account: Whose account it is, as `Rule.account` names it.
            spent: What was spent.
            unpriced: Attempts whose price is not known; with any, `spent` is *at least* that.
            since: When the period began that this is from, in seconds since the epoch;
                ``None`` means that it is the present one.
            told: Whether the alerts at that amount were sent then; otherwise they come with
                the next attempt that is settled.
        """
        book = next((book for book in self._books if book.rule.name == rule), None)
        if book is None or not book.rule.covers(account):
            return
        if since is not None:
            if book.window is None:
                book.turn(since)
            elif book.window.start != since:
                return
        entry = book.open(account)
        armed = entry.armed
        entry.book_cost(spent)
        if not told:
            entry.armed = armed
        entry.unpriced += unpriced
        book.tidy(entry)

    def snapshot(self, now: float) -> tuple[BudgetStatus, ...]:
        """Say how much of each budget is used up, in the order of their declaration."""
        if now >= self._end:
            self._turn(now)
        return tuple(status for book in self._books for status in book.statuses(now))

    def reconfigure(self, rules: Sequence[Rule]) -> tuple[Rule, ...]:
        """Go by other rules from now on; attempts under way are set aside in them, too.

        Accounts go on where only the limit, the alerts or what happens at the limit differ
        (`Rule.continues`).

        Returns:
            The rules whose accounts begin with nothing spent, to be restored from a store.
        """
        kept = {book.rule.name: book for book in self._books}
        books: list[Book] = []
        anew: list[Rule] = []
        for rule in rules:
            book = kept.get(rule.name)
            if book is not None and rule.continues(book.rule):
                book.adopt(rule)
            else:
                book = Book(rule, self.accounts)
                anew.append(rule)
            books.append(book)
        self.rules = tuple(rules)
        self._books = tuple(books)
        self._strict_first = tuple(sorted(books, key=lambda b: _STRICTNESS[b.rule.on_limit]))
        self._end = -math.inf
        for hold, accounts in self._open.items():
            for account in accounts:
                account.give_back(hold.expected)
            accounts[:] = self._placed(hold)
        return tuple(anew)

    def _obstacles(
        self, now: float, subject: Subject, expected: Decimal | None
    ) -> tuple[Obstacle, ...]:
        """Give the budgets that have no room for an attempt, the strictest first."""
        if now >= self._end:
            self._turn(now)
        obstacles: tuple[Obstacle, ...] = ()
        if expected is not None and not expected:
            return obstacles
        for book in self._strict_first:
            name = book.rule.account(subject)
            if name is not None:
                obstacle = book.obstacle(now, name, expected)
                if obstacle is not None:
                    obstacles += (obstacle,)
        return obstacles

    def _placed(self, hold: Hold) -> list[Account]:
        """Set a hold aside in every budget that it is the business of."""
        accounts: list[Account] = []
        for book in self._books:
            name = book.rule.account(hold.subject)
            if name is not None:
                account = book.open(name)
                account.set_aside(hold.expected)
                accounts.append(account)
        return accounts

    def _turn(self, now: float) -> None:
        """Begin the periods that an instant lies in."""
        for book in self._books:
            others = book.turn(now) if now >= book.end else None
            if others is not None:
                self._part(book, others)
        self._end = min((book.end for book in self._books), default=math.inf)

    def _part(self, book: Book, others: Account) -> None:
        """Give attempts that shared an account one of their own, as far as there is room."""
        for hold, accounts in self._open.items():
            name = book.rule.account(hold.subject)
            if name is not None and others in accounts:
                account = book.open(name)
                account.set_aside(hold.expected)
                accounts[accounts.index(others)] = account
