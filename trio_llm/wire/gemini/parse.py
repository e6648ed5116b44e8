"""Requests, as the server's side reads them."""

from collections.abc import Mapping
from typing import Any

from trio_llm.chat import Message, OutputSchema, Part, Text, Tool, ToolCall, ToolResult
from trio_llm.errors import InvalidRequestError, MalformedResponseError
from trio_llm.wire.dialect import Incoming
from trio_llm.wire.fields import (
    build_request,
    expect_list,
    expect_object,
    expect_text,
    read_function,
    read_request_body,
    take_integer,
    take_number,
    take_stop,
)
from trio_llm.wire.gemini.media import read_address, read_inline
from trio_llm.wire.gemini.names import DIALECT
from trio_llm.wire.gemini.paths import read_path
from trio_llm.wire.gemini.turns import read_part
from trio_llm.wire.values import as_list, as_object, write_text

_METHODS = {"generateContent": False, "streamGenerateContent": True}
_OUTPUT_NAME = "output"


def parse_request(path: str, body: bytes) -> Incoming:
    """Read a request; fields that the vocabulary lacks end up in `Request.extra`.

    Raises:
        InvalidRequestError: The path or the body is no request of this dialect.
    """
    model, method = read_path(path)
    if method not in _METHODS:
        raise InvalidRequestError(f"the path: unknown method {method[:100]!r}")
    fields = read_request_body(body)
    messages = _system(fields.pop("systemInstruction", None))
    turns = _Turns()
    for index, item in enumerate(expect_list(fields.pop("contents", None), "contents")):
        messages.extend(turns.read(expect_object(item, f"contents[{index}]"), f"contents[{index}]"))
    config = dict(expect_object(fields.pop("generationConfig", None) or {}, "generationConfig"))
    settings = {
        "max_tokens": take_integer(config, "maxOutputTokens"),
        "temperature": take_number(config, "temperature"),
        "top_p": take_number(config, "topP"),
        "stop": take_stop(config, "stopSequences"),
        "seed": take_integer(config, "seed"),
        "reasoning": _reasoning(config),
        "output": _output(config),
    }
    if config:
        fields["generationConfig"] = config
    request = build_request(
        messages=messages,
        tools=_tools(fields),
        tool_choice=_tool_choice(fields),
        extra={DIALECT: fields} if fields else {},
        **settings,
    )
    return Incoming(request, model, _METHODS[method])


def _reasoning(config: dict[str, Any]) -> str | None:
    """Take the effort or the budget out of the settings, where it is one that we write."""
    thinking = as_object(config.get("thinkingConfig"))
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    effort: str | None = None
    if thinking == {"thinkingBudget": 0}:
        effort = "none"
    elif type(budget) is int and thinking == {"includeThoughts": True, "thinkingBudget": budget}:
        effort = str(budget)
    elif type(level) is str and thinking == {"includeThoughts": True, "thinkingLevel": level}:
        effort = level.lower()
    if effort is not None:
        del config["thinkingConfig"]
    return effort


def _output(config: dict[str, Any]) -> OutputSchema | None:
    """Take the schema of the answer out of the settings; it has no name on this wire."""
    if config.get("responseJsonSchema") is None:
        return None
    schema = expect_object(config.pop("responseJsonSchema"), "generationConfig.responseJsonSchema")
    if config.get("responseMimeType") == "application/json":
        del config["responseMimeType"]
    return OutputSchema(_OUTPUT_NAME, schema)


def _tools(fields: dict[str, Any]) -> tuple[Tool, ...]:
    """Take the functions out of the tools; tools of the provider's own stay."""
    tools: list[Tool] = []
    rest: list[Any] = []
    for index, item in enumerate(expect_list(fields.pop("tools", None) or [], "tools")):
        place = f"tools[{index}]"
        tool = dict(expect_object(item, place))
        place += ".functionDeclarations"
        declared = expect_list(tool.pop("functionDeclarations", None) or [], place)
        for number, function in enumerate(declared):
            tools.append(_tool(expect_object(function, f"{place}[{number}]"), f"{place}[{number}]"))
        if tool:
            rest.append(tool)
    if rest:
        fields["tools"] = rest
    return tuple(tools)


def _tool(function: dict[str, Any], place: str) -> Tool:
    schema = "parameters" if "parameters" in function else "parametersJsonSchema"
    return read_function(function, schema, place)


def _tool_choice(fields: dict[str, Any]) -> str | None:
    """Take the choice of tools out of `fields`, where it is one that the vocabulary has."""
    config = as_object(fields.get("toolConfig"))
    choice = as_object(config.get("functionCallingConfig"))
    names = as_list(choice.get("allowedFunctionNames"))
    if len(config) != 1 or not choice.keys() <= {"mode", "allowedFunctionNames"} or len(names) > 1:
        return None
    mode = choice.get("mode")
    if mode == "ANY" and names:
        taken = expect_text(names[0], "toolConfig.functionCallingConfig.allowedFunctionNames[0]")
    elif mode in ("ANY", "AUTO", "NONE") and not names:
        taken = "required" if mode == "ANY" else mode.lower()
    else:
        return None
    del fields["toolConfig"]
    return taken


def _system(value: Any) -> list[Message]:
    if value is None:
        return []
    place = "systemInstruction"
    parts = expect_list(expect_object(value, place).get("parts"), f"{place}.parts")
    texts = [
        Text(expect_text(expect_object(item, where).get("text"), f"{where}.text"))
        for item, where in _placed(parts, place)
    ]
    return [Message("system", texts)] if texts else []


def _placed(parts: list[Any], place: str) -> list[tuple[Any, str]]:
    return [(item, f"{place}.parts[{number}]") for number, item in enumerate(parts)]


class _Turns:
    """Reads turn after turn, and matches results with calls that have no identifier."""

    def __init__(self) -> None:
        self._made = 0
        self._open: list[ToolCall] = []

    def read(self, fields: dict[str, Any], place: str) -> list[Message]:
        """Read one turn; the tool results of a user's turn become a message of their own."""
        role = fields.get("role", "user")
        if role not in ("user", "model"):
            raise InvalidRequestError(f"{place}.role: unknown role")
        parts = [
            (expect_object(item, where), where)
            for item, where in _placed(expect_list(fields.get("parts"), f"{place}.parts"), place)
        ]
        if role == "model":
            return [self._answer(parts)]
        results = [
            self._result(part["functionResponse"], where)
            for part, where in parts
            if "functionResponse" in part
        ]
        rest = [_user_part(part, where) for part, where in parts if "functionResponse" not in part]
        messages = [Message("tool", results)] if results else []
        if rest or not results:
            messages.append(Message("user", rest))
        return messages

    def _answer(self, parts: list[tuple[dict[str, Any], str]]) -> Message:
        read: list[Part] = []
        for fields, where in parts:
            try:
                read.extend(read_part(fields, self._new_id))
            except (ValueError, MalformedResponseError) as error:
                raise InvalidRequestError(f"{where}: {error}") from None
        self._open.extend([part for part in read if isinstance(part, ToolCall)])
        return Message("assistant", read)

    def _new_id(self) -> str:
        self._made += 1
        return f"call_{self._made - 1}"

    def _result(self, value: Any, where: str) -> ToolResult:
        place = f"{where}.functionResponse"
        fields = expect_object(value, place)
        name = expect_text(fields.get("name"), f"{place}.name")
        call_id = self._answered(fields.get("id"), name)
        response = expect_object(fields.get("response"), f"{place}.response")
        text, is_error = _outcome(response)
        return ToolResult(expect_text(call_id, f"{place}.id"), text, is_error, name)

    def _answered(self, call_id: Any, name: str) -> Any:
        """Find the call that a result answers: without an identifier the oldest of its name."""
        for call in self._open:
            if call.id == call_id or (call_id is None and call.name == name):
                self._open.remove(call)
                return call.id
        return "call_0" if call_id is None else call_id


def _outcome(response: Mapping[str, Any]) -> tuple[str, bool]:
    """Give what a tool answered, and whether it failed."""
    for key in ("output", "error"):
        if list(response) == [key]:
            value = response[key]
            return value if type(value) is str else write_text(value), key == "error"
    return write_text(response), False


def _user_part(part: dict[str, Any], where: str) -> Part:
    if "text" in part:
        return Text(expect_text(part["text"], f"{where}.text"))
    if "inlineData" in part:
        return read_inline(part["inlineData"], f"{where}.inlineData")
    if "fileData" in part:
        return read_address(part["fileData"], f"{where}.fileData")
    kinds = ", ".join(sorted(part))[:100]
    raise InvalidRequestError(f"{where}: parts of kind {kinds!r} are not supported")
