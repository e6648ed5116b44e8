"""What ``trio-llm usage`` makes of its options."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.cli_books import DAY, NOW
from trio_llm.cli.usage.question import QuestionError, conditions, dimensions, instant


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-11-01", "UTC", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01", "Europe/Zurich", datetime(2026, 10, 31, 23, tzinfo=UTC)),
        ("2026-11-01T14:30", "Europe/Zurich", datetime(2026, 11, 1, 13, 30, tzinfo=UTC)),
        ("2026-11-01 14:30+02:00", "Europe/Zurich", datetime(2026, 11, 1, 12, 30, tzinfo=UTC)),
        ("2026-11-01T14:30Z", "Europe/Zurich", datetime(2026, 11, 1, 14, 30, tzinfo=UTC)),
    ],
)
def test_a_time_by_the_calendar(text: str, zone: str, moment: datetime) -> None:
    """A day begins, and a time without an offset is meant, in the configured time zone."""
    assert instant("--since", text, NOW, zone) == moment.timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"), [("24h", DAY), ("7d", 7 * DAY), ("2w", 14 * DAY), ("0h", 0.0)]
)
def test_so_far_back(text: str, seconds: float) -> None:
    """Hours, days and weeks are counted back from now."""
    assert instant("--since", text, NOW, "UTC") == NOW - seconds


@pytest.mark.parametrize("text", ["99999w", "0001-01-01", "1969-12-31T23:00"])
def test_nothing_was_before_the_epoch(text: str) -> None:
    """What lies before any charge means all of them."""
    assert instant("--since", text, NOW, "UTC") == 0.0


@given(st.text(max_size=30) | st.from_regex(r"[0-9T:Z+hdw-]{0,20}"))
def test_any_text_is_a_time_or_a_plain_error(text: str) -> None:
    """Nothing that can be typed breaks it."""
    try:
        found = instant("--until", text, NOW, "Europe/Zurich")
    except QuestionError as error:
        said = str(error)
    else:
        said = f"--until: {found >= 0.0}"
    assert said == "--until: True" or said.startswith(f"--until: {text.strip()!r} is no time")


def test_properties_are_named_once() -> None:
    """Blanks and repetitions do not matter; tags are properties."""
    assert dimensions("--by", [" day", "user ", "", "day", "tag:team"]) == (
        *("day", "user", "tag:team"),
    )


def test_a_value_may_have_anything_in_it() -> None:
    """Only the first = parts a property from its value; what is empty means without one."""
    assert conditions(["tag:rule=a=b", "user="]) == {"tag:rule": "a=b", "user": ""}
