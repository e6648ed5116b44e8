"""A call that is given up ends at the real server, too: no connection, no further token."""

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.real.real_server import ENDLESS, Server, busy, idle, needs_socket_table, provider
from trio_llm import Config, Runtime, open_runtime

pytestmark = [pytest.mark.real, needs_socket_table]

PROMPT = "bade kilo"
kinds = pytest.mark.parametrize("kind", ["llamacpp", "anthropic"])


async def _cancelled_amid_a_stream(llm: Runtime, _server: Server) -> None:
    with trio.CancelScope() as scope:
        async with llm.stream(PROMPT, max_tokens=ENDLESS) as stream:
            async for _ in stream:
                scope.cancel()
    assert scope.cancelled_caught


async def _left_amid_a_stream(llm: Runtime, _server: Server) -> None:
    async with llm.stream(PROMPT, max_tokens=ENDLESS) as stream:
        async for _ in stream:
            break


async def _cancelled_before_the_answer(llm: Runtime, server: Server) -> None:
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            await llm.generate(PROMPT, max_tokens=ENDLESS)

        nursery.start_soon(ask)
        await server.reached(busy)
        nursery.cancel_scope.cancel()


@kinds
@pytest.mark.parametrize(
    "give_up", [_cancelled_amid_a_stream, _left_amid_a_stream, _cancelled_before_the_answer]
)
async def test_giving_up(
    servers: list[Server], give_up: Callable[[Runtime, Server], Awaitable[None]], kind: str
) -> None:
    """The connection is closed when the caller goes on; the server stops within a moment."""
    server = servers[0]
    before = await server.reached(idle)
    async with open_runtime(Config(default=provider(server, "real", kind))) as llm:
        with trio.fail_after(20):
            await give_up(llm, server)
        assert await server.connections() == 0
        after = await server.reached(idle)
        assert 0 < after.written - before.written < ENDLESS
        assert (llm.status_of().in_flight, llm.statistics().overruns) == (0, 0)
        assert llm.statistics().calls.cancelled == 1
        assert (await llm.generate(PROMPT, max_tokens=4)).usage.output_tokens == 4


async def test_a_runtime_leaves_no_connection(servers: list[Server]) -> None:
    """A connection is kept between calls and gone once the runtime is closed."""
    server = servers[0]
    await server.reached(idle)
    async with open_runtime(Config(default=provider(server, "real"))) as llm:
        for _ in range(3):
            await llm.generate(PROMPT, max_tokens=4)
        assert await server.connections() == 1
    assert await server.connections() == 0


async def test_cancelling_the_runtime(servers: list[Server]) -> None:
    """A cancellation around the runtime ends its calls, its connections and their tokens."""
    server = servers[0]
    before = await server.reached(idle)
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            async with open_runtime(Config(default=provider(server, "real"))) as llm:
                await llm.generate(PROMPT, max_tokens=ENDLESS)

        nursery.start_soon(run)
        await server.reached(busy)
        nursery.cancel_scope.cancel()
    assert await server.connections() == 0
    assert (await server.reached(idle)).written - before.written < ENDLESS
