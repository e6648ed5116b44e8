"""The mutable side of metrics: what grows with each event, bounded in its label sets.

A snapshot copies what grows in single steps, so that another thread may take one.
"""

from bisect import bisect_left
from decimal import Decimal
from typing import Final, Generic, TypeVar

from trio_llm.telemetry.records import Counter, Description, Distribution, Gauge, Histogram, Key

N = TypeVar("N", int, Decimal)

MOST_SERIES: Final = 1000
"""How many combinations of labels a metric keeps apart; further ones are counted together."""

OTHER: Final = "other"
"""The value of every label of those that are counted together."""


class CounterTally(Generic[N]):
    """Counts by labels."""

    __slots__ = ("_limit", "_nothing", "_values", "_what")

    def __init__(self, what: Description, nothing: N, limit: int = MOST_SERIES) -> None:
        self._what = what
        self._nothing: N = nothing
        self._values: dict[Key, N] = {}
        self._limit = limit

    def add(self, key: Key, amount: N) -> None:
        """Add an amount."""
        try:
            self._values[key] += amount
        except KeyError:
            self._enter(key, amount)

    def _enter(self, key: Key, amount: N) -> None:
        values = self._values
        if len(values) >= self._limit:
            key = (OTHER,) * len(key)
        values[key] = values.get(key, self._nothing) + amount

    def snapshot(self) -> Counter[N]:
        """Give the counts as they are now."""
        return Counter(self._what, dict(self._values), self._nothing)


class GaugeTally:
    """Counts what is there now, by labels."""

    __slots__ = ("_limit", "_values", "_what")

    def __init__(self, what: Description, limit: int = MOST_SERIES) -> None:
        self._what = what
        self._values: dict[Key, int] = {}
        self._limit = limit

    def enter(self, key: Key) -> Key:
        """Count one in; give the labels under which it must be counted out."""
        values = self._values
        if key not in values and len(values) >= self._limit:
            key = (OTHER,) * len(key)
        values[key] = values.get(key, 0) + 1
        return key

    def leave(self, key: Key) -> None:
        """Count one out."""
        self._values[key] -= 1

    def snapshot(self) -> Gauge:
        """Give the numbers as they are now."""
        return Gauge(self._what, dict(self._values))


class HistogramTally:
    """Sorts values into buckets, by labels."""

    __slots__ = ("_bounds", "_limit", "_series", "_what")

    def __init__(
        self, what: Description, bounds: tuple[float, ...], limit: int = MOST_SERIES
    ) -> None:
        self._what = what
        self._bounds = bounds
        self._series: dict[Key, list[float]] = {}
        self._limit = limit

    def observe(self, key: Key, value: float) -> None:
        """Count a value."""
        try:
            row = self._series[key]
        except KeyError:
            row = self._entered(key)
        row[bisect_left(self._bounds, value)] += 1
        row[-1] += value

    def _entered(self, key: Key) -> list[float]:
        """Give the counts of a combination, and behind them the sum of its values."""
        if len(self._series) >= self._limit:
            key = (OTHER,) * len(key)
        return self._series.setdefault(key, [0] * (len(self._bounds) + 1) + [0.0])

    def snapshot(self) -> Histogram:
        """Give the distributions as they are now."""
        rows = [(key, row.copy()) for key, row in list(self._series.items())]
        return Histogram(
            self._what,
            self._bounds,
            {
                key: Distribution(self._bounds, tuple(map(int, row[:-1])), row[-1])
                for key, row in rows
            },
        )
