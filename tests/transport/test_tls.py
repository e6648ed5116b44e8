"""Over TLS the certificate is checked, and nothing is left behind."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trustme

from trio_llm.errors import ConnectionFailedError
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream
from trio_llm.transport import Connections, TimeLimits

LIMITS = TimeLimits()
Connect = Callable[..., Connections]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Give an authority that nobody knows."""
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """Give the context of a server with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


async def test_a_trusted_upstream_is_used_again(
    connect: Connect, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    """A context of the caller's own decides, and the connection is kept."""
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
    connections = connect(verify=context)
    async with open_upstream(Behaviour(body=b"pong"), tls=server_context) as upstream:
        for _ in range(3):
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                assert await response.read() == b"pong"
        assert connections.statistics().reused == 2


async def test_a_file_of_authorities_can_be_named(
    connect: Connect, authority: trustme.CA, server_context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A path as `verify` names the authorities to trust."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    async with (
        open_upstream(Behaviour(body=b"pong"), tls=server_context) as upstream,
        connect(verify=str(path)).exchange(upstream.url, {}, b"", LIMITS) as response,
    ):
        assert await response.read() == b"pong"


async def test_an_unknown_authority_is_refused(
    connect: Connect, server_context: ssl.SSLContext
) -> None:
    """A certificate that cannot be checked is named as the cause."""
    async with open_upstream(Behaviour(body=b"pong"), tls=server_context) as upstream:
        with pytest.raises(ConnectionFailedError, match="certificate") as caught:
            await connect().exchange(upstream.url, {}, b"", LIMITS).__aenter__()
        assert caught.value.phase == "connect"
        await upstream.wait_no_connections()
        assert upstream.statistics().requests == 0


async def test_the_check_can_be_switched_off(
    connect: Connect, server_context: ssl.SSLContext
) -> None:
    """With ``verify=False`` any certificate will do."""
    async with (
        open_upstream(Behaviour(body=b"pong"), tls=server_context) as upstream,
        connect(verify=False).exchange(upstream.url, {}, b"", LIMITS) as response,
    ):
        assert await response.read() == b"pong"


async def test_an_upstream_without_tls_is_a_failed_connection(connect: Connect) -> None:
    """Speaking TLS to a plain port fails in the phase ``connect``."""
    async with open_upstream(Behaviour(body=b"")) as upstream:
        url = upstream.url.replace("http:", "https:")
        with pytest.raises(ConnectionFailedError) as caught:
            await connect(verify=False).exchange(url, {}, b"", LIMITS).__aenter__()
        assert caught.value.phase == "connect"


async def test_a_missing_file_of_authorities_is_a_failed_connection(
    connect: Connect, tmp_path: Path
) -> None:
    """A setting that cannot be used is a typed error too."""
    connections = connect(verify=str(tmp_path / "missing.pem"))
    with pytest.raises(ConnectionFailedError):
        await connections.exchange("https://127.0.0.1:1", {}, b"", LIMITS).__aenter__()
    assert connections.statistics().in_use == 0


async def test_cancelling_during_the_handshake_closes_the_socket(connect: Connect) -> None:
    """A connection that is still being opened is closed when its caller leaves."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
    exchange = connect(verify=False).exchange(url, {}, b"", LIMITS)
    async with listener, trio.open_nursery() as nursery:
        nursery.start_soon(exchange.__aenter__)
        async with await listener.accept() as stream:
            assert await stream.receive_some()
            nursery.cancel_scope.cancel()
            end = None
            with trio.move_on_after(5, shield=True):
                end = await stream.receive_some()
            assert end == b""


async def test_cancelling_over_tls_closes_the_connection(
    connect: Connect, server_context: ssl.SSLContext
) -> None:
    """In the middle of a response, too."""
    answer = Behaviour(pieces=(b"one", b"two"), fault=Fault.STALL)
    connections = connect(verify=False)
    async with open_upstream(answer, tls=server_context) as upstream:
        with trio.CancelScope() as scope:
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                await anext(response)
                scope.cancel()
                await anext(response)
        assert await upstream.served[0].wait_finished() is ServedOutcome.CLIENT_CLOSED
        await upstream.wait_no_connections()
