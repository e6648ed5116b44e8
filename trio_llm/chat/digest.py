"""One key for requests that ask the same."""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Protocol, TypeGuard

import attrs

from trio_llm.chat.request import Request

_ASIDE: Final = frozenset(
    {"cache", "metadata", "prefer", "max_attempts", "on_interrupt", "side_effects", "tags"}
)
"""The fields of a request that say nothing of what it asks for."""


class _Digest(Protocol):
    def update(self, content: bytes, /) -> None: ...


def digest_of(request: Request) -> bytes | None:
    """Give a digest (BLAKE2b, 32 bytes) of all in a request that changes the answer.

    The user is part of it, so that nobody is given what was answered to another. The
    function of a tool is not, nor what only says who is asked, how often, and for whom
    it is counted.

    Returns:
        The digest, or ``None`` for a request that is nested too deeply to be read.
    """
    digest = hashlib.blake2b(digest_size=32)
    try:
        for name in _names_of(Request):
            value = getattr(request, name)
            if value is not None and name not in _ASIDE:  # what is not set says so by its absence
                _write(digest, name)
                _write(digest, value)
    except RecursionError:
        return None
    return digest.digest()


def _write(digest: _Digest, value: Any) -> None:
    """Write a value so that no two different ones come out alike."""
    cls = _class_of(value)
    if cls is str:  # first, since most are
        content = value.encode("utf-8", "surrogatepass")
        digest.update(b"str:%d;" % len(content))
        digest.update(content)
    elif _is_list(value):
        digest.update(b"list:%d;" % len(value))
        for item in value:
            _write(digest, item)
    elif _is_table(value):
        digest.update(b"table:%d;" % len(value))
        for key in sorted(value, key=str):
            _write(digest, str(key))
            _write(digest, value[key])
    elif attrs.has(cls):
        names = _names_of(cls)
        digest.update(f"{cls.__name__}:{len(names)};".encode())
        for name in names:
            _write(digest, getattr(value, name))
    else:
        if cls is float and value.is_integer():
            cls, value = int, int(value)  # a temperature of 1 is one of 1.0
        content = value if cls is bytes else str(value).encode("utf-8", "surrogatepass")
        # The length keeps ("ab", "c") apart from ("a", "bc").
        digest.update(f"{cls.__name__}:{len(content)};".encode())
        digest.update(content)


@cache
def _names_of(cls: type[Any]) -> tuple[str, ...]:
    """Give the names of the fields by which two of a class are equal."""
    return tuple([field.name for field in attrs.fields(cls) if field.eq])


def _class_of(value: object) -> type[Any]:
    return type(value)


def _is_table(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)
