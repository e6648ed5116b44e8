"""What a setting may be: checks of single values, collected rather than raised.

Nothing here says what a value *was*, only what type it had: a key that was put
into the wrong place must not come back in an error.
"""

import difflib
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeGuard, cast

import attrs

Check: TypeAlias = Callable[[object], str | None]
"""Looks at a value; gives what is wrong with it and the remedy, or ``None``."""

_CHECK: Final = "trio_llm.check"
_ITEMS: Final = "trio_llm.items"
_RECORD: Final = "trio_llm.record"
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def is_table(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether a value is a table, whatever its annotation says."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value is a list, whatever its annotation says."""
    return isinstance(value, list | tuple)


def is_word(value: object) -> TypeGuard[str]:
    """Whether a value is a string with something in it, whatever its annotation says."""
    return isinstance(value, str) and value != ""


def to_table(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy a table; a value of another type goes through, for its check to name."""
    return dict(value) if is_table(value) else value


def to_tables(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy a table and the tables in it, as `to_table` does."""
    return {key: to_table(entry) for key, entry in value.items()} if is_table(value) else value


def under(path: str, key: str | int) -> str:
    """Give the path of an entry: ``path.key``, or ``path[key]`` for an index."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    return f"{path}.{name}" if path else name


def described(value: object) -> str:
    """Name a value's type in the words of a configuration file."""
    words: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a boolean"),
        (int, "an integer"),
        (float, "a number"),
        (str, "a string"),
        (Mapping, "a table"),
        ((list, tuple), "a list"),
        (type(None), "nothing"),
    )
    for types, text in words:
        if isinstance(value, types):
            return text
    return f"an object of type {type(value).__name__}"


def quoted(word: str) -> str:
    """Give a word in quotes, on one line and not longer than a line."""
    return json.dumps(word if len(word) <= 60 else word[:57] + "...", ensure_ascii=False)


def suggestion(word: str, known: Collection[str]) -> str:
    """Give the remedy for an unknown word: the nearest known one, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"did you mean {quoted(near[0])}?"
    return f"known are {', '.join(known)}" if known else "there are none"


def expected(what: str, value: object) -> str:
    """Say that a value has the wrong type."""
    return f"expected {what}, found {described(value)}"


def number(
    *, minimum: float = 0.0, above: bool = False, maximum: float = math.inf, optional: bool = False
) -> dict[str, Check]:
    """Demand a number within limits; an integer will do, a boolean will not.

    Args:
        minimum: The least value.
        above: Whether `minimum` itself is too little.
        maximum: The greatest value.
        optional: Whether ``None`` is allowed.
    """

    def check(value: object) -> str | None:
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return expected("a number", value)
        try:
            value = float(value)
        except OverflowError:
            return "too large; give a number that a float can hold"
        if math.isnan(value):
            return "not a number; give one"
        if value < minimum or (above and value == minimum) or value > maximum:
            least = f"more than {minimum:g}" if above else f"{minimum:g} or more"
            most = "" if math.isinf(maximum) else f" and {maximum:g} or less"
            return f"{value:g} is out of range; give {least}{most}"
        return None

    return {_CHECK: check}


def integer(*, minimum: int | None = None, optional: bool = False) -> dict[str, Check]:
    """Demand an integer of at least `minimum`."""

    def check(value: object) -> str | None:
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            return expected("an integer", value)
        if minimum is not None and value < minimum:
            return f"{value} is out of range; give {minimum} or more"
        return None

    return {_CHECK: check}


def text(*, optional: bool = False, empty: bool = False) -> dict[str, Check]:
    """Demand a string."""

    def check(value: object) -> str | None:
        if value is None and optional:
            return None
        if not isinstance(value, str):
            return expected("a string", value)
        return None if value or empty else "an empty string; give a value or leave the key out"

    return {_CHECK: check}


def flag(*, optional: bool = False) -> dict[str, Check]:
    """Demand ``true`` or ``false``."""

    def check(value: object) -> str | None:
        if isinstance(value, bool) or (value is None and optional):
            return None
        return expected("true or false", value)

    return {_CHECK: check}


def choice(known: Collection[str], what: str, *, optional: bool = False) -> dict[str, Check]:
    """Demand one of some words; `what` says what they are."""

    def check(value: object) -> str | None:
        if value is None and optional:
            return None
        if not isinstance(value, str):
            return expected("a string", value)
        return None if value in known else f"no {what} {quoted(value)}; {suggestion(value, known)}"

    return {_CHECK: check}


def custom(check: Check, *, items: Check | None = None) -> dict[str, Check]:
    """Demand what `check` demands, and `items` of each entry of a list or table."""
    return {_CHECK: check} if items is None else {_CHECK: check, _ITEMS: items}


def share(value: object) -> str | None:
    """Demand a weight: a number, not negative and not infinite."""
    if value == math.inf:
        return "inf is out of range; give a finite number"
    return number()[_CHECK](value)


def record(cls: type, *, optional: bool = False) -> dict[str, Any]:
    """Demand a nested record; its own settings are looked at one by one."""

    def check(value: object) -> str | None:
        if (value is None and optional) or isinstance(value, cls):
            return None
        if is_table(value):  # tables of a file are records by now
            return f"expected {cls.__name__}(...), found a dict"
        return expected(f"a table (in code, {cls.__name__})", value)

    return {_CHECK: check, _RECORD: cls}


def record_of(field: "attrs.Attribute[Any]") -> type[attrs.AttrsInstance] | None:
    """Give the class of the nested record that a setting holds, if it holds one."""
    return field.metadata.get(_RECORD)


def key_of(field: "attrs.Attribute[Any]") -> str:
    """Give a setting's key in a file; ``class`` is no name in Python."""
    return "class" if field.name == "cls" else field.name


def _entries(value: object) -> Iterator[tuple[str | int, object]]:
    if is_table(value):
        for key, entry in value.items():
            yield str(key), entry
    elif is_sequence(value):
        yield from enumerate(value)


def default_of(field: "attrs.Attribute[Any]") -> object:
    """Give a setting's default; `attrs.NOTHING` where it has none."""
    default = field.default
    # To type checkers `attrs.Factory` is a function.
    factory = isinstance(default, cast("type", attrs.Factory))
    return cast("Any", default).factory() if factory else default


def faults_of(settings: attrs.AttrsInstance, path: str) -> Iterator[tuple[str, str]]:
    """Check every setting of a record and of the records in it.

    Yields:
        The path of a setting and what is wrong with it.
    """
    for field in attrs.fields(type(settings)):
        check: Check | None = field.metadata.get(_CHECK)
        if check is None:
            continue
        value = getattr(settings, field.name)
        place = under(path, key_of(field))
        problem = check(value)
        if problem is not None:
            yield place, problem
            continue
        if value is not None and record_of(field) is not None:
            yield from faults_of(value, place)
        items: Check | None = field.metadata.get(_ITEMS)
        if items is not None:
            for key, entry in _entries(value):
                flaw = items(entry)
                if flaw is not None:
                    yield under(place, key), flaw
