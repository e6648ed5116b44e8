"""Requests go through the proxy that the environment, or the setting, names."""

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trustme

from trio_llm.errors import ConnectionFailedError
from trio_llm.testing.upstream import Behaviour, open_upstream
from trio_llm.transport import Connections, TimeLimits
from trio_llm.transport.proxies import proxy_from_environment

LIMITS = TimeLimits()
Connect = Callable[..., Connections]
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@attrs.define
class TinyProxy:
    """Passes the bytes of a connection on to the host named in its first line."""

    url: str = ""
    seen: list[bytes] = attrs.field(factory=list[bytes])
    refusal: bytes | None = None

    async def serve(self, client: trio.SocketStream) -> None:
        async with client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await client.receive_some()
            line = head.split(b"\r\n", 1)[0]
            self.seen.append(line)
            if self.refusal is not None:
                await client.send_all(self.refusal)
                return
            method, target, _ = line.split(b" ")
            authority = target.removeprefix(b"http://").split(b"/")[0].decode()
            host, _, port = authority.partition(":")
            async with await trio.open_tcp_stream(host, int(port)) as upstream:
                if method == b"CONNECT":
                    await client.send_all(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    await upstream.send_all(head)
                await self._pass_on(client, upstream)

    async def _pass_on(self, client: trio.SocketStream, upstream: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:

            async def copy(source: trio.SocketStream, sink: trio.SocketStream) -> None:
                try:
                    async for data in source:
                        await sink.send_all(data)
                except trio.BrokenResourceError:
                    pass
                nursery.cancel_scope.cancel()

            nursery.start_soon(copy, client, upstream)
            nursery.start_soon(copy, upstream, client)


@asynccontextmanager
async def open_proxy(refusal: bytes | None = None) -> AsyncGenerator[TinyProxy, None]:
    """Run a proxy on a free port."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    proxy = TinyProxy(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", refusal=refusal)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, proxy.serve, [listener])
        yield proxy
        nursery.cancel_scope.cancel()


async def test_plain_requests_go_through_the_proxy_of_the_environment(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``HTTP_PROXY`` is honoured, and the connection to the proxy is kept."""
    connections = connect(trust_env=True)
    async with open_proxy() as proxy, open_upstream(Behaviour(body=b"pong")) as upstream:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        for _ in range(2):
            async with connections.exchange(
                f"{upstream.url}/path", {}, b"ping", LIMITS
            ) as response:
                assert await response.read() == b"pong"
        assert proxy.seen == [f"POST {upstream.url}/path HTTP/1.1".encode()]
        assert connections.statistics().reused == 1


async def test_tls_goes_through_a_tunnel(connect: Connect) -> None:
    """For ``https`` the proxy is asked for a tunnel, and sees no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    async with (
        open_proxy() as proxy,
        open_upstream(Behaviour(body=b"pong"), tls=context) as upstream,
    ):
        connections = connect(proxy=proxy.url, verify=False)
        for _ in range(2):
            async with connections.exchange(upstream.url, {}, b"", LIMITS) as response:
                assert await response.read() == b"pong"
        authority = upstream.url.removeprefix("https://")
        assert proxy.seen == [f"CONNECT {authority} HTTP/1.1".encode()]


async def test_a_proxy_that_refuses_is_a_failed_connection(connect: Connect) -> None:
    """The provider was not reached: the phase is ``connect``."""
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    async with open_proxy(refusal) as proxy:
        connections = connect(proxy=proxy.url, verify=False)
        with pytest.raises(ConnectionFailedError, match="proxy") as caught:
            await connections.exchange("https://127.0.0.1:1", {}, b"", LIMITS).__aenter__()
        assert caught.value.phase == "connect"


async def test_a_proxy_of_an_unknown_kind_is_a_failed_connection(connect: Connect) -> None:
    """A proxy that cannot be used is a typed error, not a crash."""
    connections = connect(proxy="gopher://127.0.0.1:1")
    with pytest.raises(ConnectionFailedError):
        await connections.exchange("http://127.0.0.1:1", {}, b"", LIMITS).__aenter__()


@pytest.mark.parametrize(
    ("variables", "scheme", "authority", "expected"),
    [
        ({}, "https", "a.test", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https", "a.test", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http", "a.test", None),
        ({"ALL_PROXY": "p:1"}, "https", "a.test", "http://p:1"),
        ({"ALL_PROXY": "p:1", "HTTP_PROXY": "q:2"}, "http", "a.test", "http://q:2"),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "b.test, a.test"}, "https", "a.test", None),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "a.test"}, "https", "x.a.test:8080", None),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "a.test"}, "https", "na.test", "http://p:1"),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "*"}, "http", "a.test", None),
        ({"ALL_PROXY": "p:1", "NO_PROXY": "127.0.0.1"}, "http", "127.0.0.1:80", None),
    ],
)
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    scheme: str,
    authority: str,
    expected: str | None,
) -> None:
    """The scheme's own variable wins over the general one, and exceptions are kept."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert proxy_from_environment(scheme, authority) == expected
