"""What an error body says, whatever its shape.

The shapes on record: ``error`` as an object, a string, a list or absent;
``detail``, ``message``, ``title`` in its place; the whole in a JSON array; an
upstream's own body as a string inside ``metadata.raw``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from trio_llm.wire.values import as_list, as_name, as_object, as_text, load, looks_like_html

_CODE_FIELDS = (
    "code",
    "type",
    "status",
    "error_type",
    "error_code",
    "reason",
    "quotaId",
    "quota_limit",
    "limit_source",
)
_LONGEST_ESTIMATE = 86_400
_INNER_FIELDS = ("innererror", "inner_error", "details", "metadata", "violations")


@attrs.frozen
class Fault:
    """An error body, read.

    Attributes:
        message: What it says, in words; as the provider wrote it.
        code: Its most telling code, as the provider wrote it.
        codes: Every code, type and reason in it, in lower case.
        texts: Every sentence in it.
        delays: Durations that it states in fields of their own.
        headers: Headers that it quotes, names in lower case: those of the limit that
            was hit, at OpenRouter.
        status: The HTTP status that it states about itself.
        request_id: The provider's identifier of the request.
    """

    message: str = ""
    code: str | None = None
    codes: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    delays: tuple[str, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    status: int | None = None
    request_id: str | None = None


def read_fault(body: bytes) -> Fault:
    """Read the body of an error response; one that cannot be read is taken as text."""
    text = body[: 256 * 1024].decode("utf-8", "replace").strip()
    if looks_like_html(body):
        start, end = text.lower().find("<title>"), text.lower().find("</title>")
        title = text[start + 7 : end].strip() if 0 <= start < end else ""
        return Fault(f"an HTML page: {title}" if title else "an HTML page", texts=(title,))
    try:
        value = load(text)
    except ValueError:
        return Fault(text, texts=(text,))
    return fault_of(value)


def fault_of(value: Any) -> Fault:
    """Read a decoded error body, or an error frame of a stream."""
    if type(value) is list:
        value = next(iter(as_list(value)), None)
    if type(value) is str:
        return Fault(value, texts=(value,))
    body = as_object(value)
    error = body.get("error") or next(iter(as_list(body.get("errors"))), None)
    if type(error) is list:
        error = next(iter(as_list(error)), None)
    inner = as_object(error)
    layers = list(_layers(inner)) + list(_layers(body))
    texts = [text for layer in layers for text in _texts(layer)]
    if type(error) is str:
        texts.insert(0, error)
    message = texts[0] if texts else ""
    upstream = as_text(as_object(inner.get("metadata")).get("raw"))
    if upstream:
        message = f"{message}: {upstream}"
    return Fault(
        message=message,
        code=_telling(inner) or _first(body, "code", "type", "error_type"),
        codes=frozenset(code for layer in layers for code in _codes(layer)),
        texts=tuple(texts),
        delays=tuple(delay for layer in layers if (delay := _delay(layer))),
        headers=_headers(as_object(inner.get("metadata")).get("headers")),
        status=_status(inner) or _status(body),
        request_id=_first(body, "request_id")
        or _first(inner, "request_id")
        # The identifier of the error itself, at Cohere and Together.
        or as_name(body.get("id")),
    )


def _layers(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give an error and what it holds, two levels down: deeper nothing is ever said."""
    if not error:
        return
    yield error
    for child in _children(error):
        yield child
        yield from _children(child)


def _children(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _INNER_FIELDS:
        value = error.get(name)
        if type(value) is dict:
            yield as_object(value)
        for item in as_list(value)[:16]:
            if type(item) is dict:
                yield as_object(item)


def _texts(layer: dict[str, Any]) -> Iterator[str]:
    for name in ("message", "detail", "title", "raw", "msg", "error"):
        value = layer.get(name)
        if type(value) is str and value:
            yield value
        elif name == "detail":
            for item in as_list(value)[:4]:
                message = as_text(as_object(item).get("msg"))
                if message:
                    yield message
    if "reasons" in layer:
        yield "flagged by moderation"


def _codes(layer: dict[str, Any]) -> Iterator[str]:
    for name in _CODE_FIELDS:
        value = layer.get(name)
        if type(value) is str and len(value) <= 200:
            yield value.lower()
        elif type(value) is int and abs(value) < 1_000_000:
            yield str(value)


def _delay(layer: dict[str, Any]) -> str | None:
    """Give the wait that a layer states: Google's ``retryDelay``, Hugging Face's estimate."""
    seconds = layer.get("estimated_time")
    if (type(seconds) is int or type(seconds) is float) and 0 <= seconds < _LONGEST_ESTIMATE:
        return f"{seconds:f}s"
    return as_name(layer.get("retryDelay"))


def _headers(value: Any) -> dict[str, str]:
    fields = list(as_object(value).items())[:32]
    return {name.lower(): text[:200] for name, item in fields if (text := as_name(item))}


def _telling(error: dict[str, Any]) -> str | None:
    """Give an error's code; where that is the bare status, as Google's, the words beside it."""
    words = as_name(error.get("status")) if type(error.get("code")) is int else None
    return words[:100] if words else _first(error, "code", "status", "type")


def _first(layer: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = layer.get(name)
        if type(value) is str and value:
            return value[:100]
        if type(value) is int and abs(value) < 1_000_000:
            return str(value)
    return None


def _status(layer: dict[str, Any]) -> int | None:
    for name in ("status_code", "raw_status_code", "status", "code"):
        value = layer.get(name)
        if type(value) is str and len(value) == 3 and value.isdecimal():
            value = int(value)
        if type(value) is int and 400 <= value <= 599:
            return value
    return None
