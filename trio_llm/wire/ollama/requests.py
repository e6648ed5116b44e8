"""Requests, as the client writes them."""

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
from trio_llm.errors import UnsupportedError
from trio_llm.wire.arguments import sent_arguments
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.images import by_bytes, to_base64
from trio_llm.wire.ollama.names import DIALECT
from trio_llm.wire.refusal import named_tool, placed_parts, unsupported
from trio_llm.wire.values import as_object, write_body

_THINK = {"none": False, "false": False, "true": True}


def encode_request(
    request: Request, *, model: str, stream: bool, max_tokens: int | None = None
) -> Outgoing:
    """Write a request.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    # Left out, `stream` would mean true.
    body: dict[str, Any] = {"model": model, "messages": _messages(request), "stream": stream}
    if named_tool(request) is not None or request.tool_choice == "required":
        raise UnsupportedError("tool_choice: this dialect cannot force a tool call")
    if request.tools and request.tool_choice != "none":
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.output is not None:
        body["format"] = dict(request.output.schema)
    if request.reasoning is not None:
        body["think"] = _THINK.get(request.reasoning, request.reasoning)
    limit = max_tokens if request.max_tokens is None else request.max_tokens
    optional = {
        "num_predict": limit,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": list(request.stop) or None,
    }
    options = {name: value for name, value in optional.items() if value is not None}
    extra = dict(request.extra.get(DIALECT, {}))
    options.update(as_object(extra.pop("options", None)))
    if options:
        body["options"] = options
    body.update(extra)
    return Outgoing("/api/chat", write_body(body))


def _tool(tool: Tool) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


def _messages(request: Request) -> list[dict[str, Any]]:
    # By the latest call: identifiers that were made up here repeat from turn to turn.
    names: dict[str, str] = {}
    written: list[dict[str, Any]] = []
    for index, message in enumerate(request.messages):
        written.extend(_written(index, message, names))
    return written


def _written(index: int, message: Message, names: dict[str, str]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    texts: list[str] = []
    thoughts: list[str] = []
    images: list[str] = []
    calls: list[dict[str, Any]] = []
    for place, part in placed_parts(index, message):
        match part:
            case Text(text):
                texts.append(text)
            case Image():
                picture = by_bytes(part, place)
                if picture.content is None:
                    raise UnsupportedError(
                        f"{place}: this dialect takes pictures by their bytes, not by address"
                    )
                images.append(to_base64(picture))
            case Reasoning():
                if part.origin == DIALECT:
                    thoughts.append(part.text)
            case ToolCall():
                names[part.id] = part.name
                function = {"name": part.name, "arguments": dict(sent_arguments(part))}
                calls.append({"id": part.id, "function": function})
            case ToolResult():
                results.append(_result(part, names))
            case Audio() | File():
                raise unsupported(place, part)
    body: dict[str, Any] = {"role": message.role, "content": "".join(texts)}
    optional = {"thinking": "".join(thoughts), "images": images, "tool_calls": calls}
    body |= {name: value for name, value in optional.items() if value}
    return [*results, body] if texts or len(body) > 2 else results


def _result(part: ToolResult, names: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "role": "tool",
        "content": f"Error: {part.content}" if part.is_error else part.content,
        # Newer versions match by the identifier, older ones ignore it.
        "tool_call_id": part.call_id,
    }
    name = part.name or names.get(part.call_id)
    if name:
        body["tool_name"] = name
    return body
