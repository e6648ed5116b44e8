"""When a second attempt may start beside a slow first one, and how many there may be."""

import math
from typing import Final

import attrs

from trio_llm.policy.latency import RotatingHistogram

MEMORY: Final = 1000
"""After how many calls half of what was not used is forgotten."""


@attrs.define
class HedgeBudget:
    """Keeps hedges a share of the calls, and their cost a share of the spend.

    A hedge helps when one call of many is slow, and doubles the load when all are.
    Each call earns `max_extra_calls` of a hedge and `max_extra_cost` of its cost, and
    a hedge takes what it needs. It may run ahead by one, so that the first call can be
    hedged. At every instant, over all that has been:

    - hedges <= `max_extra_calls` x calls + 1,
    - their cost <= `max_extra_cost` x spend + the cost of the dearest call.

    What is not used is halved every 1,000 calls: what a quiet day has earned must not
    be spent on doubling the load of a slow hour.

    Args:
        max_extra_calls: Hedges per call; 0 forbids them, infinity sets no limit.
        max_extra_cost: US dollars for hedges per US dollar spent on calls; 0 leaves
            only free ones, infinity sets no limit.
    """

    max_extra_calls: float = 0.1
    max_extra_cost: float = 0.1
    _calls: int = attrs.field(default=0, init=False)
    _hedges_left: float = attrs.field(default=0.0, init=False)
    _dollars_left: float = attrs.field(default=0.0, init=False)
    _dearest: float = attrs.field(default=0.0, init=False)

    def called(self, cost: float) -> None:
        """Note a call that is no hedge.

        Args:
            cost: In US dollars, known or estimated; 0 when nothing is known.
        """
        self._hedges_left += self.max_extra_calls
        if cost > 0.0:
            self._dollars_left += self.max_extra_cost * cost
            self._dearest = max(self._dearest, cost)
        self._calls += 1
        if self._calls >= MEMORY:
            self._calls = 0
            # A debt is never forgotten: the promise is about all that has been.
            self._hedges_left = min(self._hedges_left, self._hedges_left / 2.0)
            self._dollars_left = min(self._dollars_left, self._dollars_left / 2.0)
            self._dearest /= 2.0

    def may_hedge(self, cost: float) -> bool:
        """Tell whether a hedge of this cost, in US dollars, is within the budget."""
        if self._hedges_left <= 0.0:
            return False
        if cost <= 0.0 or self.max_extra_cost == math.inf:
            return True
        return self.max_extra_cost > 0.0 and cost <= self._dollars_left + self._dearest

    def hedged(self, cost: float) -> None:
        """Note a hedge that starts, and its cost in US dollars."""
        self._hedges_left -= 1.0
        self._dollars_left -= max(cost, 0.0)


def delay_from(
    histogram: RotatingHistogram, now: float, percentile: float, minimum_samples: int
) -> float | None:
    """Give how long to wait for a call before a hedge starts, in seconds.

    Args:
        histogram: How long calls took of late.
        now: The present instant.
        percentile: As a share: 0.95 hedges the slowest twentieth of the calls.
        minimum_samples: How many calls must be known.

    Returns:
        Seconds, or ``None`` when too little is known.
    """
    if histogram.count(now) < minimum_samples:
        return None
    return histogram.percentile(now, percentile)
