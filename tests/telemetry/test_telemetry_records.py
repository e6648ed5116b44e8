"""Counters, gauges and histograms: what they keep apart, and what they say of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.telemetry import Counter, Description, Distribution
from trio_llm.telemetry.tallies import OTHER, CounterTally, GaugeTally, HistogramTally

WHAT = Description("visits", "Visits.", ("who", "how"))
BOUNDS = (1.0, 2.0, 4.0)


def _counted(*keys: tuple[str, str], limit: int = 10) -> Counter[int]:
    tally = CounterTally(WHAT, 0, limit)
    for key in keys:
        tally.add(key, 1)
    return tally.snapshot()


def test_a_counter_sums_what_matches() -> None:
    """A total takes any labels, and a table one of them."""
    counter = _counted(("a", "well"), ("a", "ill"), ("b", "well"), ("a", "well"))
    assert counter.total() == 4
    assert counter.total(who="a") == 3
    assert counter.total(who="a", how="well") == 2
    assert counter.total(who="nobody") == 0
    assert counter.by("how") == {"well": 3, "ill": 1}


def test_a_label_that_there_is_not_is_refused() -> None:
    """A misspelt label gives an error, never a zero."""
    counter = _counted(("a", "well"))
    with pytest.raises(KeyError, match="visits has no label 'whose'"):
        counter.total(whose="a")
    with pytest.raises(KeyError, match="visits has no label 'whose'"):
        counter.by("whose")


def test_money_stays_exact() -> None:
    """A counter of Decimals sums Decimals, also from nothing."""
    tally = CounterTally(WHAT, Decimal(0))
    assert tally.snapshot().total() == Decimal(0)
    for _ in range(10):
        tally.add(("a", "well"), Decimal("0.1"))
    assert tally.snapshot().total() == Decimal("1.0")


def test_a_snapshot_does_not_change() -> None:
    """What was given stays as it was when counting goes on."""
    counts, gauge, spread = CounterTally(WHAT, 0), GaugeTally(WHAT), HistogramTally(WHAT, BOUNDS)
    key = gauge.enter(("a", "well"))
    counts.add(key, 1)
    spread.observe(key, 1.5)
    before = counts.snapshot(), gauge.snapshot(), spread.snapshot()
    counts.add(key, 1)
    gauge.leave(key)
    spread.observe(key, 1.5)
    assert before[0].total() == 1
    assert before[1].total(who="a") == 1
    assert before[2].total().count == 1
    assert gauge.snapshot().total() == 0


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 8))
def test_label_sets_are_bounded_and_nothing_is_lost(names: list[int], limit: int) -> None:
    """However many names come, so many are kept apart, and sums are right."""
    counts = CounterTally(WHAT, 0, limit)
    spread = HistogramTally(WHAT, BOUNDS, limit)
    gauge = GaugeTally(WHAT, limit)
    for name in names:
        key = (f"n{name}", "well")
        counts.add(key, 1)
        spread.observe(key, float(name))
        gauge.enter(key)
    first = list(dict.fromkeys(names))[:limit]
    counter = counts.snapshot()
    assert len(counter.values) <= limit + 1
    assert counter.total() == len(names)
    for name in first:
        assert counter.total(who=f"n{name}") == names.count(name)
    assert counter.total(who=OTHER) == len([name for name in names if name not in first])
    assert spread.snapshot().total().count == len(names)
    assert spread.snapshot().total().total == sum(names)
    assert set(spread.snapshot().series) == set(counter.values) == set(gauge.snapshot().values)
    assert gauge.snapshot().total() == len(names)


@given(st.lists(st.floats(0, 10), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_its_bucket(values: list[float], share: float) -> None:
    """The estimate is within the bounds of the bucket where the true value is."""
    tally = HistogramTally(WHAT, BOUNDS)
    for value in values:
        tally.observe(("a", "well"), value)
    spread = tally.snapshot().total()
    assert spread.count == len(values)
    assert spread.mean == pytest.approx(sum(values) / len(values))
    rank = share * len(values)
    true = next(value for index, value in enumerate(sorted(values), 1) if index >= rank)
    edges = (0.0, *BOUNDS, float("inf"))
    place = next(index for index in range(1, 5) if true <= edges[index])
    estimate = spread.quantile(share)
    assert estimate is not None
    assert edges[place - 1] <= estimate <= edges[place]


def test_a_bound_belongs_to_its_bucket() -> None:
    """A value at a bound is counted below it, as Prometheus' ``le`` means."""
    tally = HistogramTally(WHAT, BOUNDS)
    for value in (1.0, 1.5, 4.0, 5.0):
        tally.observe(("a", "well"), value)
    assert tally.snapshot().total() == Distribution(BOUNDS, (1, 1, 1, 1), 11.5)


def test_nothing_has_no_mean_and_no_quantile() -> None:
    """Without a value there is no figure, and no error."""
    empty = HistogramTally(WHAT, BOUNDS).snapshot().total(who="a")
    assert empty == Distribution(BOUNDS, (0, 0, 0, 0), 0)
    assert empty.mean is None
    assert empty.quantile(0.5) is None
