"""How many retries a runtime may make: a share of its calls, and a few more."""

import math

import attrs


@attrs.define
class RetryBudget:
    """A bucket that calls and time fill, and retries empty.

    Retries help against rare failures and harm in an outage, where they multiply
    the load just when there is too much of it. So each call earns `share` of a
    retry, each second earns `per_second`, and no more than ten seconds' worth is
    kept (the scheme of Finagle's retry budgets).

    Args:
        share: Retries earned per call.
        per_second: Retries earned per second.
    """

    share: float = 0.2
    per_second: float = 10.0
    _ceiling: float = attrs.field(init=False)
    _balance: float = attrs.field(init=False)
    _counted: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._ceiling = self._balance = _ceiling_of(self.share, self.per_second)

    def adjust(self, now: float, *, share: float, per_second: float) -> None:
        """Go by other figures from `now` (seconds) on; what has been earned stays.

        It stays as far as the new figures let so much be kept.
        """
        self._count(now)
        self.share = share
        self.per_second = per_second
        self._ceiling = _ceiling_of(share, per_second)

    def earn(self) -> None:
        """Note a call."""
        self._balance = min(self._balance + self.share, self._ceiling)

    def spend(self, now: float) -> bool:
        """Take a retry, if there is one left; `now` in seconds."""
        self._count(now)
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True

    def _count(self, now: float) -> None:
        """Add what time has earned."""
        if self._counted != -math.inf:
            earned = (now - self._counted) * self.per_second
            self._balance = min(self._balance + earned, self._ceiling)
        self._counted = now


def _ceiling_of(share: float, per_second: float) -> float:
    """Give the most that is kept; where nothing is earned there is nothing."""
    return max(10.0 * per_second, 1.0) if share or per_second else 0.0
