"""Budgets: room is asked for first, the bill comes afterwards, and each counts once."""

from decimal import Decimal, localcontext

import pytest

from tests.policy.spending_scenes import (
    ANA,
    BEN,
    DAY,
    MIDNIGHT,
    NOON,
    held,
    money,
    only,
    refused,
    rule,
    spend,
    usd,
)
from trio_llm.chat import Certainty, Cost
from trio_llm.policy.spending import Alert, BudgetStatus, Obstacle, Spending


def test_what_is_set_aside_is_settled() -> None:
    """An estimate takes room until the bill takes its place."""
    spending = Spending([rule()])
    hold = held(spending.reserve(NOON, ANA, usd(4)))
    status = only(spending.snapshot(NOON))
    assert (status.spent, status.reserved, status.remaining) == money(0, 4, 6)
    spending.settle(NOON, hold, Cost(usd("1.5")))
    status = only(spending.snapshot(NOON))
    assert (status.spent, status.reserved, status.remaining) == money("1.5", 0, "8.5")


def test_what_is_not_used_is_given_back() -> None:
    """An attempt that was not made leaves nothing behind."""
    spending = Spending([rule()])
    before = spending.snapshot(NOON)
    hold = held(spending.reserve(NOON, ANA, usd(4)))
    spending.release(NOON, hold)
    assert spending.snapshot(NOON) == before


@pytest.mark.parametrize("first", ["settle", "release"])
def test_only_the_first_end_of_an_attempt_counts(first: str) -> None:
    """Whatever comes later changes nothing and sets nothing off."""
    spending = Spending([rule(alerts=(0.1,))])
    other = held(spending.reserve(NOON, ANA, usd(3)))
    hold = held(spending.reserve(NOON, ANA, usd(2)))
    if first == "settle":
        spending.settle(NOON, hold, Cost(usd("0.5")))
    else:
        spending.release(NOON, hold)
    after = spending.snapshot(NOON)
    assert spending.settle(NOON, hold, Cost(usd(8))) == ()
    assert spending.settle(NOON, hold, None) == ()
    spending.release(NOON, hold)
    assert spending.snapshot(NOON) == after
    assert only(after).reserved == other.expected


def test_the_last_cent_can_be_spent() -> None:
    """A limit is what may be spent, not what may not be reached."""
    spending = Spending([rule(limit="0.3")])
    held(spending.reserve(NOON, ANA, usd("0.1")))
    spend(spending, "0.1")
    assert spending.obstacle(NOON, ANA, usd("0.1")) is None
    assert spending.obstacle(NOON, ANA, usd("0.100000000001")) is not None
    held(spending.reserve(NOON, ANA, usd("0.1")))
    refused(spending.reserve(NOON, ANA, usd("0.000000000001")))


def test_an_obstacle_says_what_is_in_the_way() -> None:
    """The budget, the account, what is used of it, and when the next day begins."""
    spending = Spending([rule(per="user")])
    spend(spending, 5)
    held(spending.reserve(NOON, ANA, usd(3)))
    expected = Obstacle(rule(per="user"), "ana", usd(5), usd(3), usd(4), DAY / 2)
    assert refused(spending.reserve(NOON, ANA, usd(4))) == expected
    assert spending.obstacle(NOON, ANA, usd(4)) == expected
    assert spending.obstacle(NOON, BEN, usd(4)) is None
    above = refused(spending.reserve(NOON, BEN, usd(11)))
    assert (above.account, above.spent, above.reserved) == ("ben", *money(0, 0))


def test_looking_for_room_sets_nothing_aside() -> None:
    """Neither what has room nor what has none leaves a trace."""
    spending = Spending([rule(), rule("each", per="user")])
    before = spending.snapshot(NOON)
    assert spending.obstacle(NOON, ANA, usd(10)) is None
    assert spending.obstacle(NOON, ANA, usd(11)) is not None
    refused(spending.reserve(NOON, ANA, usd(11)))
    assert spending.snapshot(NOON) == before


def test_an_attempt_of_unknown_price_needs_some_room() -> None:
    """It is refused where nothing is left, whether that is spent or set aside."""
    spending = Spending([rule()])
    spend(spending, 6)
    hold = held(spending.reserve(NOON, ANA, usd(4)))
    assert refused(spending.reserve(NOON, ANA, None)).expected == 0
    spending.settle(NOON, hold, Cost(usd("3.99")))
    assert held(spending.reserve(NOON, ANA, None)).expected == 0


def test_a_free_attempt_always_has_room() -> None:
    """Models of one's own answer when the money is gone, also in budgets that warn."""
    spending = Spending([rule(), rule("soft", on_limit="warn")])
    spend(spending, 12)
    assert spending.obstacle(NOON, ANA, usd(0)) is None
    assert held(spending.reserve(NOON, ANA, Decimal("0E-12"))).warned == ()


def test_an_unpriced_attempt_counts_but_costs_nothing() -> None:
    """What was spent is from then on known to be at least that."""
    spending = Spending([rule()])
    hold = held(spending.reserve(NOON, ANA, usd(4)))
    spending.settle(NOON, hold, None)
    status = only(spending.snapshot(NOON))
    assert (status.spent, status.reserved) == money(0, 0)
    assert status.unpriced == 1
    assert status.certainty is Certainty.AT_LEAST


def test_a_sum_is_as_sure_as_the_least_sure_part() -> None:
    """A later part that is surer does not make it so."""
    spending = Spending([rule()])
    marks: list[Certainty] = []
    for certainty in (Certainty.EXACT, Certainty.ESTIMATED, Certainty.EXACT):
        spend(spending, 1, certainty=certainty)
        marks.append(only(spending.snapshot(NOON)).certainty)
    assert marks == [Certainty.EXACT, Certainty.ESTIMATED, Certainty.ESTIMATED]


def test_all_budgets_must_have_room() -> None:
    """Where one has none, nothing is set aside in the others either."""
    spending = Spending([rule(), rule("each", 2, per="user")])
    assert refused(spending.reserve(NOON, ANA, usd(3))).rule.name == "each"
    assert only(spending.snapshot(NOON)).reserved == 0
    held(spending.reserve(NOON, ANA, usd(2)))
    held(spending.reserve(NOON, BEN, usd(2)))
    assert [each.reserved for each in spending.snapshot(NOON)] == [4, 2, 2]


def test_the_first_budget_without_room_is_named() -> None:
    """The one declared first, but one that refuses before one that lets a balancer go on."""
    soft = rule("soft", 1, on_limit="warn")
    onward = rule("onward", 1, on_limit="fall_on")
    spending = Spending([soft, onward, rule("first", 5), rule("second", 5)])
    assert refused(spending.reserve(NOON, ANA, usd(6))).rule.name == "first"
    assert refused(spending.reserve(NOON, ANA, usd(2))).rule.name == "onward"
    assert spending.obstacle(NOON, ANA, usd(2)) == refused(spending.reserve(NOON, ANA, usd(2)))
    assert [each.name for each in spending.snapshot(NOON)] == ["soft", "onward", "first", "second"]


def test_a_budget_that_warns_lets_attempts_go() -> None:
    """They are booked as all others, and the hold says what had no room."""
    soft, softer = rule("soft", 1, on_limit="warn"), rule("softer", 2, on_limit="warn")
    spending = Spending([soft, softer])
    assert spending.obstacle(NOON, ANA, usd(3)) is None
    hold = held(spending.reserve(NOON, ANA, usd(3)))
    assert [each.rule for each in hold.warned] == [soft, softer]
    spending.settle(NOON, hold, Cost(usd(3)))
    assert [each.rule for each in held(spending.reserve(NOON, ANA, None)).warned] == [soft, softer]
    status = spending.snapshot(NOON)[0]
    assert (status.spent, status.remaining, status.share) == (*money(3, 0), 3.0)


def test_alerts_come_once_when_their_share_is_spent() -> None:
    """What is only set aside sets none off; a jump sets off each that it passes, in order."""
    limits = rule(alerts=(1.0, 0.5, 0.8, 0.5))
    spending = Spending([limits])
    hold = held(spending.reserve(NOON, ANA, usd(9)))
    assert spending.settle(NOON, hold, Cost(usd("4.99"))) == ()
    assert spend(spending, "0.01") == (Alert(limits, "", 0.5, usd(5)),)
    assert spend(spending, 1) == ()
    assert spend(spending, 5) == (Alert(limits, "", 0.8, usd(11)), Alert(limits, "", 1.0, usd(11)))
    assert spend(spending, 100) == ()


def test_alerts_are_of_their_account_and_period() -> None:
    """Each user has its own, and all come again the next day."""
    spending = Spending([rule("each", 10, per="user", alerts=(0.5,)), rule("all", 10, alerts=(1,))])
    assert [(a.rule.name, a.account) for a in spend(spending, 5)] == [("each", "ana")]
    assert [(a.rule.name, a.account) for a in spend(spending, 5, BEN)] == [
        ("each", "ben"),
        ("all", ""),
    ]
    tomorrow = [(a.rule.name, a.account) for a in spend(spending, 10, now=MIDNIGHT)]
    assert tomorrow == [("each", "ana"), ("all", "")]


def test_a_status_tells_what_the_budget_is() -> None:
    """Everything that a table of budgets shows."""
    spending = Spending([rule("each", 8, per="user", period="week", on_limit="fall_on")])
    spend(spending, 6, certainty=Certainty.ESTIMATED)
    held(spending.reserve(NOON, ANA, usd(1)))
    monday = NOON - 2.5 * DAY
    assert only(spending.snapshot(NOON)) == BudgetStatus(
        name="each",
        account="ana",
        per="user",
        period="week",
        limit=usd(8),
        spent=usd(6),
        reserved=usd(1),
        remaining=usd(1),
        share=0.75,
        certainty=Certainty.ESTIMATED,
        unpriced=0,
        since=monday,
        until=monday + 7 * DAY,
        on_limit="fall_on",
        projected=usd("16.8"),
    )


def test_the_books_are_exact_in_any_context() -> None:
    """Whoever calculates with three digits has their attempts booked to the last one."""
    spending = Spending([rule(limit="1000.5", alerts=(0.7999,))])
    with localcontext() as context:
        context.prec = 3
        spend(spending, "400.123456789012", now=NOON)
        alerts = spend(spending, "400.123456789012", now=NOON)
        held(spending.reserve(NOON, ANA, usd("200.253086421976")))
        refused(spending.reserve(NOON, ANA, usd("0.000000000001")))
        status = only(spending.snapshot(NOON))
    assert alerts == ()
    assert status.spent == usd("800.246913578024")
    assert status.remaining == 0
    assert status.projected == usd("1600.493827156048")


def test_a_runtime_without_budgets_has_room_for_all() -> None:
    """There is nothing to say, and nothing to settle."""
    spending = Spending([])
    assert spend(spending, 1_000) == ()
    assert spending.snapshot(NOON) == ()
    assert spending.obstacle(NOON, ANA, None) is None
