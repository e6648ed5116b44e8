"""Budgets: room is asked for first, the bill comes afterwards, and each counts once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import attrs
import pytest

from trio_llm.chat import Certainty, Cost, Subject
from trio_llm.policy.spending import (
    OTHERS,
    Alert,
    BudgetStatus,
    Hold,
    Obstacle,
    Rule,
    Spending,
)

DAY = 24 * 3600.0
NOON = datetime(2025, 6, 11, 12, tzinfo=UTC).timestamp()
MIDNIGHT = NOON + DAY / 2
ANA = Subject("openai", "openai", "gpt", user="ana")
BEN = Subject("claude", "anthropic", "sonnet", user="ben")
NOBODY = Subject("openai", "openai", "gpt")


def usd(amount: float | str) -> Decimal:
    """Give an amount as it is written."""
    return Decimal(str(amount))


def rule(name: str = "all", limit: float | str = 10, **settings: object) -> Rule:
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


def test_what_is_set_aside_is_settled() -> None:
    """An estimate takes room until the bill takes its place."""
    spending = Spending([rule()])
    hold = held(spending.reserve(NOON, ANA, usd(4)))
    status = only(spending.snapshot(NOON))
    assert (status.spent, status.reserved, status.remaining) == (0, 4, 6)
    spending.settle(NOON, hold, Cost(usd("1.5")))
    status = only(spending.snapshot(NOON))
    assert (status.spent, status.reserved, status.remaining) == (usd("1.5"), 0, usd("8.5"))


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
    assert (above.account, above.spent, above.reserved) == ("ben", 0, 0)


def test_a_budget_for_all_time_never_begins_anew() -> None:
    """There is nothing to wait for, and no end to foretell."""
    spending = Spending([rule(period="total")])
    spend(spending, 10)
    later = NOON + 400 * DAY
    assert refused(spending.reserve(later, ANA, usd(1))).retry_after is None
    status = only(spending.snapshot(later))
    assert (status.spent, status.since, status.until, status.projected) == (10, 0.0, None, None)


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
    assert (status.spent, status.reserved, status.unpriced) == (0, 0, 1)
    assert status.certainty is Certainty.AT_LEAST


def test_a_sum_is_as_sure_as_the_least_sure_part() -> None:
    """A later part that is surer does not make it so."""
    spending = Spending([rule()])
    marks: list[Certainty] = []
    for certainty in (Certainty.EXACT, Certainty.ESTIMATED, Certainty.EXACT):
        spend(spending, 1, certainty=certainty)
        marks.append(only(spending.snapshot(NOON)).certainty)
    assert marks == [Certainty.EXACT, Certainty.ESTIMATED, Certainty.ESTIMATED]


@pytest.mark.parametrize(
    ("per", "accounts"),
    [
        ("runtime", {"": 6}),
        ("provider", {"claude": 2, "openai": 4}),
        ("model", {"gpt": 4, "sonnet": 2}),
        ("user", {"ana": 1, "ben": 2}),
    ],
)
def test_each_account_is_limited_by_itself(per: str, accounts: dict[str, int]) -> None:
    """An attempt belongs to one account of a budget; without a user, to none of users."""
    spending = Spending([rule(per=per)])
    for amount, subject in ((1, ANA), (2, BEN), (3, NOBODY)):
        spend(spending, amount, subject)
    assert {each.account: each.spent for each in spending.snapshot(NOON)} == accounts


def test_a_budget_holds_only_for_its_names() -> None:
    """Others are none of its business; its own are there from the start."""
    spending = Spending([rule(limit=1, per="provider", only=frozenset({"openai", "azure"}))])
    spend(spending, 5, BEN)
    assert spent(spending) == {("all", "azure"): 0, ("all", "openai"): 0}
    assert spending.obstacle(NOON, BEN, usd(2)) is None
    assert spending.obstacle(NOON, ANA, usd(2)) is not None


def test_a_budget_of_the_runtime_is_for_all_names() -> None:
    """Names that it is narrowed to mean nothing to it."""
    spending = Spending([rule(only=frozenset({"ben"}))])
    spending.restore("all", "", Cost(usd(2)))
    spend(spending, 1)
    assert spent(spending) == {("all", ""): 3}


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
    assert (status.spent, status.remaining, status.share) == (3, 0, 3.0)


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
    assert [a.account for a in spend(spending, 6, now=MIDNIGHT)] == ["ana"]


def test_a_period_begins_with_nothing_spent() -> None:
    """What is set aside goes along, and counts as spent where it is settled."""
    spending = Spending([rule()])
    spend(spending, 5, certainty=Certainty.ESTIMATED)
    spending.settle(NOON, held(spending.reserve(NOON, ANA, usd(1))), None)
    hold = held(spending.reserve(MIDNIGHT - 1.0, ANA, usd(4)))
    assert only(spending.snapshot(MIDNIGHT - 1.0)).spent == 5
    status = only(spending.snapshot(MIDNIGHT))
    assert (status.spent, status.reserved, status.unpriced) == (0, 4, 0)
    assert status.certainty is Certainty.EXACT
    assert (status.since, status.until) == (MIDNIGHT, MIDNIGHT + DAY)
    refused(spending.reserve(MIDNIGHT, ANA, usd(7)))
    spending.settle(MIDNIGHT + 1.0, hold, Cost(usd(3)))
    status = only(spending.snapshot(MIDNIGHT + 1.0))
    assert (status.spent, status.reserved) == (3, 0)


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
    assert (status.spent, status.since, status.projected) == (3, MIDNIGHT, None)
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
    spending = Spending([rule(limit="1000.5", alerts=(0.8004,))])
    with localcontext() as context:
        context.prec = 3
        spend(spending, "400.123456789012", now=NOON)
        alerts = spend(spending, "400.123456789012", now=NOON)
        held(spending.reserve(NOON, ANA, usd("200.253086421976")))
        refused(spending.reserve(NOON, ANA, usd("0.000000000001")))
        status = only(spending.snapshot(NOON))
    assert [alert.threshold for alert in alerts] == []
    assert status.spent == usd("800.246913578024")
    assert status.remaining == 0
    assert status.projected == usd("1600.493827156048")


def test_what_was_spent_earlier_is_restored() -> None:
    """It takes room, but its alerts were sent before."""
    spending = Spending([rule(alerts=(0.5, 0.8)), rule("each", per="user")])
    spending.restore("all", "", Cost(usd(6), Certainty.ESTIMATED), unpriced=2)
    spending.restore("each", "ana", Cost(usd(2)))
    assert spent(spending) == {("all", ""): 6, ("each", "ana"): 2}
    status = spending.snapshot(NOON)[0]
    assert (status.certainty, status.unpriced) == (Certainty.ESTIMATED, 2)
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


def test_a_name_costs_a_place_only_while_it_matters() -> None:
    """Accounts in which nothing was spent, and those of past periods, are let go of."""
    spending = Spending([rule("each", per="user")], accounts=2)
    spending.release(NOON, held(spending.reserve(NOON, ANA, usd(1))))
    spend(spending, 0)
    assert spending.snapshot(NOON) == ()
    spend(spending, 1)
    spend(spending, 1, BEN)
    hold = held(spending.reserve(NOON, BEN, usd(1)))
    assert spent(spending, MIDNIGHT) == {("each", "ben"): 0}
    spending.release(MIDNIGHT, hold)
    assert spending.snapshot(MIDNIGHT) == ()


def user(name: str) -> Subject:
    """Give an attempt's subject of a user."""
    return attrs.evolve(ANA, user=name)


def test_names_beyond_the_capacity_share_an_account() -> None:
    """Together they have the room of one, and those who have their own keep it."""
    spending = Spending([rule("each", 10, per="user", period="total")], accounts=2)
    for name in ("a", "b", "c", "d"):
        spend(spending, 4, user(name))
    assert spent(spending) == {("each", "a"): 4, ("each", "b"): 4, ("each", OTHERS): 8}
    assert refused(spending.reserve(NOON, user("e"), usd(3))).account == OTHERS
    held(spending.reserve(NOON, user("a"), usd(6)))


def test_a_name_that_shares_gets_no_second_account() -> None:
    """As long as what it spent is in the shared one, it stays there, places or not."""
    spending = Spending([rule("each", 10, per="user")], accounts=1)
    place = held(spending.reserve(NOON, user("a"), usd(1)))
    spend(spending, 9, user("b"))
    spending.release(NOON, place)
    refused(spending.reserve(NOON, user("b"), usd(2)))
    refused(spending.reserve(NOON, user("a"), usd(2)))
    held(spending.reserve(MIDNIGHT, user("b"), usd(2)))
    assert [each.account for each in spending.snapshot(MIDNIGHT)] == ["b"]


def test_the_shared_account_ends_when_nothing_is_in_it() -> None:
    """Names have one of their own again, in the same period."""
    spending = Spending([rule("each", per="user")], accounts=1)
    place = held(spending.reserve(NOON, user("a"), usd(1)))
    spending.release(NOON, held(spending.reserve(NOON, user("b"), usd(1))))
    spending.release(NOON, place)
    spend(spending, 1, user("b"))
    assert spent(spending) == {("each", "b"): 1}


def test_attempts_part_when_the_period_ends() -> None:
    """What names that share have set aside goes along to accounts of their own."""
    spending = Spending([rule("each", 10, per="user")], accounts=2)
    spend(spending, 1, user("a"))
    spend(spending, 1, user("b"))
    holds = [held(spending.reserve(NOON, user(name), usd(3))) for name in ("c", "d", "c")]
    assert spent(spending) == {("each", "a"): 1, ("each", "b"): 1, ("each", OTHERS): 0}
    reserved = {each.account: each.reserved for each in spending.snapshot(MIDNIGHT)}
    assert reserved == {"c": 6, "d": 3}
    refused(spending.reserve(MIDNIGHT, user("c"), usd(5)))
    for hold in holds:
        spending.settle(MIDNIGHT, hold, Cost(usd(2)))
    assert spent(spending, MIDNIGHT) == {("each", "c"): 4, ("each", "d"): 2}


def test_attempts_that_find_no_place_go_on_sharing() -> None:
    """Where the next period has too few accounts for them, too."""
    spending = Spending([rule("each", 10, per="user")], accounts=1)
    holds = [held(spending.reserve(NOON, user(name), usd(3))) for name in ("a", "b", "c")]
    reserved = {each.account: each.reserved for each in spending.snapshot(MIDNIGHT)}
    assert reserved == {"a": 3, OTHERS: 6}
    for hold in holds:
        spending.release(MIDNIGHT, hold)
    assert spending.snapshot(MIDNIGHT) == ()


def test_nobody_can_take_the_name_of_the_shared_account() -> None:
    """A user who is called like it has an account like any other, alone."""
    spending = Spending([rule("each", 10, per="user", period="total")], accounts=2)
    for name, amount in ((OTHERS, 1), ("a", 2), ("b", 4)):
        spend(spending, amount, user(name))
    assert [each.spent for each in spending.snapshot(NOON)] == [1, 2, 4]


def test_names_of_the_configuration_always_have_their_place() -> None:
    """However many there are."""
    names = frozenset(f"user-{number}" for number in range(5))
    spending = Spending([rule("each", per="user", only=names)], accounts=2)
    for name in sorted(names):
        spend(spending, 1, user(name))
    assert spent(spending) == {("each", name): 1 for name in names}


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
def test_what_is_counted_otherwise_begins_anew(change: dict[str, object]) -> None:
    """It is named, to be restored; what is under way is set aside in it, and settled."""
    spending = Spending([rule(per="user"), rule("other")])
    spend(spending, 4)
    hold = held(spending.reserve(NOON, ANA, usd(2)))
    changed = attrs.evolve(rule(per="user"), **change)
    assert spending.reconfigure([changed, rule("other")]) == (changed,)
    assert [(each.spent, each.reserved) for each in spending.snapshot(NOON)] == [(0, 2), (4, 2)]
    spending.settle(NOON, hold, Cost(usd(1)))
    assert [(each.spent, each.reserved) for each in spending.snapshot(NOON)] == [(1, 0), (5, 0)]


def test_a_budget_may_go_and_come_with_attempts_under_way() -> None:
    """They are settled in the budgets that there are, once in each."""
    spending = Spending([rule("old")])
    hold = held(spending.reserve(NOON, ANA, usd(2)))
    spending.reconfigure([])
    assert spending.snapshot(NOON) == ()
    assert spending.obstacle(NOON, ANA, usd(1_000)) is None
    spending.reconfigure([rule("new"), rule("each", per="user")])
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
        ("a", 0),
        (OTHERS, 5),
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


def test_a_runtime_without_budgets_has_room_for_all() -> None:
    """There is nothing to say, and nothing to settle."""
    spending = Spending([])
    assert spend(spending, 1_000) == ()
    assert spending.snapshot(NOON) == ()
    assert spending.obstacle(NOON, ANA, None) is None
