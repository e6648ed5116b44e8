"""The items of a request's conversation, as the server's side reads them."""

import base64
import binascii
from typing import Any

from trio_llm.chat import File, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.fields import expect_list, expect_object, expect_text
from trio_llm.wire.images import from_url
from trio_llm.wire.openai_responses.names import DIALECT
from trio_llm.wire.openai_responses.reasoning import opaque_of, phase_part, text_of

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


def read_item(item: dict[str, Any], place: str) -> Message:
    """Read one item as a message of its own.

    Raises:
        InvalidRequestError: It is none, or of a type that is not supported (what the
            provider's own tools leave behind, and references to what it has stored).
    """
    kind = item.get("type")
    if kind == "message" or (kind is None and "role" in item):
        return _message(item, place)
    if kind == "function_call":
        call = ToolCall.parse(
            expect_text(item.get("call_id"), f"{place}.call_id"),
            expect_text(item.get("name"), f"{place}.name"),
            expect_text(item.get("arguments") or "", f"{place}.arguments"),
        )
        return Message("assistant", call)
    if kind == "function_call_output":
        call_id = expect_text(item.get("call_id"), f"{place}.call_id")
        text = _joined(item.get("output"), f"{place}.output")
        name = item.get("name")
        if name is not None:
            name = expect_text(name, f"{place}.name")
        return Message("tool", ToolResult(call_id, text, name=name))
    if kind == "reasoning":
        return Message("assistant", Reasoning(text_of(item), opaque_of(item), DIALECT))
    raise InvalidRequestError(f"{place}: items of type {kind!r} are not supported")


def _message(item: dict[str, Any], place: str) -> Message:
    role = _ROLES.get(expect_text(item.get("role"), f"{place}.role"))
    if role is None:
        raise InvalidRequestError(f"{place}.role: unknown role")
    content = item.get("content")
    if role == "system":
        return Message("system", _joined(content, f"{place}.content"))
    parts = _parts(content, f"{place}.content")
    phase = item.get("phase")
    if role == "assistant" and phase is not None:
        parts.insert(0, phase_part(expect_text(phase, f"{place}.phase")))
    return Message(role, parts)


def _joined(content: Any, place: str) -> str:
    parts = _parts(content, place)
    for index, part in enumerate(parts):
        if not isinstance(part, Text):
            raise InvalidRequestError(f"{place}[{index}]: only text is supported here")
    return "".join([part.text for part in parts if isinstance(part, Text)])


def _parts(content: Any, place: str) -> list[Part]:
    if type(content) is str:
        return [Text(content)]
    return [
        _part(expect_object(item, f"{place}[{index}]"), f"{place}[{index}]")
        for index, item in enumerate(expect_list(content, place))
    ]


def _part(part: dict[str, Any], place: str) -> Part:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text"):
        return Text(expect_text(part.get("text"), f"{place}.text"))
    if kind == "refusal":
        return Text(expect_text(part.get("refusal"), f"{place}.refusal"))
    if kind == "input_image":
        return _image(part, place)
    if kind == "input_file":
        return _file(part, place)
    raise InvalidRequestError(f"{place}: parts of type {kind!r} are not supported")


def _image(part: dict[str, Any], place: str) -> Image:
    return from_url(expect_text(part.get("image_url"), f"{place}.image_url"), place)


def _file(part: dict[str, Any], place: str) -> File:
    name = part.get("filename")
    if name is not None:
        name = expect_text(name, f"{place}.filename")
    if part.get("file_url") is not None:
        return File(url=expect_text(part["file_url"], f"{place}.file_url"), name=name)
    data = expect_text(part.get("file_data"), f"{place}.file_data")
    head, _, text = data.removeprefix("data:").partition(",")
    if not data.startswith("data:") or not head.endswith(";base64"):
        raise InvalidRequestError(f"{place}.file_data: must be a data: URL in base64")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(f"{place}.file_data: the file is not base64") from None
    return File(content=content, media_type=head.removesuffix(";base64"), name=name)
