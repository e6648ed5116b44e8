"""Questions to the ledger: by what, since when, at the top, per day, and in days to come."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from trio_llm.chat import Certainty, Charge, Cost, Subject, Usage
from trio_llm.events import EventStream
from trio_llm.ledger import Accounts, Journal, Ledger
from trio_llm.policy.spending import Spending
from trio_llm.store import MemoryStore

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def _ledger(*charges: Charge, time_zone: str = "UTC", now: datetime = NOW) -> Ledger:
    store = MemoryStore()
    for charge in charges:
        store.book(charge)
    journal = Journal(store, EventStream())
    accounts = Accounts("run", now.timestamp, EventStream(), journal, Spending(()))
    return Ledger(accounts, time_zone)


def _charge(
    number: int,
    dollars: str | None,
    *,
    ago: timedelta = timedelta(),
    model: str = "m",
    user: str = "",
    tokens: int = 1,
) -> Charge:
    subject = Subject("p", "openai", model, user, tags=(("team", f"t{number % 2}"),))
    cost = None if dollars is None else Cost(Decimal(dollars))
    usage = Usage(tokens, tokens)
    return Charge(
        f"r-{number}", (NOW - ago).timestamp(), subject, number, "succeeded", usage, cost, 0.5
    )


async def test_usage_is_kept_apart_by_what_is_asked() -> None:
    """By none, one or several properties, tags among them, and narrowed by values."""
    ledger = _ledger(
        _charge(1, "1", model="a", user="ada"),
        _charge(2, "2", model="b", user="ada"),
        _charge(3, None, model="b", user="bob"),
    )
    (all_of_it,) = await ledger.usage()
    assert (all_of_it.attempts, all_of_it.unpriced) == (3, 1)
    assert all_of_it.cost == Cost(Decimal(3), Certainty.AT_LEAST)
    rows = await ledger.usage("user", "model")
    assert [(*row.key, int(row.cost.amount)) for row in rows] == [
        ("ada", "a", 1),
        ("ada", "b", 2),
        ("bob", "b", 0),
    ]
    assert [row.key for row in await ledger.usage("tag:team")] == [("t0",), ("t1",)]
    (ada,) = await ledger.usage(only={"user": "ada", "tag:team": "t0"})
    assert ada.cost == Cost(Decimal(2))
    assert await ledger.usage(only={"user": "nobody"}) == ()
    assert (await _ledger().total()).attempts == 0


@pytest.mark.parametrize("name", ["colour", "tag:", ""])
async def test_an_unknown_property_is_named(name: str) -> None:
    """The error says what there is."""
    with pytest.raises(ValueError, match=r"known are provider, .* tag:NAME"):
        await _ledger().usage(name)
    with pytest.raises(ValueError, match=r"known are provider"):
        await _ledger().usage(only={name: "red"})


async def test_a_time_is_given_as_seconds_a_date_or_an_instant() -> None:
    """A date begins in the time zone of the ledger; an instant without a zone is in UTC."""
    old = _charge(1, "1", ago=timedelta(hours=13))  # 23:00 of the 26th in UTC
    ledger = _ledger(old, _charge(2, "2"))
    for since in (date(2026, 11, 27), datetime(2026, 11, 27), NOW.timestamp() - 12 * 3600):  # noqa: DTZ001 - meant
        assert (await ledger.total(since=since)).cost.amount == 2
    assert (await ledger.total(until=date(2026, 11, 27))).cost.amount == 1
    zurich = _ledger(old, _charge(2, "2"), time_zone="Europe/Zurich")
    assert (await zurich.total(since=date(2026, 11, 27))).cost.amount == 3


async def test_the_top_is_sorted_by_the_measure() -> None:
    """By cost, attempts or tokens; equals by name; who has no name is left out."""
    ledger = _ledger(
        _charge(1, "5", model="dear", user="ada"),
        _charge(2, "1", model="often", user="bob", tokens=3),
        _charge(3, "1", model="often"),
        _charge(4, "1", model="long", tokens=900),
    )
    assert [row.key[0] for row in await ledger.top_models()] == ["dear", "often", "long"]
    by_attempts = await ledger.top_models(1, measure="attempts")
    assert [row.key[0] for row in by_attempts] == ["often"]
    assert (await ledger.top_models(measure="tokens"))[0].key == ("long",)
    assert [row.key[0] for row in await ledger.top_users()] == ["ada", "bob"]
    assert [row.key[0] for row in await ledger.top("tag:team", only={"model": "often"})] == [
        "t0",
        "t1",
    ]
    with pytest.raises(ValueError, match="known are cost, attempts, tokens"):
        await ledger.top_models(measure="beauty")  # type: ignore[arg-type]


async def test_daily_costs_have_a_row_for_every_day() -> None:
    """Also for those on which nothing was used; today comes last."""
    ledger = _ledger(_charge(1, "1", ago=timedelta(days=2)), _charge(2, "2"))
    rows = await ledger.daily_costs(4)
    assert [(row.key[0], int(row.cost.amount)) for row in rows] == [
        ("2026-11-24", 0),
        ("2026-11-25", 1),
        ("2026-11-26", 0),
        ("2026-11-27", 2),
    ]
    assert await ledger.daily_costs(0) == ()


async def test_a_projection_goes_on_as_of_late() -> None:
    """The mean of recent days, of a day at least; it is never exact."""
    nothing = await _ledger().projection()
    assert (nothing.cost, nothing.basis_days) == (Cost(certainty=Certainty.ESTIMATED), 0.0)
    first_hour = await _ledger(_charge(1, "2")).projection(30)
    assert (first_hour.cost, first_hour.basis_days) == (
        Cost(Decimal(60), Certainty.ESTIMATED),
        1.0,
    )
    week = await _ledger(
        *[_charge(number, "2", ago=timedelta(days=number, hours=1)) for number in range(30)]
    ).projection(10)
    assert week.basis_days == 7.0
    assert (week.per_day, week.cost.amount) == (Decimal(2), Decimal(20))
    unpriced = await _ledger(_charge(1, "1"), _charge(2, None)).projection()
    assert unpriced.cost.certainty is Certainty.AT_LEAST
