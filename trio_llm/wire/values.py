"""Reading and writing JSON whose shape nobody guarantees.

Providers are trusted with nothing: a field may be missing, null or of another
type. The ``as_*`` functions give an empty value of the right type instead, for
fields whose absence does not matter; what does matter is checked by the dialect.
"""

import json
from collections.abc import Mapping
from typing import Any

from trio_llm.errors import InvalidRequestError, MalformedResponseError

_decoder = json.JSONDecoder()
_MOST = 2**53
"""The largest count that is believed, and that a float holds exactly."""


def as_object(value: Any) -> dict[str, Any]:
    """Give `value` if it is a JSON object, else an empty one."""
    return value if type(value) is dict else {}  # pyright: ignore[reportUnknownVariableType]


def as_list(value: Any) -> list[Any]:
    """Give `value` if it is a JSON array, else an empty one."""
    return value if type(value) is list else []  # pyright: ignore[reportUnknownVariableType]


def as_text(value: Any) -> str:
    """Give `value` if it is a string, else an empty one."""
    return value if type(value) is str else ""


def as_name(value: Any) -> str | None:
    """Give `value` if it is a string with something in it."""
    return value if type(value) is str and value else None


def as_count(value: Any) -> int:
    """Give `value` if it is a whole number of zero or more, and no absurd one, else zero."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value <= _MOST else 0


def load(text: str) -> Any:
    """Read JSON text.

    Raises:
        ValueError: It is no JSON, or its nesting or its numbers are beyond all measure.
    """
    try:
        # Cheaper than `decode`, which looks for white space at both ends.
        value, end = _decoder.raw_decode(text)
    except ValueError:
        text = text.strip()
        try:
            value, end = _decoder.raw_decode(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if end != len(text) and text[end:].strip():
        raise ValueError("more text after the value")
    return value


def read_body(body: bytes) -> Any:
    """Read the body of a successful response.

    Raises:
        MalformedResponseError: It is empty, no UTF-8 or no JSON.
    """
    if not body.strip():
        raise MalformedResponseError("the response is empty", phase="response")
    try:
        return load(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise MalformedResponseError("the response is not UTF-8", phase="response") from None
    except ValueError as error:
        kind = "an HTML page" if looks_like_html(body) else f"no JSON ({short(error)})"
        raise MalformedResponseError(f"the response is {kind}", phase="response") from None


def looks_like_html(body: bytes) -> bool:
    """Tell whether a body begins like a web page."""
    return body.lstrip()[:5].lower() in (b"<html", b"<!doc", b"<head", b"<body")


def short(error: ValueError) -> str:
    """Give what a JSON error says, without the text that it found."""
    return error.msg if isinstance(error, json.JSONDecodeError) else "unreadable value"


def write_body(body: Mapping[str, Any]) -> bytes:
    """Write a body, compact and in UTF-8.

    Raises:
        InvalidRequestError: Something in it is no JSON value.
    """
    return write_text(body).encode("utf-8")


def write_text(value: Any) -> str:
    """Write a value as compact JSON that UTF-8 can carry.

    Raises:
        InvalidRequestError: Something in it is no JSON value.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if not text.isascii():
            text.encode("utf-8")
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; as an escape it can travel.
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(
            f"the request holds something that is not JSON: {error}"
        ) from None
    return text


def rewrite(value: Any) -> str:
    """Write a decoded value back as text.

    Raises:
        MalformedResponseError: It is nested too deeply, or holds a number that is none.
    """
    try:
        return write_text(value)
    except InvalidRequestError:
        raise MalformedResponseError("a value in the response cannot be written") from None
