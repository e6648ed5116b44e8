"""The share of failures in the recent past, counted in a fixed number of slots."""

import math

import attrs

SLOTS = 10
"""Into how many parts the window is cut; it moves on by one part at a time."""


@attrs.define
class FailureShare:
    """Successes and failures of a sliding window.

    The window is the present slot and the nine before it, so what it covers is
    between nine and ten tenths of its length. Memory and time do not grow with the
    number of outcomes.

    Args:
        window: Its length in seconds.
    """

    window: float
    _newest: int = attrs.field(default=0, init=False)
    _outcomes: list[int] = attrs.field(factory=lambda: [0] * SLOTS, init=False)
    _failures: list[int] = attrs.field(factory=lambda: [0] * SLOTS, init=False)

    def count(self, now: float, *, failed: bool) -> None:
        """Note an outcome."""
        self._move(now)
        place = self._newest % SLOTS
        self._outcomes[place] += 1
        if failed:
            self._failures[place] += 1

    def reaches(self, now: float, ratio: float, minimum: int) -> bool:
        """Give whether of at least `minimum` outcomes at least that share are failures."""
        self._move(now)
        outcomes = sum(self._outcomes)
        return outcomes >= max(minimum, 1) and sum(self._failures) >= ratio * outcomes

    def clear(self) -> None:
        """Forget everything."""
        self._outcomes = [0] * SLOTS
        self._failures = [0] * SLOTS

    def _move(self, now: float) -> None:
        """Empty the slots that have begun since the last outcome."""
        newest = math.floor(now / self.window * SLOTS)
        if newest <= self._newest:
            return
        for slot in range(max(self._newest, newest - SLOTS) + 1, newest + 1):
            self._outcomes[slot % SLOTS] = 0
            self._failures[slot % SLOTS] = 0
        self._newest = newest
