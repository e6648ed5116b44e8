"""Files, which this dialect calls documents: both sides of them."""

import base64
import binascii
from typing import Any

from trio_llm.chat import File
from trio_llm.errors import InvalidRequestError, UnsupportedError
from trio_llm.wire.fields import expect_object, expect_text

_PDF = "application/pdf"
_PLAIN = "text/plain"


def document_block(part: File, place: str) -> dict[str, Any]:
    """Write a file: a PDF by its bytes or its address, anything textual as text.

    Raises:
        InvalidRequestError: It is of another type, or a text that is not UTF-8.
    """
    block: dict[str, Any] = {"type": "document", "source": _source(part, place)}
    if part.name:
        block["title"] = part.name
    return block


def read_document(block: dict[str, Any], place: str) -> File:
    """Read a document block.

    Raises:
        InvalidRequestError: Its source has no form in the vocabulary.
    """
    source = expect_object(block.get("source"), f"{place}.source")
    title = block.get("title")
    name = None if title is None else expect_text(title, f"{place}.title")
    kind = source.get("type")
    if kind == "url":
        return File(url=expect_text(source.get("url"), f"{place}.source.url"), name=name)
    if kind not in ("text", "base64"):
        raise InvalidRequestError(f"{place}.source: sources of type {kind!r} are not supported")
    written = expect_text(source.get("data"), f"{place}.source.data")
    media_type = expect_text(source.get("media_type"), f"{place}.source.media_type")
    if kind == "text":
        content = written.encode("utf-8", "surrogatepass")
    else:
        try:
            content = base64.b64decode(written, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidRequestError(f"{place}: the document is not base64") from None
    return File(content=content, media_type=media_type, name=name)


def _source(part: File, place: str) -> dict[str, str]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    content, media_type = part.content or b"", part.media_type or ""
    if media_type == _PDF:
        return {
            "type": "base64",
            "media_type": _PDF,
            "data": base64.b64encode(content).decode("ascii"),
        }
    if not media_type.startswith("text/") and media_type != "application/json":
        raise UnsupportedError(
            f"{place}: this provider's interface takes no file of type {media_type!r}; "
            "give a PDF or a text"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidRequestError(f"{place}: the file is not UTF-8; convert it") from None
    return {"type": "text", "media_type": _PLAIN, "data": text}
