"""Requests, as the client writes them."""

import re
from typing import Any

from trio_llm.chat import (
    Audio,
    File,
    Image,
    Message,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.images import to_url
from trio_llm.wire.openai_chat.names import DIALECT, REPLAYED_FIELDS
from trio_llm.wire.refusal import named_tool, placed_parts, unsupported
from trio_llm.wire.values import write_body, write_text

_REASONING_MODEL = re.compile(r"(?:openai/)?(?:o[1-9]|gpt-[5-9])(?![a-z0-9])")


def encode_request(
    request: Request, *, model: str, stream: bool, max_tokens: int | None = None
) -> Outgoing:
    """Write a request.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    body: dict[str, Any] = {"model": model, "messages": _messages(request)}
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    limit = max_tokens if request.max_tokens is None else request.max_tokens
    if limit is not None:
        # OpenAI's reasoning models refuse the older name; other servers know only that.
        modern = _REASONING_MODEL.match(model)
        body["max_completion_tokens" if modern else "max_tokens"] = limit
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "reasoning_effort": request.reasoning,
        "user": request.user,
        "metadata": dict(request.metadata) or None,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    forced = named_tool(request)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if forced is not None:
            body["tool_choice"] = {"type": "function", "function": {"name": forced}}
        elif request.tool_choice is not None:
            body["tool_choice"] = request.tool_choice
        if request.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = request.parallel_tool_calls
    body.update(request.extra.get(DIALECT, {}))
    return Outgoing("/chat/completions", write_body(body))


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.parameters)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _messages(request: Request) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for index, message in enumerate(request.messages):
        if message.role == "assistant":
            written.extend(_assistant(index, message))
        else:
            written.extend(_other(index, message))
    return written


def _other(index: int, message: Message) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for place, part in placed_parts(index, message):
        if isinstance(part, Audio | File):
            raise unsupported(place, part)
        if isinstance(part, ToolResult):
            results.append(_result(part))
        elif isinstance(part, Image):
            parts.append({"type": "image_url", "image_url": {"url": to_url(part)}})
        elif isinstance(part, Text):
            parts.append({"type": "text", "text": part.text})
    if len(parts) == 1 and parts[0]["type"] == "text":
        return [*results, {"role": message.role, "content": parts[0]["text"]}]
    if message.role == "system" and parts:
        # Many compatible servers take a system message only as a string.
        return [{"role": "system", "content": message.text}]
    if parts:
        return [*results, {"role": message.role, "content": parts}]
    return results


def _result(part: ToolResult) -> dict[str, Any]:
    content = f"Error: {part.content}" if part.is_error else part.content
    return {"role": "tool", "tool_call_id": part.call_id, "content": content}


def _assistant(index: int, message: Message) -> list[dict[str, Any]]:
    body: dict[str, Any] = {}
    calls: list[dict[str, Any]] = []
    texts: list[str] = []
    for _, part in placed_parts(index, message):
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, ToolCall):
            calls.append(_call(part))
        elif isinstance(part, Reasoning) and part.origin == DIALECT and part.opaque:
            body.update(
                {name: part.opaque[name] for name in REPLAYED_FIELDS if name in part.opaque}
            )
    if calls:
        body["tool_calls"] = calls
    if not body and not texts:
        return []
    return [{"role": "assistant", "content": "".join(texts) if texts else None, **body}]


def _call(part: ToolCall) -> dict[str, Any]:
    arguments = write_text(dict(part.arguments)) if part.raw is None else part.raw
    return {
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": arguments or "{}"},
    }
