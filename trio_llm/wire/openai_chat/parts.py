"""Parts of a user's message, both sides of them."""

import base64
import binascii
import mimetypes
from typing import Any

from trio_llm.chat import Audio, File, Image, Part, Text
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.fields import expect_list, expect_object, expect_text
from trio_llm.wire.images import from_url, to_url
from trio_llm.wire.refusal import unsupported

_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}
_MEDIA_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}


def write_part(part: Text | Image | Audio | File, place: str) -> dict[str, Any]:
    """Write one part.

    Raises:
        UnsupportedError: The dialect has no form for it.
    """
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return {"type": "image_url", "image_url": {"url": to_url(part)}}
        case Audio():
            form = _FORMATS.get(part.media_type.partition(";")[0].strip().lower())
            if form is None:
                remedy = f"{part.media_type} is not among them, so convert it"
                raise unsupported(place, part, remedy, "audio but audio/wav and audio/mpeg")
            return {
                "type": "input_audio",
                "input_audio": {"data": _base64(part.content), "format": form},
            }
        case File():
            if part.content is None:
                raise unsupported(place, part, "give its content", "file by its address")
            media_type = part.media_type or ""
            name = part.name or f"file{mimetypes.guess_extension(media_type) or ''}"
            url = f"data:{media_type};base64,{_base64(part.content)}"
            return {"type": "file", "file": {"filename": name, "file_data": url}}


def read_parts(content: Any, place: str) -> list[Part]:
    """Read a message's content: nothing, a string, or a list of parts.

    Raises:
        InvalidRequestError: It is something else, or a part is of no known type.
    """
    if content is None:
        return []
    if type(content) is str:
        return [Text(content)]
    return [
        _read_part(expect_object(item, f"{place}.content[{index}]"), f"{place}.content[{index}]")
        for index, item in enumerate(expect_list(content, f"{place}.content"))
    ]


def _read_part(part: dict[str, Any], where: str) -> Part:
    kind = part.get("type")
    if kind == "text":
        return Text(expect_text(part.get("text"), f"{where}.text"))
    if kind == "image_url":
        value = part.get("image_url")
        if type(value) is not str:
            value = expect_object(value, f"{where}.image_url").get("url")
        return from_url(expect_text(value, f"{where}.image_url.url"), where)
    if kind == "input_audio":
        return _read_audio(expect_object(part.get(kind), f"{where}.input_audio"), where)
    if kind == "file":
        return _read_file(expect_object(part.get(kind), f"{where}.file"), f"{where}.file")
    raise InvalidRequestError(f"{where}: parts of type {kind!r} are not supported")


def _read_audio(fields: dict[str, Any], where: str) -> Audio:
    form = expect_text(fields.get("format"), f"{where}.input_audio.format")
    if form not in _MEDIA_TYPES:
        raise InvalidRequestError(f"{where}.input_audio.format: unknown format {form!r}")
    data = expect_text(fields.get("data"), f"{where}.input_audio.data")
    return Audio(_content(data, f"{where}.input_audio.data"), _MEDIA_TYPES[form])


def _read_file(fields: dict[str, Any], where: str) -> File:
    if fields.get("file_data") is None:
        raise InvalidRequestError(f"{where}: only files with file_data are supported")
    url = expect_text(fields["file_data"], f"{where}.file_data")
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        raise InvalidRequestError(f"{where}.file_data: must be a data: URL in base64")
    name = fields.get("filename")
    return File(
        content=_content(data, f"{where}.file_data"),
        media_type=head[5:].removesuffix(";base64"),
        name=None if name is None else expect_text(name, f"{where}.filename"),
    )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _content(data: str, where: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(f"{where}: is not base64") from None
