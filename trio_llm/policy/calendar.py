"""Days, weeks and months as people count them, in a time zone."""

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import attrs

_DAY: Final = timedelta(days=1)


@attrs.frozen
class Window:
    """A span of time; the start belongs to it, the end does not.

    Attributes:
        start: Its first instant, in seconds since the epoch.
        end: The first instant after it; ``None`` means that it has no end.
    """

    start: float
    end: float | None


_ALL_TIME: Final = Window(0.0, None)


def window(now: float, period: str, time_zone: str) -> Window:
    """Give the period that an instant lies in; periods follow each other without a gap.

    Args:
        now: The instant, in seconds since the epoch.
        period: ``day``, ``week`` (from Monday), ``month`` or ``total``.
        time_zone: The IANA name of the time zone.

    Raises:
        ValueError: There is no such period.
        zoneinfo.ZoneInfoNotFoundError: This machine does not know the time zone.
    """
    if period == "total":
        return _ALL_TIME
    zone = _zone(time_zone)
    first, after = _span(_day(now, zone), period)
    return Window(_start(first, zone), _start(after, zone))


def day_of(now: float, time_zone: str) -> str:
    """Give the day of an instant as ``YYYY-MM-DD``; arguments as for `window`."""
    return _day(now, _zone(time_zone)).isoformat()


def day_start(day: str, time_zone: str) -> float:
    """Give the first instant of a day, in seconds since the epoch.

    A day that a zone left out begins when the next one does.

    Args:
        day: The day as ``YYYY-MM-DD``.
        time_zone: The IANA name of the time zone.

    Raises:
        ValueError: It is not a day.
        zoneinfo.ZoneInfoNotFoundError: This machine does not know the time zone.
    """
    return _start(date.fromisoformat(day), _zone(time_zone))


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)  # UTC needs no database of zones


def _span(day: date, period: str) -> tuple[date, date]:
    """Give the first day of a period and the first one after it."""
    if period == "day":
        return day, day + _DAY
    if period == "week":
        monday = day - day.weekday() * _DAY
        return monday, monday + 7 * _DAY
    if period == "month":
        first = day.replace(day=1)
        return first, (first + 31 * _DAY).replace(day=1)
    raise ValueError(f"no period {period!r}; there are day, week, month and total")


def _day(now: float, zone: tzinfo) -> date:
    """Give the last day that has begun.

    Where clocks are set back over midnight, the new day has begun although they show the
    old one for a while.
    """
    day = datetime.fromtimestamp(now, zone).date()
    while _start(day + _DAY, zone) <= now:
        day += _DAY
    return day


def _start(day: date, zone: tzinfo) -> float:
    """Give the first instant at which the clocks of a zone show a day, or a later one."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    first = midnight.timestamp()
    last = midnight.replace(fold=1).timestamp()
    if first <= last:
        return first
    # Midnight was skipped: between what the two offsets make of it, the clocks jumped.
    naive = midnight.replace(tzinfo=None)
    instants = range(int(last), int(first))
    skipped = bisect_left(
        instants, naive, key=lambda at: datetime.fromtimestamp(at, zone).replace(tzinfo=None)
    )
    return last + skipped
