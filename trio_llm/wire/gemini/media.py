"""Pictures, recordings and documents: ``inlineData`` by bytes, ``fileData`` by address."""

import base64
import binascii
import mimetypes
from typing import Any
from urllib.parse import urlsplit

from trio_llm.chat import Audio, File, Image
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.fields import expect_object, expect_text
from trio_llm.wire.images import by_bytes


def write_media(part: Image | Audio | File, place: str) -> dict[str, Any]:
    """Write a part that is no text.

    An address goes with the media type that is given, or that its end tells; the
    name of a file has no place on this wire.

    Raises:
        InvalidRequestError: A ``data:`` URL is broken; the message starts with `place`.
    """
    if isinstance(part, Image):
        part = by_bytes(part, place)
    if isinstance(part, Audio) or part.content is not None:
        data = base64.b64encode(part.content or b"").decode("ascii")
        return {"inlineData": {"mimeType": part.media_type, "data": data}}
    url = part.url or ""
    fields = {"fileUri": url}
    media_type = part.media_type or _guess(url)
    if media_type is not None:
        fields["mimeType"] = media_type
    return {"fileData": fields}


def read_inline(value: Any, place: str) -> Image | Audio | File:
    """Read a part that came by its bytes.

    Raises:
        InvalidRequestError: It is none; the message starts with `place`.
    """
    fields = expect_object(value, place)
    media_type = expect_text(fields.get("mimeType"), f"{place}.mimeType")
    text = expect_text(fields.get("data"), f"{place}.data")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(f"{place}.data: is not base64") from None
    if media_type.startswith("image/"):
        return Image(content=content, media_type=media_type)
    if media_type.startswith("audio/"):
        return Audio(content, media_type)
    return File(content=content, media_type=media_type)


def read_address(value: Any, place: str) -> Image | File:
    """Read a part that came by its address; a type that the address tells is left out.

    Raises:
        InvalidRequestError: It is none; the message starts with `place`.
    """
    fields = expect_object(value, place)
    url = expect_text(fields.get("fileUri"), f"{place}.fileUri")
    stated = fields.get("mimeType")
    media_type = None if stated is None else expect_text(stated, f"{place}.mimeType")
    kind = Image if (media_type or "").startswith("image/") else File
    return kind(url=url, media_type=None if media_type == _guess(url) else media_type)


def _guess(url: str) -> str | None:
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return mimetypes.guess_type(path.rsplit("/", 1)[-1])[0]
