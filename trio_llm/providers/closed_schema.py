"""Whether a schema is closed: of a fixed set of keywords, nothing open, nothing endless.

Constrained decoding compiles a schema into a grammar before the model writes. Some
providers refuse what their compiler lacks in place of leaving it unchecked.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

# platform.claude.com/docs/en/build-with-claude/structured-outputs: no recursion, no
# bounds on numbers and lengths, no object with open keys, at most one item demanded.
_NOTES: Final = frozenset({"description", "title", "default", "format"})
_VALUES: Final = frozenset({"type", "enum", "const", "$ref"})
_KEYWORDS: Final = (
    _NOTES
    | _VALUES
    | {"properties", "required", "additionalProperties", "items", "minItems", "anyOf"}
)
_DEFINITIONS: Final = ("$defs", "definitions")


def is_closed(schema: Mapping[str, Any]) -> bool:
    """Tell whether a provider that takes only closed schemas takes this one."""
    definitions = {
        f"#/{key}/{name}": body
        for key in _DEFINITIONS
        for name, body in _table(schema, key).items()
    }
    top = {key: value for key, value in schema.items() if key not in _DEFINITIONS}
    references: dict[str, set[str]] = {}
    for place, body in (("#", top), *definitions.items()):
        found = _references(body)
        if found is None or not found <= definitions.keys():
            return False
        references[place] = found
    return not _has_circle(references)


def _references(body: Any) -> set[str] | None:
    """Give what a schema refers to; ``None`` where a part of it is not closed."""
    found: set[str] = set()
    rest: list[Any] = [body]
    while rest:
        part = rest.pop()
        if not isinstance(part, Mapping):
            return None
        node = cast("Mapping[str, Any]", part)
        if not _is_closed_node(node):
            return None
        if "$ref" in node:
            found.add(str(node["$ref"]))
        rest += _table(node, "properties").values()
        rest += cast("Iterable[Any]", node.get("anyOf", ()))
        if "items" in node:
            rest.append(node["items"])
    return found


def _is_closed_node(node: Mapping[str, Any]) -> bool:
    if not node.keys() <= _KEYWORDS or node.get("minItems", 0) not in (0, 1):
        return False
    if "properties" in node or node.get("type") == "object":
        return node.get("additionalProperties") is False
    if node.get("type") == "array" and "items" not in node:
        return False
    return not node.keys().isdisjoint(_VALUES | {"anyOf"})


def _has_circle(references: dict[str, set[str]]) -> bool:
    while references:
        ends = {place for place, found in references.items() if not found}
        if not ends:
            return True
        references = {
            place: found - ends for place, found in references.items() if place not in ends
        }
    return False


def _table(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = schema.get(key)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
