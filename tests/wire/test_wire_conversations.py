"""A conversation that began at one provider continues at any other."""

import base64
import json
from itertools import product
from typing import Any

import pytest

from trio_llm.chat import Image, Message, Reasoning, Request, Text, Tool, ToolCall, ToolResult
from trio_llm.errors import InvalidRequestError
from trio_llm.wire import DIALECTS

STATE = "T1BBUVVFLVNUQVRF"
"""What a provider gives to be sent back unchanged, and to nobody else."""

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(8)
WEATHER = Tool(
    "weather",
    "Tells the weather.",
    {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
)
TOWNS = ("Bern", "Rome")


def _arguments(town: str) -> str:
    return json.dumps({"town": town})


def _openai_chat(ids: tuple[str, str]) -> dict[str, Any]:
    calls = [
        {"id": name, "type": "function", "function": {"name": "weather", "arguments": text}}
        for name, text in zip(ids, map(_arguments, TOWNS), strict=True)
    ]
    message = {
        "role": "assistant",
        "content": "I shall look.",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": STATE}],
        "tool_calls": calls,
    }
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


def _anthropic(ids: tuple[str, str]) -> dict[str, Any]:
    calls = [
        {"type": "tool_use", "id": name, "name": "weather", "input": {"town": town}}
        for name, town in zip(ids, TOWNS, strict=True)
    ]
    thinking = {"type": "thinking", "thinking": "They ask for the weather.", "signature": STATE}
    text = {"type": "text", "text": "I shall look."}
    return {
        "type": "message",
        "role": "assistant",
        "content": [thinking, text, *calls],
        "stop_reason": "tool_use",
    }


def _openai_responses(ids: tuple[str, str]) -> dict[str, Any]:
    calls = [
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": name,
            "name": "weather",
            "arguments": _arguments(town),
        }
        for number, (name, town) in enumerate(zip(ids, TOWNS, strict=True))
    ]
    reasoning: dict[str, Any] = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": STATE,
    }
    text: dict[str, Any] = {"type": "output_text", "text": "I shall look.", "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": [text]}
    return {"object": "response", "status": "completed", "output": [reasoning, message, *calls]}


def _gemini(ids: tuple[str, str]) -> dict[str, Any]:
    calls: list[dict[str, Any]] = [
        {"functionCall": {"id": name, "name": "weather", "args": {"town": town}}}
        for name, town in zip(ids, TOWNS, strict=True)
    ]
    calls[0]["thoughtSignature"] = STATE
    parts = [{"text": "They ask.", "thought": True}, {"text": "I shall look."}, *calls]
    return {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}


def _cohere(ids: tuple[str, str]) -> dict[str, Any]:
    calls = [
        {"id": name, "type": "function", "function": {"name": "weather", "arguments": text}}
        for name, text in zip(ids, map(_arguments, TOWNS), strict=True)
    ]
    message = {
        "role": "assistant",
        "content": [{"type": "text", "text": "I shall look."}],
        "tool_plan": STATE,
        "tool_calls": calls,
    }
    return {"id": "1", "message": message, "finish_reason": "TOOL_CALL"}


def _ollama(ids: tuple[str, str]) -> dict[str, Any]:
    calls = [
        {"id": name, "function": {"name": "weather", "arguments": {"town": town}}}
        for name, town in zip(ids, TOWNS, strict=True)
    ]
    message = {
        "role": "assistant",
        "content": "I shall look.",
        "thinking": STATE,
        "tool_calls": calls,
    }
    return {"model": "m", "message": message, "done": True, "done_reason": "stop"}


REPLIES = {
    "openai_chat": _openai_chat,
    "anthropic": _anthropic,
    "openai_responses": _openai_responses,
    "gemini": _gemini,
    "cohere": _cohere,
    "ollama": _ollama,
}
IDS = (
    ("call_0", "call_1"),
    ("toolu_01AbC", "toolu_02AbC"),
    ("functions.weather:0", "functions.weather:1"),
    ("w" * 70 + "-a", "w" * 70 + "-b"),
)


def _conversation(origin: str, ids: tuple[str, str]) -> list[Message]:
    """Give two rounds of tool calls, the second with the identifiers of the first."""
    turn = DIALECTS[origin].decode(json.dumps(REPLIES[origin](ids)).encode()).message
    first, second = [call.id for call in turn.tool_calls]
    return [
        Message("system", "Be brief."),
        Message("user", [Text("What is it like there?"), Image(None, PICTURE, "image/png")]),
        turn,
        # In another order than that of the calls.
        Message("tool", ToolResult(second, "sun in Rome")),
        Message("tool", ToolResult(first, "no line to Bern", is_error=True)),
        Message("assistant", "Rome is fine."),
        Message("user", "Bern once more."),
        Message("assistant", ToolCall(first, "weather", {"town": "Bern"})),
        Message("tool", ToolResult(first, "rain in Bern")),
        Message("user", "Thanks."),
    ]


def _texts(messages: tuple[Message, ...]) -> list[str]:
    return [
        part.text
        for message in messages
        for part in message.content
        if isinstance(part, Text) and part.text
    ]


def _answered(messages: tuple[Message, ...]) -> list[tuple[str, str]]:
    """Pair each result with the town of the call that it answers, by the latest of that id."""
    towns: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for message in messages:
        for part in message.content:
            if isinstance(part, ToolCall):
                towns[part.id] = part.arguments["town"]
            elif isinstance(part, ToolResult):
                pairs.append((towns[part.call_id], part.content))
    return pairs


ROADS = [
    pytest.param(origin, destination, ids, id=f"{origin}-{destination}-{number}")
    for origin, destination in product(REPLIES, DIALECTS)
    for number, ids in enumerate(IDS)
]


@pytest.mark.parametrize(("origin", "destination", "ids"), ROADS)
def test_it_continues_at_any_other(origin: str, destination: str, ids: tuple[str, str]) -> None:
    """Texts, calls and results arrive, each result at its own call; state only at its origin."""
    messages = _conversation(origin, ids)
    dialect = DIALECTS[destination]
    outgoing = dialect.encode(Request(messages=messages, tools=(WEATHER,)), model="m", stream=False)
    arrived = dialect.parse(outgoing.path, outgoing.body).request
    assert sorted(_texts(arrived.messages)) == sorted(_texts(tuple(messages)))
    pairs = _answered(arrived.messages)
    assert [town for town, _ in pairs] in (["Rome", "Bern", "Bern"], ["Bern", "Rome", "Bern"])
    for town, content in pairs:
        assert town in content
    calls = [
        part for message in arrived.messages for part in message.content if type(part) is ToolCall
    ]
    assert [(call.name, call.arguments["town"]) for call in calls] == [
        ("weather", "Bern"),
        ("weather", "Rome"),
        ("weather", "Bern"),
    ]
    assert (STATE.encode() in outgoing.body) == (destination == origin)


@pytest.mark.parametrize("origin", REPLIES)
def test_what_a_provider_gave_comes_back_to_it_in_place(origin: str) -> None:
    """Sent back to its origin, a turn has its parts in the order in which they came."""
    dialect = DIALECTS[origin]
    turn = dialect.decode(json.dumps(REPLIES[origin](("call_a", "call_b"))).encode()).message
    messages = [
        Message("user", "What is it like there?"),
        turn,
        *[Message("tool", ToolResult(call.id, "sun")) for call in turn.tool_calls],
    ]
    outgoing = dialect.encode(Request(messages=messages, tools=(WEATHER,)), model="m", stream=False)
    (arrived,) = [
        message
        for message in dialect.parse(outgoing.path, outgoing.body).request.messages
        if message.role == "assistant"
    ]
    kept = [part for part in arrived.content if not isinstance(part, Reasoning) or part.opaque]
    sent = [part for part in turn.content if not isinstance(part, Reasoning) or part.opaque]
    assert [type(part) for part in kept] == [type(part) for part in sent]


@pytest.mark.parametrize("destination", DIALECTS)
def test_a_picture_as_a_data_url_goes_wherever_its_bytes_go(destination: str) -> None:
    """A ``data:`` URL, the form of OpenAI's conversations, is sent like the bytes in it."""
    by_bytes = Image(content=PICTURE, media_type="image/png")
    by_url = Image(url=f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}")
    sent = [
        DIALECTS[destination]
        .encode(Request(messages=Message("user", part)), model="m", stream=False)
        .body
        for part in (by_bytes, by_url)
    ]
    assert sent[0] == sent[1]


@pytest.mark.parametrize("destination", ["anthropic", "gemini", "ollama"])
def test_a_broken_data_url_is_refused_by_its_place(destination: str) -> None:
    """Where its bytes are needed and it holds none, the error names the part."""
    broken = Message("user", ["look", Image(url="data:image/png,zz")])
    with pytest.raises(InvalidRequestError, match=r"messages\[0\]\.content\[1\]: a data: URL"):
        DIALECTS[destination].encode(Request(messages=broken), model="m", stream=False)
