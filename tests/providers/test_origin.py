"""Reasoning state returns to the server that made it, and to no other."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_llm import Config, Message, Provider, Race, Runtime, open_runtime
from trio_llm.chat import Reply
from trio_llm.transport import httpx

STATE = "c2VhbGVk"


class _Server(httpx.AsyncBaseTransport):
    """One server of Anthropic's dialect; it thinks before it answers."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.last = b""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Keep the body, wait, and answer in the form asked for."""
        self.last = await request.aread()
        await trio.sleep(self.delay)
        if request.url.path.endswith("/count_tokens"):
            return httpx.Response(200, json={"input_tokens": 40})
        thinking = {"type": "thinking", "thinking": "Hm.", "signature": STATE}
        if not json.loads(self.last).get("stream"):
            content = [thinking, {"type": "text", "text": "Yes."}]
            answer = {"type": "message", "role": "assistant", "content": content}
            return httpx.Response(200, json=answer | {"stop_reason": "end_turn"})
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {"role": "assistant", "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": thinking},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "content_block_start",
                "index": 1,
                "content_block": {"type": "text", "text": "Yes."},
            },
            {"type": "content_block_stop", "index": 1},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        ]
        body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=body)


async def _whole(llm: Runtime, prompt: str) -> Reply:
    return await llm.generate(prompt)


async def _streamed(llm: Runtime, prompt: str) -> Reply:
    async with llm.stream(prompt) as stream:
        async for _event in stream:
            pass
    return stream.reply


@pytest.mark.parametrize("ask", [_whole, _streamed])
@pytest.mark.parametrize(("second", "returned"), [("one", True), ("two", False)])
async def test_state_returns_only_to_the_winner_that_made_it(
    ask: Callable[[Runtime, str], Awaitable[Reply]],
    second: str,
    returned: bool,
    autojump_clock: MockClock,  # noqa: ARG001 - the clock of the test
) -> None:
    """When another server of the dialect wins the next turn of a race, it gets no state."""
    servers = {"one": _Server(), "two": _Server()}
    members = [
        Provider("anthropic", name, base_url=f"https://{name}.invalid/v1", api_key="sk-ant-test")
        for name in servers
    ]
    config = Config(default=Race(members, name="race"))
    async with open_runtime(config, transport=servers.__getitem__) as llm:
        servers["two"].delay = 1.0
        first = await ask(llm, "Is it?")
        assert first.provider == "one"
        servers["one"].delay, servers["two"].delay = (0.0, 1.0) if second == "one" else (1.0, 0.0)
        reply = await llm.generate(
            [Message("user", "Is it?"), first.message, Message("user", "Sure?")]
        )
    assert reply.provider == second
    assert (STATE.encode() in servers[second].last) is returned
    assert b"Yes." in servers[second].last


async def test_what_would_be_sent_is_what_is_counted(
    autojump_clock: MockClock,  # noqa: ARG001 - the clock of the test
) -> None:
    """State that goes back to its server is counted there, as a part of the prompt."""
    server = _Server()
    provider = Provider(
        "anthropic", base_url="https://one.invalid/v1", api_key="sk-ant-test", name="one"
    )
    async with open_runtime(Config(default=provider), transport=server) as llm:
        first = await _whole(llm, "Is it?")
        turns = [Message("user", "Is it?"), first.message, Message("user", "Sure?")]
        count = await llm.count_tokens(turns)
    assert (count.tokens, count.exact) == (40, True)
    assert STATE.encode() in server.last
