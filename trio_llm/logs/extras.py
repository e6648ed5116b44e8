"""The fields of a record as plain values, for those who read logs by machine."""

import math
from decimal import Decimal
from typing import Any, Final, cast

import attrs

from trio_llm.chat import Cost
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
        value = getattr(event, name)
        if value is not None and name != quoting:
            told[name] = value if type(value) in _PLAIN else _plain(value)
    return told


_PLAIN: Final = frozenset({str, int, bool})


def _plain(value: object) -> Any:
    if isinstance(value, float | Decimal):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, Cost):
        return {"amount": float(value.amount), "certainty": value.certainty.word}
    if isinstance(value, tuple):
        return [_plain(each) for each in cast("tuple[object, ...]", value)]
    if attrs.has(type(value)):
        record = cast("attrs.AttrsInstance", value)
        names = [each.name for each in attrs.fields(type(record))]
        return {name: _plain(getattr(record, name)) for name in names}
    return value if value is None or type(value) in _PLAIN else str(value)
