"""Amounts of money and dates as a configuration writes them.

A number of a file comes as a float; its shortest decimal is what was written. A string can
hold more digits than a float.
"""

import math
import re
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

from trio_llm.config.rules import expected

Figure: TypeAlias = float | str | Decimal
"""An amount, as it may be given."""

_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOST: Final = Decimal(1_000_000)
"""US dollars; beyond it a figure is a mistake, or in another unit."""


def to_figure(value: Figure) -> Decimal:
    """Give an amount as a decimal; a value of another type goes through, for its check to name."""
    exact: Any = value
    if isinstance(value, int) and not isinstance(value, bool):
        exact = Decimal(value)
    elif isinstance(value, float) and math.isfinite(value):
        exact = Decimal(repr(float(value)))
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        exact = Decimal(value)
    return cast("Decimal", exact)


def to_optional_figure(value: Figure | None) -> Decimal | None:
    """Give an amount as `to_figure` does, or ``None``."""
    return None if value is None else to_figure(value)


def is_figure(value: object) -> str | None:
    """Demand an amount of US dollars that is not negative."""
    if isinstance(value, str):
        return "not a number; give one such as 0.15"
    if isinstance(value, bool) or not isinstance(value, float | Decimal):
        return expected("a number", value)
    if value.is_nan() if isinstance(value, Decimal) else math.isnan(value):
        return "not a number; give one"
    if 0 <= value <= _MOST:
        return None
    limit = "0 or more" if value < 0 else f"{_MOST:,} or less"
    return f"{float(value):g} is out of range; give {limit}"


def is_optional_figure(value: object) -> str | None:
    """Demand such an amount, or nothing."""
    return None if value is None else is_figure(value)


def written(value: Decimal) -> float | str:
    """Give an amount as a file can hold it: a number, or a string if that has too few digits."""
    number = float(value)
    return number if Decimal(repr(number)) == value else f"{value:f}"


def to_date(value: object) -> object:
    """Give a date of a text that is one; anything else goes through."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


def is_date(value: object) -> str | None:
    """Demand a date without a time."""
    if type(value) is date:
        return None
    if isinstance(value, str | date):
        return "not a date; give one such as 2026-01-31"
    return expected("a date", value)


def is_threshold(value: object) -> str | None:
    """Demand a number of tokens."""
    if isinstance(value, bool) or not isinstance(value, int):
        return expected("an integer", value)
    return None if value >= 1 else f"{value} is out of range; give 1 or more"
