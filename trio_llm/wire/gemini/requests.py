"""Requests, as the client writes them."""

import re
from typing import Any

from trio_llm.chat import Request, Tool
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.gemini.contents import write_contents
from trio_llm.wire.gemini.names import DIALECT
from trio_llm.wire.gemini.paths import path_of
from trio_llm.wire.pairing import check_calls
from trio_llm.wire.refusal import named_tool
from trio_llm.wire.values import as_list, as_object, write_body

_BUDGET = re.compile(r"-?\d{1,9}", re.ASCII)
# Models before version 3 count in tokens; the figures are those of the provider's
# own OpenAI-compatible endpoint (https://ai.google.dev/gemini-api/docs/openai).
_BUDGET_OF = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_BY_BUDGET = re.compile(r"gemini-2\.5")
_UNSIGNED = re.compile(r"gemini-[12](?!\d)")


def encode_request(
    request: Request, *, model: str, stream: bool, max_tokens: int | None = None
) -> Outgoing:
    """Write a request.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    check_calls(request)
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    body = generate_body(request, model=model, max_tokens=max_tokens)
    return Outgoing(path_of(model, method), write_body(body))


def generate_body(request: Request, *, model: str, max_tokens: int | None = None) -> dict[str, Any]:
    """Give the body that asks for an answer, which is what is counted, too.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    needs_signature = "gemini" in model and not _UNSIGNED.search(model)
    system, turns = write_contents(request, needs_signature=needs_signature)
    body: dict[str, Any] = {"contents": turns}
    if system:
        body["systemInstruction"] = {"parts": system}
    choice = _tool_choice(request)
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_tool(tool) for tool in request.tools]}]
        if choice is not None:
            body["toolConfig"] = {"functionCallingConfig": choice}
    config = _generation(request, model, max_tokens)
    if config:
        body["generationConfig"] = config
    return _with_extra(body, dict(request.extra.get(DIALECT, {})))


def _generation(request: Request, model: str, max_tokens: int | None) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "maxOutputTokens": max_tokens if request.max_tokens is None else request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        "thinkingConfig": _thinking(request.reasoning, model),
    }
    if request.output is not None:
        optional["responseMimeType"] = "application/json"
        optional["responseJsonSchema"] = dict(request.output.schema)
    return {name: value for name, value in optional.items() if value is not None}


def _thinking(effort: str | None, model: str) -> dict[str, Any] | None:
    """Say how much to think: a word is a level, a number a budget in tokens."""
    if effort is None:
        return None
    if effort in ("none", "disabled"):
        return {"thinkingBudget": 0}
    budget: int | None = None
    if _BUDGET.fullmatch(effort):
        budget = int(effort)
    elif _BY_BUDGET.search(model):
        budget = _BUDGET_OF.get(effort)
    if budget is not None:
        return {"includeThoughts": True, "thinkingBudget": budget}
    return {"includeThoughts": True, "thinkingLevel": effort.upper()}


def _tool(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": tool.name}
    if tool.description:
        fields["description"] = tool.description
    fields["parametersJsonSchema"] = dict(tool.parameters)
    return fields


def _tool_choice(request: Request) -> dict[str, Any] | None:
    forced = named_tool(request)
    if forced is not None:
        return {"mode": "ANY", "allowedFunctionNames": [forced]}
    if request.tool_choice is None:
        return None
    return {"mode": "ANY" if request.tool_choice == "required" else request.tool_choice.upper()}


def _with_extra(body: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Add further fields: settings beside the settings, tools beside the tools."""
    for name in ("generationConfig", "toolConfig"):
        if name in body and type(extra.get(name)) is dict:
            extra[name] = {**body[name], **as_object(extra[name])}
    if "tools" in body and type(extra.get("tools")) is list:
        extra["tools"] = [*body["tools"], *as_list(extra["tools"])]
    return {**body, **extra}
