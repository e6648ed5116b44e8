"""Prompts and answers as attributes of spans, for those who ask for them.

The form is that of the conventions' gen-ai-input-messages.json and
gen-ai-output-messages.json, as a JSON string, since an attribute of a span cannot hold
more. Pictures, sound and documents that are given as bytes are named and left out: only
their size is recorded.
"""

import json
from collections.abc import Iterable
from typing import Any

from trio_llm.chat import (
    AnyRequest,
    AnyResult,
    Audio,
    Completion,
    EmbedRequest,
    File,
    Image,
    Message,
    ModerateRequest,
    Reasoning,
    Reply,
    Request,
    Text,
    ToolCall,
)
from trio_llm.chat.messages import Part
from trio_llm.telemetry import conventions
from trio_llm.telemetry.attributes import Attributes


def request_content(request: AnyRequest) -> Attributes:
    """Give what is asked, and how."""
    if isinstance(request, Request):
        found: Attributes = {conventions.INPUT_MESSAGES: _messages(request.messages)}
        if request.tools:
            tools = [{"type": "function", "name": tool.name} for tool in request.tools]
            found[conventions.TOOL_DEFINITIONS] = _written(tools)
        settings = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            "reasoning.level": request.reasoning,
            "stop_sequences": list(request.stop) or None,
        }
        for name, value in settings.items():
            if value is not None:
                found[f"gen_ai.request.{name}"] = value
        return found
    if isinstance(request, EmbedRequest | ModerateRequest):
        return {conventions.INPUT_TEXTS: _written(list(request.texts))}
    return {}


def answer_content(result: AnyResult | Reply) -> Attributes:
    """Give what was answered, where that is words."""
    if isinstance(result, Completion | Reply):
        return {conventions.OUTPUT_MESSAGES: _messages([result.message])}
    return {}


def _messages(messages: Iterable[Message]) -> str:
    return _written(
        [
            {"role": message.role, "parts": [_part(part) for part in message.content]}
            for message in messages
        ]
    )


def _written(value: object) -> str:
    """Write JSON that every exporter can send, whatever models and users wrote into it."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    except (ValueError, RecursionError):  # it holds itself, or is nested without end
        return "null"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "content": part.text}
    if isinstance(part, Reasoning):
        return {"type": "reasoning", "content": part.text}
    if isinstance(part, ToolCall):
        arguments = part.arguments if part.is_valid else part.raw
        return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": arguments}
    if isinstance(part, Image | Audio | File):
        return _medium(part)
    return {"type": "tool_call_response", "id": part.call_id, "response": part.content}


def _medium(part: Image | Audio | File) -> dict[str, Any]:
    modality = {Image: "image", Audio: "audio", File: "document"}[type(part)]
    head = {"mime_type": part.media_type, "modality": modality}
    url = None if isinstance(part, Audio) else part.url
    if url is not None and not url.startswith("data:"):
        return {"type": "uri", **head, "uri": url}
    size = len(part.content or "") if url is None else len(url)
    return {"type": "blob", **head, "content": "", "size": size}
