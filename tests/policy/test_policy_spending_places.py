"""Accounts of a budget: whose an attempt is, and what happens when there are too many."""

import pytest

from tests.policy.spending_scenes import (
    ANA,
    BEN,
    MIDNIGHT,
    NOBODY,
    NOON,
    held,
    refused,
    rule,
    spend,
    spent,
    usd,
    user,
)
from trio_llm.chat import Cost
from trio_llm.policy.spending import OTHERS, Spending


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
