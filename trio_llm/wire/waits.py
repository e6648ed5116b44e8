"""How long a provider asks to wait: the forms that error responses use.

Only for error responses: some providers send ``retry-after`` with successes too.
"""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_TERM = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", re.ASCII)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|h|m|s))+", re.ASCII)
_IN_TEXT = re.compile(
    r"(?:try again|retry) (?:in|after) "
    r"((?:\d+(?:\.\d+)?(?:ms|us|µs|ns|h|m|s))+|\d+(?:\.\d+)?(?= ?sec)|\d+(?:\.\d+)?(?= ?min))"
    r"( ?min)?",
    re.IGNORECASE | re.ASCII,
)
_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
_WINDOW = re.compile(r"\br=(\d+);\s*t=(\d+)", re.ASCII)
_EPOCH = 1e9
"""Seconds from which on a number is a moment and not a wait: 31 years, or 2001."""
_EPOCH_IN_MILLISECONDS = 1e11


def parse_duration(text: str) -> float | None:
    """Give the seconds of a Go duration such as ``6m0s``, ``2m59.56s`` or ``130ms``."""
    text = text.strip()
    if not _DURATION.fullmatch(text):
        return None
    return _finite(sum(float(number) * _UNITS[unit] for number, unit in _TERM.findall(text)))


def parse_retry_after(value: str, now: float) -> float | None:
    """Give the seconds that a header states.

    The forms: seconds, a Go duration, an HTTP date, an RFC 3339 date, seconds or
    milliseconds since the epoch. A moment in the past means now.

    Args:
        value: The header's value.
        now: Wall-clock time in seconds since the epoch.
    """
    value = value.strip()
    if _NUMBER.fullmatch(value):
        number = _finite(float(value))
        if number is None or number < _EPOCH:
            return number
        moment = number / 1000 if number >= _EPOCH_IN_MILLISECONDS else number
        return max(0.0, moment - now)
    duration = parse_duration(value)
    return _until(value, now) if duration is None else duration


def _until(value: str, now: float) -> float | None:
    try:
        is_rfc3339 = value[10:11] == "T"
        moment = datetime.fromisoformat(value) if is_rfc3339 else parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return _finite(max(0.0, moment.timestamp() - now))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def retry_after(
    headers: Mapping[str, str], texts: Iterable[str], delays: Iterable[str], now: float
) -> float | None:
    """Find the wait that an error response asks for.

    Args:
        headers: Response headers, names in lower case.
        texts: What the error says, in words.
        delays: Durations that the body states in fields of their own
            (``google.rpc.RetryInfo``).
        now: Wall-clock time in seconds since the epoch.

    Returns:
        Seconds, or ``None`` where nothing says.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    # Azure sends "0" beside a retry-after that is not: zero says nothing.
    if _NUMBER.fullmatch(milliseconds) and float(milliseconds) > 0:
        return _finite(float(milliseconds) / 1000)
    if "retry-after" in headers:
        wait = parse_retry_after(headers["retry-after"], now)
        if wait is not None:
            return wait
    for delay in delays:
        wait = parse_duration(delay)
        if wait is not None:
            return wait
    return _wait_in_words(texts)


def reset_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Find when the limits that are used up are filled again.

    It is for a 429 that says nothing else. A header of the reset counts where the
    one beside it says that nothing remains; of several limits, the last to be
    filled counts.

    Args:
        headers: Response headers, names in lower case.
        now: Wall-clock time in seconds since the epoch.

    Returns:
        Seconds, or ``None`` where no limit is known to be used up.
    """
    waits: list[float] = []
    for name, value in headers.items():
        if "ratelimit" not in name:
            continue
        for remaining, seconds in _WINDOW.findall(value):
            if not remaining.strip("0"):
                waits.append(float(seconds))
        if "remaining" in name and value.strip() in ("0", "0.0"):
            # Proxies that join headers leave something after a comma.
            reset = headers.get(name.replace("remaining", "reset"), "").partition(",")[0]
            wait = parse_retry_after(reset, now)
            if wait is not None:
                waits.append(wait)
    return _finite(max(waits)) if waits else None


def _wait_in_words(texts: Iterable[str]) -> float | None:
    for text in texts:
        found = _IN_TEXT.search(text)
        if found is None:
            continue
        wait = parse_duration(found[1])
        if wait is not None:
            return wait
        if _NUMBER.fullmatch(found[1]):
            return _finite(float(found[1]) * (60 if found[2] else 1))
    return None


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
