"""From JSON to a value of a Python type, with the path of everything that does not fit.

The shape is read by cattrs, with rules that are stricter than its own.
"""

import datetime as dt
import enum
import json
import types
import uuid
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin

import cattrs
from cattrs import gen
from cattrs.gen import typeddicts

from trio_llm.chat.typed import plain
from trio_llm.chat.typed.faults import Path, Unfit, UnfitValueError, faults_of, mismatch, written
from trio_llm.chat.typed.plain import Hook
from trio_llm.chat.typed.records import annotation_of, fields_of, is_record, is_typed_dict
from trio_llm.chat.typed.schemas import LISTS, SETS, TABLES

T = TypeVar("T")

_MOST_FAULTS = 20


def read_value(value: Any, hint: type[T], place: str = "value") -> T:
    """Make a value of a type from decoded JSON.

    Args:
        value: Decoded JSON.
        hint: A type that `schema_of` can express.
        place: The name of the value, with which every path starts.

    Raises:
        UnfitValueError: It does not fit; every fault is named, up to 20.
        TypeError: The type cannot be read.
    """
    try:
        return _converter.structure(value, hint)
    except cattrs.StructureHandlerNotFoundError as error:
        msg = f"{place}: {error}"
        raise TypeError(msg) from error
    except Exception as error:  # noqa: BLE001 - a class's own validator may raise anything
        raise UnfitValueError(_listed(error, place)) from None


def _listed(error: Exception, place: str) -> list[str]:
    try:
        found = list(faults_of(error))[:_MOST_FAULTS]
    except RecursionError:
        return [f"{place}: is nested too deeply"]
    return [f"{place}{written(path)}: {text}" for path, text in found]


def to_text(value: object) -> str:
    """Write a value for a model: a string as it is, anything else as JSON.

    Raises:
        TypeError: It has no form in JSON.
    """
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return value
    return json.dumps(_converter.unstructure(value), ensure_ascii=False)


def _read_each(items: Iterable[tuple[str | int, Any, Any]]) -> list[Any]:
    """Read the items of a container, each with its step and type; gather all their faults."""
    read: list[Any] = []
    found: list[tuple[Path, str]] = []
    for step, value, hint in items:
        try:
            read.append(_converter.structure(value, hint))
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - a class's own validator may raise anything
            found += [((step, *path), text) for path, text in faults_of(error)]
    if found:
        raise Unfit(*found)
    return read


def _read_list(value: Any, hint: Any) -> Any:
    if type(value) is not list:
        raise mismatch("an array", value)
    items = cast("Sequence[Any]", value)
    origin, args = get_origin(hint) or hint, get_args(hint)
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        if len(items) != len(args):
            raise Unfit(((), f"expected {len(args)} items, not {len(items)}"))
        return tuple(_read_each(zip(range(len(items)), items, args, strict=True)))
    inner = args[0] if args else Any
    read = _read_each((index, item, inner) for index, item in enumerate(items))
    if origin in SETS:
        return set(read) if origin is set else frozenset(read)
    return tuple(read) if origin is tuple else read


def _read_table(value: Any, hint: Any) -> Any:
    if type(value) is not dict:
        raise mismatch("an object", value)
    table = cast("dict[str, Any]", value)
    args = get_args(hint)
    inner = args[1] if args else Any
    read = _read_each((key, item, inner) for key, item in table.items())
    return dict(zip(table, read, strict=True))


def _read_union(value: Any, hint: Any) -> Any:
    """Read the first alternative that fits; blame the one that was most likely meant."""
    alternatives = get_args(hint)
    meant: list[Unfit] = []
    for alternative in alternatives:
        try:
            return _converter.structure(value, alternative)
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - a class's own validator may raise anything
            if _seems_meant(value, annotation_of(alternative)[0]):
                meant.append(Unfit(*faults_of(error)))
    if len(meant) == 1:
        raise meant[0]
    names = ", ".join(_name(alternative) for alternative in alternatives)
    raise Unfit(((), f"fits none of {names}"))


def _seems_meant(value: Any, hint: Any) -> bool:
    """Tell whether a value looks like a failed attempt at a type: its kind, and its tags."""
    origin = get_origin(hint) or hint
    if type(value) is list:
        return _is_list(hint)
    if type(value) is not dict:
        return origin is Literal or plain.is_enum(hint)
    table = cast("dict[str, Any]", value)
    return origin in TABLES or (
        is_record(hint)
        and all(
            table.get(field.name) in get_args(field.hint)
            for field in fields_of(hint)
            if get_origin(field.hint) is Literal
        )
    )


def _name(hint: Any) -> str:
    hint = annotation_of(hint)[0]
    if hint is type(None):
        return "null"
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def _read_annotated(value: Any, hint: Any) -> Any:
    return _converter.structure(value, annotation_of(hint)[0])


def _record_hook(cls: Any, converter: cattrs.Converter) -> Hook:
    fields = fields_of(cls)
    made: Any = typeddicts if is_typed_dict(cls) else gen
    structure: Hook = made.make_dict_structure_fn(cls, converter)
    # The strict form of a schema demands every field, and null for those with a default.
    defaulted = frozenset(
        field.name for field in fields if not field.required and not _takes_null(field.hint)
    )

    def hook(value: Any, hint: Any) -> Any:
        if type(value) is not dict:
            raise mismatch("an object", value)
        table = cast("dict[str, Any]", value)
        if any(table.get(name, ...) is None for name in defaulted):
            table = {
                name: item
                for name, item in table.items()
                if item is not None or name not in defaulted
            }
        return structure(table, hint)

    return hook


def _takes_null(hint: Any) -> bool:
    hint = annotation_of(hint)[0]
    if hint in (None, type(None), Any, object):
        return True
    if _is_choice(hint):
        return None in get_args(hint)
    return _is_union(hint) and any(_takes_null(arg) for arg in get_args(hint))


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _is_choice(hint: Any) -> bool:
    return get_origin(hint) is Literal


def _is_list(hint: Any) -> bool:
    origin = get_origin(hint) or hint
    return origin in LISTS or origin in SETS or origin is tuple


def _is_table(hint: Any) -> bool:
    return (get_origin(hint) or hint) in TABLES


def _is_null(hint: Any) -> bool:
    return hint is None or hint is type(None)


def _is_object(hint: Any) -> bool:
    return hint is object


def _is_annotated(hint: Any) -> bool:
    return hint is not annotation_of(hint)[0]


_COMPOUND: Final[tuple[tuple[Callable[[Any], bool], Hook], ...]] = (
    (_is_object, plain.read_anything),
    (plain.is_enum, plain.read_member),
    (_is_choice, plain.read_choice),
    (_is_null, plain.read_null),
    (_is_table, _read_table),
    (_is_list, _read_list),
    (_is_union, _read_union),
    (_is_annotated, _read_annotated),
)


def _make_converter() -> cattrs.Converter:
    made = cattrs.Converter(
        forbid_extra_keys=True,
        detailed_validation=True,
        use_alias=True,
        unstruct_collection_overrides={AbstractSet: list},
    )
    for cls, hook in plain.HOOKS.items():
        made.register_structure_hook(cls, hook)
    for is_kind, hook in _COMPOUND:
        made.register_structure_hook_func(is_kind, hook)
    made.register_structure_hook_factory(is_record, _record_hook)
    for timely in (dt.datetime, dt.date, dt.time):
        made.register_unstructure_hook(timely, timely.isoformat)
    made.register_unstructure_hook(uuid.UUID, str)
    for collection in (set, frozenset):
        made.register_unstructure_hook(
            collection, lambda items: [made.unstructure(item) for item in items]
        )
    return made


_converter: Final = _make_converter()
