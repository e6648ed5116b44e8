"""Quarters of an hour: the grain of time by which usage is kept.

Every time zone is off UTC by a whole number of them, so days come out exact in each. (Until
the 1970s a few were not.)
"""

import datetime as dt
import math
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from trio_llm.errors import StoreError

SECONDS: Final = 900
"""How long a quarter of an hour is."""

PER_DAY: Final = 96
"""How many there are in 24 hours."""

_ENDLESS: Final = 2.0**53  # whole numbers are exact up to here, and SQLite can hold them


def quarter_of(time: float) -> int:
    """Give the number of the quarter of an hour since the epoch in which an instant lies.

    What no calendar reaches (infinity, not a number) counts as the epoch: a charge is
    booked whatever a clock said.
    """
    quarter = time // SECONDS
    return int(quarter) if -_ENDLESS < quarter < _ENDLESS else 0


def span(since: float, until: float | None) -> tuple[int, int]:
    """Give the quarters that a span of time touches: the first, and the one after the last."""
    first = max(-_ENDLESS, min(_ENDLESS, since / SECONDS))
    end = _ENDLESS if until is None else max(-_ENDLESS, min(_ENDLESS, until / SECONDS))
    return math.floor(first), math.ceil(end)


@attrs.define(eq=False)
class Days:
    """On which day of a time zone a quarter of an hour lies.

    Attributes:
        zone: The time zone.
    """

    zone: ZoneInfo
    _known: dict[int, str] = attrs.field(factory=dict[int, str], init=False)

    @classmethod
    def of_zone(cls, name: str) -> "Days":
        """Give the days of a zone by its IANA name.

        Raises:
            StoreError: There is no such zone.
        """
        try:
            return cls(ZoneInfo(name))
        except (KeyError, ValueError, OSError):
            raise StoreError(
                f"no time zone named {name!r}; give an IANA name such as Europe/Berlin (where the "
                "system brings no zones, the package tzdata does)"
            ) from None

    def of(self, quarter: int) -> str:
        """Give the day as ``YYYY-MM-DD``; empty if no calendar reaches that far."""
        day = self._known.get(quarter)
        if day is None:
            try:
                moment = dt.datetime.fromtimestamp(quarter * SECONDS, self.zone)
                day = moment.date().isoformat()
            except (ValueError, OverflowError, OSError):
                day = ""
            self._known[quarter] = day
        return day
