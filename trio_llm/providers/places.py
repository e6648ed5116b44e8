"""The places of a provider: how many requests it serves at once, to the instant.

The place of a cancelled request may stay taken for a while, for a local server that
goes on generating what nobody waits for. No task and no timer does that: such a place
is free as soon as somebody looks after its time.
"""

import math
from collections import deque

import attrs


@attrs.define
class Places:
    """How many places there are, and how many are taken.

    Args:
        limit: Places, at least 1.
        hold: Seconds for which the place of a cancelled request stays taken.

    Attributes:
        used: Places in which a request is.
    """

    limit: int
    hold: float = 0.0
    used: int = attrs.field(default=0, init=False)
    _held_until: deque[float] = attrs.field(factory=deque[float], init=False)

    def held(self, now: float) -> int:
        """Give the places that stay taken after a cancel, at an instant."""
        held = self._held_until
        while held and held[0] <= now:
            held.popleft()
        return len(held)

    def is_full(self, now: float) -> bool:
        """Whether no place is free at an instant."""
        if not self._held_until:
            return self.used >= self.limit
        return self.used + self.held(now) >= self.limit

    def next_end(self, now: float) -> float:
        """Give when the next place comes free by the clock; infinity if none does."""
        return self._held_until[0] if self.held(now) else math.inf

    def hold_one(self, now: float) -> None:
        """Keep one taken for its time: what was in it may go on at the server."""
        if self.hold > 0.0:
            self._held_until.append(now + self.hold)
