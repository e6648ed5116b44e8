"""Judges a value by the JSON schemas that this library writes; knows no other keywords."""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

KNOWN = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "anyOf",
    "enum",
    "format",
    "description",
    "$ref",
    "$defs",
}
_TYPES: dict[str, Callable[[Any], bool]] = {
    "any": lambda _value: True,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: (
        not isinstance(value, bool) and isinstance(value, (int, float)) and value == int(value)
    ),
    "number": lambda value: not isinstance(value, bool) and isinstance(value, (int, float)),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_FORMATS: dict[str, Callable[[str], object]] = {
    "date-time": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "uuid": uuid.UUID,
}


def fits(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any] | None = None) -> bool:
    """Tell whether a value is valid."""
    whole = schema if whole is None else whole
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        target = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return fits(value, target, whole)
    branches, choices = schema.get("anyOf"), schema.get("enum", [value])
    if not (
        (branches is None or any(fits(value, branch, whole) for branch in branches))
        and any(
            choice == value and isinstance(choice, bool) is isinstance(value, bool)
            for choice in choices
        )
        and _TYPES[schema.get("type", "any")](value)
    ):
        return False
    if isinstance(value, dict):
        return _fits_object(cast("dict[str, Any]", value), schema, whole)
    if isinstance(value, list):
        return _fits_array(cast("Sequence[Any]", value), schema, whole)
    return _fits_format(value, schema.get("format"))


def _fits_object(
    value: dict[str, Any], schema: Mapping[str, Any], whole: Mapping[str, Any]
) -> bool:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", {})
    for key, item in value.items():
        rule = properties.get(key, others)
        if rule is False or not fits(item, rule, whole):
            return False
    return all(key in value for key in schema.get("required", ()))


def _fits_array(value: Sequence[Any], schema: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    first = schema.get("prefixItems", [])
    rules = [*first, *[schema.get("items", {})] * (len(value) - len(first))]
    if schema.get("uniqueItems") and any(item in value[:at] for at, item in enumerate(value)):
        return False
    return all(fits(item, rule, whole) for item, rule in zip(value, rules, strict=False))


def _fits_format(value: Any, name: str | None) -> bool:
    if name is None or not isinstance(value, str):
        return True
    try:
        _FORMATS[name](value)
    except ValueError:
        return False
    return True
