"""Every form in which a provider says how long to wait."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.wire import DIALECTS
from trio_llm.wire.classify import classify, classify_frame
from trio_llm.wire.waits import parse_duration, parse_retry_after, reset_wait, retry_after

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
        ("2026-11-18T11:06:50Z", 10.0),
        ("2026-11-18T12:06:50.5+01:00", 10.5),
        ("2020-11-18T11:06:50Z", 0.0),
        ("1795000010", 10.0),
        ("1795000010000", 10.0),
        ("1595000010000", 0.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("2026-11-18T", None),
        ("", None),
        ("-4", None),
        ("nan", None),
        ("9" * 400, None),
        ("tomorrow", None),
    ],
)
def test_the_retry_after_header(value: str, seconds: float | None) -> None:
    """Seconds, durations, dates and moments are read; one in the past means now."""
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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        # OpenAI and Groq: Go durations, by requests and by tokens.
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2m59.56s"}, 179.56),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        # A value that a proxy joined with another.
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1.2s, req_1"}, 1.2),
        # Azure, Together and Hugging Face: bare seconds.
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "7"}, 7.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}, 2.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "19"}, 19.0),
        # Mistral, of old.
        ({"ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "23"}, 23.0),
        # OpenRouter: milliseconds since the epoch.
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1795000030000"}, 30.0),
        # Anthropic: a moment.
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-18T11:07:40Z",
            },
            60.0,
        ),
        # Hugging Face: structured.
        ({"ratelimit": '"api";r=0;t=243'}, 243.0),
        ({"ratelimit": '"api";r=497;t=243'}, None),
    ],
)
def test_the_reset_of_a_limit_that_is_used_up(
    headers: dict[str, str], seconds: float | None
) -> None:
    """Each provider's form is read, where nothing remains."""
    assert reset_wait(headers, NOW) == seconds


def test_a_limit_with_something_left_has_no_say() -> None:
    """Its reset says when it would be full, not when a request may come."""
    headers = {
        "x-ratelimit-remaining-requests": "14399",
        "x-ratelimit-reset-requests": "6s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "30ms",
    }
    assert reset_wait(headers, NOW) == 0.03
    assert reset_wait({"x-ratelimit-reset-requests": "6s"}, NOW) is None
    assert reset_wait({"x-ratelimit-remaining-requests": "0"}, NOW) is None
    assert reset_wait({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, NOW) is None


def test_the_last_limit_to_be_filled_counts() -> None:
    """Of several that are used up, all must be filled."""
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "8.64s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6ms",
    }
    assert reset_wait(headers, NOW) == 8.64


RESET = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9"}


def wait_of(status: int, body: Any = None, **headers: str) -> float | None:
    """Give the wait of an error response whose limit is used up."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = json.dumps(body or {}).encode()
    return classify(status, {**RESET, **named}, raw, now=NOW).retry_after


def test_a_reset_counts_on_a_429_that_says_nothing_else() -> None:
    """Whatever states the wait itself comes first; other statuses are not about limits."""
    assert wait_of(429) == 9.0
    assert wait_of(429, retry_after="3") == 3.0
    assert wait_of(429, retry_after_ms="1500") == 1.5
    assert wait_of(429, {"error": {"message": "Please try again in 50.597s."}}) == 50.597
    assert wait_of(429, {"error": {"details": [{"retryDelay": "36s"}]}}) == 36.0
    for status in (400, 401, 500, 503, 529):
        assert wait_of(status) is None


def test_a_router_quotes_the_headers_of_the_limit_in_the_body() -> None:
    """OpenRouter tells them there; a header of the response itself is believed first."""
    quoted = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795000030000"}
    body = json.dumps({"error": {"message": "x", "metadata": {"headers": quoted}}}).encode()
    assert classify(429, {}, body, now=NOW).retry_after == 30.0
    assert classify(429, {"retry-after": "4"}, body, now=NOW).retry_after == 4.0


@pytest.mark.parametrize(
    ("estimate", "seconds"),
    [(20.0, 20.0), (7, 7.0), (-1, None), (True, None), ("20", None), (10**400, None), (None, None)],
)
def test_the_estimate_of_a_model_that_is_loading(estimate: Any, seconds: float | None) -> None:
    """Hugging Face says in seconds how long it takes."""
    body = json.dumps({"error": "loading", "estimated_time": estimate}).encode()
    assert classify(503, {}, body, now=NOW).retry_after == seconds


def test_the_pair_that_azure_sends() -> None:
    """One second beside no milliseconds is one second."""
    assert wait_of(429, retry_after="1", retry_after_ms="0") == 1.0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_reads_a_wait(dialect: str) -> None:
    """The forms are shared, so none is a dialect's own."""
    error = DIALECTS[dialect].classify(429, {"retry-after": "55"}, b"{}", now=NOW)
    assert error.retry_after == 55.0


def test_an_error_inside_a_200_waits_for_its_own_words_alone() -> None:
    """The headers of a success say nothing of it; some successes carry ``retry-after``."""
    frame = {"error": {"message": "Please try again in 6ms.", "code": 429}}
    assert classify_frame(frame, phase="stream").retry_after == 0.006
    assert (
        classify_frame({"error": {"message": "x", "code": 429}}, phase="stream").retry_after is None
    )


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000])
def test_numbers_beyond_all_measure_are_no_wait(digits: str) -> None:
    """A header may hold anything, and a number of it is not trusted to be one."""
    assert reset_wait({"ratelimit": f'"api";r={digits};t={"9" * 5000}'}, NOW) is None
    assert reset_wait({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" * 5000}, NOW) is None


@given(
    text=st.text(max_size=40)
    | st.from_regex(r"[0-9T:Zhmsr=;+. -]{0,30}")
    | st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[Z+\-0-9:]{0,6}\Z")
)
def test_any_text_is_a_wait_or_none(text: str) -> None:
    """What cannot be read is no wait, and a wait is never below zero or without end."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": text, "ratelimit": text}
    for wait in (
        parse_retry_after(text, NOW),
        retry_after({"retry-after": text, "retry-after-ms": text}, [text], [text], NOW),
        reset_wait(headers, NOW),
    ):
        assert wait is None or 0 <= wait < float("inf")
