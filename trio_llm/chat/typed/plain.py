"""How plain values are read: a number is no string, and 1 is not true."""

import datetime as dt
import enum
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, get_args

from trio_llm.chat.typed.faults import Unfit, mismatch

Hook: TypeAlias = Callable[[Any, Any], Any]


def _flag(value: Any, _hint: Any) -> bool:
    if type(value) is not bool:
        raise mismatch("a boolean", value)
    return value


def _integer(value: Any, _hint: Any) -> int:
    if type(value) is float and value.is_integer():  # JSON knows one kind of number
        return int(value)
    if type(value) is not int:
        raise mismatch("an integer", value)
    return value


def _number(value: Any, _hint: Any) -> float:
    if type(value) not in (int, float):
        raise mismatch("a number", value)
    try:
        return float(value)
    except OverflowError:
        raise Unfit(((), "is too large a number")) from None


def _string(value: Any, _hint: Any) -> str:
    if type(value) is not str:
        raise mismatch("a string", value)
    return value


def _parsed(wanted: str, parse: Callable[[str], Any]) -> Hook:
    def hook(value: Any, hint: Any) -> Any:
        try:
            return parse(_string(value, hint))
        except ValueError:
            raise Unfit(((), f"expected {wanted}")) from None

    return hook


def _chosen(value: Any, choices: Iterable[Any]) -> Any:
    known = list(choices)
    for choice in known:
        same = type(choice) is type(value) or {type(choice), type(value)} == {int, float}
        if same and choice == value:
            return choice
    raise Unfit(((), f"expected one of {', '.join(json.dumps(choice) for choice in known)}"))


def is_enum(hint: Any) -> bool:
    """Tell whether a type is an enumeration."""
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def read_member(value: Any, hint: Any) -> Any:
    """Read a member of an enumeration, by its value."""
    return hint(_chosen(value, [member.value for member in hint]))


def read_choice(value: Any, hint: Any) -> Any:
    """Read one of the values of a ``Literal``."""
    return _chosen(value, get_args(hint))


def read_null(value: Any, _hint: Any) -> None:
    """Read nothing."""
    if value is not None:
        raise mismatch("null", value)


def read_anything(value: Any, _hint: Any) -> Any:
    """Give the value as it is."""
    return value


def _or_member(hook: Hook) -> Hook:
    """Read a plain type, or an enumeration derived from it, which cattrs takes for the same."""
    return lambda value, hint: read_member(value, hint) if is_enum(hint) else hook(value, hint)


HOOKS: Final[Mapping[type, Hook]] = {
    cls: _or_member(hook)
    for cls, hook in {
        bool: _flag,
        int: _integer,
        float: _number,
        str: _string,
        dt.datetime: _parsed("a date and time", dt.datetime.fromisoformat),
        dt.date: _parsed("a date", dt.date.fromisoformat),
        dt.time: _parsed("a time of day", dt.time.fromisoformat),
        uuid.UUID: _parsed("a UUID", uuid.UUID),
    }.items()
}
"""How each plain type is read."""
