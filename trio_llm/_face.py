"""Makes a package's exports look as if they lived in it."""

from types import ModuleType
from typing import Any


def show_at(face: ModuleType) -> None:
    """Rewrite ``__module__`` of what a face exports, so that users see one address.

    What a face imports only when it is asked for, it rewrites itself.
    """
    exported: list[Any] = [vars(face)[name] for name in face.__all__ if name in vars(face)]
    for thing in exported:
        if getattr(thing, "__module__", "").startswith("trio_llm"):
            thing.__module__ = face.__name__
