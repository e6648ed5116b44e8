"""Tables of prices: which entry holds for a model on a day."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.chat import Price
from trio_llm.ledger import DatedPrice, PriceTable

TODAY = date(2026, 11, 20)
names = st.text("ab*", max_size=4).filter(lambda name: "*" not in name[:-1])
days = st.dates(date(2026, 11, 15), date(2026, 11, 25))


def price(number: int) -> Price:
    """Give one of several prices."""
    return Price(Decimal(number), Decimal(0))


def table(**models: int) -> PriceTable:
    """Give a table without dates; a name that ends with ``_all`` has a ``*`` there."""
    return PriceTable(
        {name.replace("_all", "*"): (DatedPrice(price(number)),) for name, number in models.items()}
    )


@pytest.mark.parametrize(
    ("model", "number"),
    [("mini", 1), ("minimal", 2), ("min", 3), ("max", 4), ("", 4)],
)
def test_the_nearest_name_holds(model: str, number: int) -> None:
    """The name itself, then the longest beginning, whatever their order."""
    assert table(_all=4, mini=1, m_all=5, min_all=3, mini_all=2, max_all=4).find(
        model, TODAY
    ) == price(number)


def test_a_name_alone_is_no_beginning() -> None:
    """Without a ``*`` it stands for itself, and what no name stands for has no price."""
    assert table(mini=1).find("mini-2", TODAY) is None
    assert PriceTable().find("mini", TODAY) is None


@pytest.mark.parametrize(("days_later", "number"), [(-1, 1), (0, 2), (1, 2), (9, 2), (10, 3)])
def test_a_price_holds_from_its_day_on(days_later: int, number: int) -> None:
    """Until the next one, in whatever order they are written."""
    dated = (
        DatedPrice(price(3), TODAY + timedelta(days=10)),
        DatedPrice(price(1)),
        DatedPrice(price(2), TODAY),
    )
    day = TODAY + timedelta(days=days_later)
    assert PriceTable({"m": dated}).find("m", day) == price(number)


def test_before_the_first_day_the_next_name_holds() -> None:
    """An entry that does not hold yet hides nothing."""
    later = (DatedPrice(price(1), TODAY + timedelta(days=1)),)
    assert PriceTable({"m": later}).find("m", TODAY) is None
    assert PriceTable({"m": later, "*": (DatedPrice(price(2)),)}).find("m", TODAY) == price(2)


@given(
    st.dictionaries(names, st.lists(st.none() | days, unique=True, min_size=1), max_size=4),
    st.text("ab", max_size=3),
    days,
)
def test_what_holds_is_the_best_of_all_that_could(
    models: dict[str, list[date | None]], model: str, day: date
) -> None:
    """Of the entries that fit and have begun: the nearest name, and of its dates the latest."""
    prices: dict[str, tuple[DatedPrice, ...]] = {}
    ranked: list[tuple[bool, int, date, Price]] = []
    for name, dates in models.items():
        prices[name] = tuple(
            [DatedPrice(price(len(ranked) + at), since) for at, since in enumerate(dates)]
        )
        fits = model.startswith(name[:-1]) if name.endswith("*") else model == name
        ranked += [
            (name == model, len(name), dated.since or date.min, dated.price)
            for dated in prices[name]
            if fits and (dated.since is None or dated.since <= day)
        ]
    best = max(ranked, key=lambda entry: entry[:3], default=None)
    assert PriceTable(prices).find(model, day) == (None if best is None else best[3])
