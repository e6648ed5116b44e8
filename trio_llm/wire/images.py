"""Pictures as ``data:`` URLs and as base64."""

import base64
import binascii

from trio_llm.chat import Image
from trio_llm.errors import InvalidRequestError


def to_base64(image: Image) -> str:
    """Give the picture's bytes as base64; empty for a picture by address."""
    return base64.b64encode(image.content or b"").decode("ascii")


def to_url(image: Image) -> str:
    """Give the picture's address; one by its bytes becomes a ``data:`` URL."""
    return image.url or f"data:{image.media_type};base64,{to_base64(image)}"


def from_base64(text: str, media_type: str, place: str) -> Image:
    """Read a picture from base64.

    Raises:
        InvalidRequestError: It is none; the message starts with `place`.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(f"{place}: the picture is not base64") from None
    return Image(content=content, media_type=media_type)


def from_url(url: str, place: str) -> Image:
    """Read a picture from an address or a ``data:`` URL.

    Raises:
        InvalidRequestError: The ``data:`` URL is broken; the message starts with `place`.
    """
    if not url.startswith("data:"):
        return Image(url=url)
    head, comma, text = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        raise InvalidRequestError(f"{place}: a data: URL must be base64")
    return from_base64(text, head.removesuffix(";base64"), place)


def by_bytes(image: Image, place: str) -> Image:
    """Give a picture by its bytes if its address is a ``data:`` URL; any other as it is.

    Raises:
        InvalidRequestError: The ``data:`` URL is broken; the message starts with `place`.
    """
    if image.url is None or not image.url.startswith("data:"):
        return image
    return from_url(image.url, place)


def sniff(content: bytes) -> str:
    """Give the media type that a picture's first bytes tell, PNG where they tell nothing."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"GIF8"):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/png"
