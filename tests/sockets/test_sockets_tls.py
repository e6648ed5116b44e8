"""The same guarantees over TLS, and a certificate that nobody vouches for is refused."""

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.sockets.socket_scenes import (
    PATIENT,
    ask,
    assert_at_rest,
    client_sockets,
    jump_when_blocked,
    member,
    open_connections,
    open_llm,
    when_blocked,
)
from trio_llm import (
    ConnectionFailedError,
    Fallback,
    Provider,
    ProviderTimeoutError,
    Race,
    Runtime,
    Timeouts,
)
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """Give a file with the authority's certificate."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_connection_is_used_again(
    server_context: ssl.SSLContext, trusted: str, stream: bool
) -> None:
    """One handshake serves several calls."""
    async with (
        open_upstream(tls=server_context) as upstream,
        open_llm(member(upstream, verify=trusted)) as llm,
    ):
        for _ in range(3):
            assert (await ask(llm, stream=stream)).text == "Hello, world"
        assert upstream.statistics().connections_accepted == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_losers_are_gone_before_a_race_returns(
    clock: MockClock, server_context: ssl.SSLContext, trusted: str, stream: bool
) -> None:
    """The server has the end of the losers' connections, and keeps the winner's."""
    script = {
        "winner": Behaviour(latency=1.0),
        "silent": Behaviour(fault=Fault.SILENCE),
        "stalled": Behaviour(fault=Fault.STALL, fault_after=0),
    }
    async with (
        open_upstream(script, tls=server_context) as upstream,
        open_llm(Race(tuple(member(upstream, n, verify=trusted) for n in script))) as llm,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(jump_when_blocked, clock, upstream, 3, 1.0)
        assert (await ask(llm, stream=stream)).provider == "winner"
        assert open_connections(upstream) == 1
        outcomes = [await served.wait_finished() for served in upstream.served]
        assert outcomes.count(ServedOutcome.CLIENT_CLOSED) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_cancelled_callers_connection_has_ended(
    clock: MockClock, server_context: ssl.SSLContext, trusted: str, stream: bool
) -> None:
    """The server has the end before the cancelled call lets go."""
    del clock
    async with (
        open_upstream(Behaviour(fault=Fault.STALL), tls=server_context) as upstream,
        open_llm(member(upstream, verify=trusted)) as llm,
        trio.open_nursery() as nursery,
    ):
        with trio.CancelScope() as scope:
            nursery.start_soon(when_blocked, upstream, 1, scope.cancel)
            await ask(llm, stream=stream)
        assert scope.cancelled_caught
        assert open_connections(upstream) == 0
        assert_at_rest(llm)


@asynccontextmanager
async def open_mute_llm() -> AsyncGenerator[Runtime, None]:
    """Open a runtime whose provider takes connections, and never says a word."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
    limits = Timeouts(connect=10.0, first_token=100.0)
    mute = Provider("openai_compatible", "a", base_url=url, model="m", timeouts=limits)
    async with listener, open_llm(mute) as llm:
        yield llm


async def _when_shaking_hands(before: int, act: Callable[[], object]) -> None:
    await wait_all_tasks_blocked()
    assert client_sockets() == before + 1
    act()


async def test_a_handshake_that_never_ends_counts_as_connecting(clock: MockClock) -> None:
    """It has the limit of connecting, and leaves no socket."""
    async with open_mute_llm() as llm, trio.open_nursery() as nursery:
        before = client_sockets()
        nursery.start_soon(_when_shaking_hands, before, lambda: clock.jump(10.0))
        with pytest.raises(ProviderTimeoutError) as caught:
            await llm.generate("hello")
        assert caught.value.phase == "connect"
        assert client_sockets() == before


async def test_a_caller_cancelled_in_a_handshake_leaves_no_socket(clock: MockClock) -> None:
    """The connection below the handshake is closed before the call lets go."""
    del clock
    async with open_mute_llm() as llm, trio.open_nursery() as nursery:
        before = client_sockets()
        with trio.CancelScope() as scope:
            nursery.start_soon(_when_shaking_hands, before, scope.cancel)
            await llm.generate("hello")
        assert scope.cancelled_caught
        assert client_sockets() == before
        assert_at_rest(llm)


async def test_an_unknown_authority_is_refused_and_named(server_context: ssl.SSLContext) -> None:
    """The error says that the certificate is the cause; a fallback goes on."""
    async with open_upstream(tls=server_context) as strange, open_upstream() as plain:
        tree = Fallback((member(strange, "strange"), member(plain, "plain")))
        async with open_llm(tree) as llm:
            with pytest.raises(
                ConnectionFailedError, match="certificate was not accepted"
            ) as caught:
                await llm.provider("strange").generate("hello")
            assert caught.value.phase == "connect"
            assert (await llm.generate("hello")).provider == "plain"
            assert strange.statistics().requests == 0
            await strange.wait_no_connections()


async def test_plain_http_on_a_port_of_tls_is_a_typed_error(
    server_context: ssl.SSLContext,
) -> None:
    """A wrong scheme in the base URL, either way round, is a plain failure."""
    async with open_upstream(tls=server_context) as secure, open_upstream() as plain:
        for url in (
            secure.base_url("openai_chat").replace("https:", "http:"),
            plain.base_url("openai_chat").replace("http:", "https:"),
        ):
            wrong = Provider("openai_compatible", "a", base_url=url, model="m", timeouts=PATIENT)
            async with open_llm(wrong) as llm:
                with pytest.raises(ConnectionFailedError):
                    await llm.generate("hello")
