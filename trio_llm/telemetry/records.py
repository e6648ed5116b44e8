"""What was measured, as frozen records: counters, gauges and histograms with their labels."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Generic, TypeAlias, TypeVar

import attrs

N = TypeVar("N", int, Decimal)
T = TypeVar("T")

Key: TypeAlias = tuple[str, ...]
"""The values of a metric's labels, in the order of its labels."""


@attrs.frozen
class Description:
    """What a metric is.

    Attributes:
        name: Its name, without unit.
        says: What it measures, in a sentence.
        labels: What it is split by.
        unit: ``seconds``, ``tokens``, ``dollars``, ``bytes``, or nothing for a plain number.
    """

    name: str
    says: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    def matching(self, series: Mapping[Key, T], wanted: Mapping[str, str]) -> list[T]:
        """Give what has these values of these labels.

        Raises:
            KeyError: The metric has no such label.
        """
        for label in wanted:
            if label not in self.labels:
                raise KeyError(f"{self.name} has no label {label!r}; it has {self.labels}")
        places = [(self.labels.index(label), value) for label, value in wanted.items()]
        return [
            value
            for key, value in series.items()
            if all(key[place] == expected for place, expected in places)
        ]


@attrs.frozen
class Counter(Generic[N]):
    """A number that only grows, for each combination of labels that has come.

    Attributes:
        what: What it counts.
        values: The count for each combination.
        nothing: The count of what has not come: 0.
    """

    what: Description
    values: Mapping[Key, N]
    nothing: N = attrs.field(repr=False)

    def total(self, **labels: str) -> N:
        """Give the sum over all combinations that have these labels.

        Raises:
            KeyError: There is no such label.
        """
        return sum(self.what.matching(self.values, labels), self.nothing)

    def by(self, label: str) -> dict[str, N]:
        """Give the sum for each value of one label.

        Raises:
            KeyError: There is no such label.
        """
        self.what.matching(self.values, {label: ""})
        place = self.what.labels.index(label)
        sums: dict[str, N] = {}
        for key, value in self.values.items():
            sums[key[place]] = sums.get(key[place], self.nothing) + value
        return sums


@attrs.frozen
class Gauge:
    """A number that goes up and down, for each combination of labels.

    Attributes:
        what: What it shows.
        values: The number for each combination.
    """

    what: Description
    values: Mapping[Key, float]

    def total(self, **labels: str) -> float:
        """Give the sum over all combinations that have these labels.

        Raises:
            KeyError: There is no such label.
        """
        return sum(self.what.matching(self.values, labels))


@attrs.frozen
class Distribution:
    """How many values fell into each bucket.

    Attributes:
        bounds: The upper bound of each bucket but the last, inclusive.
        counts: How many values each bucket has; one more than there are bounds.
        total: The sum of the values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """Their mean; ``None`` without any."""
        count = self.count
        return self.total / count if count else None

    def quantile(self, share: float) -> float | None:
        """Estimate what a share of the values does not exceed, evenly spread in each bucket.

        Of the last bucket only its lower bound is known, and that is given. That is how
        Prometheus estimates (``histogram_quantile``).
        """
        rank = share * self.count
        below = 0
        for index, count in enumerate(self.counts):
            if count and below + count >= rank:
                lower = self.bounds[index - 1] if index else 0.0
                if index == len(self.bounds):
                    return lower
                return lower + (self.bounds[index] - lower) * (rank - below) / count
            below += count
        return None


@attrs.frozen
class Histogram:
    """The distribution of a quantity, for each combination of labels that has come.

    Attributes:
        what: What it measures.
        bounds: The upper bound of each bucket but the last.
        series: The distribution for each combination.
    """

    what: Description
    bounds: tuple[float, ...]
    series: Mapping[Key, Distribution]

    def total(self, **labels: str) -> Distribution:
        """Give the distribution over all combinations that have these labels.

        Raises:
            KeyError: There is no such label.
        """
        found = self.what.matching(self.series, labels)
        columns = zip(*[each.counts for each in found], strict=True)
        counts = tuple([sum(column) for column in columns]) or (0,) * (len(self.bounds) + 1)
        return Distribution(self.bounds, counts, sum([each.total for each in found]))


Metric: TypeAlias = Counter[int] | Counter[Decimal] | Gauge | Histogram
