"""The fields of a record as plain values, for those who read logs by machine."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import attrs

from trio_llm.chat import Cost, Usage
from trio_llm.events import Event
from trio_llm.logs.sentences import QUOTING

_CONTENT: Final = "content"
_names: Final[dict[type[Event], tuple[str, ...]]] = {}


def extras(event: Event, *, content: bool) -> dict[str, Any]:
    """Give the kind and the fields of a record that are known, as JSON could hold them.

    What was asked and answered is never among them.

    Args:
        event: The record.
        content: Whether reasons may be told that may quote it.
    """
    kind = type(event)
    names = _names.get(kind)
    if names is None:
        names = tuple([each.name for each in attrs.fields(kind) if each.name != _CONTENT])
        _names[kind] = names
    quoting = None if content else QUOTING.get(kind)
    told: dict[str, Any] = {"kind": kind.__name__}
    for name in names:
        value: object = getattr(event, name)
        if value is not None and name != quoting:
            told[name] = _PLAIN.get(type(value), str)(value)
    return told


def _number(value: float | Decimal) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _cost(cost: Cost) -> dict[str, Any]:
    return {"amount": float(cost.amount), "certainty": cost.certainty.word}


def _usage(usage: Usage) -> dict[str, int]:
    return {name: getattr(usage, name) for name in _TOKENS}


def _list(values: tuple[object, ...]) -> list[Any]:
    return [
        each if each is None else _PLAIN.get(type(each), str)(each)  # names, mostly
        for each in values
    ]


def _itself(value: Any) -> Any:
    return value


_TOKENS: Final = tuple([field.name for field in attrs.fields(Usage)])
_PLAIN: Final[Mapping[type, Callable[[Any], Any]]] = MappingProxyType(
    {
        str: _itself,
        int: _itself,
        bool: _itself,
        float: _number,
        Decimal: _number,
        tuple: _list,
        Cost: _cost,
        Usage: _usage,
    }
)
