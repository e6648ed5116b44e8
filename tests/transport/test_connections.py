"""A connection belongs to one exchange at a time; idle ones wait on a stack."""

import gc
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx as httpx_itself
import pytest
import trio
from trio.testing import MockClock

from trio_llm.errors import ConnectionFailedError, InvalidRequestError
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream
from trio_llm.transport import Connections, TimeLimits, httpx, tls

BODY = Behaviour(body=b"pong")
LIMITS = TimeLimits()
Connect = Callable[..., Connections]


async def ping(connections: Connections, url: str, **choices: Any) -> bytes:
    """Do one exchange and give its body."""
    async with connections.exchange(url, {}, b"ping", LIMITS, **choices) as response:
        return await response.read()


async def test_a_connection_is_used_again(connect: Connect) -> None:
    """One exchange after the other needs one connection."""
    connections = connect()
    async with open_upstream(BODY) as upstream:
        for _ in range(3):
            assert await ping(connections, upstream.url) == b"pong"
        counts = connections.statistics()
        assert (counts.opened, counts.reused, counts.idle, counts.in_use) == (1, 2, 1, 0)
        assert upstream.statistics().connections_accepted == 1


async def test_each_running_exchange_has_its_own_connection(connect: Connect) -> None:
    """Exchanges at the same time never wait for each other's connection."""
    connections = connect()
    async with open_upstream(Behaviour(body=b"pong", latency=0.02)) as upstream:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(ping, connections, upstream.url)
        assert upstream.statistics().max_in_flight == 8
        assert connections.statistics().idle == 8


async def test_the_connection_used_last_is_used_next(connect: Connect) -> None:
    """The stack is last in, first out."""
    connections = connect()
    async with open_upstream(BODY) as upstream:
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as first:
            await ping(connections, upstream.url)
            await first.read()
        await ping(connections, upstream.url)
        assert [served.connection for served in upstream.served] == [1, 2, 1]


async def test_an_old_idle_connection_is_closed(connect: Connect, fast_clock: MockClock) -> None:
    """A connection that was idle for too long is closed and replaced."""
    assert fast_clock.rate == 50
    connections = connect(keepalive=1.0)
    async with open_upstream(BODY) as upstream:
        await ping(connections, upstream.url)
        await trio.sleep(2)
        await ping(connections, upstream.url)
        await upstream.wait_until(lambda counts: counts.connections_open == 1)
        assert connections.statistics().opened == 2
        await trio.sleep(2)
        await connections.close_expired()
        await upstream.wait_no_connections()


async def test_a_connection_that_ended_while_idle_is_replaced(connect: Connect) -> None:
    """The upstream's silent close is seen before the request is sent."""
    connections = connect()
    async with open_upstream(BODY, close_after=1) as upstream:
        for _ in range(3):
            await ping(connections, upstream.url)
            await upstream.wait_no_connections()
        counts = connections.statistics()
        assert (counts.opened, counts.reused) == (3, 0)


async def test_a_response_that_closes_is_not_kept(connect: Connect) -> None:
    """A response with ``connection: close`` leaves nothing idle."""
    connections = connect()
    async with open_upstream(Behaviour(body=b"pong", keep_alive=False)) as upstream:
        await ping(connections, upstream.url)
        assert connections.statistics().idle == 0


async def test_an_unread_endless_body_closes_the_connection(connect: Connect) -> None:
    """A connection whose response was not read to the end is not used again."""
    connections = connect()
    async with open_upstream(Behaviour(fault=Fault.ENDLESS)) as upstream:
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
            assert response.status == 200
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED
        assert connections.statistics().idle == 0


async def test_a_rest_at_hand_is_read_on_leaving(connect: Connect) -> None:
    """A reader that stops at the last event keeps the connection."""
    connections = connect()
    async with open_upstream(Behaviour(pieces=(b"one", b"two"))) as upstream:
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
            assert await anext(response) == b"one"
        assert connections.statistics().idle == 1


async def test_closing_closes_the_idle_ones(connect: Connect) -> None:
    """After `aclose` no socket is left, and no exchange can start."""
    connections = connect()
    async with open_upstream(BODY) as upstream:
        await ping(connections, upstream.url)
        await connections.aclose()
        await upstream.wait_no_connections()
        with pytest.raises(ConnectionFailedError, match="closed"):
            await ping(connections, upstream.url)


async def test_what_runs_while_closing_is_closed_at_its_end(connect: Connect) -> None:
    """An exchange may end well after `aclose`, and its connection is not kept."""
    connections = connect()
    async with open_upstream(BODY) as upstream:
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
            await connections.aclose()
            assert await response.read() == b"pong"
        await upstream.wait_no_connections()


async def test_a_close_that_hangs_is_given_up_and_counted(autojump_clock: MockClock) -> None:
    """Closing is bounded by the deadline, and never hidden when it is overdue."""
    assert autojump_clock.autojump_threshold == 0

    class Clinging(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncGenerator[bytes, None]:
            yield b"x"

        async def aclose(self) -> None:
            await trio.sleep_forever()

    class Clings(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            del request
            return httpx.Response(200, stream=Clinging())

    connections = Connections(transport=Clings(), close_deadline=2.0)
    start = trio.current_time()
    await ping(connections, "http://a.test")
    assert trio.current_time() - start == pytest.approx(2.0)
    assert connections.statistics().overdue == 1


async def test_origins_have_connections_of_their_own(connect: Connect) -> None:
    """A connection to one host never serves another."""
    connections = connect()
    async with open_upstream(BODY) as one, open_upstream(BODY) as other:
        for upstream in (one, other, one, other):
            await ping(connections, upstream.url)
        assert connections.statistics().reused == 2
        assert other.statistics().requests == 2


async def test_plain_http_loads_no_certificates(connect: Connect) -> None:
    """The cost of a TLS context is not paid where no TLS is spoken."""
    before = tls.load_context.cache_info()
    async with open_upstream(BODY) as upstream:
        await ping(connect(), upstream.url)
    assert tls.load_context.cache_info() == before


def test_equal_settings_share_one_tls_context() -> None:
    """The context of a setting is loaded once."""
    assert tls.context_for(verify=False) is tls.context_for(verify=False)
    assert tls.context_for(verify=False) is not tls.context_for(verify=True)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/?key=hidden", "127.0.0.1/hidden", "http://"])
async def test_a_url_that_is_none_is_refused_without_quoting_it(connect: Connect, url: str) -> None:
    """The URL stays out of the message, because it may hold a key."""
    with pytest.raises(InvalidRequestError) as caught:
        await ping(connect(), url)
    assert "hidden" not in str(caught.value)


async def test_a_transport_can_be_handed_in_and_stays_open() -> None:
    """It serves every exchange, at the same time too, and is not closed."""

    class Echo(httpx.AsyncBaseTransport):
        closed = False

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            content = b"".join([part async for part in aiter_of(request)])
            return httpx.Response(200, content=content)

        async def aclose(self) -> None:
            self.closed = True

    def aiter_of(request: httpx.Request) -> httpx.AsyncByteStream:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        return request.stream

    transport = Echo()
    connections = Connections(transport=transport)
    async with connections.exchange("http://a.test", {}, b"one", LIMITS) as response:
        assert await ping(connections, "http://b.test") == b"ping"
        assert await response.read() == b"one"
    assert connections.statistics().in_use == 0
    await connections.aclose()
    assert not transport.closed


async def test_a_handed_in_network_transport_loses_no_generator(connect: Connect) -> None:
    """Leaving a response of a shared network transport early is clean."""
    async with (
        httpx.AsyncHTTPTransport() as transport,
        open_upstream(Behaviour(pieces=(b"one", b"two"), fault=Fault.STALL)) as upstream,
    ):
        connections = connect(transport=transport)
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
            assert await anext(response) == b"one"
        # A generator that was left suspended would warn here.
        del response
        gc.collect()
        await upstream.served[0].wait_finished()


def test_what_is_no_transport_is_refused() -> None:
    """The message names the variable that chooses the library."""
    with pytest.raises(TypeError, match="TRIO_LLM_HTTP"):
        Connections(transport=object())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_the_library_is_the_one_asked_for() -> None:
    """Without the variable it is httpx."""
    assert httpx.__name__ in {httpx_itself.__name__, "httpx2"}
