"""Days, weeks and months in a time zone: no gap, no overlap, whatever its clocks do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trio_llm.policy import calendar
from trio_llm.policy.calendar import Window, day_of, day_start, window

HOUR = 3600.0
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Zurich",
        "America/New_York",
        "America/Sao_Paulo",  # skipped midnight once a year until 2018
        "America/St_Johns",  # set its clocks back at one past midnight until 2010
        "America/Toronto",  # skipped the half hours around midnight in 1919
        "Asia/Kathmandu",
        "Australia/Lord_Howe",  # summer time is half an hour
        "Pacific/Apia",  # left out 30 December 2011
        "Pacific/Kwajalein",  # had a day of 47 hours in 1969
    ]
)
INSTANTS = st.integers(-(2**31), 2**32).map(float) | st.floats(1.2e9, 1.6e9)
PERIODS = st.sampled_from(["day", "week", "month"])


def at(text: str) -> float:
    """Give an instant of universal time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def hours(day: str, time_zone: str) -> float:
    """Give the length of a day."""
    span = window(day_start(day, time_zone), "day", time_zone)
    assert span.end is not None
    return (span.end - span.start) / HOUR


@given(INSTANTS, PERIODS, ZONES)
@example(at("2010-11-07 02:30:30"), "day", "America/St_Johns")
@example(at("2010-11-07 03:00"), "day", "America/St_Johns")
@example(at("2011-12-30 09:59:59"), "day", "Pacific/Apia")
@example(at("2011-12-30 10:00"), "month", "Pacific/Apia")
@example(at("1969-09-30 12:30"), "day", "Pacific/Kwajalein")
def test_periods_follow_each_other_without_a_gap(now: float, period: str, time_zone: str) -> None:
    """Every instant lies in one period, which all instants in it agree on."""
    span = window(now, period, time_zone)
    assert span.end is not None
    assert span.start <= now < span.end
    assert window(span.start, period, time_zone) == span
    assert window(span.end - 0.5, period, time_zone) == span
    assert window(span.end, period, time_zone).start == span.end
    assert window(span.start - 0.5, period, time_zone).end == span.start


@given(INSTANTS, ZONES)
@example(at("2018-11-04 03:00"), "America/Sao_Paulo")
@example(at("1919-03-31 04:30"), "America/Toronto")
@example(at("2010-11-07 03:00"), "America/St_Johns")
@example(at("2011-12-30 10:00"), "Pacific/Apia")
def test_a_day_begins_when_the_clocks_first_show_it(now: float, time_zone: str) -> None:
    """Not before, in the two days up to it; from there on, or a little later, they show it."""
    day = day_of(now, time_zone)
    start = day_start(day, time_zone)
    zone = ZoneInfo(time_zone)

    def shown(instant: float) -> str:
        return datetime.fromtimestamp(instant, zone).date().isoformat()

    assert shown(start) == day
    assert shown(start - 1.0) < day
    assert all(shown(start - quarter * 900.0) < day for quarter in range(1, 192))


@given(INSTANTS, ZONES)
def test_a_day_is_the_window_of_its_name(now: float, time_zone: str) -> None:
    """What `day_of` calls it begins where `window` says."""
    assert day_start(day_of(now, time_zone), time_zone) == window(now, "day", time_zone).start


@given(st.dates(date(1970, 1, 1), date(2100, 1, 1)))
def test_weeks_begin_on_monday_and_months_on_the_first(day: date) -> None:
    """In universal time, which never jumps, they have the lengths of the calendar."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    week, month = window(noon, "week", "UTC"), window(noon, "month", "UTC")
    assert week.end is not None
    assert month.end is not None
    assert datetime.fromtimestamp(week.start, UTC).weekday() == 0
    assert week.end - week.start == 7 * 24 * HOUR
    first, after = (datetime.fromtimestamp(edge, UTC) for edge in (month.start, month.end))
    assert (first.year, first.month, first.day) == (day.year, day.month, 1)
    assert after.day == 1
    assert timedelta(days=28) <= after - first <= timedelta(days=31)


def test_a_day_has_as_many_hours_as_it_has() -> None:
    """When summer time begins it has 23, when it ends 25; elsewhere less or more."""
    assert hours("2025-03-30", "Europe/Zurich") == 23.0
    assert hours("2025-10-26", "Europe/Zurich") == 25.0
    assert hours("2025-10-27", "Europe/Zurich") == 24.0
    assert hours("2024-04-07", "Australia/Lord_Howe") == 24.5
    assert hours("1969-09-30", "Pacific/Kwajalein") == 47.0


def test_a_week_and_a_month_have_the_hours_of_their_days() -> None:
    """The hour that summer time takes is missing in its week and its month."""
    noon = at("2025-03-30 12:00")
    week = window(noon, "week", "Europe/Zurich")
    assert week == Window(at("2025-03-23 23:00"), at("2025-03-30 22:00"))
    month = window(noon, "month", "Europe/Zurich")
    assert month == Window(at("2025-02-28 23:00"), at("2025-03-31 22:00"))


def test_a_day_without_midnight_begins_when_the_clocks_jump() -> None:
    """Whether they jump at midnight or from half an hour before it."""
    assert day_start("2018-11-04", "America/Sao_Paulo") == at("2018-11-04 03:00")
    assert hours("2018-11-03", "America/Sao_Paulo") == 24.0
    assert hours("2018-11-04", "America/Sao_Paulo") == 23.0
    assert day_start("1919-03-31", "America/Toronto") == at("1919-03-31 04:30")
    assert hours("1919-03-30", "America/Toronto") == 23.5


def test_a_day_with_two_midnights_begins_at_the_first() -> None:
    """The hour that comes again belongs to the new day, though clocks show the old one."""
    assert day_start("2010-11-07", "America/St_Johns") == at("2010-11-07 02:30")
    again = at("2010-11-07 03:00")
    assert datetime.fromtimestamp(again, ZoneInfo("America/St_Johns")).day == 6
    assert day_of(again, "America/St_Johns") == "2010-11-07"
    assert hours("2010-11-07", "America/St_Johns") == 25.0


def test_a_day_that_was_left_out_has_no_time() -> None:
    """It begins when the next one does, and no instant lies in it."""
    assert day_start("2011-12-30", "Pacific/Apia") == day_start("2011-12-31", "Pacific/Apia")
    assert day_start("2011-12-31", "Pacific/Apia") == at("2011-12-30 10:00")
    assert day_of(at("2011-12-30 09:59:59"), "Pacific/Apia") == "2011-12-29"
    assert day_of(at("2011-12-30 10:00"), "Pacific/Apia") == "2011-12-31"


def test_all_time_has_no_end() -> None:
    """It begins with the epoch, in every zone."""
    assert window(1e9, "total", "Asia/Kathmandu") == Window(0.0, None)


def test_universal_time_needs_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines without time zones have it nevertheless; others are asked for by name."""

    def absent(name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(calendar, "ZoneInfo", absent)
    assert window(86_400.5, "day", "UTC") == Window(86_400.0, 172_800.0)
    with pytest.raises(ZoneInfoNotFoundError):
        window(0.0, "day", "Europe/Zurich")


def test_other_periods_are_refused() -> None:
    """The error names what there is."""
    with pytest.raises(ValueError, match="no period 'year'; there are day, week, month and total"):
        window(0.0, "year", "UTC")
