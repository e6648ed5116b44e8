"""Periods of a budget: what goes along into the next, and what a store remembers of them."""

import pytest

from tests.policy.spending_scenes import (
    ANA,
    DAY,
    MIDNIGHT,
    NOON,
    held,
    money,
    only,
    refused,
    rule,
    spend,
    spent,
    usd,
)
from trio_llm.chat import Certainty, Cost
from trio_llm.policy.spending import Spending


def test_a_budget_for_all_time_never_begins_anew() -> None:
    """There is nothing to wait for, and no end to foretell."""
    spending = Spending([rule(period="total")])
    spend(spending, 10)
    later = NOON + 400 * DAY
    assert refused(spending.reserve(later, ANA, usd(1))).retry_after is None
    status = only(spending.snapshot(later))
    assert (status.spent, status.since) == (usd(10), 0.0)
    assert (status.until, status.projected) == (None, None)


def test_a_period_begins_with_nothing_spent() -> None:
    """What is set aside goes along, and counts as spent where it is settled."""
    spending = Spending([rule()])
    spend(spending, 5, certainty=Certainty.ESTIMATED)
    spending.settle(NOON, held(spending.reserve(NOON, ANA, usd(1))), None)
    hold = held(spending.reserve(MIDNIGHT - 1.0, ANA, usd(4)))
    assert only(spending.snapshot(MIDNIGHT - 1.0)).spent == 5
    status = only(spending.snapshot(MIDNIGHT))
    assert (status.spent, status.reserved) == money(0, 4)
    assert status.unpriced == 0
    assert status.certainty is Certainty.EXACT
    assert (status.since, status.until) == (MIDNIGHT, MIDNIGHT + DAY)
    refused(spending.reserve(MIDNIGHT, ANA, usd(7)))
    spending.settle(MIDNIGHT + 1.0, hold, Cost(usd(3)))
    status = only(spending.snapshot(MIDNIGHT + 1.0))
    assert (status.spent, status.reserved) == money(3, 0)


@pytest.mark.parametrize("end", ["obstacle", "reserve", "settle", "release"])
def test_whatever_comes_first_begins_the_period(end: str) -> None:
    """A day that nobody looked at is over all the same."""
    spending = Spending([rule(), rule("long", period="month")])
    spend(spending, 8)
    hold = held(spending.reserve(NOON, ANA, usd(1)))
    if end == "obstacle":
        assert spending.obstacle(MIDNIGHT, ANA, usd(1)) is None
    elif end == "reserve":
        held(spending.reserve(MIDNIGHT, ANA, usd(1)))
    elif end == "settle":
        spending.settle(MIDNIGHT, hold, Cost(usd(1)))
    else:
        spending.release(MIDNIGHT, hold)
    settled = usd(1 if end == "settle" else 0)
    assert spent(spending, NOON) == {("all", ""): settled, ("long", ""): 8 + settled}


def test_periods_go_by_their_time_zone() -> None:
    """In Zurich a day of June begins two hours before that of universal time."""
    spending = Spending([rule(time_zone="Europe/Zurich"), rule("utc")])
    spend(spending, 5)
    evening = MIDNIGHT - 2 * 3600.0
    assert spent(spending, evening - 0.5) == {("all", ""): 5, ("utc", ""): 5}
    assert spent(spending, evening) == {("all", ""): 0, ("utc", ""): 5}
    assert spent(spending, MIDNIGHT) == {("all", ""): 0, ("utc", ""): 0}


def test_periods_never_go_back() -> None:
    """A clock that is set back books on, in the period that has begun."""
    spending = Spending([rule()])
    spend(spending, 5)
    spend(spending, 2, now=MIDNIGHT)
    spend(spending, 1, now=NOON)
    status = only(spending.snapshot(NOON))
    assert (status.spent, status.since, status.projected) == (usd(3), MIDNIGHT, None)
    assert refused(spending.reserve(NOON, ANA, usd(8))).retry_after == 1.5 * DAY
    assert only(spending.snapshot(MIDNIGHT + DAY - 1.0)).spent == 3


def test_the_end_of_a_period_is_foretold() -> None:
    """As if it went on like that; not before a twentieth of it has passed."""
    spending = Spending([rule()])
    spend(spending, "1.5")
    assert only(spending.snapshot(NOON)).projected == 3
    spending = Spending([rule()])
    spend(spending, 1, now=MIDNIGHT + 1.0)
    assert only(spending.snapshot(MIDNIGHT + DAY / 20 - 1.0)).projected is None
    assert only(spending.snapshot(MIDNIGHT + DAY / 20)).projected == 20
    third = only(spending.snapshot(MIDNIGHT + DAY * 7 / 10)).projected
    assert third == usd("1.428571428571")


def test_what_was_spent_earlier_is_restored() -> None:
    """It takes room, but its alerts were sent before."""
    spending = Spending([rule(alerts=(0.5, 0.8)), rule("each", per="user")])
    spending.restore("all", "", Cost(usd(6), Certainty.AT_LEAST), unpriced=2)
    spending.restore("each", "ana", Cost(usd(2)))
    assert spent(spending) == {("all", ""): 6, ("each", "ana"): 2}
    status = spending.snapshot(NOON)[0]
    assert (status.certainty, status.unpriced) == (Certainty.AT_LEAST, 2)
    assert [alert.threshold for alert in spend(spending, 3)] == [0.8]
    refused(spending.reserve(NOON, ANA, usd("1.5")))
    assert spent(spending, MIDNIGHT) == {("all", ""): 0}


def test_what_is_restored_is_added_to_what_came_since() -> None:
    """Attempts go on while a store is read."""
    spending = Spending([rule()])
    spend(spending, 1)
    spending.restore("all", "", Cost(usd(2)))
    assert spent(spending) == {("all", ""): 3}


@pytest.mark.parametrize(
    ("name", "account"), [("gone", ""), ("all", "ana"), ("each", ""), ("some", "ben")]
)
def test_what_is_nobodys_is_not_restored(name: str, account: str) -> None:
    """A budget may have gone, or be for other names, by the time a store has answered."""
    spending = Spending(
        [rule(), rule("each", per="user"), rule("some", per="user", only=frozenset({"ana"}))]
    )
    spending.restore(name, account, Cost(usd(2)))
    assert spent(spending) == {("all", ""): 0, ("some", "ana"): 0}


def test_what_was_spent_in_another_period_is_not_restored() -> None:
    """Midnight may pass while a store is read, before or after the first attempt."""
    yesterday = MIDNIGHT - DAY
    spending = Spending([rule()])
    spending.restore("all", "", Cost(usd(2)), since=yesterday)
    assert spent(spending, MIDNIGHT) == {("all", ""): 0}
    spending = Spending([rule()])
    spending.restore("all", "", Cost(usd(2)), since=yesterday)
    assert spent(spending, MIDNIGHT - 1.0) == {("all", ""): 2}
    spending.restore("all", "", Cost(usd(1)), since=yesterday)
    assert spent(spending, MIDNIGHT - 1.0) == {("all", ""): 3}
    assert spent(spending, MIDNIGHT) == {("all", ""): 0}
    spending.restore("all", "", Cost(usd(2)), since=yesterday)
    assert spent(spending, MIDNIGHT) == {("all", ""): 0}


def test_nothing_restored_is_nothing_kept() -> None:
    """An account that would hold nothing does not take a place."""
    spending = Spending([rule("each", per="user")])
    spending.restore("each", "ana", Cost())
    assert spending.snapshot(NOON) == ()
