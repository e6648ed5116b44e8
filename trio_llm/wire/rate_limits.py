"""What the headers of a response, good or bad, say of how much the provider will still take.

The forms: ``x-ratelimit-remaining-requests`` and ``-tokens`` with ``-limit-`` and
``-reset-`` beside it (OpenAI, Azure, Groq, xAI, Together), with the length of the window
behind it (``-req-minute``, ``-tokens-minute``, ``-requests-day``: Mistral, Cerebras,
Hugging Face), without a word for what is counted (OpenRouter, Together), with it in front
(Anthropic), and the one structured ``ratelimit`` (Hugging Face).
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import attrs

from trio_llm.chat import RateWindow
from trio_llm.wire.waits import parse_retry_after

_NUMBER = re.compile(r"\d{1,400}(?:\.\d{0,400})?", re.ASCII)
_ABSURD = 1e15
"""From here on a number means "no limit": some send the greatest that 64 bits hold."""

_GRADUAL = frozenset({"x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit"})
"""Limits whose reset is when all of it is back, a little of it coming at a time: so say
the documentations of OpenAI, Groq and Anthropic. Groq's is of a day, and states for 18 of
1,000 that were used 26 minutes, not a day."""

_LENGTHS = ("", "second", "10-second", "minute", "hour", "day", "month")
_COUNTED = {
    f"{word}-{length}".strip("-"): what
    for word, what in (
        ("requests", "requests"),
        ("req", "requests"),
        ("", "requests"),
        ("tokens", "tokens"),
    )
    for length in _LENGTHS
}
_PARTS = frozenset({"input-tokens", "output-tokens"})
_NAME = re.compile(
    r"(?:x-|anthropic-)?ratelimit(?P<by_size>bysize)?(?:-(?P<front>.+))?-remaining(?:-(?P<back>.+))?"
)


@attrs.frozen
class _Place:
    """Where a window stands: what its header of the rest counts, and those beside it.

    Attributes:
        what: As in `RateWindow`.
        part: Whether it counts only a part of that.
        limit: The name of the header with the limit.
        reset: The name of the header with the reset.
    """

    what: str
    part: bool
    limit: str
    reset: str


def read_rate_limits(headers: Mapping[str, str], now: float) -> tuple[RateWindow, ...]:
    """Give every window that the headers of a response state; what is not one is ignored.

    Of the tokens that Anthropic counts apart, a part is a window when it is used up:
    then no call goes through. With something left it cannot be held against a whole.

    Args:
        headers: Response headers, names in lower case.
        now: Wall-clock time in seconds since the epoch.
    """
    named = [name for name in headers if "ratelimit" in name]
    if not named:
        return ()
    windows: list[RateWindow] = []
    for name in named:
        if name == "ratelimit":
            windows += _structured(headers[name], headers.get("ratelimit-policy", ""))
        place = _place(name)
        if place is None:
            continue
        remaining, limit = _amount(headers[name]), headers.get(place.limit, "")
        # A limit below zero is how some say that there is none.
        if remaining is None or limit.startswith("-") or (place.part and remaining):
            continue
        reset = None
        if place.reset in headers:
            # Proxies that join headers leave something after a comma.
            reset = parse_retry_after(headers[place.reset].partition(",")[0], now)
        gradual = place.what == "requests" and place.limit in _GRADUAL
        windows.append(RateWindow(place.what, remaining, _amount(limit) or None, reset, gradual))
    return tuple(windows)


@lru_cache(maxsize=256)
def _place(name: str) -> _Place | None:
    """Give the place of a window by the name of the header of its rest."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    counted = found["front"] or found["back"] or ""
    if found["by_size"]:
        what = "tokens" if counted in _LENGTHS else None
    else:
        what = "tokens" if counted in _PARTS else _COUNTED.get(counted)
    if what is None:
        return None
    limit, reset = (name.replace("remaining", other) for other in ("limit", "reset"))
    return _Place(what, counted in _PARTS, limit, reset)


def _structured(value: str, policy: str) -> Iterator[RateWindow]:
    """Give the windows of a ``RateLimit`` field; their limits stand in its policy.

    The form is that of draft-ietf-httpapi-ratelimit-headers: a name, ``r`` units left,
    ``t`` seconds to the reset, ``q`` units in all.
    """
    limits = {
        name: fields.get("q") for entry in policy.split(",") for name, fields in _named(entry)
    }
    for entry in value.split(","):
        for name, fields in _named(entry):
            remaining, limit = _amount(fields.get("r", "")), _amount(limits.get(name) or "")
            if remaining is not None:
                yield RateWindow("requests", remaining, limit or None, _amount(fields.get("t", "")))


def _named(entry: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the fields of an entry under every name in it; some policies have two."""
    words = [word.strip() for word in entry.split(";")]
    fields = dict(word.split("=", 1) for word in words if "=" in word)
    names = [word for word in words if "=" not in word] or [""]
    yield from ((name, fields) for name in names)


def _amount(text: str) -> float | None:
    text = text.partition(",")[0].strip()
    if not _NUMBER.fullmatch(text):
        return None
    amount = float(text)
    return amount if amount < _ABSURD else None
