"""Each phase of an exchange has its own limit, and only the upstream's time counts."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_llm.errors import ProviderTimeoutError
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream
from trio_llm.transport import Connections, TimeLimits, httpx

Connect = Callable[..., Connections]

# Every limit but the one under test is far away.
FAR = 500.0
PING = b": ping\n\n"


def run_fast(main: Callable[..., Any], *, clock: None = None, **options: Any) -> Any:
    """Run a test in which fifty seconds pass in one."""
    del clock
    return trio.run(main, clock=MockClock(rate=50), **options)


fast = pytest.mark.trio(run=run_fast)


def limits(**seconds: float) -> TimeLimits:
    """Give limits of which only those named are near."""
    return TimeLimits(**{"connect": FAR, "first_token": FAR, "idle": FAR, "total": FAR} | seconds)


async def read_stream(
    connections: Connections, url: str, limit: TimeLimits, *, useful: bytes = b"x"
) -> list[bytes]:
    """Read a stream of which some pieces are useful."""
    pieces: list[bytes] = []
    async with connections.exchange(url, {}, b"", limit) as response:
        async for piece in response:
            pieces.append(piece)
            if useful in piece:
                response.useful()
    return pieces


@fast
async def test_connecting_may_not_take_too_long(connect: Connect) -> None:
    """A TLS handshake that nobody answers ends in the phase ``connect``, and closes."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
    async with listener:
        with pytest.raises(ProviderTimeoutError) as caught:
            await connect(verify=False).exchange(url, {}, b"", limits(connect=1)).__aenter__()
        assert caught.value.phase == "connect"
        async with await listener.accept() as stream:
            hello = await stream.receive_some()
            assert hello
            assert await stream.receive_some() == b""


@fast
async def test_the_limit_on_connecting_ends_with_the_connection(connect: Connect) -> None:
    """A head that takes longer than connecting may is no failure."""
    connections = connect()
    async with open_upstream(Behaviour(body=b"pong", latency=8)) as upstream:
        exchange = connections.exchange(upstream.url, {}, b"", limits(connect=5))
        async with exchange as response:
            assert await response.read() == b"pong"


@pytest.mark.parametrize("used", [False, True], ids=["fresh", "reused"])
@fast
async def test_the_head_may_not_take_too_long(connect: Connect, used: bool) -> None:
    """No head in time is the phase ``first_token``, on any connection."""
    connections = connect()
    script = [Behaviour(body=b"pong")] * used + [Behaviour(fault=Fault.SILENCE)]
    async with open_upstream(script) as upstream:
        if used:
            async with connections.exchange(upstream.url, {}, b"", limits()) as response:
                await response.read()
        with pytest.raises(ProviderTimeoutError) as caught:
            await read_stream(connections, upstream.url, limits(first_token=1))
        assert caught.value.phase == "first_token"
        assert caught.value.elapsed is not None
        assert caught.value.elapsed >= 1
        assert await upstream.served[-1].wait_finished() is ServedOutcome.CLIENT_CLOSED


@pytest.mark.parametrize("idle", [0.5, 1.0, FAR])
@fast
async def test_what_is_not_useful_is_no_first_token(connect: Connect, idle: float) -> None:
    """Comments keep the connection alive, but not the clock of the first token."""
    answer = Behaviour(pieces=(PING,) * 1000, gap=0.1)
    async with open_upstream(answer) as upstream:
        with pytest.raises(ProviderTimeoutError) as caught:
            await read_stream(connect(), upstream.url, limits(first_token=1, idle=idle))
        assert caught.value.phase == "first_token"
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED


@fast
async def test_the_idle_limit_does_not_cut_the_wait_for_the_first_token(
    connect: Connect,
) -> None:
    """A first token may take longer than the pause between two others."""
    answer = Behaviour(pieces=(b"x", b"x"), latency=4, first_token=5)
    async with open_upstream(answer) as upstream:
        assert await read_stream(connect(), upstream.url, limits(idle=3)) == [b"x", b"x"]


@pytest.mark.parametrize("first_token", [4.0, 5.0, FAR])
@fast
async def test_a_stall_after_a_useful_event_is_idleness(
    connect: Connect, first_token: float
) -> None:
    """No further event in time is the phase ``idle``."""
    answer = Behaviour(pieces=(b"x", b"x"), fault=Fault.STALL)
    async with open_upstream(answer) as upstream:
        with pytest.raises(ProviderTimeoutError) as caught:
            await read_stream(connect(), upstream.url, limits(idle=5, first_token=first_token))
        assert caught.value.phase == "idle"
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED


@fast
async def test_comments_do_not_reset_the_idle_clock(connect: Connect) -> None:
    """Only useful events count as progress."""
    answer = Behaviour(pieces=(b"x", *(PING,) * 1000), gap=0.1)
    async with open_upstream(answer) as upstream:
        with pytest.raises(ProviderTimeoutError) as caught:
            await read_stream(connect(), upstream.url, limits(idle=1))
        assert caught.value.phase == "idle"


@fast
async def test_useful_events_reset_the_idle_clock(connect: Connect) -> None:
    """A long stream with short pauses is never late."""
    answer = Behaviour(pieces=(b"x",) * 30, gap=0.2)
    async with open_upstream(answer) as upstream:
        assert len(await read_stream(connect(), upstream.url, limits(idle=3))) == 30


@fast
async def test_a_plain_body_that_stalls_is_idle(connect: Connect) -> None:
    """After the head, the clock of a plain body is the idle one."""
    connections = connect()
    async with open_upstream(Behaviour(body=b"pong", fault=Fault.STALL)) as upstream:
        with pytest.raises(ProviderTimeoutError) as caught:
            async with connections.exchange(upstream.url, {}, b"", limits(idle=1)) as response:
                await response.read()
        assert caught.value.phase == "idle"


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(fault=Fault.SILENCE), Behaviour(pieces=(b"x",) * 1000, gap=0.1)],
    ids=["before the head", "in the body"],
)
@fast
async def test_the_whole_may_not_take_too_long(connect: Connect, behaviour: Behaviour) -> None:
    """Progress does not move the limit of the whole exchange."""
    async with open_upstream(behaviour) as upstream:
        with pytest.raises(ProviderTimeoutError) as caught:
            await read_stream(connect(), upstream.url, limits(total=2))
        assert caught.value.phase == "total"
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED


@fast
async def test_a_slow_consumer_makes_nobody_late(connect: Connect) -> None:
    """Idle clocks do not run while the consumer is the slow side."""
    connections = connect()
    async with (
        open_upstream(Behaviour(pieces=(b"x",) * 4)) as upstream,
        connections.exchange(upstream.url, {}, b"", limits(idle=5)) as response,
    ):
        count = 0
        async for _ in response:
            response.useful()
            count += 1
            await trio.sleep(8)
        assert count == 4


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.STALL])
@fast
async def test_the_caller_s_own_cancellation_is_not_a_timeout(
    connect: Connect, fault: Fault
) -> None:
    """A deadline of the caller's, even at the same moment, passes through as it is."""
    answer = Behaviour(pieces=(b"x", b"x"), fault=fault)
    connections = connect()
    async with open_upstream(answer) as upstream:
        with trio.move_on_after(1) as scope:
            await read_stream(connections, upstream.url, limits(first_token=2, idle=2))
        assert scope.cancelled_caught
        await upstream.wait_no_connections()


async def test_a_deadline_of_the_same_instant_belongs_to_the_caller(
    autojump_clock: MockClock,
) -> None:
    """Where the caller's deadline and a limit meet, no timeout error is made."""
    assert autojump_clock.autojump_threshold == 0

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await trio.sleep_forever()
            raise AssertionError(request)

    connections = Connections(transport=Silent())
    with trio.move_on_after(3) as scope:
        await read_stream(connections, "http://a.test", limits(first_token=3))
    assert scope.cancelled_caught
    assert connections.statistics().in_use == 0


async def test_the_limits_hold_for_a_handed_in_transport(autojump_clock: MockClock) -> None:
    """A transport that knows no limits of time is held to ours."""
    assert autojump_clock.autojump_threshold == 0

    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncGenerator[bytes, None]:
            yield b"x"
            await trio.sleep_forever()

    class Drips(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            del request
            return httpx.Response(200, stream=Dripping())

    start = trio.current_time()
    with pytest.raises(ProviderTimeoutError) as caught:
        await read_stream(Connections(transport=Drips()), "http://a.test", limits(idle=7))
    assert caught.value.phase == "idle"
    assert trio.current_time() - start == pytest.approx(7)
