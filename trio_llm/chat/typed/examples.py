"""A value that fits a JSON schema, as small as it can be."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

_FORMATS: Final = {
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
_DEFINED: Final = "#/$defs/"


class _Endless(Exception):  # noqa: N818 - never leaves this file
    """A class that needs itself."""


def example_of(schema: Mapping[str, Any]) -> Any:
    """Give a value that fits a schema as `schema_of` writes it.

    A string holds the name of its field. Of a schema with rules that this library
    does not write, a value comes out all the same, that may not fit.
    """
    try:
        return _example(schema, "value", schema.get("$defs", {}), frozenset())
    except _Endless:
        return None


def _example(
    schema: Mapping[str, Any], name: str, defined: Mapping[str, Any], inside: frozenset[str]
) -> Any:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = reference.removeprefix(_DEFINED)
        if target in inside or target not in defined:
            raise _Endless
        return _example(defined[target], name, defined, inside | {target})
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return _first_that_ends(branches, name, defined, inside)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next(iter(cast("Sequence[Any]", kind)), None)
    if kind == "object":
        properties = schema.get("properties", {})
        return {
            key: _example(properties.get(key, {}), key, defined, inside)
            for key in schema.get("required", ())
        }
    if kind == "array":
        return _items(schema, name, defined, inside)
    return _scalar(schema, kind, name)


def _scalar(schema: Mapping[str, Any], kind: object, name: str) -> Any:
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), name)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return False if kind == "boolean" else None


def _items(
    schema: Mapping[str, Any], name: str, defined: Mapping[str, Any], inside: frozenset[str]
) -> list[Any]:
    first = schema.get("prefixItems", [])
    count = max(schema.get("minItems", 0), len(first))
    items = [*first, *[schema.get("items", {})] * (count - len(first))]
    return [_example(item, name, defined, inside) for item in items]


def _first_that_ends(
    branches: list[Any], name: str, defined: Mapping[str, Any], inside: frozenset[str]
) -> Any:
    for branch in branches:
        try:
            return _example(branch, name, defined, inside)
        except _Endless:
            continue
    raise _Endless
