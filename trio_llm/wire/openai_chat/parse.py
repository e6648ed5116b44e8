"""Requests, as the server's side reads them."""

import re
from typing import Any

from trio_llm.chat import (
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
from trio_llm.wire.openai_chat.names import CALLS, DIALECT, REPLAYED_FIELDS
from trio_llm.wire.openai_chat.parts import read_parts
from trio_llm.wire.openai_chat.replies import call_fields
from trio_llm.wire.values import as_list, as_object, as_text

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_DEPLOYMENT = re.compile(r"/deployments/([^/?]+)")


def parse_request(path: str, body: bytes, origin: str = DIALECT) -> Incoming:
    """Read a request; fields that the vocabulary lacks end up in `Request.extra`.

    Args:
        path: The path of the request.
        body: Its body.
        origin: The dialect's name.

    Raises:
        InvalidRequestError: The body is no request of this dialect.
    """
    fields = read_request_body(body)
    model = take_text(fields, "model")
    if model is None:
        # Azure names the deployment in the path.
        deployment = _DEPLOYMENT.search(path)
        if deployment is None:
            raise InvalidRequestError("model: is missing")
        model = deployment[1]
    stream = take_flag(fields, "stream", default=False)
    fields.pop("stream_options", None)
    wire_messages = expect_list(fields.pop("messages", None), "messages")
    older = take_integer(fields, "max_tokens")
    newer = take_integer(fields, "max_completion_tokens")
    request = build_request(
        messages=[
            _message(item, f"messages[{index}]", origin) for index, item in enumerate(wire_messages)
        ],
        max_tokens=older if newer is None else newer,
        temperature=take_number(fields, "temperature"),
        top_p=take_number(fields, "top_p"),
        stop=take_stop(fields, "stop"),
        seed=take_integer(fields, "seed"),
        tools=take_tools(fields, _tool),
        tool_choice=_tool_choice(fields.pop("tool_choice", None)),
        parallel_tool_calls=take_flag(fields, "parallel_tool_calls", default=None),
        reasoning=take_text(fields, "reasoning_effort"),
        user=take_text(fields, "user"),
        metadata=expect_object(fields.pop("metadata", None) or {}, "metadata"),
        output=_output(fields),
        extra={origin: fields} if fields else {},
    )
    return Incoming(request, model, stream)


def _tool(item: dict[str, Any], place: str) -> Tool:
    function = expect_object(item.get("function"), f"{place}.function")
    return read_function(function, "parameters", f"{place}.function")


def _tool_choice(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    function = expect_object(expect_object(value, "tool_choice").get("function"), "tool_choice")
    return expect_text(function.get("name"), "tool_choice.function.name")


def _message(value: Any, place: str, origin: str) -> Message:
    fields = expect_object(value, place)
    role = _ROLES.get(expect_text(fields.get("role"), f"{place}.role"))
    if role is None:
        raise InvalidRequestError(f"{place}.role: unknown role")
    content = fields.get("content")
    if role == "tool":
        call_id = expect_text(fields.get("tool_call_id"), f"{place}.tool_call_id")
        text = "".join([part.text for part in read_parts(content, place) if isinstance(part, Text)])
        name = fields.get("name")
        if name is not None:
            name = expect_text(name, f"{place}.name")
        return Message("tool", ToolResult(call_id, text, name=name))
    parts = read_parts(content, place)
    if role == "assistant":
        parts = [*_reasoning(fields, origin), *parts, *_calls(fields, place)]
    return Message(role, parts)


def _output(fields: dict[str, Any]) -> OutputSchema | None:
    """Take the shape of the answer; other formats stay where they are."""
    wanted = fields.get("response_format")
    if type(wanted) is not dict or as_object(wanted).get("type") != "json_schema":
        return None
    place = "response_format.json_schema"
    shape = expect_object(as_object(fields.pop("response_format")).get("json_schema"), place)
    return OutputSchema(
        expect_text(shape.get("name"), f"{place}.name"),
        expect_object(shape.get("schema"), f"{place}.schema"),
        strict=take_flag(dict(shape), "strict", default=False),
        description=expect_text(shape.get("description") or "", f"{place}.description"),
    )


def _reasoning(fields: dict[str, Any], origin: str) -> list[Part]:
    opaque = {name: fields[name] for name in REPLAYED_FIELDS if fields.get(name)}
    beside = {
        as_text(as_object(call).get("id")): kept
        for call in as_list(fields.get("tool_calls"))
        if (kept := call_fields(as_object(call)))
    }
    if beside:
        opaque[CALLS] = beside
    text = fields.get("reasoning_content") or fields.get("reasoning") or ""
    if not opaque and not text:
        return []
    return [Reasoning(expect_text(text, "reasoning_content"), opaque or None, origin)]


def _calls(fields: dict[str, Any], place: str) -> list[Part]:
    calls: list[Part] = []
    wire_calls = expect_list(fields.get("tool_calls") or [], f"{place}.tool_calls")
    for index, item in enumerate(wire_calls):
        where = f"{place}.tool_calls[{index}]"
        call = expect_object(item, where)
        function = expect_object(call.get("function"), f"{where}.function")
        calls.append(
            ToolCall.parse(
                expect_text(call.get("id"), f"{where}.id"),
                expect_text(function.get("name"), f"{where}.function.name"),
                expect_text(function.get("arguments") or "", f"{where}.function.arguments"),
            )
        )
    return calls
