"""How often an actor may be restarted before it is given up."""

from collections import deque

import attrs


@attrs.define
class RestartIntensity:
    """At most `max_restarts` within `window` seconds, with growing pauses.

    The rule of OTP's supervisors, with exponential backoff added so that a
    resource that fails at once is not opened in a tight loop.

    Args:
        max_restarts: How many restarts within the window are allowed.
        window: Its length in seconds.
        backoff: The first pause, in seconds; doubled with each restart in the window.
        max_backoff: The longest pause, in seconds.
    """

    max_restarts: int = 3
    window: float = 60.0
    backoff: float = 0.1
    max_backoff: float = 5.0
    _crashes: deque[float] = attrs.field(factory=deque[float], init=False)

    def crashed(self, now: float) -> float | None:
        """Note a crash; give the pause before the restart, or ``None`` to give up."""
        while self._crashes and self._crashes[0] <= now - self.window:
            self._crashes.popleft()
        self._crashes.append(now)
        if len(self._crashes) > self.max_restarts:
            return None
        doublings = min(len(self._crashes) - 1, 64)
        return min(self.backoff * 2.0**doublings, self.max_backoff)
