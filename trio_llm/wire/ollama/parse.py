"""Requests, as the server's side reads them."""

from typing import Any

from trio_llm.chat import (
    Image,
    Message,
    OutputSchema,
    Part,
    Reasoning,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.dialect import Incoming
from trio_llm.wire.fields import (
    build_request,
    expect_list,
    expect_object,
    expect_text,
    read_function,
    read_request_body,
    take_flag,
    take_integer,
    take_number,
    take_stop,
    take_text,
    take_tools,
)
from trio_llm.wire.images import from_base64, sniff
from trio_llm.wire.ollama.names import DIALECT

_ROLES: dict[str, Role] = {
    "system": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


def parse_request(body: bytes) -> Incoming:
    """Read a request; fields that the vocabulary lacks end up in `Request.extra`.

    Raises:
        InvalidRequestError: The body is no request of this dialect.
    """
    fields = read_request_body(body)
    model = take_text(fields, "model")
    if model is None:
        raise InvalidRequestError("model: is missing")
    stream = take_flag(fields, "stream", default=True)
    options = dict(expect_object(fields.pop("options", None) or {}, "options"))
    messages: list[Message] = []
    for index, item in enumerate(expect_list(fields.pop("messages", None), "messages")):
        place = f"messages[{index}]"
        messages.append(_message(expect_object(item, place), place, messages))
    limit = take_integer(options, "num_predict")
    if limit is not None and limit < 1:
        # Below one it means: no limit.
        limit = None
    temperature = take_number(options, "temperature")
    top_p = take_number(options, "top_p")
    stop = take_stop(options, "stop")
    seed = take_integer(options, "seed")
    tools = take_tools(fields, _tool)
    reasoning = _think(fields.pop("think", None))
    output = _format(fields)
    if options:
        fields["options"] = options
    request = build_request(
        messages=messages,
        max_tokens=limit,
        temperature=temperature,
        top_p=top_p,
        stop=stop,
        seed=seed,
        tools=tools,
        reasoning=reasoning,
        output=output,
        extra={DIALECT: fields} if fields else {},
    )
    return Incoming(request, model, stream)


def _tool(item: dict[str, Any], place: str) -> Tool:
    function = expect_object(item.get("function"), f"{place}.function")
    return read_function(function, "parameters", f"{place}.function")


def _format(fields: dict[str, Any]) -> OutputSchema | None:
    """Take a schema out of `fields`, which has no name here; the word ``json`` stays."""
    if type(fields.get("format")) is not dict:
        return None
    return OutputSchema("answer", fields.pop("format"))


def _think(value: Any) -> str | None:
    if value is None:
        return None
    if type(value) is bool:
        return "true" if value else "none"
    return expect_text(value, "think")


def _message(fields: dict[str, Any], place: str, before: list[Message]) -> Message:
    role = _ROLES.get(expect_text(fields.get("role"), f"{place}.role"))
    if role is None:
        raise InvalidRequestError(f"{place}.role: unknown role")
    content = expect_text(fields.get("content") or "", f"{place}.content")
    if role == "tool":
        return Message("tool", _result(fields, content, place, before))
    parts: list[Part] = []
    thinking = expect_text(fields.get("thinking") or "", f"{place}.thinking")
    if thinking and role == "assistant":
        parts.append(Reasoning(thinking, None, DIALECT))
    if content:
        parts.append(Text(content))
    images = expect_list(fields.get("images") or [], f"{place}.images")
    parts.extend([_image(item, f"{place}.images[{i}]") for i, item in enumerate(images)])
    calls = expect_list(fields.get("tool_calls") or [], f"{place}.tool_calls")
    known = sum(len(message.tool_calls) for message in before)
    for index, item in enumerate(calls):
        where = f"{place}.tool_calls[{index}]"
        call = expect_object(item, where)
        function = expect_object(call.get("function"), f"{where}.function")
        parts.append(
            ToolCall(
                expect_text(call.get("id") or f"call_{known + index}", f"{where}.id"),
                expect_text(function.get("name"), f"{where}.function.name"),
                expect_object(function.get("arguments") or {}, f"{where}.function.arguments"),
            )
        )
    return Message(role, parts)


def _image(value: Any, place: str) -> Image:
    image = from_base64(expect_text(value, place), "image/png", place)
    return Image(content=image.content, media_type=sniff(image.content or b""))


def _result(fields: dict[str, Any], content: str, place: str, before: list[Message]) -> ToolResult:
    name = fields.get("tool_name")
    if name is not None:
        name = expect_text(name, f"{place}.tool_name")
    call_id = fields.get("tool_call_id")
    if call_id is None:
        # Older clients name only the tool: the oldest call of it without a result is meant.
        answered = {
            part.call_id
            for message in before
            for part in message.content
            if isinstance(part, ToolResult)
        }
        calls = [call for message in before for call in message.tool_calls]
        open_calls = [call.id for call in calls if call.id not in answered and call.name == name]
        call_id = open_calls[0] if open_calls else "call_0"
    return ToolResult(expect_text(call_id, f"{place}.tool_call_id"), content, name=name)
