"""One key for requests that ask the same."""

import hashlib
from collections.abc import Mapping
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeGuard

import attrs

from trio_llm.chat.messages import Message, Text
from trio_llm.chat.request import Request

_ASIDE: Final = frozenset(
    {"cache", "metadata", "prefer", "max_attempts", "on_interrupt", "side_effects", "tags"}
)
"""The fields of a request that say nothing of what it asks for."""


def digest_of(request: Request) -> bytes | None:
    """Give a digest (BLAKE2b, 32 bytes) of all in a request that changes the answer.

    The user is part of it, so that nobody is given what was answered to another. The
    function of a tool is not, nor what only says who is asked, how often, and for whom
    it is counted.

    Returns:
        The digest, or ``None`` for a request that is nested too deeply to be read.
    """
    pieces: list[bytes] = []
    try:
        for field, value in zip(_FIELDS, _values_of(request), strict=True):
            if value is None:  # what is not set says so by its absence
                continue
            if value is field.default:
                pieces.append(field.written_default)
            else:
                pieces.append(field.written)
                _write(pieces, value)
    except RecursionError:
        return None
    return hashlib.blake2b(b"".join(pieces), digest_size=32).digest()


def _write(pieces: list[bytes], value: Any) -> None:
    """Write a value so that no two different ones come out alike."""
    cls = _class_of(value)
    if cls is str:  # first, since most are
        content = value.encode("utf-8", "surrogatepass")
        pieces += (b"str:%d;" % len(content), content)
    elif cls is Message:
        _write_message(pieces, value)
    elif _is_list(value):
        pieces.append(b"list:%d;" % len(value))
        for item in value:
            _write(pieces, item)
    elif (record := _record(cls)) is not None:
        head, names = record
        pieces.append(head)
        for name in names:
            _write(pieces, getattr(value, name))
    elif _is_table(value):
        pieces.append(b"table:%d;" % len(value))
        for key in sorted(value, key=str):
            _write(pieces, str(key))
            _write(pieces, value[key])
    else:
        if cls is float and value.is_integer():
            cls, value = int, int(value)  # a temperature of 1 is one of 1.0
        content = value if cls is bytes else str(value).encode("utf-8", "surrogatepass")
        # The length keeps ("ab", "c") apart from ("a", "bc").
        pieces += (f"{cls.__name__}:{len(content)};".encode(), content)


def _write_message(pieces: list[bytes], message: Message) -> None:
    """Write the record that there is most of, and its texts: the same in fewer steps."""
    role, content = message.role.encode(), message.content
    pieces.append(b"%bstr:%d;%blist:%d;" % (_MESSAGE, len(role), role, len(content)))
    for part in content:
        if type(part) is Text:
            text = part.text.encode("utf-8", "surrogatepass")
            pieces += (b"%bstr:%d;" % (_TEXT, len(text)), text)
        else:
            _write(pieces, part)


def _head(cls: type, names: tuple[str, ...]) -> bytes:
    return f"{cls.__name__}:{len(names)};".encode()


_MESSAGE: Final = _head(Message, ("role", "content"))
_TEXT: Final = _head(Text, ("text",))
_LISTS: Final = (list, tuple)  # a union would be made anew each time


@cache
def _record(cls: type) -> tuple[bytes, tuple[str, ...]] | None:
    """Give how a record of a class begins, and its fields; ``None`` for what is no record.

    The fields are those by which two of the class are equal.
    """
    if not attrs.has(cls):
        return None
    names = tuple([field.name for field in attrs.fields(cls) if field.eq])
    return _head(cls, names), names


def _class_of(value: object) -> type:
    return type(value)


def _is_table(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, _LISTS)


@attrs.frozen
class _Field:
    """A field of a request that counts.

    Attributes:
        written: Its name, as it is written.
        default: Its default; ``None`` where it has none, or one that is made anew each time.
        written_default: Its name and its default, likewise.
    """

    written: bytes
    default: object
    written_default: bytes


def _field(attribute: "attrs.Attribute[Any]") -> _Field:
    name, default = attribute.name, attribute.default
    pieces = [b"str:%d;%s" % (len(name), name.encode())]
    if default is attrs.NOTHING or isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = None
    _write(pieces, default)
    return _Field(pieces[0], default, b"".join(pieces))


_COUNTING: Final = [
    field for field in attrs.fields(Request) if field.eq and field.name not in _ASIDE
]
_FIELDS: Final = tuple([_field(attribute) for attribute in _COUNTING])
_values_of: Final = attrgetter(*[field.name for field in _COUNTING])
