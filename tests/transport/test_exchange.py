"""One request and its response: what is sent, what is read, what is signalled."""

import gc
import gzip
from collections.abc import Callable

import attrs
import pytest
import trio
from trio.testing import MockClock

from trio_llm.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    MalformedResponseError,
    ProviderError,
    StaleConnectionError,
)
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, digest, open_upstream
from trio_llm.transport import Connections, TimeLimits

LIMITS = TimeLimits()
Connect = Callable[..., Connections]


async def test_headers_go_out_and_come_back(connect: Connect) -> None:
    """The caller's headers are sent with ours; those of the response have lower-case names."""
    answer = Behaviour(body=b"", headers={"X-Request-Id": "abc"})
    async with open_upstream(answer) as upstream:
        headers = {"Authorization": "Bearer key", "X-Extra": "1", "Content-Length": "999"}
        async with connect().exchange(upstream.url, headers, b"12345", LIMITS) as response:
            assert response.headers["x-request-id"] == "abc"
            assert await response.read() == b""
        sent = upstream.served[0].headers
        assert sent["authorization"] == digest(b"Bearer key")
        assert sent["x-extra"] == "1"
        assert sent["content-length"] == "5"
        assert sent["accept-encoding"] == "identity"
        assert sent["host"] == upstream.url.removeprefix("http://")
        assert upstream.served[0].body == b"12345"


@pytest.mark.parametrize("status", [204, 302, 404, 429, 503])
async def test_any_status_is_given_to_the_caller(connect: Connect, status: int) -> None:
    """Statuses do not raise here, and redirects are not followed."""
    answer = Behaviour(status=status, body=b"", headers={"location": "/elsewhere"})
    async with open_upstream(answer) as upstream:
        async with connect().exchange(upstream.url, {}, b"", LIMITS) as response:
            assert response.status == status
        assert upstream.statistics().requests == 1


async def test_a_body_is_given_in_pieces_as_it_comes(connect: Connect) -> None:
    """Iteration gives all bytes in order, and ends."""
    pieces = tuple(b"piece %d;" % number for number in range(20))
    async with (
        open_upstream(Behaviour(pieces=pieces)) as upstream,
        connect().exchange(upstream.url, {}, b"", LIMITS) as response,
    ):
        assert b"".join([data async for data in response]) == b"".join(pieces)
        assert [data async for data in response] == []


async def test_single_bytes_make_a_whole_body(connect: Connect) -> None:
    """A response that trickles in is read like any other."""
    async with (
        open_upstream(Behaviour(body=b"slowly", trickle=True)) as upstream,
        connect().exchange(upstream.url, {}, b"", LIMITS) as response,
    ):
        assert await response.read() == b"slowly"


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.RESET])
async def test_a_kept_connection_that_ends_is_signalled_as_stale(
    connect: Connect, fault: Fault
) -> None:
    """An end before any byte on a used connection can be tried once more, on a fresh one."""
    good = Behaviour(body=b"pong")
    connections = connect()
    async with open_upstream([good, Behaviour(fault=fault), good]) as upstream:
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
            await response.read()
        with pytest.raises(StaleConnectionError):
            await connections.exchange(upstream.url, {}, b"", LIMITS).__aenter__()
        async with connections.exchange(upstream.url, {}, b"", LIMITS, fresh=True) as response:
            assert not response.reused
            assert await response.read() == b"pong"
        assert upstream.statistics().requests == 3


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.RESET])
async def test_a_fresh_connection_that_ends_is_a_failure(connect: Connect, fault: Fault) -> None:
    """On a fresh connection the same end is the provider's failure."""
    async with open_upstream(Behaviour(fault=fault)) as upstream:
        with pytest.raises(ConnectionFailedError) as caught:
            await connect().exchange(upstream.url, {}, b"", LIMITS).__aenter__()
        assert not isinstance(caught.value, StaleConnectionError)
        assert caught.value.phase == "response"
        assert caught.value.elapsed is not None
        assert upstream.statistics().requests == 1


@pytest.mark.parametrize("fault", [Fault.CLOSE_MIDWAY, Fault.RESET_MIDWAY])
@pytest.mark.parametrize(
    "answer",
    [Behaviour(pieces=(b"one", b"two")), Behaviour(body=b"one two")],
    ids=["chunked", "of known length"],
)
async def test_a_body_that_breaks_off_is_a_failure_of_the_stream(
    connect: Connect, answer: Behaviour, fault: Fault
) -> None:
    """An end in the body is never taken for the end of the body."""
    connections = connect()
    async with open_upstream(attrs.evolve(answer, fault=fault)) as upstream:
        with pytest.raises(ConnectionFailedError) as caught:
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                await response.read()
        assert caught.value.phase == "stream"
        assert not isinstance(caught.value, StaleConnectionError)


@pytest.mark.parametrize("fault", [Fault.NOT_HTTP, Fault.HUGE_HEADERS])
async def test_what_is_not_http_is_malformed(connect: Connect, fault: Fault) -> None:
    """Garbage, and a head beyond all measure, are malformed responses."""
    async with open_upstream(Behaviour(body=b"", fault=fault)) as upstream:
        with pytest.raises(MalformedResponseError):
            await connect().exchange(upstream.url, {}, b"", LIMITS).__aenter__()


async def test_a_body_may_not_grow_for_ever(connect: Connect) -> None:
    """A body larger than allowed is malformed, and the connection is closed."""
    connections = connect(max_body=200_000)
    async with open_upstream(Behaviour(fault=Fault.ENDLESS)) as upstream:
        with pytest.raises(MalformedResponseError, match="200000"):
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                await response.read()
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED


async def test_the_start_of_an_endless_error_is_enough(connect: Connect) -> None:
    """An error's body is read up to a limit, whatever follows."""
    async with (
        open_upstream(Behaviour(fault=Fault.ENDLESS)) as upstream,
        connect().exchange(upstream.url, {}, b"", LIMITS) as response,
    ):
        assert await response.read_start(1000) == b" " * 1000


async def test_the_start_of_a_broken_error_is_given(connect: Connect) -> None:
    """An error's body that breaks off gives what had come."""
    answer = Behaviour(pieces=(b"one", b"two"), status=503, fault=Fault.CLOSE_MIDWAY)
    async with (
        open_upstream(answer) as upstream,
        connect().exchange(upstream.url, {}, b"", LIMITS) as response,
    ):
        assert await response.read_start() == b"one"


async def test_a_short_error_body_keeps_the_connection(connect: Connect) -> None:
    """Reading the start of a body that ends in it leaves the connection usable."""
    connections = connect()
    async with open_upstream(Behaviour(status=429, body=b"{}")) as upstream:
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
            await response.read_start()
        assert connections.statistics().idle == 1


async def test_a_compressed_body_is_decoded(connect: Connect) -> None:
    """An upstream that compresses although it was not asked to is understood."""
    answer = Behaviour(
        body=gzip.compress(b"pong"), headers={"content-encoding": "gzip"}, trickle=True
    )
    connections = connect()
    async with open_upstream(answer) as upstream:
        async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
            assert await response.read() == b"pong"
        assert connections.statistics().idle == 1


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_a_body_that_cannot_be_decoded_is_malformed(connect: Connect, encoding: str) -> None:
    """A broken or unknown compression is a malformed response."""
    answer = Behaviour(body=b"\x00 nothing", headers={"content-encoding": encoding})
    async with open_upstream(answer) as upstream:
        with pytest.raises(MalformedResponseError, match="compressed"):
            async with connect().exchange(upstream.url, {}, b"", LIMITS) as response:
                await response.read()


@pytest.mark.parametrize("value", ["sk-hidden\nx: y", "sk-hidden-é"])
async def test_a_header_that_cannot_be_sent_is_refused_without_quoting_it(
    connect: Connect, value: str
) -> None:
    """Neither the error nor its causes hold the key."""
    async with open_upstream(Behaviour(body=b"")) as upstream:
        with pytest.raises(InvalidRequestError) as caught:
            await (
                connect().exchange(upstream.url, {"authorization": value}, b"", LIMITS).__aenter__()
            )
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("behaviour", "pieces"),
    [
        (Behaviour(fault=Fault.SILENCE), 0),
        (Behaviour(pieces=(b"one", b"two"), fault=Fault.STALL), 1),
        (Behaviour(pieces=(b"x",) * 10_000, gap=0.001), 3),
    ],
    ids=["before the head", "while waiting for a piece", "while pieces come"],
)
async def test_cancelling_closes_the_connection_first(
    connect: Connect, behaviour: Behaviour, pieces: int
) -> None:
    """When a cancelled exchange is left, its connection has been closed."""
    connections = connect()
    async with open_upstream(behaviour) as upstream:
        far_enough = trio.Event()

        async def exchange() -> None:
            seen = 0
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                async for _ in response:
                    response.useful()
                    seen += 1
                    if seen == pieces:
                        far_enough.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(exchange)
            await upstream.wait_requests(1)
            if pieces:
                await far_enough.wait()
            nursery.cancel_scope.cancel()
        counts = connections.statistics()
        assert (counts.in_use, counts.idle) == (0, 0)
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED
        await upstream.wait_no_connections()


async def test_cancelling_the_consumer_closes_the_connection(connect: Connect) -> None:
    """A cancellation between two reads closes too, and leaves no generator behind."""
    connections = connect()
    answer = Behaviour(pieces=(b"one", b"two", b"three"), fault=Fault.STALL, fault_after=3)
    async with open_upstream(answer) as upstream:

        async def exchange(scope: trio.CancelScope) -> None:
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                await anext(response)
                scope.cancel()
                await trio.lowlevel.checkpoint()

        with trio.CancelScope() as scope:
            await exchange(scope)
        # A generator that was left suspended would warn here.
        gc.collect()
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED


async def test_a_reply_survives_a_cancellation_during_the_clean_up(
    connect: Connect, fast_clock: MockClock
) -> None:
    """A result that was reached is not lost while its connection is put in order."""
    assert fast_clock.rate == 50
    answer = Behaviour(pieces=(b"one", b"two"), fault=Fault.STALL)
    result = None

    async def exchange(url: str) -> bytes:
        async with connect().exchange(url, {}, b"", LIMITS) as response:
            data = await anext(response)
            scope.deadline = trio.current_time() + 0.01
            return data

    async with open_upstream(answer) as upstream:
        with trio.CancelScope() as scope:
            result = await exchange(upstream.url)
    assert result == b"one"


async def test_many_cancelled_exchanges_leave_nothing(connect: Connect) -> None:
    """Races that cancel their losers again and again neither leak nor slow down."""
    connections = connect()
    async with open_upstream(Behaviour(body=b"pong", latency=0.001)) as upstream:

        async def exchange(done: Callable[[], None]) -> None:
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                await response.read()
            done()

        for _ in range(25):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(exchange, nursery.cancel_scope.cancel)
        await upstream.wait_until(
            lambda counts: counts.connections_open == connections.statistics().idle
        )
        assert connections.statistics().in_use == 0


async def test_an_exchange_that_could_not_start_raises_the_library_s_own_error(
    connect: Connect,
) -> None:
    """A port where nobody listens is a typed error with its phase and its time."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(ProviderError) as caught:
        await connect().exchange(f"http://127.0.0.1:{port}", {}, b"", LIMITS).__aenter__()
    assert isinstance(caught.value, ConnectionFailedError)
    assert caught.value.phase == "connect"
    assert "refused" in str(caught.value)
