"""From a Python type to its JSON schema (draft 2020-12, as far as providers read it)."""

import datetime as dt
import enum
import types
import uuid
from collections.abc import Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Literal, NewType, Union, cast, get_args, get_origin

import attrs

from trio_llm.chat.typed.records import Field, annotation_of, described, fields_of, is_record

PLAIN: Final[Mapping[Any, dict[str, str]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
    uuid.UUID: {"type": "string", "format": "uuid"},
}
LISTS: Final = frozenset({list, Sequence, MutableSequence, Iterable, Collection})
SETS: Final = frozenset({set, frozenset, AbstractSet})
TABLES: Final = frozenset({dict, Mapping, MutableMapping})

_DEFINED: Final = "#/$defs/"


def schema_of(hint: Any, *, strict: bool = False) -> dict[str, Any]:
    """Write the JSON schema of a type.

    Known are attrs classes, dataclasses and typed dictionaries (a field with a default
    is not required; the docstring, ``Annotated[..., "text"]`` and the metadata
    ``description`` describe it), lists, tuples, sets, dictionaries with string keys,
    unions, `Literal`, enumerations, dates, and the plain types.

    Args:
        hint: The type.
        strict: Write the form that OpenAI demands for ``strict``: every field required,
            those with a default nullable, and nothing open.

    Raises:
        TypeError: A part of it cannot be expressed; the message names the place.
    """
    return _Writer(strict).document(hint)


def object_schema(fields: Iterable[Field], place: str, *, strict: bool = False) -> dict[str, Any]:
    """Write the JSON schema of an object with such fields.

    Raises:
        TypeError: A part of it cannot be expressed; the message names the place.
    """
    writer = _Writer(strict)
    return writer.finish(writer.object(fields, place))


@attrs.define
class _Writer:
    """Writes each class once, and then puts in place those that are used only once."""

    strict: bool
    _names: dict[type, str] = attrs.field(factory=dict[type, str], init=False)
    _bodies: dict[str, dict[str, Any]] = attrs.field(factory=dict[str, dict[str, Any]], init=False)
    _uses: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    _recursive: set[str] = attrs.field(factory=set[str], init=False)

    def document(self, hint: Any) -> dict[str, Any]:
        """Write a type, whose own class stands at the top."""
        inner = annotation_of(hint)[0]
        schema = self.write(hint, getattr(inner, "__name__", str(inner)))
        if is_record(inner):
            schema = self._bodies[self._names[inner]] | {
                key: text for key, text in schema.items() if key == "description"
            }
        return self.finish(schema)

    def finish(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Put in place what is used once; define what is used more often, or in itself."""
        kept = {name for name, uses in self._uses.items() if uses > 1} | self._recursive
        whole = self._placed(schema, kept)
        needed = _referenced(whole)
        defined: dict[str, Any] = {}
        while needed - defined.keys():
            for name in sorted(needed - defined.keys()):
                defined[name] = self._placed(self._bodies[name], kept)
                needed |= _referenced(defined[name])
        return {**whole, "$defs": defined} if defined else whole

    def write(self, hint: Any, place: str) -> dict[str, Any]:
        """Write one type; a class becomes a reference to its body."""
        hint, text = annotation_of(hint)
        schema = self._written(hint, place)
        return _with_description(schema, text)

    def object(self, fields: Iterable[Field], place: str) -> dict[str, Any]:
        """Write an object of fields."""
        properties: dict[str, Any] = {}
        required: list[str] = []
        for field in fields:
            schema = self.write(field.hint, f"{place}.{field.name}")
            if self.strict and not field.required and not _takes_null(schema):
                schema = {"anyOf": [schema, {"type": "null"}]}
            properties[field.name] = _with_description(schema, field.description)
            if field.required or self.strict:
                required.append(field.name)
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def _written(self, hint: Any, place: str) -> dict[str, Any]:
        if isinstance(hint, NewType):
            return self.write(hint.__supertype__, place)
        if isinstance(hint, type) and get_origin(hint) is None and is_record(hint):
            return self._reference(hint, place)
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return _one_of([member.value for member in hint], place)
        if hint is Any or hint is object:
            if self.strict:
                raise _inexpressible(hint, place, "strict schemas have no open values")
            return {}
        if hint in PLAIN:
            return dict(PLAIN[hint])
        return self._compound(hint, get_origin(hint) or hint, get_args(hint), place)

    def _compound(
        self, hint: Any, origin: Any, args: tuple[Any, ...], place: str
    ) -> dict[str, Any]:
        if origin is Literal:
            return _one_of(list(args), place)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.write(arg, place) for arg in args]}
        if origin in LISTS:
            return self._list(args, place)
        if origin in SETS:
            unique = {} if self.strict else {"uniqueItems": True}
            return self._list(args, place) | unique
        if origin is tuple and args:
            return self._tuple(args, place)
        if origin in TABLES:
            return self._table(hint, args, place)
        raise _inexpressible(hint, place)

    def _reference(self, cls: type, place: str) -> dict[str, Any]:
        name = self._names.get(cls)
        if name is None:
            name = cls.__name__
            taken = set(self._names.values())
            number = 1
            while name in taken:
                number += 1
                name = f"{cls.__name__}_{number}"
            self._names[cls] = name
            body = self.object(fields_of(cls), place)
            self._bodies[name] = _with_description(body, described(cls).purpose)
        elif name not in self._bodies:
            self._recursive.add(name)
        self._uses[name] = self._uses.get(name, 0) + 1
        return {"$ref": _DEFINED + name}

    def _list(self, args: tuple[Any, ...], place: str) -> dict[str, Any]:
        return {"type": "array", "items": self.write(args[0] if args else Any, f"{place}[]")}

    def _tuple(self, args: tuple[Any, ...], place: str) -> dict[str, Any]:
        if len(args) == 2 and args[1] is Ellipsis:
            return self._list(args[:1], place)
        if args == ((),):
            raise _inexpressible(tuple[()], place)
        items = [self.write(arg, f"{place}[{index}]") for index, arg in enumerate(args)]
        length = {"minItems": len(args), "maxItems": len(args)}
        if all(item == items[0] for item in items):
            return {"type": "array", "items": items[0], **length}
        if self.strict:
            return {"type": "array", "items": {"anyOf": items}, **length}
        return {"type": "array", "prefixItems": items, **length}

    def _table(self, hint: Any, args: tuple[Any, ...], place: str) -> dict[str, Any]:
        key, value = args or (str, Any)
        if key is not str:
            raise _inexpressible(hint, place, "the keys of a JSON object are strings")
        if self.strict:
            raise _inexpressible(hint, place, "strict schemas have no open objects")
        return {"type": "object", "additionalProperties": self.write(value, f"{place}[*]")}

    def _placed(self, schema: Any, kept: set[str]) -> Any:
        """Replace every reference to a body that is not kept by the body itself."""
        if isinstance(schema, list):
            return [self._placed(item, kept) for item in cast("Sequence[Any]", schema)]
        if not isinstance(schema, dict):
            return schema
        table = cast("dict[str, Any]", schema)
        name = _target(table)
        if name is not None and name not in kept:
            return _with_description(
                self._placed(self._bodies[name], kept), table.get("description", "")
            )
        return {key: self._placed(value, kept) for key, value in table.items()}


def _with_description(schema: dict[str, Any], text: str) -> dict[str, Any]:
    if not text:
        return schema
    if "$ref" in schema:  # OpenAI allows nothing beside a reference
        schema = {"anyOf": [schema]}
    return {**schema, "description": text}


def _target(schema: Mapping[str, Any]) -> str | None:
    """Give the name that a schema refers to, described or not."""
    branches = schema.get("anyOf")
    if isinstance(branches, list) and schema.keys() <= {"anyOf", "description"}:
        only = cast("list[Mapping[str, Any]]", branches)
        return _target(only[0]) if len(only) == 1 else None
    reference = schema.get("$ref")
    return reference.removeprefix(_DEFINED) if isinstance(reference, str) else None


def _referenced(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set[str]().union(*map(_referenced, cast("Sequence[Any]", schema)))
    if not isinstance(schema, dict):
        return set()
    table = cast("dict[str, Any]", schema)
    name = _target(table)
    return {name} if name is not None else set[str]().union(*map(_referenced, table.values()))


def _takes_null(schema: Mapping[str, Any]) -> bool:
    branches = cast("list[Mapping[str, Any]]", schema.get("anyOf", ()))
    return (
        schema.get("type") == "null"
        or None in schema.get("enum", ())
        or any(_takes_null(branch) for branch in branches)
    )


def _one_of(values: list[Any], place: str) -> dict[str, Any]:
    for value in values:
        if type(value) not in (str, int, bool, float, type(None)):
            raise _inexpressible(value, place, "a choice is among strings, numbers and null")
    names = {PLAIN[type(value)]["type"] for value in values}
    return {"type": names.pop(), "enum": values} if len(names) == 1 else {"enum": values}


def _inexpressible(hint: object, place: str, reason: str = "") -> TypeError:
    name = hint.__name__ if isinstance(hint, type) and not get_args(hint) else repr(hint)
    return TypeError(
        f"{place}: {name} cannot be written as a JSON schema"
        f"{f' ({reason})' if reason else ''}; use an attrs class, a dataclass, a TypedDict, "
        "list, dict[str, ...], Literal, an Enum or a plain type"
    )
