"""A configuration as TOML, written in one step."""

import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from types import FunctionType
from typing import Any, cast

import attrs
import tomli_w

from trio_llm.chat import Capability
from trio_llm.config.census import Place
from trio_llm.config.custom import import_object
from trio_llm.config.faults import Faults
from trio_llm.config.figures import written
from trio_llm.config.rules import (
    default_of,
    faults_of,
    is_sequence,
    is_table,
    key_of,
    quoted,
    under,
)
from trio_llm.config.schema import BALANCERS, Provider
from trio_llm.config.shapes import key_headers
from trio_llm.disk import write_whole


def _plain(value: object) -> Any:
    if attrs.has(type(value)):
        return _table(cast("attrs.AttrsInstance", value))
    if is_table(value):
        return {key: _plain(item) for key, item in value.items()}
    if is_sequence(value):
        return [_plain(item) for item in value]
    return _single(value)


def _single(value: object) -> Any:
    """Give a value that holds no others."""
    if isinstance(value, Capability):
        return value.value
    if isinstance(value, Decimal):
        return written(value)
    if isinstance(value, type | FunctionType):
        return f"{value.__module__}:{value.__qualname__}"
    return value


def _table(record: attrs.AttrsInstance) -> dict[str, Any]:
    """Give the settings that differ from their defaults, by key."""
    table: dict[str, Any] = {"kind": record.kind} if isinstance(record, BALANCERS) else {}
    for field in attrs.fields(type(record)):
        value = getattr(record, field.name)
        if value is not None and value != default_of(field):
            table[key_of(field)] = _plain(value)
    return table


def _name_problem(named: object, what: str) -> str | None:
    """Say why something of the user's own code cannot be written down by its name."""
    if named is None or isinstance(named, str):
        return None
    if not isinstance(named, type | FunctionType):
        return f"an instance cannot be written to a file; give its {what}"
    try:
        same = import_object(f"{named.__module__}:{named.__qualname__}", what, "name") is named
    except LookupError:
        same = False
    if named.__module__ == "__main__" or not same:
        return f"the {what} {named.__qualname__} cannot be imported by name; move it into a module"
    return None


def _add_unwritable(places: Iterable[Place], faults: Faults) -> None:
    seen: dict[int, str] = {}
    for place in places:
        node = place.node
        first = seen.setdefault(id(node), place.path)
        if first != place.path and node.name is None and place.key is None:
            faults.add(place.path, f"the same object as {first}; give it a name to write it twice")
        if first != place.path:
            continue
        if not isinstance(node, Provider):
            for setting, what in (("scorer", "function"), ("selection", "class")):
                problem = _name_problem(getattr(node, setting, None), what)
                if problem is not None:
                    faults.add(under(place.path, setting), problem)
            continue
        if node.api_key is not None:
            what = "a callable" if callable(node.api_key) else "a key"
            faults.add(
                under(place.path, "api_key"),
                f"{what} is never written to a file; use api_key_env",
            )
        for name in key_headers(node.headers):
            faults.add(
                under(under(place.path, "headers"), name),
                "a key is never written to a file; use api_key_env",
            )
        problem = _name_problem(node.cls, "class")
        if problem is not None:
            faults.add(under(place.path, "class"), problem)


def _encoded(record: attrs.AttrsInstance, source: str) -> bytes:
    problem = ""
    try:
        return tomli_w.dumps(_table(record)).encode("utf-8")
    except (TypeError, ValueError) as error:
        # A value may be part of the message of an encoding error.
        problem = type(error).__name__ if isinstance(error, UnicodeError) else str(error)
    faults = Faults()
    faults.add("", f"a value in it cannot be written as TOML ({problem})")
    faults.raise_if_any(source)
    raise AssertionError  # pragma: no cover - the line above always raises


def write(record: attrs.AttrsInstance, places: list[Place], path: str | os.PathLike[str]) -> None:
    """Write a configuration and its `places` as TOML, in the place of what was there.

    A reader sees the old file or the new one, never a part.

    Raises:
        ConfigError: It holds what no file may, or wrong values.
        OSError: The file cannot be written.
    """
    source = f"cannot save {quoted(str(path))}"
    faults = Faults()
    faults.extend(faults_of(record, ""))
    for place in {id(place.node): place for place in places}.values():
        faults.extend(faults_of(place.node, place.path))
    _add_unwritable(places, faults)
    faults.raise_if_any(source)
    write_whole(Path(path), _encoded(record, source))
