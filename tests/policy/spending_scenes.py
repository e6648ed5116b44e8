"""What the tests of budgets share: subjects, amounts and short ways to spend them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs

from trio_llm.chat import Certainty, Cost, Subject
from trio_llm.policy.spending import Alert, BudgetStatus, Hold, Obstacle, Rule, Spending

DAY = 24 * 3600.0
NOON = datetime(2025, 6, 11, 12, tzinfo=UTC).timestamp()
MIDNIGHT = NOON + DAY / 2
ANA = Subject("openai", "openai", "gpt", user="ana")
BEN = Subject("claude", "anthropic", "sonnet", user="ben")
NOBODY = Subject("openai", "openai", "gpt")


def usd(amount: float | str) -> Decimal:
    """Give an amount as it is written."""
    return Decimal(str(amount))


def money(*amounts: float | str) -> tuple[Decimal, ...]:
    """Give several of them."""
    return tuple(usd(amount) for amount in amounts)


def rule(name: str = "all", limit: float | str = 10, **settings: Any) -> Rule:
    """Give a budget for a day."""
    return attrs.evolve(Rule(name, usd(limit), "day"), **settings)


def held(hold: Hold | Obstacle) -> Hold:
    """Demand that an attempt has room."""
    assert isinstance(hold, Hold)
    return hold


def refused(hold: Hold | Obstacle) -> Obstacle:
    """Demand that it has none."""
    assert isinstance(hold, Obstacle)
    return hold


def spend(
    spending: Spending,
    amount: float | str,
    subject: Subject = ANA,
    now: float = NOON,
    certainty: Certainty = Certainty.EXACT,
) -> tuple[Alert, ...]:
    """Make an attempt that costs something, whether or not there is room for that."""
    hold = held(spending.reserve(now, subject, usd(0)))
    return spending.settle(now, hold, Cost(usd(amount), certainty))


def only(statuses: Sequence[BudgetStatus]) -> BudgetStatus:
    """Give the status that there is."""
    (status,) = statuses
    return status


def spent(spending: Spending, now: float = NOON) -> dict[tuple[str, str], Decimal]:
    """Give what is spent by budget and account."""
    return {(each.name, each.account): each.spent for each in spending.snapshot(now)}


def user(name: str) -> Subject:
    """Give an attempt's subject of a user."""
    return attrs.evolve(ANA, user=name)
