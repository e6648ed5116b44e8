"""Every dialect, plain and streamed, with tool calls and with the tokens counted."""

import pytest

from tests.sockets.socket_scenes import KEY, KINDS, ask, member, open_llm
from trio_llm import (
    Finished,
    Message,
    Request,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.testing.upstream import Behaviour, digest, open_upstream

USAGE = Usage(input_tokens=12, output_tokens=34)
WEATHER = Tool(
    "weather",
    "Tells the weather.",
    {"type": "object", "properties": {"city": {"type": "string"}}},
)
CALLS = (
    ToolCall("call_1", "weather", {"city": "Köln"}),
    ToolCall("call_2", "weather", {"city": "Kyōto"}),
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", list(KINDS))
async def test_an_answer_with_its_usage(dialect: str, stream: bool) -> None:
    """Text, finish reason, model and tokens arrive, and the counts of the runtime grow."""
    script = Behaviour(chunks=("Guten", " ", "Tag"), finish_reason="length", usage=USAGE)
    async with (
        open_upstream(script) as upstream,
        open_llm(member(upstream, dialect=dialect)) as llm,
    ):
        reply = await ask(llm, stream=stream)
        assert (reply.text, reply.finish_reason, reply.model) == ("Guten Tag", "length", "a")
        assert reply.usage == USAGE
        assert (reply.time_to_first_token is not None) is stream
        (attempt,) = reply.attempts
        assert attempt.usage == USAGE
        counts = llm.statistics().calls
        assert (counts.input_tokens, counts.output_tokens) == (12, 34)
        (served,) = upstream.served
        assert (served.dialect, served.model, served.stream) == (dialect, "a", stream)
        keys = {served.headers.get("authorization"), served.headers.get("x-api-key")}
        assert keys & {digest(KEY.encode()), digest(f"Bearer {KEY}".encode())}


@pytest.mark.parametrize("dialect", list(KINDS))
async def test_the_events_of_a_stream(dialect: str) -> None:
    """Pieces come as they were sent, and the reply comes last."""
    async with (
        open_upstream(Behaviour(chunks=("a", "b", "c"), usage=USAGE)) as upstream,
        open_llm(member(upstream, dialect=dialect)) as llm,
        llm.stream("hello") as stream,
    ):
        events = [event async for event in stream]
        assert events[:-1] == [TextDelta("a"), TextDelta("b"), TextDelta("c")]
        last = events[-1]
        assert isinstance(last, Finished)
        assert (last.reply.text, last.reply.usage) == ("abc", USAGE)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", list(KINDS))
async def test_tool_calls_and_their_results(dialect: str, stream: bool) -> None:
    """Calls arrive whole, their results go back, and the model has the last word."""
    script = [
        Behaviour(chunks=(), tool_calls=CALLS, finish_reason="tool_calls", usage=USAGE),
        Behaviour(chunks=("Rain.",)),
    ]
    async with (
        open_upstream(script) as upstream,
        open_llm(member(upstream, dialect=dialect)) as llm,
    ):
        question = Request(messages="What is the weather?", tools=(WEATHER,))
        if stream:
            async with llm.stream(question) as events:
                assert [True async for event in events if isinstance(event, ToolCallDelta)]
                reply = events.reply
        else:
            reply = await llm.generate(question)
        assert reply.finish_reason == "tool_calls"
        assert [(call.name, call.arguments) for call in reply.tool_calls] == [
            (call.name, call.arguments) for call in CALLS
        ]
        assert reply.usage == USAGE
        results = [ToolResult(call.id, "rain", name=call.name) for call in reply.tool_calls]
        conversation = (*question.messages, reply.message, Message("tool", results))
        final = await llm.generate(conversation, tools=(WEATHER,))
        assert final.text == "Rain."
        assert b"rain" in upstream.served[1].body
