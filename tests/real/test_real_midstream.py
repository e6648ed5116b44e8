"""A real server is killed in mid-stream, and another one goes on."""

from collections.abc import Sequence

import pytest
import trio

from tests.real.real_server import ENDLESS, Server, busy, in_turn
from trio_llm import (
    Message,
    OnInterrupt,
    ReplyStream,
    Request,
    Runtime,
    Switched,
    TextDelta,
    open_runtime,
)

pytestmark = pytest.mark.real

PROMPT = "bade kilo"


async def _killed_after(stream: ReplyStream, server: Server, pieces: int) -> list[object]:
    """Read a stream; kill the server behind it once so many pieces have come."""
    events: list[object] = []
    async for event in stream:
        events.append(event)
        if len(events) == pieces:
            server.kill()
    return events


def _text(events: Sequence[object]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def _switch(events: Sequence[object]) -> tuple[Switched, list[object], list[object]]:
    """Give the one switch, and what came before and after it."""
    (place,) = [at for at, event in enumerate(events) if isinstance(event, Switched)]
    switch = events[place]
    assert isinstance(switch, Switched)
    return switch, list(events[:place]), list(events[place + 1 :])


async def _stream(llm: Runtime, server: Server, policy: OnInterrupt) -> tuple[list[object], str]:
    with trio.fail_after(30):
        async with llm.stream(PROMPT, max_tokens=ENDLESS, on_interrupt=policy) as stream:
            assert stream.provider == "first"
            await server.reached(busy)
            events = await _killed_after(stream, server, 5)
        assert stream.reply.provider == "second"
        assert stream.reply.metadata["switched_from"] == ("first",)
        return events, stream.reply.text


async def test_killed_amid_a_stream_that_is_resumed(mortals: list[Server]) -> None:
    """llama.cpp goes on with the text that another one has begun: one text for the reader."""
    async with open_runtime(in_turn(mortals)) as llm:
        events, text = await _stream(llm, mortals[0], OnInterrupt.RESUME)
    switch, before, after = _switch(events)
    assert (switch.failed, switch.provider) == ("first", "second")
    assert switch.policy is OnInterrupt.RESUME
    assert text == _text(before) + _text(after)
    assert _text(before)
    assert _text(after)


async def test_killed_amid_a_stream_that_is_restarted(mortals: list[Server]) -> None:
    """The second server answers from the start, and the reply is its answer alone."""
    async with open_runtime(in_turn(mortals)) as llm:
        events, text = await _stream(llm, mortals[0], OnInterrupt.RESTART)
    switch, _, after = _switch(events)
    assert switch.policy is OnInterrupt.RESTART
    assert text == _text(after)


async def test_an_answer_that_has_begun_is_gone_on_with(servers: list[Server]) -> None:
    """What llama.cpp writes behind a beginning is what it wrote there in one go."""
    async with open_runtime(in_turn(servers)) as llm:
        first = llm.provider("first")
        whole = (await first.generate(PROMPT, max_tokens=12, temperature=0.0)).text
        begun = (await first.generate(PROMPT, max_tokens=6, temperature=0.0)).text
        request = Request(
            messages=[Message("user", PROMPT), Message("assistant", begun)],
            continuation=True,
            max_tokens=6,
            temperature=0.0,
        )
        async with first.stream(request) as stream:
            rest = "".join([piece async for piece in stream.text()])
        plain = (await first.generate(request)).text
    assert begun + rest == whole
    assert begun + plain == whole
