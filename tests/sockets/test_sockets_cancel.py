"""A caller that is cancelled, in whatever phase, returns after its connection has ended."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.sockets.socket_scenes import (
    KINDS,
    PATIENT,
    ask,
    assert_at_rest,
    client_sockets,
    full_listener,
    jump_when_blocked,
    member,
    open_connections,
    open_llm,
    when_blocked,
)
from trio_llm import Provider, Race, Runtime
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream

PHASES = {
    "waiting for the head": Behaviour(fault=Fault.SILENCE),
    "in the body": Behaviour(fault=Fault.STALL, fault_after=0),
    "mid-stream": Behaviour(fault=Fault.STALL, fault_after=2),
    "in an error's body": Behaviour(status=500, fault=Fault.STALL),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("phase", list(PHASES))
async def test_a_cancelled_callers_connection_has_ended(
    clock: MockClock, phase: str, stream: bool
) -> None:
    """The server has the end before `generate`, or the block of a stream, lets go."""
    del clock
    async with open_upstream(PHASES[phase]) as upstream, trio.open_nursery() as nursery:
        async with open_llm(member(upstream)) as llm:
            before = client_sockets()
            with trio.CancelScope() as scope:
                nursery.start_soon(when_blocked, upstream, 1, scope.cancel)
                await ask(llm, stream=stream)
            assert scope.cancelled_caught
            assert open_connections(upstream) == 0
            assert client_sockets() == before
            assert_at_rest(llm)
            assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED
            upstream.script = Behaviour()
            assert (await ask(llm, stream=stream)).text == "Hello, world"
        await upstream.wait_no_connections()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_cancelled_while_connecting_leaves_no_socket(
    clock: MockClock, stream: bool
) -> None:
    """The half-open socket is closed, and the place given back, before the call returns."""
    del clock
    with full_listener() as url:
        provider = Provider(
            KINDS["openai_chat"], "a", base_url=url, model="m", timeouts=PATIENT, max_concurrency=1
        )
        async with open_llm(provider) as llm, trio.open_nursery() as nursery:
            before = client_sockets()
            for _ in range(3):
                with trio.CancelScope() as scope:
                    nursery.start_soon(_when_dialling, before, scope)
                    await ask(llm, stream=stream)
                assert scope.cancelled_caught
                assert client_sockets() == before
                assert_at_rest(llm)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_cancelled_while_sending_leaves_no_socket(
    clock: MockClock, stream: bool
) -> None:
    """A server that stops reading in the middle of a request holds nobody back."""
    del clock
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    provider = Provider(KINDS["openai_chat"], "a", base_url=url, model="m", timeouts=PATIENT)
    # More than the buffers of the kernel on both sides can hold.
    prompt = "x" * 20_000_000
    async with listener, open_llm(provider) as llm, trio.open_nursery() as nursery:
        before = client_sockets()
        with trio.CancelScope() as scope:
            nursery.start_soon(_when_dialling, before, scope)
            if stream:
                async with llm.stream(prompt):
                    pass
            await llm.generate(prompt)
        assert scope.cancelled_caught
        assert client_sockets() == before
        assert_at_rest(llm)


async def _when_dialling(before: int, scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    assert client_sockets() == before + 1
    scope.cancel()


async def test_a_caller_cancelled_in_line_leaves_the_line(clock: MockClock) -> None:
    """A caller that waits for a place goes without a request, and harms nobody."""
    async with (
        open_upstream(Behaviour(latency=1.0)) as upstream,
        open_llm(member(upstream, max_concurrency=1)) as llm,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(llm.generate, "first")
        await upstream.wait_requests(1)
        with trio.CancelScope() as scope:
            nursery.start_soon(when_blocked, upstream, 1, scope.cancel)
            await llm.generate("second")
        assert llm.status()[0].queued == 0
        nursery.start_soon(jump_when_blocked, clock, upstream, 1, 1.0)
    assert upstream.statistics().requests == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelling_a_race_ends_every_members_connection(
    clock: MockClock, stream: bool
) -> None:
    """Every racer's connection has ended when the cancelled race lets go."""
    del clock
    script = {name: behaviour for name, behaviour in PHASES.items() if name != "mid-stream"}
    async with open_upstream(script) as upstream, trio.open_nursery() as nursery:
        members = tuple(member(upstream, f"a{i}", model=name) for i, name in enumerate(script))
        async with open_llm(Race((Race(members[:2], name="inner"), members[2]))) as llm:
            with trio.CancelScope() as scope:
                nursery.start_soon(when_blocked, upstream, 3, scope.cancel)
                await ask(llm, stream=stream)
            assert scope.cancelled_caught
            assert open_connections(upstream) == 0
            assert_at_rest(llm)
            for served in upstream.served:
                assert await served.wait_finished() is ServedOutcome.CLIENT_CLOSED


async def _fail_in_stream(llm: Runtime) -> None:
    async with llm.stream("hello") as events:
        await anext(events)
        raise ZeroDivisionError


async def test_leaving_a_stream_early_ends_its_connection(clock: MockClock) -> None:
    """A consumer may stop at any event: by ``break``, by an error, or by leaving the block."""
    del clock
    script = Behaviour(chunks=("a", "b", "c"), gap=60.0)
    async with open_upstream(script) as upstream, open_llm(member(upstream)) as llm:
        async with llm.stream("hello") as events:
            async for piece in events.text():
                assert piece == "a"
                break
        assert open_connections(upstream) == 0
        with pytest.raises(ZeroDivisionError):
            await _fail_in_stream(llm)
        assert open_connections(upstream) == 0
        async with llm.stream("hello"):
            assert open_connections(upstream) == 1
        assert open_connections(upstream) == 0
        for served in upstream.served:
            assert await served.wait_finished() is ServedOutcome.CLIENT_CLOSED
