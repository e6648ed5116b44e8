"""Requests, as the client writes them."""

import re
from typing import Any
from urllib.parse import quote

from trio_llm.chat import (
    Audio,
    File,
    Image,
    Message,
    OutputSchema,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.wire.arguments import sent_text
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.openai_chat.calls import CallNames
from trio_llm.wire.openai_chat.names import CALL_FIELDS, CALLS, DIALECT, REPLAYED_FIELDS
from trio_llm.wire.openai_chat.parts import write_part
from trio_llm.wire.pairing import check_calls, results_first
from trio_llm.wire.quirks import PLAIN, Quirks
from trio_llm.wire.refusal import named_tool, placed_parts, unsupported
from trio_llm.wire.values import as_object, write_body

_REASONING_MODEL = re.compile(r"(?:openai/)?(?:o[1-9]|gpt-[5-9])(?![a-z0-9])")
_BETWEEN = {"role": "assistant", "content": "OK."}


def encode_request(
    request: Request,
    *,
    model: str,
    stream: bool,
    max_tokens: int | None = None,
    quirks: Quirks = PLAIN,
    dialect: str = DIALECT,
) -> Outgoing:
    """Write a request.

    Args:
        request: What is asked.
        model: The model to name.
        stream: Whether to ask for a stream.
        max_tokens: The limit when the request has none.
        quirks: In what the provider differs.
        dialect: The name under which its own fields and state are kept.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    body = request_body(
        request, model=model, stream=stream, max_tokens=max_tokens, quirks=quirks, dialect=dialect
    )
    return Outgoing(with_version("/chat/completions", quirks), write_body(body))


def request_body(
    request: Request,
    *,
    model: str,
    stream: bool,
    max_tokens: int | None,
    quirks: Quirks,
    dialect: str,
) -> dict[str, Any]:
    """Give the body of a request; the arguments are those of `encode_request`."""
    if quirks.pairs_calls:
        check_calls(request)
    writer = _Writer(quirks, dialect)
    body: dict[str, Any] = {"model": model, "messages": writer.messages(request)}
    if stream:
        body["stream"] = True
        if quirks.stream_options:
            body["stream_options"] = {"include_usage": True}
    limit = max_tokens if request.max_tokens is None else request.max_tokens
    if limit is not None:
        # OpenAI's reasoning models refuse the older name; other servers know only that.
        field = "max_completion_tokens" if _REASONING_MODEL.match(model) else "max_tokens"
        body[quirks.max_tokens_field or field] = limit
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop) or None,
        "user": request.user,
        "metadata": dict(request.metadata) or None,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    if request.seed is not None and quirks.seed_field is not None:
        body[quirks.seed_field] = request.seed
    if request.reasoning is not None:
        body |= _reasoning(request.reasoning, quirks)
    body |= _tools(request, quirks)
    if request.output is not None:
        body["response_format"] = _response_format(request.output)
    for field in quirks.unsupported:
        body.pop(field, None)
    body.update(request.extra.get(dialect, {}))
    return body


def with_version(path: str, quirks: Quirks) -> str:
    """Give the path with the version of the interface, where the provider wants one."""
    if quirks.version is None:
        return path
    return f"{path}?api-version={quote(quirks.version, safe='')}"


def _reasoning(effort: str, quirks: Quirks) -> dict[str, Any]:
    """Say how much to reason: a word is an effort, a number a budget in tokens."""
    if quirks.reasoning == "none":
        return {}
    if quirks.reasoning == "effort":
        return {"reasoning_effort": effort}
    if effort.isdecimal():
        return {"reasoning": {"max_tokens": int(effort)}}
    return {"reasoning": {"effort": effort}}


def _response_format(output: OutputSchema) -> dict[str, Any]:
    shape: dict[str, Any] = {"name": output.name}
    if output.description:
        shape["description"] = output.description
    shape |= {"schema": dict(output.schema), "strict": output.strict}
    return {"type": "json_schema", "json_schema": shape}


def _tools(request: Request, quirks: Quirks) -> dict[str, Any]:
    forced = named_tool(request)
    if not request.tools:
        return {}
    fields: dict[str, Any] = {"tools": [_tool(tool) for tool in request.tools]}
    if forced is not None:
        fields["tool_choice"] = {"type": "function", "function": {"name": forced}}
    elif request.tool_choice == "required":
        fields["tool_choice"] = quirks.required_choice
    elif request.tool_choice is not None:
        fields["tool_choice"] = request.tool_choice
    if request.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = request.parallel_tool_calls
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.parameters)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


class _Writer:
    """Writes the messages of one conversation."""

    def __init__(self, quirks: Quirks, dialect: str) -> None:
        self._quirks = quirks
        self._dialect = dialect
        self._names = CallNames(quirks.call_id_length)

    def messages(self, request: Request) -> list[dict[str, Any]]:
        """Give the messages.

        Raises:
            InvalidRequestError: A part has no form, or stands where it must not.
        """
        written: list[dict[str, Any]] = []
        for index, message in enumerate(request.messages):
            if message.role == "assistant":
                written.extend(self._assistant(index, message))
            else:
                written.extend(self._other(index, message))
        written = results_first(written)
        if self._quirks.reply_after_results:
            return _with_replies(written)
        return written

    def _other(self, index: int, message: Message) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        parts: list[dict[str, Any]] = []
        for place, part in placed_parts(index, message):
            if isinstance(part, ToolResult):
                results.append(self._result(part))
            elif isinstance(part, Text | Image | Audio | File):
                if self._quirks.plain_content and not isinstance(part, Text):
                    raise unsupported(place, part)
                parts.append(write_part(part, place))
        # Many compatible servers take a system message only as a string.
        plain = self._quirks.plain_content or message.role == "system"
        if parts and (plain or (len(parts) == 1 and parts[0]["type"] == "text")):
            return [*results, {"role": message.role, "content": message.text}]
        if parts:
            return [*results, {"role": message.role, "content": parts}]
        return results

    def _result(self, part: ToolResult) -> dict[str, Any]:
        content = f"Error: {part.content}" if part.is_error else part.content
        call_id = self._names.current(part.call_id)
        return {"role": "tool", "tool_call_id": call_id, "content": content}

    def _assistant(self, index: int, message: Message) -> list[dict[str, Any]]:
        body: dict[str, Any] = {}
        calls: list[dict[str, Any]] = []
        texts: list[str] = []
        replayed = self._replayed(message)
        beside = as_object(replayed.pop(CALLS, None))
        for _, part in placed_parts(index, message):
            if isinstance(part, Text):
                texts.append(part.text)
            elif isinstance(part, ToolCall):
                calls.append(self._call(part, as_object(beside.get(part.id))))
        body.update(replayed)
        if calls:
            body["tool_calls"] = calls
        if not body and not texts:
            return []
        return [{"role": "assistant", "content": "".join(texts) if texts else None, **body}]

    def _replayed(self, message: Message) -> dict[str, Any]:
        """Give the state that goes back to where it came from, if the provider takes it."""
        fields: dict[str, Any] = {}
        for part in message.content:
            if isinstance(part, Reasoning) and part.origin == self._dialect and part.opaque:
                fields |= {
                    name: part.opaque[name]
                    for name in (*REPLAYED_FIELDS, CALLS)
                    if name in part.opaque and (name == CALLS or name in self._quirks.replays)
                }
        return fields

    def _call(self, part: ToolCall, beside: dict[str, Any]) -> dict[str, Any]:
        call = {
            "id": self._names.new(part.id),
            "type": "function",
            "function": {"name": part.name, "arguments": sent_text(part)},
        }
        kept = [name for name in CALL_FIELDS if name in beside and name in self._quirks.replays]
        return call | {name: beside[name] for name in kept}


def _with_replies(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put a reply between a tool's result and a user's message."""
    written: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "user" and written and written[-1]["role"] == "tool":
            written.append(_BETWEEN)
        written.append(message)
    return written
