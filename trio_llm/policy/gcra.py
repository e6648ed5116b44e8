"""How fast something may be used: one bucket, in the form of the generic cell rate algorithm.

The bucket is kept as the one instant at which it will be full again, so that time
needs no timer and a wait is a plain subtraction (ITU-T I.371, the virtual scheduling
form: "theoretical arrival time").
"""

import math

import attrs

_NOISE = 1e-9
"""Seconds; a wait below that is the rounding error of many additions, and no wait."""


def _positive(_: object, attribute: "attrs.Attribute[float]", value: float | None) -> None:
    if value is not None and not 0.0 < value < math.inf:
        msg = f"{attribute.name} must be above zero and finite, not {value!r}"
        raise ValueError(msg)


@attrs.define
class Gcra:
    """A bucket that fills with `limit` units in each `period`, and holds `burst` of them.

    In any window of one period, wherever it begins, at most ``limit + burst`` units
    are admitted. So the default burst is a tenth of the limit, and not the whole of
    it, which would admit twice the limit in some windows.

    A cost of more than the burst is admitted when the bucket is full, and leaves a
    debt that later ones wait for; in the bound above such a cost stands in place of
    the burst.

    What the provider says remains is a second, stricter level beside the own one. It
    fills at the same rate, ends at the reset that the provider named, and is replaced
    by the provider's next word. So it never admits what the own level would not.

    Args:
        limit: Units per period.
        period: Its length in seconds.
        burst: Units that may be used at once; ``None`` means a tenth of the limit,
            and at least one.

    Raises:
        ValueError: One of them is not above zero and finite.
    """

    limit: float = attrs.field(validator=_positive)
    period: float = attrs.field(validator=_positive)
    burst: float | None = attrs.field(default=None, validator=_positive)
    _holds: float = attrs.field(init=False)
    _each: float = attrs.field(init=False)
    """Seconds in which one unit comes back."""
    _full_at: float = attrs.field(default=-math.inf, init=False)
    _told_empty_at: float = attrs.field(default=-math.inf, init=False)
    _told_limit: float = attrs.field(default=math.inf, init=False)
    _told_until: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._holds = max(1.0, self.limit / 10.0) if self.burst is None else self.burst
        self._each = self.period / self.limit

    def wait(self, now: float, cost: float = 1.0, ahead: float = 0.0) -> float:
        """Give the seconds until so many units may be taken; 0 means now.

        The instant does not depend on when it is asked for, so a caller that sleeps
        so long and asks again is not told of a rounding error for ever.

        Args:
            now: The present instant.
            cost: Units.
            ahead: Units that others will have taken by then.
        """
        full_at = max(self._full_at, now) + ahead * self._each if ahead else self._full_at
        ready = full_at - (self._holds - min(cost, self._holds)) * self._each
        if now < self._told_until:
            told = self._told_empty_at + (ahead + min(cost, self._told_limit)) * self._each
            ready = max(ready, min(told, self._told_until))
        wait = ready - now
        return wait if wait > _NOISE else 0.0

    def take(self, now: float, cost: float = 1.0) -> None:
        """Take units, whether or not it is time; what was not there is owed."""
        self._full_at = max(self._full_at, now) + cost * self._each
        self._told_empty_at += cost * self._each

    def settle(self, now: float, estimated: float, actual: float) -> None:
        """Put right what was taken by estimate: give back, or take the rest.

        Nothing is given back to what the provider said remains. Its own count is not
        known to do so, and its next word is at hand.
        """
        self._full_at = max(self._full_at, now) + (actual - estimated) * self._each
        self._told_empty_at += max(0.0, actual - estimated) * self._each

    def observe(
        self, now: float, remaining: float, reset: float | None, limit: float | None
    ) -> None:
        """Note what the provider says; it replaces what it said before.

        Args:
            now: The present instant.
            remaining: Units left.
            reset: Seconds until they are all back, if it says so.
            limit: Units that it allows in all, if it says so. Some state more left
                than that; the less of both is believed.
        """
        self._told_limit = math.inf if limit is None else limit
        self._told_empty_at = now - min(remaining, self._told_limit) * self._each
        self._told_until = math.inf if reset is None else now + reset

    def available(self, now: float) -> float:
        """Give the units that could be taken now; below zero where some are owed."""
        own = self._holds - max(0.0, self._full_at - now) / self._each
        if now < self._told_until:
            return min(own, (now - self._told_empty_at) / self._each)
        return own
