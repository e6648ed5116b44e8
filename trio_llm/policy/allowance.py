"""What may be spent, by whom, and what is said of it: the values of budgets."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import attrs

from trio_llm.chat import Certainty, Subject

EVERYONE: Final = "runtime"
"""The scope of a budget that has one account for all."""


def _ascending(thresholds: Iterable[float]) -> tuple[float, ...]:
    return tuple(sorted(dict.fromkeys(thresholds)))


@attrs.frozen
class Rule:
    """One budget.

    Attributes:
        name: Its name; no other has it.
        limit: What may be spent in a period, in US dollars.
        period: ``day``, ``week``, ``month`` or ``total``.
        per: What has an account of its own: the ``runtime``, each ``provider``, ``model``
            or ``user``.
        only: Of these, the names that it holds for; none means all.
        alerts: Shares of the limit at which to send an alert, ascending.
        on_limit: What happens to an attempt that has no room: ``refuse``, ``fall_on`` or
            ``warn``.
        time_zone: The IANA name of the time zone that periods go by.
    """

    name: str
    limit: Decimal
    period: str = "month"
    per: str = EVERYONE
    only: frozenset[str] = frozenset()
    alerts: tuple[float, ...] = attrs.field(default=(), converter=_ascending)
    on_limit: str = "refuse"
    time_zone: str = "UTC"

    def account(self, subject: Subject) -> str | None:
        """Name the account of an attempt.

        Returns:
            The name of the provider, the model or the user, or the empty string for the
            whole runtime; ``None`` if the attempt is none of its business.
        """
        if self.per == EVERYONE:
            return ""
        name: str = getattr(subject, self.per)
        return name if self.covers(name) else None

    def covers(self, name: str) -> bool:
        """Whether there is an account of that name."""
        if self.per == EVERYONE:
            return not name
        return bool(name) and (not self.only or name in self.only)

    @property
    def standing(self) -> tuple[str, ...]:
        """The names of the accounts that are there from the start."""
        return ("",) if self.per == EVERYONE else tuple(sorted(self.only))

    def continues(self, other: "Rule") -> bool:
        """Whether accounts kept by another rule are right for this one, too."""
        return (self.name, self.period, self.per, self.only, self.time_zone) == (
            other.name,
            other.period,
            other.per,
            other.only,
            other.time_zone,
        )


@attrs.frozen
class Obstacle:
    """Why an attempt has no room.

    Attributes:
        rule: The budget.
        account: Whose account it is, as `Rule.account` names it.
        spent: US dollars spent in the period.
        reserved: What is set aside for attempts under way.
        expected: What the attempt is expected to cost; 0 where its price is not known.
        retry_after: Seconds until the next period begins; ``None`` if there is none.
    """

    rule: Rule
    account: str
    spent: Decimal
    reserved: Decimal
    expected: Decimal
    retry_after: float | None


@attrs.frozen
class Alert:
    """A share of a limit was reached.

    Attributes:
        rule: The budget.
        account: Whose account it is, as `Rule.account` names it.
        threshold: The share.
        spent: US dollars spent in the period.
    """

    rule: Rule
    account: str
    threshold: float
    spent: Decimal


@attrs.frozen
class BudgetStatus:
    """How much of a budget is used up; amounts are in US dollars.

    Attributes:
        name: Its name.
        account: The name of the provider, the model or the user whose account it is; the
            empty string for the whole runtime.
        per: What has an account of its own: ``runtime``, ``provider``, ``model`` or ``user``.
        period: ``day``, ``week``, ``month`` or ``total``.
        limit: What may be spent in a period.
        spent: What has been spent in the present one.
        reserved: What is set aside for attempts under way.
        remaining: What a further attempt may cost; never negative.
        share: `spent` as a share of `limit`; it may exceed 1.
        certainty: How sure `spent` is.
        unpriced: Attempts whose price is not known, and that are not in `spent`.
        since: When the period began, in seconds since the epoch.
        until: When it ends, likewise; ``None`` if it does not.
        on_limit: What happens to an attempt that has no room.
        projected: What will have been spent at the end of the period if it goes on like
            that; ``None`` where there is no end, and as long as it is too early to say.
    """

    name: str
    account: str
    per: str
    period: str
    limit: Decimal
    spent: Decimal
    reserved: Decimal
    remaining: Decimal
    share: float
    certainty: Certainty
    unpriced: int
    since: float
    until: float | None
    on_limit: str
    projected: Decimal | None
