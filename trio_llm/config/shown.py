"""How settings that may hold a secret are shown in a repr."""

from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from trio_llm.config.shapes import shown_variable


def names(value: object) -> str:
    """Show the names of a table, and not what they stand for."""
    if not isinstance(value, Mapping):
        return f"<{type(value).__name__}>"
    return (
        "{" + ", ".join(f"{name!r}: ..." for name in cast("Mapping[object, object]", value)) + "}"
    )


def url(value: object) -> str:
    """Show an address that has no credentials in it."""
    try:
        hidden = not isinstance(value, str) or "@" in urlsplit(value).netloc
    except ValueError:
        hidden = True
    return "None" if value is None else "<hidden>" if hidden else repr(value)


def key(value: object) -> str:
    """Show whether there is a key."""
    return "None" if value is None else "<hidden>"


def variables(value: object) -> str:
    """Show the names of environment variables that cannot well be keys."""
    if not isinstance(value, tuple):
        return "<hidden>"
    return f"({', '.join(map(variable, cast('tuple[object, ...]', value)))})"


def variable(value: object) -> str:
    """Show the name of an environment variable that cannot well be a key."""
    named = isinstance(value, str) and shown_variable(value) == value
    return repr(value) if named or value is None else "<hidden>"
