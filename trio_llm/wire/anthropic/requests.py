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
from trio_llm.errors import InvalidRequestError, UnsupportedError
from trio_llm.wire.anthropic.documents import document_block
from trio_llm.wire.anthropic.names import DIALECT, VERSION, WITHOUT_SAMPLING
from trio_llm.wire.arguments import sent_arguments
from trio_llm.wire.call_ids import CallIds
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.images import by_bytes, to_base64
from trio_llm.wire.pairing import check_calls
from trio_llm.wire.refusal import named_tool, placed_parts, unsupported
from trio_llm.wire.values import write_body

_DEFAULT_MAX_TOKENS = 4096
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def encode_request(
    request: Request,
    *,
    model: str,
    stream: bool,
    max_tokens: int | None = None,
    version: str = VERSION,
) -> Outgoing:
    """Write a request.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    check_calls(request)
    body = conversation_body(request, model)
    # The budget for thinking is part of the limit, and must be below it.
    thinking = body.get("thinking", {}).get("budget_tokens", 0)
    body["max_tokens"] = request.max_tokens or max_tokens or _DEFAULT_MAX_TOKENS + thinking
    if stream:
        body["stream"] = True
    optional = {
        **_sampling(request, version),
        "stop_sequences": list(request.stop) or None,
        "metadata": {"user_id": request.user} if request.user is not None else None,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    body.update(request.extra.get(DIALECT, {}))
    return Outgoing("/messages", write_body(body), version_header(version))


def version_header(version: str) -> dict[str, str]:
    """Give the header without which the provider answers nothing."""
    return {"anthropic-version": version}


def conversation_body(request: Request, model: str) -> dict[str, Any]:
    """Give the fields that asking for an answer and counting its input share.

    Raises:
        InvalidRequestError: The dialect cannot express a part of the conversation.
    """
    system, messages = _conversation(request)
    body: dict[str, Any] = {"model": model, "messages": messages}
    if len(system) == 1:
        body["system"] = system[0]["text"]
    elif system:
        body["system"] = system
    choice = _tool_choice(request)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if choice is not None:
            body["tool_choice"] = choice
    body.update(_thinking(request.reasoning))
    if request.output is not None:
        form = {"type": "json_schema", "schema": dict(request.output.schema)}
        body["output_config"] = {**body.get("output_config", {}), "format": form}
    return body


def _sampling(request: Request, version: str) -> dict[str, float | None]:
    fields = {"temperature": request.temperature, "top_p": request.top_p}
    # Versions are dates, so that they compare as text.
    if version >= WITHOUT_SAMPLING:
        for name, value in fields.items():
            if value is not None:
                raise UnsupportedError(
                    f"{name}: version {version} of this provider's interface takes none, "
                    f'not even the default; leave it out, or set api_version = "{VERSION}"'
                )
    return fields


def _thinking(effort: str | None) -> dict[str, Any]:
    """Say how much to think: a word is an effort, a number a budget in tokens."""
    if effort is None:
        return {}
    if effort in ("none", "disabled"):
        return {"thinking": {"type": "disabled"}}
    if effort.isdecimal():
        return {"thinking": {"type": "enabled", "budget_tokens": int(effort)}}
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}


def _tool(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": tool.name, "input_schema": dict(tool.parameters)}
    if tool.description:
        fields["description"] = tool.description
    if tool.strict is not None:
        fields["strict"] = tool.strict
    return fields


def _tool_choice(request: Request) -> dict[str, Any] | None:
    forced = named_tool(request)
    choice: dict[str, Any] | None = None
    if forced is not None:
        choice = {"type": "tool", "name": forced}
    elif request.tool_choice is not None:
        kind = "any" if request.tool_choice == "required" else request.tool_choice
        choice = {"type": kind}
    if request.parallel_tool_calls is not None and request.tool_choice != "none":
        choice = choice or {"type": "auto"}
        choice["disable_parallel_tool_use"] = not request.parallel_tool_calls
    return choice


def _conversation(request: Request) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    system: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    names = CallIds(None, _NOT_IN_ID)
    for index, message in enumerate(request.messages):
        blocks = _blocks(index, message, names)
        if message.role == "system":
            system.extend(blocks)
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"].extend(blocks)
        else:
            messages.append({"role": role, "content": blocks})
    if not messages:
        raise InvalidRequestError("messages: this dialect needs a user message with content")
    for turn in messages:
        if turn["role"] == "user":
            # Stable: results come first, the rest keeps its order.
            turn["content"].sort(key=_is_not_result)
    return system, messages


def _is_not_result(block: dict[str, Any]) -> bool:
    return bool(block["type"] != "tool_result")


def _blocks(index: int, message: Message, names: CallIds) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for place, part in placed_parts(index, message):
        if isinstance(part, Audio):
            raise unsupported(place, part, "send its transcript as text")
        if isinstance(part, Image):
            part = by_bytes(part, place)  # noqa: PLW2901 - the same picture
        block = document_block(part, place) if isinstance(part, File) else _block(part, names)
        if block is not None:
            blocks.append(block)
    return blocks


def _block(
    part: Text | Image | ToolCall | ToolResult | Reasoning, names: CallIds
) -> dict[str, Any] | None:
    match part:
        case Text(text):
            # "text content blocks must contain non-whitespace text", says the provider.
            return {"type": "text", "text": text} if text.strip() else None
        case Image():
            return {"type": "image", "source": _source(part)}
        case ToolCall():
            return {
                "type": "tool_use",
                "id": names.new(part.id),
                "name": part.name,
                "input": dict(sent_arguments(part)),
            }
        case ToolResult():
            result: dict[str, Any] = {
                "type": "tool_result",
                "tool_use_id": names.current(part.call_id),
                "content": part.content,
            }
            if part.is_error:
                result["is_error"] = True
            return result
        case Reasoning():
            return _reasoning(part)


def _source(part: Image) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    return {"type": "base64", "media_type": part.media_type, "data": to_base64(part)}


def _reasoning(part: Reasoning) -> dict[str, Any] | None:
    """Write back what this dialect made; thinking without a signature would be refused."""
    if part.origin != DIALECT or not part.opaque:
        return None
    if "redacted_thinking" in part.opaque:
        return {"type": "redacted_thinking", "data": part.opaque["redacted_thinking"]}
    if "signature" in part.opaque:
        return {
            "type": "thinking",
            "thinking": part.text,
            "signature": part.opaque["signature"],
        }
    return None
