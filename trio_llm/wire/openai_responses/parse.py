"""Requests, as the server's side reads them."""

from typing import Any

from trio_llm.chat import Message, OutputSchema, Part, Tool
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
    take_text,
    take_tools,
)
from trio_llm.wire.openai_responses.names import DIALECT, ENCRYPTED
from trio_llm.wire.openai_responses.parse_items import read_item


def parse_request(body: bytes) -> Incoming:
    """Read a request; fields that the vocabulary lacks end up in `Request.extra`.

    Raises:
        InvalidRequestError: The body is no request of this dialect.
    """
    fields = {name: value for name, value in read_request_body(body).items() if value is not None}
    model = take_text(fields, "model")
    if model is None:
        raise InvalidRequestError("model: is missing")
    stream = take_flag(fields, "stream", default=False)
    messages = _conversation(fields)
    output = _output(fields)
    # What is always asked for, and what is always the case, need not be repeated.
    if fields.get("include") == [ENCRYPTED]:
        del fields["include"]
    if fields.get("store") is False:
        del fields["store"]
    # The older name of the two.
    user = take_text(fields, "safety_identifier" if "safety_identifier" in fields else "user")
    request = build_request(
        messages=messages,
        max_tokens=take_integer(fields, "max_output_tokens"),
        temperature=take_number(fields, "temperature"),
        top_p=take_number(fields, "top_p"),
        tools=take_tools(fields, _tool),
        tool_choice=_tool_choice(fields.pop("tool_choice", None)),
        parallel_tool_calls=take_flag(fields, "parallel_tool_calls", default=None),
        reasoning=_effort(fields),
        output=output,
        user=user,
        metadata=expect_object(fields.pop("metadata", {}), "metadata"),
        extra={DIALECT: fields} if fields else {},
    )
    return Incoming(request, model, stream)


def _conversation(fields: dict[str, Any]) -> list[Message]:
    instructions = take_text(fields, "instructions")
    messages = [] if instructions is None else [Message("system", instructions)]
    given = fields.pop("input", None)
    if type(given) is str:
        return [*messages, Message("user", given)]
    turn: list[Part] = []
    for index, item in enumerate(expect_list(given, "input")):
        place = f"input[{index}]"
        message = read_item(expect_object(item, place), place)
        if message.role == "assistant":
            # One turn is several items: reasoning, text, calls.
            turn.extend(message.content)
            continue
        if turn:
            messages.append(Message("assistant", turn))
            turn = []
        messages.append(message)
    return [*messages, Message("assistant", turn)] if turn else messages


def _tool(item: dict[str, Any], place: str) -> Tool:
    if item.get("type") != "function":
        raise InvalidRequestError(f"{place}: tools of type {item.get('type')!r} are not supported")
    return read_function(item, "parameters", place)


def _tool_choice(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    choice = expect_object(value, "tool_choice")
    if choice.get("type") != "function":
        raise InvalidRequestError(f"tool_choice.type: {choice.get('type')!r} is not supported")
    return expect_text(choice.get("name"), "tool_choice.name")


def _effort(fields: dict[str, Any]) -> str | None:
    """Read the effort; what else is said about reasoning stays, and the effort with it."""
    if "reasoning" not in fields:
        return None
    reasoning = expect_object(fields["reasoning"], "reasoning")
    effort = take_text(dict(reasoning), "effort")
    if effort is not None and list(reasoning) == ["effort"]:
        del fields["reasoning"]
    return effort


def _output(fields: dict[str, Any]) -> OutputSchema | None:
    """Read the shape of the answer; what else is said about the text stays, with the shape."""
    if "text" not in fields:
        return None
    text = expect_object(fields["text"], "text")
    shape = expect_object(text.get("format") or {}, "text.format")
    if shape.get("type") != "json_schema":
        return None
    if list(text) == ["format"]:
        del fields["text"]
    shape = dict(shape)
    return OutputSchema(
        name=expect_text(shape.get("name"), "text.format.name"),
        schema=expect_object(shape.get("schema"), "text.format.schema"),
        strict=take_flag(shape, "strict", default=False),
        description=expect_text(shape.get("description") or "", "text.format.description"),
    )
