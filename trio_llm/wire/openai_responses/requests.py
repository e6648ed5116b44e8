"""Requests, as the client writes them."""

import re
from typing import Any

from trio_llm.chat import OutputSchema, Request, Tool
from trio_llm.errors import UnsupportedError
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.openai_chat.requests import with_version
from trio_llm.wire.openai_responses.items import write_conversation
from trio_llm.wire.openai_responses.names import DIALECT, ENCRYPTED
from trio_llm.wire.pairing import check_calls
from trio_llm.wire.quirks import PLAIN, Quirks
from trio_llm.wire.refusal import named_tool
from trio_llm.wire.values import write_body

# Those with "-chat" in their name do not reason, and refuse to encrypt what they lack.
_REASONING_MODEL = re.compile(r"(?:openai[/.])?(?:o[1-9]|gpt-[5-9])(?![a-z0-9])(?!.*-chat)")

# What the quirks know by the name that it has in chat completions.
_RENAMED = {"user": "safety_identifier"}


def encode_request(
    request: Request,
    *,
    model: str,
    stream: bool,
    max_tokens: int | None = None,
    quirks: Quirks = PLAIN,
) -> Outgoing:
    """Write a request.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    if request.stop:
        raise UnsupportedError(
            "stop: this provider's interface takes no stop strings; "
            "leave them out, or ask a provider that takes them"
        )
    check_calls(request)
    # Said even when false: a server of Hugging Face's streams unless it is told not to.
    body = write_fields(request, model=model, quirks=quirks) | {"stream": stream}
    limit = max_tokens if request.max_tokens is None else request.max_tokens
    if limit is not None:
        body["max_output_tokens"] = limit
    body.update(request.extra.get(DIALECT, {}))
    return Outgoing(with_version("/responses", quirks), write_body(body))


def write_fields(request: Request, *, model: str, quirks: Quirks) -> dict[str, Any]:
    """Give the body but for what concerns the length and the sending of the answer.

    Raises:
        InvalidRequestError: The dialect cannot express a part of the request.
    """
    body: dict[str, Any] = {"model": model, **write_conversation(request), "store": False}
    effort = request.reasoning if quirks.reasoning != "none" else None
    optional = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "reasoning": None if effort is None else {"effort": effort},
        "text": None if request.output is None else {"format": _format(request.output)},
        "safety_identifier": request.user,
        "metadata": dict(request.metadata) or None,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    if effort not in (None, "none") or _REASONING_MODEL.match(model):
        body["include"] = [ENCRYPTED]
    forced = named_tool(request)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if forced is not None:
            body["tool_choice"] = {"type": "function", "name": forced}
        elif request.tool_choice is not None:
            demanded = request.tool_choice == "required"
            body["tool_choice"] = quirks.required_choice if demanded else request.tool_choice
        if request.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = request.parallel_tool_calls
    for field in quirks.unsupported:
        body.pop(_RENAMED.get(field, field), None)
    return body


def _tool(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        fields["description"] = tool.description
    fields["parameters"] = dict(tool.parameters)
    # Here a tool is strict unless it says otherwise, and an ordinary schema then refused.
    fields["strict"] = tool.strict is True
    return fields


def _format(output: OutputSchema) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": "json_schema",
        "name": output.name,
        "schema": dict(output.schema),
        "strict": output.strict,
    }
    if output.description:
        fields["description"] = output.description
    return fields
