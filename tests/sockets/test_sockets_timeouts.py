"""Each phase has its limit, the error names the phase, and a slow consumer is not late."""

import math

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.sockets.socket_scenes import (
    KINDS,
    ask,
    full_listener,
    jump_when_blocked,
    member,
    open_connections,
    open_llm,
)
from trio_llm import Provider, ProviderTimeoutError, StreamInterruptedError, TextDelta, Timeouts
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream
from trio_llm.wire import DIALECTS

LIMITS = Timeouts(connect=10.0, first_token=20.0, idle=30.0, total=90.0)


@pytest.mark.parametrize("stream", [False, True])
async def test_connecting_has_its_limit(clock: MockClock, stream: bool) -> None:
    """A server that takes no connections is given up after `connect`."""

    async def jump() -> None:
        await wait_all_tasks_blocked()
        clock.jump(10.0)

    with full_listener() as url:
        provider = Provider(KINDS["openai_chat"], "a", base_url=url, model="m", timeouts=LIMITS)
        async with open_llm(provider) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(jump)
            with pytest.raises(ProviderTimeoutError, match=r"10 s passed \(connect\)") as caught:
                await ask(llm, stream=stream)
            assert caught.value.phase == "connect"


@pytest.mark.parametrize(
    ("stream", "fault"), [(False, Fault.SILENCE), (True, Fault.SILENCE), (True, Fault.STALL)]
)
async def test_the_first_token_has_its_limit(clock: MockClock, stream: bool, fault: Fault) -> None:
    """It runs to the head of a plain answer, and to the first useful event of a stream."""
    async with (
        open_upstream(Behaviour(fault=fault, fault_after=0)) as upstream,
        open_llm(member(upstream, timeouts=LIMITS)) as llm,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(jump_when_blocked, clock, upstream, 1, 20.0)
        with pytest.raises(ProviderTimeoutError, match="20 s passed") as caught:
            await ask(llm, stream=stream)
        assert caught.value.phase == "first_token"
        assert open_connections(upstream) == 0
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED


async def test_an_idle_body_has_its_limit(clock: MockClock) -> None:
    """A plain answer that stops in its middle is given up after `idle`."""
    async with (
        open_upstream(Behaviour(fault=Fault.STALL)) as upstream,
        open_llm(member(upstream, timeouts=LIMITS)) as llm,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(jump_when_blocked, clock, upstream, 1, 30.0)
        with pytest.raises(ProviderTimeoutError, match="30 s passed") as caught:
            await ask(llm, stream=False)
        assert caught.value.phase == "idle"
        assert open_connections(upstream) == 0


async def test_an_idle_stream_has_its_limit(clock: MockClock) -> None:
    """A stream that stops in its middle breaks after `idle`, with what had come."""
    async with (
        open_upstream(Behaviour(fault=Fault.STALL, fault_after=2)) as upstream,
        open_llm(member(upstream, timeouts=LIMITS)) as llm,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(jump_when_blocked, clock, upstream, 1, 30.0)
        with pytest.raises(StreamInterruptedError) as caught:
            await ask(llm, stream=True)
        assert (caught.value.phase, caught.value.partial_text) == ("idle", "Hello, ")
        assert isinstance(caught.value.__cause__, ProviderTimeoutError)
        assert open_connections(upstream) == 0


async def test_signs_of_life_do_not_make_a_stream_less_idle(clock: MockClock) -> None:
    """Comments come and come, and nothing useful: it breaks after `idle` all the same."""
    first = DIALECTS["openai_chat"].encoder("m").delta(TextDelta("Hello"))
    pieces = (first, *[b": still here\n\n"] * 10)
    async with (
        open_upstream(Behaviour(pieces=pieces, gap=20.0)) as upstream,
        open_llm(member(upstream, timeouts=LIMITS)) as llm,
        trio.open_nursery() as nursery,
    ):

        async def pass_time() -> None:
            for seconds in (20.0, 10.0, 10.0, *[20.0] * 8):
                await jump_when_blocked(clock, upstream, 1, seconds)

        nursery.start_soon(pass_time)
        with pytest.raises(StreamInterruptedError) as caught:
            await ask(llm, stream=True)
        assert (caught.value.phase, caught.value.partial_text) == ("idle", "Hello")
        assert open_connections(upstream) == 0


async def test_the_whole_attempt_has_its_limit(clock: MockClock) -> None:
    """A stream that goes on and on, never idle, breaks after `total`."""
    chunks = tuple("abcdefgh")
    async with (
        open_upstream(Behaviour(chunks=chunks, gap=20.0)) as upstream,
        open_llm(member(upstream, timeouts=LIMITS)) as llm,
        trio.open_nursery() as nursery,
    ):
        text = ""

        async def consume() -> None:
            nonlocal text
            async with llm.stream("hello") as events:
                async for piece in events.text():
                    text += piece
                    seconds = 20.0 if len(text) < 5 else 15.0
                    nursery.start_soon(jump_when_blocked, clock, upstream, 1, seconds)

        with pytest.raises(StreamInterruptedError) as caught:
            await consume()
        assert caught.value.phase == "total"
        assert caught.value.partial_text == text == "abcde"
        assert open_connections(upstream) == 0


async def test_a_slow_consumer_holds_the_server_back_and_is_not_late(clock: MockClock) -> None:
    """While the consumer pauses, the server's sends wait, and no clock runs against it."""
    # More than the buffers of the kernel on both sides can hold.
    chunks = ("x" * 65_536,) * 400
    limits = Timeouts(connect=10.0, first_token=20.0, idle=30.0, total=math.inf)
    async with (
        open_upstream(Behaviour(chunks=chunks)) as upstream,
        open_llm(member(upstream, timeouts=limits)) as llm,
        llm.stream("hello") as events,
    ):
        received = 0
        for _ in range(3):
            event = await anext(events)
            assert isinstance(event, TextDelta)
            received += len(event.text)
            await wait_all_tasks_blocked()
            assert upstream.served[0].outcome is None
            clock.jump(3600.0)
        await wait_all_tasks_blocked()
        assert upstream.served[0].outcome is None
        async for piece in events.text():
            received += len(piece)
        assert received == sum(map(len, chunks))
        assert events.reply.finish_reason == "stop"
        assert await upstream.served[0].wait_finished() is ServedOutcome.COMPLETED
