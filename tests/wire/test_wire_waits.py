"""Every form in which a provider says how long to wait."""

import pytest

from trio_llm.wire.waits import parse_duration, parse_retry_after, retry_after

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("1.2s", 1.2),
        ("130ms", 0.13),
        ("2m59.56s", 179.56),
        ("36s", 36.0),
        ("1h2m3s", 3723.0),
        ("0s", 0.0),
        ("", None),
        ("12", None),
        ("soon", None),
        ("-3s", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    """Go durations are read, anything else is not."""
    found = parse_duration(text)
    assert (None if found is None else round(found, 9)) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("55", 55.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("20s", 20.0),
        ("Wed, 18 Nov 2026 11:06:50 GMT", 10.0),
        ("Wed, 18 Nov 2020 11:06:50 GMT", 0.0),
        ("-4", None),
        ("nan", None),
        ("9" * 400, None),
        ("tomorrow", None),
    ],
)
def test_the_retry_after_header(value: str, seconds: float | None) -> None:
    """Seconds, durations and dates are read; a date in the past means now."""
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 18.642s. Visit", 18.642),
        ("try again in 6ms", 0.006),
        ("Please try again in 50.597142857s.", 50.597142857),
        ("Please retry in 58.82s.", 58.82),
        ("Please retry after 10 seconds.", 10.0),
        ("try again in 6m0s", 360.0),
        ("try again in 2 minutes", 120.0),
        ("try again later", None),
        ("retry in 3 pieces", None),
    ],
)
def test_waits_in_words(text: str, seconds: float | None) -> None:
    """The sentence that an error contains states the wait where no header does."""
    found = retry_after({}, [text], [], NOW)
    assert (None if found is None else round(found, 9)) == seconds


def test_milliseconds_come_first_unless_they_are_zero() -> None:
    """``retry-after-ms`` is finer than ``retry-after``; Azure's zero beside a one means nothing."""
    assert retry_after({"retry-after-ms": "1500", "retry-after": "2"}, [], [], NOW) == 1.5
    assert retry_after({"retry-after-ms": "0", "retry-after": "1"}, [], [], NOW) == 1.0


def test_fields_of_the_body_come_before_words() -> None:
    """A stated delay is believed before a sentence."""
    assert retry_after({}, ["Please retry in 58.82s."], ["36s"], NOW) == 36.0
