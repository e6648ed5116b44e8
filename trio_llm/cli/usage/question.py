"""What is asked of the books: options as they were written, made into a question."""

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from trio_llm.cli.options import unknown_word
from trio_llm.policy.calendar import day_start
from trio_llm.store import DIMENSIONS

_TAG: Final = "tag:"
_KNOWN: Final = (*DIMENSIONS, "tag:NAME")
_AGO: Final = re.compile(r"(\d{1,5})([hdw])")
_SECONDS: Final = {"h": 3600.0, "d": 86_400.0, "w": 604_800.0}


class QuestionError(Exception):
    """An option asks for what cannot be answered; the message names it and the remedy."""


@attrs.frozen
class Question:
    """What is to be summed up.

    Attributes:
        by: What the rows of the table are kept apart by.
        since: From this instant on, in seconds since the epoch; ``None`` means all.
        until: Until before this instant; ``None`` means until now.
        only: For names as in `by`, the value that an attempt must have.
        top: How many rows to show, the greatest; ``None`` means all.
        days: How many days to draw; ``None`` means those of the last thirty that are used.
    """

    by: tuple[str, ...] = ("provider", "model")
    since: float | None = None
    until: float | None = None
    only: dict[str, str] = attrs.field(factory=dict[str, str])
    top: int | None = None
    days: int | None = None


def dimensions(option: str, names: Collection[str]) -> tuple[str, ...]:
    """Give the properties that an option names, each once.

    Raises:
        QuestionError: There is no such property, or none is named.
    """
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    if not found:
        raise QuestionError(f"{option} names nothing; give some of {', '.join(_KNOWN)}")
    for name in found:
        if name.startswith(_TAG) and name != _TAG:
            continue
        problem = unknown_word(option, "property", name, _KNOWN)
        if problem is not None:
            raise QuestionError(problem)
    return found


def conditions(pairs: Sequence[str]) -> dict[str, str]:
    """Give the values that attempts must have, by property.

    Raises:
        QuestionError: One is no pair of a property and its value, or comes twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise QuestionError(f"--only: {pair!r} has no =; write it as in provider=openai")
        (name,) = dimensions("--only", [name])
        if name in found:
            raise QuestionError(f"--only: {name} is given twice; an attempt has one of it")
        found[name] = value
    return found


def instant(option: str, text: str, now: float, time_zone: str) -> float:
    """Give the instant that an option names, in seconds since the epoch, which none precedes.

    Args:
        option: Its name.
        text: A day or a time by the calendar, or so many hours, days or weeks back.
        now: The present instant.
        time_zone: The IANA name of the time zone of the calendar.

    Raises:
        QuestionError: It names none.
    """
    text = text.strip()
    back = _AGO.fullmatch(text)
    if back is not None:
        return max(0.0, now - int(back[1]) * _SECONDS[back[2]])
    try:
        return max(0.0, _by_calendar(text, time_zone))
    except (ValueError, OverflowError, OSError):
        raise QuestionError(
            f"{option}: {text!r} is no time; give a day as 2026-11-01, a time as "
            "2026-11-01T14:00, or how far back, as 7d, 24h or 2w"
        ) from None


def _by_calendar(text: str, time_zone: str) -> float:
    try:
        return day_start(date.fromisoformat(text).isoformat(), time_zone)
    except ValueError:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(time_zone))
    return moment.timestamp()


def check_order(question: Question) -> None:
    """Refuse a time that ends before it begins.

    Raises:
        QuestionError: It does.
    """
    since, until = question.since, question.until
    if since is not None and until is not None and since >= until:
        raise QuestionError("--until is not after --since; nothing lies in between")
