"""The fields of a record as plain values, for those who read logs by machine."""

import math
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import attrs

from trio_llm.chat import Cost, Usage
from trio_llm.events import Event
from trio_llm.logs.sentences import QUOTING

_CONTENT: Final = "content"
_AS_IT_IS: Final = frozenset({str, int, bool})


@attrs.frozen
class _Fields:
    """The fields of one class of records, and how to get at them all at once."""

    names: tuple[str, ...]
    values: Callable[[Event], tuple[object, ...]]


def extras(event: Event, *, content: bool) -> dict[str, Any]:
    """Give the kind and the fields of a record that are known, as JSON could hold them.

    What was asked and answered is never among them.

    Args:
        event: The record.
        content: Whether reasons may be told that may quote it.
    """
    kind = type(event)
    fields = _fields_of(kind)
    told: dict[str, Any] = {"kind": kind.__name__}
    for name, value in zip(fields.names, fields.values(event), strict=True):
        if value is None:
            continue
        form = type(value)
        told[name] = value if form in _AS_IT_IS else _PLAIN.get(form, str)(value)
    if not content:
        told.pop(QUOTING.get(kind, ""), None)
    return told


_known: Final[dict[type[Event], _Fields]] = {}


def _fields_of(kind: type[Event]) -> _Fields:
    fields = _known.get(kind)
    if fields is None:
        names = tuple([field.name for field in attrs.fields(kind) if field.name != _CONTENT])
        fields = _known[kind] = _Fields(names, attrgetter(*names))
    return fields


def _number(value: float | Decimal) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _cost(cost: Cost) -> dict[str, Any]:
    return {"amount": float(cost.amount), "certainty": cost.certainty.word}


def _usage(usage: Usage) -> dict[str, int]:
    return {name: getattr(usage, name) for name in _TOKENS}


def _list(values: tuple[object, ...]) -> list[Any]:
    return [
        each if each is None or type(each) in _AS_IT_IS else _PLAIN.get(type(each), str)(each)
        for each in values
    ]


_TOKENS: Final = tuple([field.name for field in attrs.fields(Usage)])
_PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    float: _number,
    Decimal: _number,
    tuple: _list,
    Cost: _cost,
    Usage: _usage,
}
