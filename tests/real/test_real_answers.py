"""A real llama.cpp server is asked in every dialect that it speaks."""

import json

import pytest
import trio

from tests.real.real_server import CONTEXT, Server, idle, needs_socket_table, provider
from trio_llm import (
    AttemptOutcome,
    AuthenticationError,
    Config,
    ContextLengthError,
    Finished,
    InvalidRequestError,
    LoadBalance,
    Message,
    TextDelta,
    open_runtime,
)

pytestmark = pytest.mark.real

PROMPT = "bade kilo"
CUTTING = ["llamacpp", "openai_compatible", "anthropic"]
"""Kinds in whose dialect the server says that an answer was cut, and takes stop strings."""

KINDS = [*CUTTING, "openai_responses"]
cutting_kinds = pytest.mark.parametrize("kind", CUTTING)
kinds = pytest.mark.parametrize("kind", KINDS)


def _alone(server: Server, kind: str) -> Config:
    return Config(default=provider(server, "real", kind))


@cutting_kinds
async def test_a_plain_answer(servers: list[Server], kind: str) -> None:
    """A plain call gives the text, why it ended, both counts of tokens, and one attempt."""
    async with open_runtime(_alone(servers[0], kind)) as llm:
        reply = await llm.generate(PROMPT, max_tokens=12, temperature=0)
    assert len(reply.text.split()) == 12
    assert reply.finish_reason == "length"
    assert reply.usage.output_tokens == 12
    assert reply.usage.input_tokens > len(PROMPT.split())
    assert (reply.provider, reply.model) == ("real", "syllables")
    (attempt,) = reply.attempts
    assert attempt.outcome is AttemptOutcome.SUCCEEDED
    assert attempt.usage == reply.usage


@kinds
async def test_a_stream_says_what_a_plain_answer_says(servers: list[Server], kind: str) -> None:
    """A stream gives the same text in pieces, then the same counts and the same end."""
    async with open_runtime(_alone(servers[0], kind)) as llm:
        plain = await llm.generate(PROMPT, max_tokens=12, temperature=0)
        async with llm.stream(PROMPT, max_tokens=12, temperature=0) as stream:
            events = [event async for event in stream]
    *deltas, last = events
    pieces = [delta.text for delta in deltas if isinstance(delta, TextDelta)]
    assert len(pieces) == len(deltas) == 12
    assert "".join(pieces) == plain.text
    assert isinstance(last, Finished)
    reply = last.reply
    assert reply is stream.reply
    assert reply.message == plain.message
    assert reply.finish_reason == plain.finish_reason
    assert reply.usage.input_tokens == plain.usage.input_tokens
    assert reply.usage.output_tokens == plain.usage.output_tokens
    assert reply.time_to_first_token is not None
    assert 0 < reply.time_to_first_token <= reply.latency


async def test_every_dialect_counts_the_same_tokens(servers: list[Server]) -> None:
    """One question costs the same at one server, whatever dialect it is asked in."""
    members = [provider(servers[0], kind, kind) for kind in KINDS]
    async with open_runtime(Config(default=LoadBalance(members))) as llm:
        replies = [await llm.generate(PROMPT, max_tokens=4, temperature=0) for _ in members]
    assert len({reply.provider for reply in replies}) == len(members)
    assert len({reply.text for reply in replies}) == 1
    assert len({reply.usage.input_tokens for reply in replies}) == 1
    assert {reply.usage.output_tokens for reply in replies} == {4}


@cutting_kinds
async def test_stop_is_honoured(servers: list[Server], kind: str) -> None:
    """The answer ends before a stop string, and says that it ended by itself."""
    async with open_runtime(_alone(servers[0], kind)) as llm:
        whole = await llm.generate(PROMPT, max_tokens=12, temperature=0)
        word = whole.text.split()[5]
        cut = await llm.generate(PROMPT, max_tokens=12, temperature=0, stop=word)
        async with llm.stream(PROMPT, max_tokens=12, temperature=0, stop=[word]) as stream:
            streamed = "".join([piece async for piece in stream.text()])
    assert cut.text == whole.text[: whole.text.index(word)] == streamed
    assert cut.finish_reason == stream.reply.finish_reason == "stop"
    assert cut.usage.output_tokens < 12


@kinds
async def test_a_conversation_goes_on(servers: list[Server], kind: str) -> None:
    """A reply is added to its conversation as it is; the next question costs more."""
    opening = [Message("system", "bade"), Message("user", PROMPT)]
    async with open_runtime(_alone(servers[0], kind)) as llm:
        first = await llm.generate(opening, max_tokens=6)
        longer = [*opening, first.message, Message("user", "mora")]
        second = await llm.generate(longer, max_tokens=6)
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens


@pytest.mark.parametrize("kind", ["llamacpp", "openai_compatible"])
async def test_an_answer_that_ends_by_itself(servers: list[Server], kind: str) -> None:
    """Further fields reach the server: held to a schema, the model says just that, and stops."""
    schema = {
        "type": "object",
        "properties": {"town": {"enum": ["bade", "kilo"]}},
        "required": ["town"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "town", "schema": schema}}
    async with open_runtime(_alone(servers[0], kind)) as llm:
        reply = await llm.generate(
            PROMPT, max_tokens=200, extra={"openai_chat": {"response_format": form}}
        )
    assert json.loads(reply.text)["town"] in {"bade", "kilo"}
    assert reply.finish_reason == "stop"


@kinds
async def test_a_prompt_that_is_too_long(servers: list[Server], kind: str) -> None:
    """A prompt beyond the context is the caller's fault, named as such, plain or streamed."""
    prompt = "ba " * CONTEXT
    async with open_runtime(_alone(servers[0], kind)) as llm:
        with pytest.raises(ContextLengthError, match=str(CONTEXT)) as plain:
            await llm.generate(prompt)
        with pytest.raises(ContextLengthError):
            async with llm.stream(prompt):
                pass
        assert llm.status_of().failures == 0
    assert plain.value.status == 400
    assert plain.value.attempts[0].error == "ContextLengthError"


@kinds
async def test_a_wrong_key(servers: list[Server], kind: str) -> None:
    """A key that the server does not know is an authentication error; the key stays unsaid."""
    wrong = provider(servers[0], "real", kind, api_key="a-wrong-key")
    async with open_runtime(Config(default=wrong)) as llm:
        with pytest.raises(AuthenticationError) as caught:
            await llm.generate(PROMPT)
    assert caught.value.status == 401
    assert "a-wrong-key" not in str(caught.value)


@kinds
async def test_a_path_that_does_not_exist(servers: list[Server], kind: str) -> None:
    """An address that leads nowhere is a bad request, with the server's own words."""
    wrong = provider(servers[0], "real", kind, base_url=f"{servers[0].address}/nowhere")
    async with open_runtime(Config(default=wrong)) as llm:
        with pytest.raises(InvalidRequestError, match="File Not Found") as caught:
            await llm.generate(PROMPT)
    assert caught.value.status == 404
    assert caught.value.provider == "real"


@needs_socket_table
async def test_many_calls_at_once(servers: list[Server]) -> None:
    """Two servers share twelve calls evenly, more than they have places for."""
    members = [provider(server, f"at {server.port}") for server in servers]
    answered: list[str] = []
    async with open_runtime(Config(default=LoadBalance(members))) as llm:

        async def ask() -> None:
            reply = await llm.generate(PROMPT, max_tokens=20)
            assert reply.usage.output_tokens == 20
            answered.append(reply.provider)

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for _ in range(12):
                    nursery.start_soon(ask)
    assert sorted(answered) == sorted([member.name for member in members if member.name] * 6)
    for server in servers:
        await server.reached(idle)
        assert await server.connections() == 0
