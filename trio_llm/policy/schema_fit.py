"""Whether a decoded JSON value may fit a JSON schema, as far as one can say cheaply."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs

_MOST_STEPS: Final = 10_000
_DEEPEST: Final = 64


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value % 1 == 0,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def fits(value: Any, schema: Any) -> bool:
    """Tell whether a value may fit a schema: false only where it certainly does not.

    Looked at are ``type``, ``enum``, ``const``, ``properties``, ``required``,
    ``additionalProperties``, ``items``, ``prefixItems``, ``anyOf``, ``oneOf`` (as if it
    were ``anyOf``), ``allOf``, references within the schema, and the bounds of numbers,
    strings and arrays. Other keywords, keywords that are themselves malformed, what is
    nested more than 64 deep, and what is left after 10,000 steps count as fitting: no
    schema makes this slow, and none makes it raise.

    Args:
        value: Decoded JSON.
        schema: A JSON schema.
    """
    return _Judge(schema).fits(value, schema, _DEEPEST)


def is_of_type(value: Any, schema: Any) -> bool:
    """Tell whether a value is of the type that stands at the top of a schema, if any does."""
    return _has_type(value, _table(schema).get("type"))


def has_required(value: Any, schema: Any) -> bool:
    """Tell whether an object has the fields that the top of a schema requires."""
    required = _names(_table(schema).get("required"))
    return not isinstance(value, dict) or all(name in value for name in required)


@attrs.define
class _Judge:
    """Walks a value and a schema together, with a limit on the steps it takes."""

    whole: Any
    steps: int = _MOST_STEPS

    def fits(self, value: Any, schema: Any, deepest: int) -> bool:
        self.steps -= 1
        if isinstance(schema, bool):
            return schema
        if self.steps < 0 or deepest == 0 or not isinstance(schema, Mapping):
            return True
        rules = cast("Mapping[str, Any]", schema)
        return (
            _has_type(value, rules.get("type"))
            and _is_among(value, rules)
            and _is_within(value, rules)
            and self._fits_parts(value, rules, deepest - 1)
            and self._fits_branches(value, rules, deepest - 1)
        )

    def _fits_branches(self, value: Any, rules: Mapping[str, Any], deepest: int) -> bool:
        reference = rules.get("$ref")
        if isinstance(reference, str) and not self.fits(
            value, _target(self.whole, reference), deepest
        ):
            return False
        if not all(self.fits(value, branch, deepest) for branch in _list(rules.get("allOf"))):
            return False
        choices = [_list(rules.get(name)) for name in ("anyOf", "oneOf")]
        return all(
            any(self.fits(value, branch, deepest) for branch in branches)
            for branches in choices
            if branches
        )

    def _fits_parts(self, value: Any, rules: Mapping[str, Any], deepest: int) -> bool:
        if isinstance(value, dict):
            return self._fits_object(cast("dict[str, Any]", value), rules, deepest)
        if isinstance(value, list):
            return self._fits_array(cast("Sequence[Any]", value), rules, deepest)
        return True

    def _fits_object(self, value: dict[str, Any], rules: Mapping[str, Any], deepest: int) -> bool:
        if not has_required(value, rules):
            return False
        properties = _table(rules.get("properties"))
        # Which keys are additional is not known where patterns name some of them.
        others = True if "patternProperties" in rules else rules.get("additionalProperties", True)
        return all(
            self.fits(item, properties.get(key, others), deepest) for key, item in value.items()
        )

    def _fits_array(self, value: Sequence[Any], rules: Mapping[str, Any], deepest: int) -> bool:
        first = _list(rules.get("prefixItems"))
        others = rules.get("items", True)
        return all(
            self.fits(item, first[place] if place < len(first) else others, deepest)
            for place, item in enumerate(value)
        )


def _has_type(value: Any, wanted: Any) -> bool:
    names = [wanted] if isinstance(wanted, str) else _names(wanted)
    checks = [_TYPES[name] for name in names if name in _TYPES]
    # A name that nobody knows may mean anything.
    return len(checks) < len(names) or not checks or any(check(value) for check in checks)


def _is_among(value: Any, rules: Mapping[str, Any]) -> bool:
    choices = [rules["const"]] if "const" in rules else _list(rules.get("enum"))
    return not choices or any(
        choice == value and isinstance(choice, bool) is isinstance(value, bool)
        for choice in choices
    )


def _is_within(value: Any, rules: Mapping[str, Any]) -> bool:
    if isinstance(value, str):
        size: Any = len(value)
        least, most = rules.get("minLength"), rules.get("maxLength")
    elif isinstance(value, list):
        size = len(cast("Sequence[Any]", value))
        least, most = rules.get("minItems"), rules.get("maxItems")
    elif _is_number(value):
        size, least, most = value, rules.get("minimum"), rules.get("maximum")
        above, below = rules.get("exclusiveMinimum"), rules.get("exclusiveMaximum")
        if (_is_number(above) and size <= above) or (_is_number(below) and size >= below):
            return False
    else:
        return True
    return not (_is_number(least) and size < least) and not (_is_number(most) and size > most)


def _target(whole: Any, reference: str) -> Any:
    """Find what a reference means; one that leads nowhere allows everything."""
    if not reference.startswith("#"):
        return True
    node = whole
    for step in reference[1:].split("/")[1:]:
        node = _table(node).get(step.replace("~1", "/").replace("~0", "~"), True)
    return node


def _table(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else ()


def _names(value: Any) -> list[str]:
    return [name for name in _list(value) if isinstance(name, str)]
