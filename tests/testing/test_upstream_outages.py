"""The simulated upstream can be dead for a while: it refuses, and it comes back."""

import contextlib

import pytest
import trio

from trio_llm.testing.upstream import (
    Behaviour,
    Fault,
    Served,
    ServedOutcome,
    Timetable,
    Upstream,
    open_upstream,
)

REQUEST = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\n"


async def dial(upstream: Upstream) -> trio.SocketStream:
    """Open a connection."""
    return await trio.open_tcp_stream("127.0.0.1", int(upstream.url.rpartition(":")[2]))


async def status_of(stream: trio.SocketStream) -> bytes:
    """Send a request, and give the status line of the response; nothing if it ends."""
    await stream.send_all(REQUEST)
    return (await stream.receive_some()).partition(b" \r\n")[0]


def served(received: float) -> Served:
    """Make the record of a request that came at an instant."""
    return Served(
        ordinal=1,
        connection=1,
        method="GET",
        path="/",
        headers={},
        body=b"",
        received=received,
    )


def test_a_timetable_goes_by_the_clock() -> None:
    """Each row holds from its second on, counted from the start, until the next one."""
    well, dead, back = Behaviour(), Behaviour(status=500), Behaviour(chunks=("back",))
    script = Timetable(100.0, ((0.0, well), (60.0, dead), (120.0, back)))
    assert [script(served(100.0 + passed)) for passed in (0.0, 59.9)] == [well, well]
    assert [script(served(100.0 + passed)) for passed in (60.0, 119.9)] == [dead, dead]
    assert [script(served(100.0 + passed)) for passed in (120.0, 9999.0)] == [back, back]


async def test_a_server_that_is_down_refuses_and_comes_back() -> None:
    """Nobody can dial until it is up again, at the same address; saying so twice is harmless."""
    async with open_upstream() as upstream:
        url = upstream.url
        for _ in range(2):
            upstream.go_down()
        with pytest.raises(OSError, match="all attempts to connect"):
            await dial(upstream)
        for _ in range(2):
            upstream.come_up()
        async with await dial(upstream) as stream:
            assert await status_of(stream) == b"HTTP/1.1 200"
        assert upstream.url == url
        assert upstream.statistics().requests == 1


async def test_a_server_that_goes_down_ends_its_connections() -> None:
    """What was under way is stopped, and idle connections end."""
    script = [Behaviour(), Behaviour(fault=Fault.SILENCE)]
    async with open_upstream(script) as upstream:
        async with await dial(upstream) as idle, await dial(upstream) as waiting:
            assert await status_of(idle) == b"HTTP/1.1 200"
            assert await upstream.served[0].wait_finished() is ServedOutcome.COMPLETED
            await waiting.send_all(REQUEST)
            await upstream.wait_requests(2)
            upstream.go_down()
            assert await waiting.receive_some() == b""
            while await idle.receive_some():
                pass
            assert upstream.served[1].outcome is ServedOutcome.STOPPED
        await upstream.wait_no_connections()


@pytest.mark.parametrize("steps", range(12))
async def test_a_server_may_go_down_while_somebody_dials(steps: int) -> None:
    """At whatever step of a dial that is, the dial fails or the connection ends."""

    async def dial_and_wait() -> None:
        with contextlib.suppress(OSError, trio.BrokenResourceError):
            async with await dial(upstream) as stream:
                assert await stream.receive_some() == b""

    async with open_upstream() as upstream:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dial_and_wait)
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            upstream.go_down()
        await upstream.wait_no_connections()
        upstream.come_up()
        async with await dial(upstream) as stream:
            assert await status_of(stream) == b"HTTP/1.1 200"
