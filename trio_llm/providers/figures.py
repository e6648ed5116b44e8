"""The figures beside an answer, tokens and dollars, as accounts can take them.

What is plainly meant is put into its form: dollars that are a float, tokens that are a whole
one. Anything else is the failure of its attempt, since a single figure that is no number, or is
below zero, would spoil every sum that it goes into.
"""

import math
import reprlib
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs

from trio_llm.chat import Certainty, Completion, OperationResult, Usage
from trio_llm.errors import MalformedResponseError

MOST_TOKENS: Final = 2**53
"""The largest count that is believed, and that a float holds exactly."""

MOST_DOLLARS: Final = 10**9
"""No attempt costs more."""

_COUNTS: Final = tuple([field.name for field in attrs.fields(Usage)])

R = TypeVar("R", bound=Completion | OperationResult)


def with_sound_figures(result: R) -> R:
    """Give a result with its figures in the form that accounts take.

    Raises:
        MalformedResponseError: One of them is none; the error names the field.
    """
    charged, usage = result.charged, result.usage
    changes: dict[str, Any] = {}
    if charged is not None:
        dollars = _dollars(charged)
        if dollars is not charged:
            changes["charged"] = dollars
        if type(result.certainty) is not Certainty:
            raise _odd("certainty", result.certainty, "a Certainty")
    if usage is not None:
        counted = _counted(usage)
        if counted is not usage:
            changes["usage"] = counted
    return attrs.evolve(result, **changes) if changes else result


def whole(field: str, value: object) -> int:
    """Give a count of tokens.

    Args:
        field: Its name, for the error.
        value: What was given for it.

    Raises:
        MalformedResponseError: It is no whole number, is below zero, or is absurd.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise _odd(field, value, "a whole number")
    count = int(value)
    _demand_within(field, count, MOST_TOKENS)
    return count


def _counted(usage: object) -> Usage:
    if not isinstance(usage, Usage):
        raise _odd("usage", usage, "a Usage")
    changes: dict[str, int] = {}
    for name in _COUNTS:
        value = getattr(usage, name)
        if type(value) is not int or not 0 <= value <= MOST_TOKENS:
            changes[name] = whole(f"usage.{name}", value)
    return attrs.evolve(usage, **changes) if changes else usage


def _dollars(value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        amount = value
    elif isinstance(value, float) and math.isfinite(value):
        amount = Decimal(float.__repr__(value))  # the digits that were written, not their error
    elif isinstance(value, int) and not isinstance(value, bool):
        amount = Decimal(value)
    else:
        raise _odd("charged", value, "an amount of US dollars")
    _demand_within("charged", amount, MOST_DOLLARS)
    return amount


def _demand_within(field: str, value: int | Decimal, most: int) -> None:
    if value < 0:
        raise _malformed(f"{field} is below zero")
    if value > most:
        raise _malformed(f"{field} is more than {most}, which nobody can mean")


def _odd(field: str, value: object, wanted: str) -> MalformedResponseError:
    return _malformed(f"{field} is {reprlib.repr(value)}, and not {wanted}")


def _malformed(message: str) -> MalformedResponseError:
    return MalformedResponseError(message, phase="response")
