"""Requests, as the server's side reads them."""

from typing import Any

from trio_llm.chat import (
    Image,
    Message,
    OutputSchema,
    Part,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.cohere.names import DIALECT, TOOL_PLAN
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
from trio_llm.wire.images import from_url
from trio_llm.wire.values import as_object

_CHOICES = {"REQUIRED": "required", "NONE": "none"}


def parse_request(body: bytes) -> Incoming:
    """Read a request; fields that the vocabulary lacks end up in `Request.extra`.

    Raises:
        InvalidRequestError: The body is no request of this dialect.
    """
    fields = read_request_body(body)
    model = take_text(fields, "model")
    if model is None:
        raise InvalidRequestError("model: is missing")
    stream = take_flag(fields, "stream", default=False)
    wire_messages = expect_list(fields.pop("messages", None), "messages")
    strict = take_flag(fields, "strict_tools", default=None)
    request = build_request(
        messages=[_message(item, f"messages[{index}]") for index, item in enumerate(wire_messages)],
        max_tokens=take_integer(fields, "max_tokens"),
        temperature=take_number(fields, "temperature"),
        top_p=take_number(fields, "p"),
        stop=take_stop(fields, "stop_sequences"),
        seed=take_integer(fields, "seed"),
        tools=take_tools(fields, lambda item, place: _tool(item, place, strict=strict)),
        tool_choice=_tool_choice(take_text(fields, "tool_choice")),
        reasoning=_reasoning(fields),
        output=_output(fields),
        extra={DIALECT: fields} if fields else {},
    )
    return Incoming(request, model, stream)


def _tool(item: dict[str, Any], place: str, *, strict: bool | None) -> Tool:
    function = dict(expect_object(item.get("function"), f"{place}.function"))
    function["strict"] = strict
    return read_function(function, "parameters", f"{place}.function")


def _tool_choice(value: str | None) -> str | None:
    if value is None:
        return None
    if value not in _CHOICES:
        raise InvalidRequestError("tool_choice: must be REQUIRED or NONE")
    return _CHOICES[value]


def _reasoning(fields: dict[str, Any]) -> str | None:
    """Take the switch or the budget out of `fields`, where it is one that we write."""
    thinking = as_object(fields.get("thinking"))
    budget = thinking.get("token_budget")
    if thinking == {"type": "disabled"}:
        del fields["thinking"]
        return "none"
    if thinking == {"type": "enabled"}:
        del fields["thinking"]
        return "enabled"
    if thinking == {"type": "enabled", "token_budget": budget} and type(budget) is int:
        del fields["thinking"]
        return str(budget)
    return None


def _output(fields: dict[str, Any]) -> OutputSchema | None:
    """Take the schema of the answer out of `fields`; JSON without one stays there."""
    shape = as_object(fields.get("response_format"))
    schema = shape.get("json_schema") or shape.get("schema")
    if shape.get("type") != "json_object" or not schema:
        return None
    del fields["response_format"]
    return OutputSchema("answer", expect_object(schema, "response_format.json_schema"))


def _message(value: Any, place: str) -> Message:
    fields = expect_object(value, place)
    role = expect_text(fields.get("role"), f"{place}.role")
    parts = _parts(fields.get("content"), place, role)
    if role == "system":
        return Message("system", parts)
    if role == "user":
        return Message("user", parts)
    if role == "tool":
        call_id = expect_text(fields.get("tool_call_id"), f"{place}.tool_call_id")
        text = "".join([part.text for part in parts if isinstance(part, Text)])
        return Message("tool", ToolResult(call_id, text))
    if role != "assistant":
        raise InvalidRequestError(f"{place}.role: unknown role")
    plan = expect_text(fields.get(TOOL_PLAN) or "", f"{place}.{TOOL_PLAN}")
    if plan:
        parts.append(Reasoning(plan, {TOOL_PLAN: plan}, DIALECT))
    return Message("assistant", [*parts, *_calls(fields, place)])


def _parts(content: Any, place: str, role: str) -> list[Part]:
    if content is None:
        return []
    if type(content) is str:
        return [Text(content)]
    parts: list[Part] = []
    for index, item in enumerate(expect_list(content, f"{place}.content")):
        where = f"{place}.content[{index}]"
        part = expect_object(item, where)
        kind = part.get("type")
        if kind == "text":
            parts.append(Text(expect_text(part.get("text"), f"{where}.text")))
        elif kind == "image_url" and role == "user":
            parts.append(_image(part.get("image_url"), where))
        elif kind == "thinking" and role == "assistant":
            text = expect_text(part.get("thinking"), f"{where}.thinking")
            parts.append(Reasoning(text, None, DIALECT))
        else:
            raise InvalidRequestError(f"{where}: parts of type {kind!r} are not supported")
    return parts


def _image(value: Any, where: str) -> Image:
    url = expect_object(value, f"{where}.image_url").get("url")
    return from_url(expect_text(url, f"{where}.image_url.url"), where)


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
