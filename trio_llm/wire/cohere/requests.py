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
from trio_llm.wire.arguments import sent_text
from trio_llm.wire.call_ids import CallIds
from trio_llm.wire.cohere.names import DIALECT, TOOL_PLAN
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.images import to_url
from trio_llm.wire.pairing import check_calls, results_first
from trio_llm.wire.refusal import named_tool, placed_parts, unsupported
from trio_llm.wire.values import write_body


def encode_request(
    request: Request, *, model: str, stream: bool, max_tokens: int | None = None
) -> Outgoing:
    """Write a request.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    check_calls(request)
    body: dict[str, Any] = {"model": model, "messages": _messages(request)}
    if stream:
        body["stream"] = True
    optional = {
        "max_tokens": max_tokens if request.max_tokens is None else request.max_tokens,
        "temperature": request.temperature,
        "p": request.top_p,
        "stop_sequences": list(request.stop) or None,
        "seed": request.seed,
        "thinking": _thinking(request.reasoning),
        "response_format": _response_format(request),
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    body |= _tools(request)
    body.update(request.extra.get(DIALECT, {}))
    return Outgoing("/v2/chat", write_body(body))


def _thinking(effort: str | None) -> dict[str, Any] | None:
    """Say whether to think: a number is a budget in tokens, any word but two means yes."""
    if effort is None:
        return None
    if effort in ("none", "disabled"):
        return {"type": "disabled"}
    if effort.isdecimal():
        return {"type": "enabled", "token_budget": int(effort)}
    return {"type": "enabled"}


def _response_format(request: Request) -> dict[str, Any] | None:
    if request.output is None:
        return None
    if request.tools and request.tool_choice != "none":
        raise UnsupportedError(
            "output: this provider's interface takes no schema for the answer beside tools; "
            'leave one of the two out, or say tool_choice="none"'
        )
    return {"type": "json_object", "json_schema": dict(request.output.schema)}


def _tools(request: Request) -> dict[str, Any]:
    """Write the tools; one that is forced by name is the only one offered."""
    forced = named_tool(request)
    offered = [tool for tool in request.tools if forced is None or tool.name == forced]
    if not offered or (request.output is not None and request.tool_choice == "none"):
        return {}
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in offered]}
    if all(tool.strict for tool in offered):
        fields["strict_tools"] = True
    if forced is not None or request.tool_choice == "required":
        fields["tool_choice"] = "REQUIRED"
    elif request.tool_choice == "none":
        fields["tool_choice"] = "NONE"
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.parameters)
    return {"type": "function", "function": function}


def _messages(request: Request) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    call_ids = CallIds()
    for index, message in enumerate(request.messages):
        if message.role == "assistant":
            written.extend(_assistant(index, message, call_ids))
        else:
            written.extend(_other(index, message, call_ids))
    return results_first(written)


def _other(index: int, message: Message, call_ids: CallIds) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for place, part in placed_parts(index, message):
        if isinstance(part, Audio | File):
            raise unsupported(place, part)
        if isinstance(part, ToolResult):
            results.append(_result(part, call_ids))
        elif isinstance(part, Image):
            parts.append({"type": "image_url", "image_url": {"url": to_url(part)}})
        elif isinstance(part, Text):
            parts.append({"type": "text", "text": part.text})
    if not parts:
        return results
    return [*results, {"role": message.role, "content": _content(parts)}]


def _result(part: ToolResult, call_ids: CallIds) -> dict[str, Any]:
    content = f"Error: {part.content}" if part.is_error else part.content
    call_id = call_ids.current(part.call_id)
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _assistant(index: int, message: Message, call_ids: CallIds) -> list[dict[str, Any]]:
    plans: list[str] = []
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for _, part in placed_parts(index, message):
        if isinstance(part, Text):
            parts.append({"type": "text", "text": part.text})
        elif isinstance(part, ToolCall):
            calls.append(_call(part, call_ids))
        elif isinstance(part, Reasoning) and part.origin == DIALECT:
            plan = (part.opaque or {}).get(TOOL_PLAN)
            if plan is not None:
                plans.append(str(plan))
            elif part.text:
                parts.append({"type": "thinking", "thinking": part.text})
    body: dict[str, Any] = {}
    if calls:
        body["tool_calls"] = calls
        if plans:
            body[TOOL_PLAN] = "".join(plans)
    if parts:
        body["content"] = _content(parts)
    return [{"role": "assistant", **body}] if body else []


def _content(parts: list[dict[str, Any]]) -> Any:
    """Give content as a string where it is one text, else as parts."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return parts


def _call(part: ToolCall, call_ids: CallIds) -> dict[str, Any]:
    return {
        "id": call_ids.new(part.id),
        "type": "function",
        "function": {"name": part.name, "arguments": sent_text(part)},
    }
