"""How a caller's deadline is divided over the attempts of a plan."""

from collections.abc import Sequence
from typing import Final

HEADROOM: Final = 1.5
"""How many times its expected seconds are kept for a later attempt."""

LEAST_RESERVE: Final = 0.05
"""Seconds kept for a later attempt, however fast it is expected to be."""


def divide(now: float, deadline: float, expected: Sequence[float | None]) -> float:
    """Give the instant at which the attempt about to begin must end.

    It may use all the time but a reserve. Each attempt that may follow reserves
    `HEADROOM` times what it is expected to take, and an equal share of the time left
    at most; one of which nothing is known reserves the equal share. So every attempt
    has at least an equal share of what its forerunners left, and the last one has the
    caller's own deadline.

    Args:
        now: The present instant, in seconds.
        deadline: The caller's, as an instant; infinity when there is none.
        expected: Seconds that each attempt is expected to take, or ``None``; the
            first is about to begin, the others may follow.

    Returns:
        From `now` to `deadline`; the deadline itself when it has passed.
    """
    followers = len(expected) - 1
    left = deadline - now
    if followers <= 0 or left <= 0.0 or left == float("inf"):
        return deadline
    equal = left / (followers + 1)
    reserve = 0.0
    for seconds in expected[1:]:
        if seconds is None:
            reserve += equal
        else:
            reserve += min(max(seconds * HEADROOM, LEAST_RESERVE), equal)
    return min(max(deadline - reserve, now), deadline)


def fits(now: float, wait: float, deadline: float) -> bool:
    """Tell whether time is left after a wait; one that does not fit is not begun.

    A wait that ends at the deadline does not fit: the deadline comes first.

    Args:
        now: The present instant, in seconds.
        wait: Its length, in seconds.
        deadline: The caller's, as an instant.
    """
    return now + wait < deadline
