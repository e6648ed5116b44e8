"""Other budgets while attempts are under way: nothing is forgotten, nothing counts twice."""

from typing import Any

import attrs
import pytest

from tests.policy.spending_scenes import (
    ANA,
    DAY,
    MIDNIGHT,
    NOON,
    held,
    money,
    refused,
    rule,
    spend,
    spent,
    usd,
    user,
)
from trio_llm.chat import Cost
from trio_llm.policy.spending import OTHERS, Spending


def test_another_limit_leaves_the_accounts() -> None:
    """A reload that changes what is not counted by forgets nothing."""
    spending = Spending([rule(), rule("each", per="user")])
    spend(spending, 4)
    hold = held(spending.reserve(NOON, ANA, usd(2)))
    changed = [
        rule("each", 5, per="user", on_limit="warn", alerts=(0.5,)),
        rule(limit=7, on_limit="fall_on"),
    ]
    assert spending.reconfigure(changed) == ()
    assert list(spending.rules) == changed
    assert refused(spending.reserve(NOON, ANA, usd(2))).rule == changed[1]
    assert [each.rule for each in held(spending.reserve(NOON, ANA, usd(1))).warned] == changed[:1]
    spending.settle(NOON, hold, Cost(usd(1)))
    assert spent(spending) == {("all", ""): 5, ("each", "ana"): 5}


@pytest.mark.parametrize(
    "change",
    [
        {"period": "week"},
        {"per": "provider"},
        {"time_zone": "Europe/Zurich"},
        {"only": frozenset({"ana"})},
        {"name": "new"},
    ],
)
def test_what_is_counted_otherwise_begins_anew(change: dict[str, Any]) -> None:
    """It is named, to be restored; what is under way is set aside in it, and settled."""
    spending = Spending([rule(per="user"), rule("other")])
    spend(spending, 4)
    hold = held(spending.reserve(NOON, ANA, usd(2)))
    changed = attrs.evolve(rule(per="user"), **change)
    assert spending.reconfigure([changed, rule("other")]) == (changed,)
    assert [(each.spent, each.reserved) for each in spending.snapshot(NOON)] == [
        money(0, 2),
        money(4, 2),
    ]
    spending.settle(NOON, hold, Cost(usd(1)))
    assert [(each.spent, each.reserved) for each in spending.snapshot(NOON)] == [
        money(1, 0),
        money(5, 0),
    ]


def test_a_budget_may_go_and_come_with_attempts_under_way() -> None:
    """They are settled in the budgets that there are, once in each."""
    spending = Spending([rule("old")])
    hold = held(spending.reserve(NOON, ANA, usd(2)))
    spending.reconfigure([])
    assert spending.snapshot(NOON) == ()
    assert spending.obstacle(NOON, ANA, usd(1_000)) is None
    spending.reconfigure([rule("new"), rule("each", per="user")])
    assert [each.since for each in spending.snapshot(NOON)] == [MIDNIGHT - DAY] * 2
    spending.settle(NOON, hold, Cost(usd(1)))
    spending.settle(NOON, hold, Cost(usd(1)))
    assert spent(spending) == {("new", ""): 1, ("each", "ana"): 1}


def test_names_share_on_over_a_reload() -> None:
    """What they have set aside stays with what they spent."""
    spending = Spending([rule("each", per="user")], accounts=1)
    spend(spending, 1, user("a"))
    spend(spending, 1, user("b"))
    hold = held(spending.reserve(NOON, user("b"), usd(5)))
    spending.reconfigure([rule("each", 20, per="user")])
    assert [(each.account, each.reserved) for each in spending.snapshot(NOON)] == [
        ("a", usd(0)),
        (OTHERS, usd(5)),
    ]
    spending.settle(NOON, hold, Cost(usd(2)))
    assert spent(spending) == {("each", "a"): 1, ("each", OTHERS): 3}


def test_alerts_go_by_the_new_limit() -> None:
    """A share that is out of reach again is announced again; a reached one is not repeated."""
    spending = Spending([rule(alerts=(0.5, 0.8))])
    assert [alert.threshold for alert in spend(spending, 8)] == [0.5, 0.8]
    spending.reconfigure([rule(limit=15, alerts=(0.5, 0.8))])
    assert spend(spending, 0) == ()
    assert [alert.threshold for alert in spend(spending, 4)] == [0.8]


def test_alerts_that_a_lower_limit_makes_due_come_with_the_next_bill() -> None:
    """So do those that are new and already reached; in order."""
    spending = Spending([rule(alerts=(0.5, 0.8))])
    assert [alert.threshold for alert in spend(spending, 6)] == [0.5]
    spending.reconfigure([rule(limit=7, alerts=(0.3, 0.5, 0.8, 1))])
    assert [alert.threshold for alert in spend(spending, 0)] == [0.3, 0.8]
