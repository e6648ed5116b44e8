"""The conversation of a request, as the client writes it: instructions and input items."""

import base64
import mimetypes
from collections.abc import Iterator
from typing import Any

from trio_llm.chat import (
    Audio,
    File,
    Image,
    Message,
    Reasoning,
    Request,
    Text,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.arguments import sent_text
from trio_llm.wire.call_ids import CallIds
from trio_llm.wire.images import to_url
from trio_llm.wire.openai_responses.names import DIALECT
from trio_llm.wire.openai_responses.reasoning import phase_of, write_reasoning
from trio_llm.wire.refusal import placed_parts, unsupported
from trio_llm.wire.values import write_text


def write_conversation(request: Request) -> dict[str, Any]:
    """Give the fields ``instructions`` and ``input``.

    The first message is the instructions if it is the system's; a system message
    further on, or one that is alone, is an item like every other message.

    Raises:
        InvalidRequestError: The dialect cannot express a part, or nothing is left to send.
    """
    fields: dict[str, Any] = {}
    items: list[dict[str, Any]] = []
    call_ids = CallIds()
    alone = all(message.role == "system" for message in request.messages)
    for index, message in enumerate(request.messages):
        if message.role == "assistant":
            items.extend(_turn(index, message, call_ids))
        elif message.role != "system":
            items.extend(_input(index, message, call_ids))
        else:
            text = "".join([part.text for part in _texts(index, message)])
            if text and index == 0 and not alone:
                fields["instructions"] = text
            elif text:
                items.append({"role": "system", "content": text})
    if not items:
        raise InvalidRequestError("messages: this dialect needs a message with content")
    return {**fields, "input": items}


def write_arguments(call: ToolCall) -> str:
    """Give a tool call's arguments as text."""
    text = write_text(dict(call.arguments)) if call.raw is None else call.raw
    return text or "{}"


def _texts(index: int, message: Message) -> Iterator[Text]:
    for _, part in placed_parts(index, message):
        if isinstance(part, Text):
            yield part


def _input(index: int, message: Message, call_ids: CallIds) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for place, part in placed_parts(index, message):
        if isinstance(part, ToolResult):
            results.append(_result(part, call_ids))
        elif isinstance(part, Text):
            content.append({"type": "input_text", "text": part.text})
        elif isinstance(part, Image):
            url = to_url(part)
            content.append({"type": "input_image", "image_url": url, "detail": "auto"})
        elif isinstance(part, File):
            content.append(_file(part))
        elif isinstance(part, Audio):
            raise unsupported(place, part, "leave it out, or ask a provider that takes audio")
    if len(content) == 1 and content[0]["type"] == "input_text":
        return [*results, {"role": "user", "content": content[0]["text"]}]
    if content:
        return [*results, {"role": "user", "content": content}]
    return results


def _result(part: ToolResult, call_ids: CallIds) -> dict[str, Any]:
    return {
        "type": "function_call_output",
        "call_id": call_ids.current(part.call_id),
        "output": f"Error: {part.content}" if part.is_error else part.content,
    }


def _file(part: File) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "input_file", "file_url": part.url}
    # The provider refuses content without a name.
    name = part.name or f"file{mimetypes.guess_extension(part.media_type or '') or ''}"
    text = base64.b64encode(part.content or b"").decode("ascii")
    return {
        "type": "input_file",
        "filename": name,
        "file_data": f"data:{part.media_type};base64,{text}",
    }


def _turn(index: int, message: Message, call_ids: CallIds) -> list[dict[str, Any]]:
    """Write an assistant's turn: every run of text, call and reasoning is an item."""
    items: list[dict[str, Any]] = []
    spoken: dict[str, Any] | None = None
    phase: str | None = None
    for _, part in placed_parts(index, message):
        if isinstance(part, Text):
            if not part.text:
                continue
            if spoken is None:
                # A server of llama.cpp knows an assistant's text only by its type.
                spoken = {"type": "message", "role": "assistant", "content": ""}
                if phase is not None:
                    spoken["phase"] = phase
                items.append(spoken)
            spoken["content"] += part.text
            continue
        spoken = phase = None
        if isinstance(part, ToolCall):
            items.append(_call(part, call_ids))
        elif isinstance(part, Reasoning) and part.origin == DIALECT and part.opaque:
            phase = phase_of(part)
            if phase is None:
                items.append(write_reasoning(part))
    # The provider refuses reasoning that nothing follows: a turn that was cut there.
    while items and items[-1].get("type") == "reasoning":
        items.pop()
    return items


def _call(part: ToolCall, call_ids: CallIds) -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": call_ids.new(part.id),
        "name": part.name,
        "arguments": sent_text(part),
    }
