"""The lines of a batch: what each asks, and what is wrong with those that ask nothing."""

import codecs
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final, cast

import attrs

from trio_llm.chat import Message, Request
from trio_llm.config.rules import described, quoted, suggestion
from trio_llm.endpoint import CallOptions, to_request
from trio_llm.errors import InvalidRequestError

_ROLES: Final = ("system", "user", "assistant")
_OPTIONS: Final = (
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "reasoning",
    "user",
    "tags",
    "metadata",
    "prefer",
)
_KEYS: Final = ("id", "custom_id", "prompt", "messages", "system", *_OPTIONS)


class BadLine(Exception):  # noqa: N818 - a line is bad; the batch goes on
    """A line that asks nothing; the text says why and what to write instead."""


@attrs.frozen
class Line:
    """One line of the input that is not blank.

    Attributes:
        number: Its number in the file, from 1.
        digest: A fingerprint of its text, so that a line that was changed after it
            was asked is noticed.
        id: What the line calls itself, if anything.
        request: What it asks; ``None`` when it is bad.
        fault: Why it asks nothing.
    """

    number: int
    digest: str
    id: str | int | None = None
    request: Request | None = attrs.field(default=None, repr=False)
    fault: str | None = None


def read_lines(file: BinaryIO, common: CallOptions) -> Iterator[Line]:
    """Read a file from its beginning, line by line, as it is needed.

    Args:
        file: JSON Lines: each line a string, or an object with ``prompt`` or
            ``messages``.
        common: Options for every line that does not say otherwise.

    Raises:
        OSError: It cannot be read.
    """
    file.seek(0)
    for number, raw in enumerate(file, start=1):
        text = raw.removeprefix(codecs.BOM_UTF8).strip() if number == 1 else raw.strip()
        if text:
            yield read_line(number, text, common)


def read_line(number: int, text: bytes, common: CallOptions) -> Line:
    """Read one line; what is wrong with it is part of the result."""
    digest = hashlib.sha256(text).hexdigest()[:16]
    name: str | int | None = None
    try:
        value = _json(text)
        name = _name(value)
        return Line(number, digest, name, _request(value, common))
    except BadLine as bad:
        return Line(number, digest, name, fault=str(bad))
    except InvalidRequestError as error:
        return Line(number, digest, name, fault=error.message)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text.decode())
    except UnicodeDecodeError:
        raise BadLine("not UTF-8; save the input in UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadLine(f"not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError):
        raise BadLine("not JSON that can be read") from None


def _name(value: Any) -> str | int | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    name = fields.get("id", fields.get("custom_id"))
    if name is None or (isinstance(name, str | int) and not isinstance(name, bool)):
        return name
    raise BadLine(f"id: expected a string or an integer, found {described(name)}")


def _request(value: Any, common: CallOptions) -> Request:
    if isinstance(value, str):
        return to_request(value, common)
    if not isinstance(value, dict):
        raise BadLine(
            f"expected a string, or an object with prompt or messages; found {described(value)}"
        )
    fields = cast("dict[str, Any]", value)
    for key in fields:
        if key not in _KEYS:
            raise BadLine(f"{key}: unknown key; {suggestion(key, _KEYS)}")
    if ("prompt" in fields) == ("messages" in fields):
        raise BadLine("give either prompt or messages, one of the two")
    options: dict[str, Any] = dict(common)
    options |= {key: fields[key] for key in _OPTIONS if key in fields}
    return to_request(_messages(fields), cast("CallOptions", options))


def _messages(fields: Mapping[str, Any]) -> list[Message]:
    messages: list[Message] = []
    if "system" in fields:
        messages.append(Message("system", _text(fields["system"], "system")))
    if "prompt" in fields:
        return [*messages, Message("user", _text(fields["prompt"], "prompt"))]
    for index, item in enumerate(_list(fields["messages"], "messages")):
        place = f"messages[{index}]"
        if not isinstance(item, dict):
            raise BadLine(f"{place}: expected an object, found {described(item)}")
        turn = cast("dict[str, Any]", item)
        role = turn.get("role")
        if role not in _ROLES:
            known = ", ".join(_ROLES)
            shown = quoted(role) if isinstance(role, str) else described(role)
            raise BadLine(f"{place}.role: expected one of {known}, found {shown}")
        messages.append(Message(role, _text(turn.get("content"), f"{place}.content")))
    return messages


def _list(value: Any, place: str) -> list[Any]:
    if type(value) is not list:
        raise BadLine(f"{place}: expected a list, found {described(value)}")
    return value  # pyright: ignore[reportUnknownVariableType]


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise BadLine(f"{place}: expected a string, found {described(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadLine(f"{place}: half of a surrogate pair, which is no text") from None
    return value
