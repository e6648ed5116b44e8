"""Every feature of a request is taken by a server that we did not write, in every dialect."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from tests.real.real_server import Server, provider
from trio_llm import (
    Config,
    Image,
    Message,
    OutputSchema,
    Reasoning,
    Reply,
    Request,
    Runtime,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    UnsupportedError,
    open_runtime,
)

pytestmark = pytest.mark.real

DIALECTS = ["openai_chat", "openai_responses", "anthropic"]
dialects = pytest.mark.parametrize("dialect", DIALECTS)
streams = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "streamed"])

TRIES = 60
"""Questions at temperature 1, of which about one in four is answered with three calls."""

PROMPT = "bade kilo"
WEATHER = Tool(
    "weather",
    "Says the weather of a town.",
    {
        "type": "object",
        "properties": {"town": {"enum": ["bade", "kilo"]}},
        "required": ["town"],
        "additionalProperties": False,
    },
)
CLOCK = Tool(
    "clock", "Says the time.", {"type": "object", "properties": {}, "additionalProperties": False}
)
PIXEL = Image(
    content=bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478"
        "9c63f8cfc0f01f0005000201ffd5c6a30e0000000049454e44ae426082"
    ),
    media_type="image/png",
)

_CALLS = (ToolCall("call-1", "weather", {"town": "bade"}), ToolCall("call-2", "clock"))
_RESULTS = (
    ToolResult("call-1", "rain", name="weather"),
    ToolResult("call-2", "noon", name="clock"),
)

CONVERSATIONS: Mapping[str, list[Message]] = {
    "system first": [Message("system", "be brief"), Message("user", PROMPT)],
    "two of system": [
        Message("system", "be brief"),
        Message("system", "be kind"),
        Message("user", PROMPT),
    ],
    "system in the middle": [
        Message("user", PROMPT),
        Message("assistant", "mora"),
        Message("system", "be brief"),
        Message("user", "bade"),
    ],
    "answer first": [Message("assistant", "mora"), Message("user", PROMPT)],
    "two of user": [Message("user", "bade"), Message("user", "kilo")],
    "several parts": [Message("user", [Text("bade"), Text("kilo")])],
    "one result": [
        Message("user", PROMPT),
        Message("assistant", [Text("mora"), _CALLS[0]]),
        Message("tool", _RESULTS[0]),
        Message("user", "and now?"),
    ],
    "two results in one message": [
        Message("user", PROMPT),
        Message("assistant", _CALLS),
        Message("tool", _RESULTS),
    ],
    "two results in two messages": [
        Message("user", PROMPT),
        Message("assistant", _CALLS),
        Message("tool", _RESULTS[0]),
        Message("tool", _RESULTS[1]),
    ],
    "a failed tool": [
        Message("user", PROMPT),
        Message("assistant", _CALLS[0]),
        Message("tool", attrs.evolve(_RESULTS[0], content="no such town", is_error=True)),
    ],
    "arguments that are no JSON": [
        Message("user", PROMPT),
        Message("assistant", ToolCall.parse("call-1", "weather", '{"town": ba')),
        Message("tool", attrs.evolve(_RESULTS[0], content="no JSON", is_error=True)),
    ],
    "thoughts of nobody": [
        Message("user", PROMPT),
        Message("assistant", [Reasoning("is it bade?"), Text("mora")]),
        Message("user", "bade"),
    ],
    "thoughts of another": [
        Message("user", PROMPT),
        Message(
            "assistant",
            [Reasoning("is it bade?", {"signature": "c2ln"}, "gemini@elsewhere"), Text("mora")],
        ),
        Message("user", "bade"),
    ],
}

FEATURES: Mapping[str, Mapping[str, Any]] = {
    "nothing": {},
    "temperature": {"temperature": 0.4},
    "top_p": {"top_p": 0.9},
    "both": {"temperature": 1, "top_p": 1},
    "seed": {"seed": 7},
    "stop": {"stop": ["\n\n", "END"]},
    "user": {"user": "someone"},
    "metadata": {"metadata": {"case": "1"}},
    "effort": {"reasoning": "low"},
    "tools": {"tools": [WEATHER, CLOCK]},
    "auto": {"tools": [WEATHER, CLOCK], "tool_choice": "auto"},
    "none": {"tools": [WEATHER, CLOCK], "tool_choice": "none"},
    "required": {"tools": [WEATHER, CLOCK], "tool_choice": "required"},
    "named": {"tools": [WEATHER, CLOCK], "tool_choice": "weather"},
    "one call at most": {"tools": [WEATHER, CLOCK], "parallel_tool_calls": False},
    "several calls": {"tools": [WEATHER, CLOCK], "parallel_tool_calls": True},
    "strict": {"tools": [attrs.evolve(WEATHER, strict=True)]},
    "schema": {"output": OutputSchema("town", WEATHER.parameters)},
    "strict schema": {"output": OutputSchema("town", WEATHER.parameters, strict=True)},
}

OWN_STATE: Mapping[str, Mapping[str, Any]] = {
    "openai_chat": {"reasoning_content": "is it bade?"},
    "openai_responses": {
        "id": "rs_1",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "is it bade?"}],
        "encrypted_content": "c2VhbGVk",
    },
    "anthropic": {"signature": "c2lnbmVk"},
}
"""What each dialect keeps of a thought, to send it back."""

LACKING = {("openai_responses", "stop")}
"""What a dialect has no words for."""

OTHERWISE_IN_ANTHROPIC = {
    "two of system",
    "system in the middle",
    "two of user",
    "a failed tool",
    "arguments that are no JSON",
}
"""Shapes that Anthropic's dialect has forms of its own for."""


def _alone(server: Server, dialect: str) -> Config:
    return Config(default=provider(server, "real", dialect=dialect))


async def _ask(llm: Runtime, request: Request, *, streaming: bool) -> Reply:
    if not streaming:
        return await llm.generate(request)
    async with llm.stream(request) as stream:
        async for _ in stream:
            pass
    return stream.reply


@dialects
@streams
@pytest.mark.parametrize("feature", FEATURES)
async def test_a_feature_is_taken(
    servers: list[Server], dialect: str, feature: str, *, streaming: bool
) -> None:
    """The server answers with tokens; what a dialect has no words for is not even sent."""
    request = Request(messages=PROMPT, max_tokens=8, **FEATURES[feature])
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        if (dialect, feature) in LACKING:
            with pytest.raises(UnsupportedError, match=feature) as caught:
                await _ask(llm, request, streaming=streaming)
            assert caught.value.status is None
            return
        reply = await _ask(llm, request, streaming=streaming)
    assert 0 < reply.usage.output_tokens <= 8
    if dialect != "openai_responses":  # where the server calls a cut answer completed
        assert reply.finish_reason == "length"


@dialects
@streams
@pytest.mark.parametrize("shape", CONVERSATIONS)
async def test_a_conversation_is_taken(
    servers: list[Server], dialect: str, shape: str, *, streaming: bool
) -> None:
    """The server reads conversations of every shape, and the model sees the last word of each."""
    messages = CONVERSATIONS[shape]
    tools = [WEATHER, CLOCK] if any(message.tool_calls for message in messages) else []
    request = Request(messages=messages, tools=tools, max_tokens=8)
    last = messages[-1].content[-1]
    longer = (
        attrs.evolve(last, content=last.content + " bade" * 20)
        if isinstance(last, ToolResult)
        else Text(getattr(last, "text", "") + " bade" * 20)
    )
    more = attrs.evolve(messages[-1], content=(*messages[-1].content[:-1], longer))
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        reply = await _ask(llm, request, streaming=streaming)
        asked_more = attrs.evolve(request, messages=[*messages[:-1], more])
        longer_reply = await _ask(llm, asked_more, streaming=streaming)
    assert reply.usage.output_tokens > 0
    assert longer_reply.usage.input_tokens >= reply.usage.input_tokens + 20


@pytest.mark.parametrize("shape", CONVERSATIONS)
async def test_every_dialect_says_the_same(servers: list[Server], shape: str) -> None:
    """The model is given the same tokens in every dialect, but where one has its own forms."""
    messages = CONVERSATIONS[shape]
    tools = [WEATHER, CLOCK] if any(message.tool_calls for message in messages) else []
    counts: dict[str, int] = {}
    for dialect in DIALECTS:
        if dialect == "anthropic" and shape in OTHERWISE_IN_ANTHROPIC:
            continue
        async with open_runtime(_alone(servers[0], dialect)) as llm:
            reply = await llm.generate(messages, tools=tools, max_tokens=1)
            counts[dialect] = reply.usage.input_tokens
    assert len(set(counts.values())) == 1, counts


@dialects
@streams
async def test_thoughts_go_back_to_their_server(
    servers: list[Server], dialect: str, *, streaming: bool
) -> None:
    """State of the dialect's own is taken back; the server's template may leave it out."""
    thought = Reasoning("is it bade?", OWN_STATE[dialect], dialect)
    messages = [
        Message("user", PROMPT),
        Message("assistant", [thought, Text("mora"), _CALLS[0]]),
        Message("tool", _RESULTS[0]),
    ]
    request = Request(messages=messages, tools=[WEATHER], max_tokens=8)
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        reply = await _ask(llm, request, streaming=streaming)
    assert len(reply.text.split()) == 8


@dialects
@streams
async def test_tools_reach_the_model(
    servers: list[Server], dialect: str, *, streaming: bool
) -> None:
    """Each tool is read by the model, which costs input tokens."""
    counts: list[int] = []
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        for tools in ([], [WEATHER], [WEATHER, CLOCK]):
            request = Request(messages=PROMPT, tools=tools, max_tokens=1)
            reply = await _ask(llm, request, streaming=streaming)
            counts.append(reply.usage.input_tokens)
    assert counts[0] + 50 < counts[1] < counts[2] - 50


@dialects
@streams
async def test_the_model_calls_a_tool(
    servers: list[Server], dialect: str, *, streaming: bool
) -> None:
    """Made to call, it calls with arguments that fit the schema; told the result, it answers."""
    request = Request(
        messages=PROMPT, tools=[WEATHER], tool_choice="required", max_tokens=4000, temperature=1
    )
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        reply = await _ask(llm, request, streaming=streaming)
        results = [ToolResult(call.id, "rain", name=call.name) for call in reply.tool_calls]
        longer = [*request.messages, reply.message, Message("tool", results)]
        told = attrs.evolve(request, messages=longer, tool_choice=None, max_tokens=8)
        answer = await _ask(llm, told, streaming=streaming)
    assert reply.finish_reason == "tool_calls"
    assert reply.tool_calls
    for call in reply.tool_calls:
        assert call.id
        assert call.name == "weather"
        assert call.arguments.keys() == {"town"}
        assert call.arguments["town"] in {"bade", "kilo"}
    assert len(answer.text.split()) == 8
    assert answer.usage.input_tokens > reply.usage.input_tokens


@streams
@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses"])
async def test_a_call_that_was_cut_goes_back(
    servers: list[Server], dialect: str, *, streaming: bool
) -> None:
    """Arguments that the limit of tokens cut in two do not end the conversation."""
    request = Request(
        messages=PROMPT, tools=[WEATHER], tool_choice="required", max_tokens=50, temperature=1
    )
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        for number in range(TRIES):
            varied = attrs.evolve(request, messages=PROMPT + " ba" * number)
            reply = await _ask(llm, varied, streaming=streaming)
            if any(not call.is_valid for call in reply.tool_calls):
                break
        else:
            pytest.fail("no call was cut")
        results = [ToolResult(call.id, "cut", is_error=True) for call in reply.tool_calls]
        longer = [*request.messages, reply.message, Message("tool", results)]
        told = attrs.evolve(request, messages=longer, tool_choice=None, max_tokens=8)
        answer = await _ask(llm, told, streaming=streaming)
    assert len(answer.text.split()) == 8


@dialects
@streams
async def test_the_model_calls_several_tools(
    servers: list[Server], dialect: str, *, streaming: bool
) -> None:
    """Several calls in one answer are told apart, streamed or not."""
    request = Request(
        messages=PROMPT, tools=[WEATHER], tool_choice="required", max_tokens=400, temperature=1
    )
    calls: tuple[ToolCall, ...] = ()
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        for number in range(TRIES):
            varied = attrs.evolve(request, messages=PROMPT + " ba" * number)
            calls = (await _ask(llm, varied, streaming=streaming)).tool_calls
            if len(calls) > 2:
                break
    assert len(calls) > 2
    assert len({call.id for call in calls}) == len(calls)
    for call in calls[:-1]:  # the last one may be cut
        assert call.name == "weather"
        assert call.arguments["town"] in {"bade", "kilo"}


@dialects
@streams
async def test_no_tool(servers: list[Server], dialect: str, *, streaming: bool) -> None:
    """Told to call none, the model is held to no form, and nothing of it is taken for a call."""
    request = Request(messages=PROMPT, tools=[WEATHER], tool_choice="none", max_tokens=8)
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        reply = await _ask(llm, request, streaming=streaming)
    assert reply.tool_calls == ()
    assert reply.usage.output_tokens == 8


@dialects
@streams
async def test_a_picture_is_refused(
    servers: list[Server], dialect: str, *, streaming: bool
) -> None:
    """A model without eyes is no failure of its server: the next member is asked."""
    request = Request(messages=[Message("user", [Text(PROMPT), PIXEL])], max_tokens=8)
    async with open_runtime(_alone(servers[0], dialect)) as llm:
        with pytest.raises(UnsupportedError, match="image input is not supported") as caught:
            await _ask(llm, request, streaming=streaming)
        assert llm.status_of().failures == 0
    assert caught.value.status == 500
    assert len(caught.value.attempts) == 1
