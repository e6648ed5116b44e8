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
from trio_llm.wire.anthropic.documents import read_document
from trio_llm.wire.anthropic.names import DIALECT
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
from trio_llm.wire.images import from_base64
from trio_llm.wire.values import as_object


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
    messages = _system(fields.pop("system", None))
    for index, item in enumerate(expect_list(fields.pop("messages", None), "messages")):
        messages.extend(_turn(expect_object(item, f"messages[{index}]"), f"messages[{index}]"))
    choice, parallel = _tool_choice(fields.pop("tool_choice", None))
    output = _output(fields)
    request = build_request(
        messages=messages,
        max_tokens=take_integer(fields, "max_tokens"),
        temperature=take_number(fields, "temperature"),
        top_p=take_number(fields, "top_p"),
        stop=take_stop(fields, "stop_sequences"),
        tools=take_tools(fields, _tool),
        tool_choice=choice,
        parallel_tool_calls=parallel,
        reasoning=_reasoning(fields),
        output=output,
        user=_user(fields),
        extra={DIALECT: fields} if fields else {},
    )
    return Incoming(request, model, stream)


def _tool(item: dict[str, Any], place: str) -> Tool:
    return read_function(item, "input_schema", place)


def _tool_choice(value: Any) -> tuple[str | None, bool | None]:
    if value is None:
        return None, None
    choice = dict(expect_object(value, "tool_choice"))
    disabled = take_flag(choice, "disable_parallel_tool_use", default=None)
    parallel = None if disabled is None else not disabled
    kind = choice.get("type")
    if kind == "tool":
        return expect_text(choice.get("name"), "tool_choice.name"), parallel
    if kind == "any":
        return "required", parallel
    if kind in ("auto", "none"):
        return kind, parallel
    raise InvalidRequestError(f"tool_choice.type: unknown type {kind!r}")


def _output(fields: dict[str, Any]) -> OutputSchema | None:
    """Take the schema of the answer out of `fields`; on this wire it has no name."""
    config = dict(as_object(fields.get("output_config")))
    form = as_object(config.pop("format", None))
    if form.get("type") != "json_schema":
        return None
    schema = expect_object(form.get("schema"), "output_config.format.schema")
    if config:
        fields["output_config"] = config
    else:
        del fields["output_config"]
    return OutputSchema("answer", schema)


def _reasoning(fields: dict[str, Any]) -> str | None:
    """Take the effort or the budget out of `fields`, where it is one that we write."""
    thinking = as_object(fields.get("thinking"))
    output = as_object(fields.get("output_config"))
    if thinking == {"type": "adaptive"} and list(output) == ["effort"]:
        del fields["thinking"], fields["output_config"]
        return expect_text(output["effort"], "output_config.effort")
    if thinking == {"type": "disabled"}:
        del fields["thinking"]
        return "none"
    budget = thinking.get("budget_tokens")
    if thinking == {"type": "enabled", "budget_tokens": budget} and type(budget) is int:
        del fields["thinking"]
        return str(budget)
    return None


def _user(fields: dict[str, Any]) -> str | None:
    metadata = as_object(fields.get("metadata"))
    if list(metadata) != ["user_id"]:
        return None
    del fields["metadata"]
    user = metadata["user_id"]
    return None if user is None else expect_text(user, "metadata.user_id")


def _system(value: Any, place: str = "system") -> list[Message]:
    if value is None:
        return []
    if type(value) is str:
        return [Message("system", value)] if value else []
    texts = _texts(value, place)
    return [Message("system", texts)] if texts else []


def _texts(value: Any, place: str) -> list[Text]:
    texts: list[Text] = []
    for index, item in enumerate(expect_list(value, place)):
        block = expect_object(item, f"{place}[{index}]")
        if block.get("type") != "text":
            raise InvalidRequestError(f"{place}[{index}]: only text is supported here")
        texts.append(Text(expect_text(block.get("text"), f"{place}[{index}].text")))
    return texts


def _turn(fields: dict[str, Any], place: str) -> list[Message]:
    """Read one turn; the tool results of a user's turn become a message of their own."""
    role = expect_text(fields.get("role"), f"{place}.role")
    content = fields.get("content")
    if role == "system":
        return _system(content, f"{place}.content")
    if role not in ("user", "assistant"):
        raise InvalidRequestError(f"{place}.role: unknown role")
    if type(content) is str:
        return [Message("user" if role == "user" else "assistant", content)]
    parts: list[Part] = []
    results: list[Part] = []
    for index, item in enumerate(expect_list(content, f"{place}.content")):
        where = f"{place}.content[{index}]"
        block = expect_object(item, where)
        part = _assistant_part(block, where) if role == "assistant" else _user_part(block, where)
        (results if isinstance(part, ToolResult) else parts).append(part)
    if role == "assistant":
        return [Message("assistant", parts)]
    messages: list[Message] = []
    if results:
        messages.append(Message("tool", results))
    if parts or not results:
        messages.append(Message("user", parts))
    return messages


def _user_part(block: dict[str, Any], where: str) -> Part:
    kind = block.get("type")
    if kind == "text":
        return Text(expect_text(block.get("text"), f"{where}.text"))
    if kind == "image":
        return _image(expect_object(block.get("source"), f"{where}.source"), where)
    if kind == "document":
        return read_document(block, where)
    if kind == "tool_result":
        content = block.get("content") or ""
        if type(content) is not str:
            content = "".join([text.text for text in _texts(content, f"{where}.content")])
        call_id = expect_text(block.get("tool_use_id"), f"{where}.tool_use_id")
        return ToolResult(call_id, content, is_error=block.get("is_error") is True)
    raise InvalidRequestError(f"{where}: blocks of type {kind!r} are not supported")


def _image(source: dict[str, Any], where: str) -> Image:
    kind = source.get("type")
    if kind == "url":
        return Image(url=expect_text(source.get("url"), f"{where}.source.url"))
    if kind == "base64":
        media_type = expect_text(source.get("media_type"), f"{where}.source.media_type")
        text = expect_text(source.get("data"), f"{where}.source.data")
        return from_base64(text, media_type, where)
    raise InvalidRequestError(f"{where}.source: sources of type {kind!r} are not supported")


def _assistant_part(block: dict[str, Any], where: str) -> Part:
    kind = block.get("type")
    if kind == "text":
        return Text(expect_text(block.get("text"), f"{where}.text"))
    if kind == "tool_use":
        return ToolCall(
            expect_text(block.get("id"), f"{where}.id"),
            expect_text(block.get("name"), f"{where}.name"),
            expect_object(block.get("input") or {}, f"{where}.input"),
        )
    if kind == "thinking":
        text = expect_text(block.get("thinking"), f"{where}.thinking")
        return Reasoning(text, {"signature": block.get("signature")}, DIALECT)
    if kind == "redacted_thinking":
        return Reasoning("", {"redacted_thinking": block.get("data")}, DIALECT)
    raise InvalidRequestError(f"{where}: blocks of type {kind!r} are not supported")
