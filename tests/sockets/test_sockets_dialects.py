"""Every dialect, plain and streamed, with tool calls and with the tokens counted."""

import re

import pytest

from tests.sockets.socket_scenes import KEY, KINDS, ask, member, open_llm
from trio_llm import (
    Finished,
    Message,
    Provider,
    Request,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.chat import CountRequest, Embeddings, EmbedRequest, ListModels, ModelList, TokenCount
from trio_llm.testing.upstream import Behaviour, Served, digest, open_upstream

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
        keys = {
            served.headers.get(name) for name in ("authorization", "x-api-key", "x-goog-api-key")
        }
        assert keys & {digest(KEY.encode()), digest(f"Bearer {KEY}".encode())}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", list(KINDS))
async def test_a_wait_beside_an_answer_is_no_wait(dialect: str, stream: bool) -> None:
    """A success that says ``retry-after``, as some providers' do, rests nobody."""
    script = Behaviour(headers={"retry-after": "55", "x-ratelimit-remaining": "0"})
    async with (
        open_upstream(script) as upstream,
        open_llm(member(upstream, dialect=dialect)) as llm,
    ):
        for _ in range(2):
            await ask(llm, stream=stream)
            assert llm.status()[0].state == "ready"
        assert len(upstream.served) == 2


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


async def test_the_operations_of_gemini() -> None:
    """Vectors, a token count and the models come over the same road, each from its own path."""
    answers = {
        "batchEmbedContents": b'{"embeddings": [{"values": [1, 2]}, {"values": [3, 4]}]}',
        "countTokens": b'{"totalTokens": 7}',
        "models": b'{"models": [{"name": "models/x", "inputTokenLimit": 9}]}',
    }

    def answer(served: Served) -> Behaviour:
        return Behaviour(body=answers[re.split("[:/?]", served.path.partition("?")[0])[-1]])

    async with open_upstream(answer) as upstream:
        provider = Provider(
            "gemini",
            "a",
            base_url=f"{upstream.url}/v1beta",
            api_key=KEY,
            model="m",
            embedding_model="e",
        )
        async with open_llm(provider) as llm:
            vectors = await llm.perform(EmbedRequest(texts=["a", "b"], purpose="query"))
            assert isinstance(vectors, Embeddings)
            assert (vectors.vectors, vectors.provider) == (((1.0, 2.0), (3.0, 4.0)), "a")
            count = await llm.perform(CountRequest(request=Request(messages="hello")))
            assert isinstance(count, TokenCount)
            assert (count.tokens, count.exact) == (7, True)
            listed = await llm.perform(ListModels())
            assert isinstance(listed, ModelList)
            assert [(item.id, item.context_window) for item in listed.models] == [("x", 9)]
        assert [(served.method, served.path) for served in upstream.served] == [
            ("POST", "/v1beta/models/e:batchEmbedContents"),
            ("POST", "/v1beta/models/m:countTokens"),
            ("GET", "/v1beta/models?pageSize=1000"),
        ]
