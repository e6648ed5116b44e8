"""What something cost: an amount, and how sure that is."""

import enum
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

import attrs

PICO: Final = Decimal("1e-12")
"""Every amount is a whole number of these (in US dollars), so that sums are exact everywhere.

A price of six decimals per million tokens is exact at that; a finer one is rounded once,
when an attempt is booked.
"""

EXACT: Final = Context(prec=100)
"""More digits than any sum here has: the application's own context may have too few."""

_ZERO: Final = Decimal(0)


class Certainty(enum.IntEnum):
    """How sure an amount is; of several the weakest holds.

    Attributes:
        EXACT: The provider said how many tokens it counted, or what it charged.
        ESTIMATED: The tokens, or the price of a part of them, are an estimate.
        AT_LEAST: The attempt was cut off, or its price is not known: what is booked is
            what is known of it.
    """

    EXACT = 0
    ESTIMATED = 1
    AT_LEAST = 2

    @property
    def word(self) -> str:
        """The mark in words: ``exact``, ``estimated`` or ``at least``."""
        return self.name.lower().replace("_", " ")


@attrs.frozen
class Cost:
    """What something cost.

    ``cost + other`` is the cost of both, as sure as the less sure of them.

    Attributes:
        amount: US dollars.
        certainty: How sure that is.
    """

    amount: Decimal = _ZERO
    certainty: Certainty = Certainty.EXACT

    def __add__(self, other: "Cost") -> "Cost":
        amount = EXACT.add(self.amount, other.amount)
        return Cost(amount, max(self.certainty, other.certainty))

    def __str__(self) -> str:
        mark = {Certainty.EXACT: "", Certainty.ESTIMATED: "~", Certainty.AT_LEAST: ">="}
        return f"{mark[self.certainty]}${self.amount.normalize(EXACT):f}"

    def __float__(self) -> float:
        return float(self.amount)

    @classmethod
    def total(cls, costs: Iterable["Cost | None"]) -> "Cost":
        """Sum costs up; one that is not known (``None``) makes the sum *at least*."""
        total = Sum()
        for cost in costs:
            total.add(cost)
        return cls(total.amount, total.certainty)


UNKNOWN: Final = Cost(certainty=Certainty.AT_LEAST)
"""What cannot be told, since no price is known: at least nothing."""

NOTHING: Final = Cost()
"""Nothing, for sure."""


_sum: Final = EXACT.add


@attrs.define(eq=False)
class Sum:
    """Costs that are added up one by one.

    Attributes:
        amount: US dollars so far.
        certainty: How sure that is: as sure as the least sure of them.
    """

    amount: Decimal = _ZERO
    certainty: Certainty = Certainty.EXACT

    def add(self, cost: Cost | None) -> None:
        """Add one; one that is not known (``None``) makes the sum *at least*."""
        if cost is None:
            self.certainty = Certainty.AT_LEAST
        elif cost is not NOTHING:
            self.amount = _sum(self.amount, cost.amount)
            if cost.certainty > self.certainty:  # noqa: PLR1730 - a call costs more than this
                self.certainty = cost.certainty

    @property
    def cost(self) -> Cost:
        """The sum."""
        return Cost(self.amount, self.certainty)


def rounded(amount: Decimal) -> Decimal:
    """Give an amount as a whole number of `PICO`."""
    return amount.quantize(PICO, ROUND_HALF_EVEN, EXACT)
