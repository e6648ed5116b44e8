"""What a docstring in Google's style says: the purpose, and one line for each name."""

import inspect
import re
from collections.abc import Mapping

import attrs

_NAMED = frozenset({"args", "arguments", "parameters", "attributes", "keyword args"})
_SECTION = re.compile(r"([A-Z][A-Za-z ]*):$")
_ENTRY = re.compile(r"\*{0,2}(\w+)(?: ?\([^)]*\))?:(?:\s+(.*))?$")


@attrs.frozen
class Docstring:
    """A docstring, taken apart.

    Attributes:
        purpose: Everything before the first section.
        names: What it says of each argument or attribute, on one line each.
    """

    purpose: str = ""
    names: Mapping[str, str] = attrs.field(factory=dict[str, str])


def read_docstring(text: str | None) -> Docstring:
    """Take a docstring apart; sections of other kinds are left out."""
    if not text:
        return Docstring()
    purpose: list[str] = []
    named: list[str] = []
    target: list[str] | None = purpose
    for line in inspect.cleandoc(text).splitlines():
        section = _SECTION.match(line)
        if section is not None:
            target = named if section[1].lower() in _NAMED else None
        elif target is not None:
            target.append(line)
    return Docstring("\n".join(purpose).strip(), _entries(named))


def _entries(lines: list[str]) -> dict[str, str]:
    entries: dict[str, list[str]] = {}
    first = next((line for line in lines if line.strip()), "")
    margin = len(first) - len(first.lstrip())
    current: list[str] | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        entry = _ENTRY.match(line.strip()) if indent == margin else None
        if entry is not None:
            current = entries.setdefault(entry[1], [])
            current.append(entry[2] or "")
        elif current is not None and indent > margin:
            current.append(line.strip())
    return {name: " ".join(filter(None, said)) for name, said in entries.items()}
