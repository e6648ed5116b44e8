"""The connections of one provider.

A connection belongs to an exchange from its start to its end, and nothing ever
waits for one: how many exchanges run at once is decided above, by occupancy.
There is no pool, so none can lose a slot or grow slow with its queue.

    async with connections.exchange(url, headers, body, limits) as response:
        reply = await response.read()
"""

import contextlib
from collections.abc import Callable, Mapping

import attrs
import trio

from trio_llm.errors import ConnectionFailedError, InvalidRequestError
from trio_llm.policy import TimeLimits
from trio_llm.transport.connection import Connection, SharedConnection
from trio_llm.transport.exchange import Exchange
from trio_llm.transport.faults import FAULTS
from trio_llm.transport.headers import encode_headers
from trio_llm.transport.library import VARIABLE, httpx
from trio_llm.transport.proxies import proxy_from_environment
from trio_llm.transport.stack import Stack
from trio_llm.transport.tls import Verify, context_for, unused_context

MAX_BODY = 64 * 1024 * 1024
"""The largest body of a response, in bytes."""

_MOST_URLS = 256
_MOST_HEADERS = 64


@attrs.frozen
class ConnectionStatistics:
    """Counts of connections.

    Attributes:
        in_use: Connections that serve an exchange now.
        idle: Open connections that wait for the next exchange.
        opened: Connections ever made, those that failed included.
        reused: Exchanges that found an idle connection.
        overdue: Connections whose close took longer than the deadline and was
            given up.
    """

    in_use: int
    idle: int
    opened: int
    reused: int
    overdue: int


@attrs.frozen
class Target:
    """A URL, taken apart once."""

    url: httpx.URL
    host: bytes
    stack: Stack


class Connections:
    """The connections of one provider, by origin.

    They belong to one run of Trio. Nothing is opened before the first exchange,
    and a TLS context is loaded only for ``https``.

    Args:
        transport: Takes the place of our own connections, for every exchange. It
            may be shared, and is not closed here: who made it closes it.
        verify: ``True`` checks certificates against the usual authorities,
            ``False`` does not check; a path names a file of authorities; or a
            context of your own.
        proxy: The URL of a proxy; ``None`` means what the environment says.
        trust_env: Whether ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and
            ``NO_PROXY`` count.
        keepalive: Seconds that an idle connection is kept.
        max_body: The largest body of a response, in bytes.
        close_deadline: Seconds that closing one connection may take.

    Raises:
        TypeError: The transport is not one of the HTTP library in use.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: Verify = True,
        proxy: str | None = None,
        trust_env: bool = True,
        keepalive: float = 30.0,
        max_body: int = MAX_BODY,
        close_deadline: float = 1.0,
    ) -> None:
        if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"transport must be an {httpx.__name__}.AsyncBaseTransport, "
                f"not {type(transport).__module__}.{type(transport).__qualname__}; "
                f"the environment variable {VARIABLE} chooses the library"
            )
        self._transport = transport
        self._verify: Verify = verify
        self._proxy = proxy
        self._trust_env = trust_env
        self._keepalive = keepalive
        self._close_deadline = close_deadline
        self._targets: dict[str, Target] = {}
        self._encoded: dict[tuple[object, ...], list[tuple[bytes, bytes]]] = {}
        self._stacks: dict[tuple[str, bytes], Stack] = {}
        self._overdue = 0
        self._closed = False
        self.max_body = max_body

    def __repr__(self) -> str:
        counts = self.statistics()
        return f"<{type(self).__name__} in_use={counts.in_use} idle={counts.idle}>"

    def statistics(self) -> ConnectionStatistics:
        """Count the connections."""
        stacks = self._stacks.values()
        return ConnectionStatistics(
            in_use=sum(stack.in_use for stack in stacks),
            idle=sum(stack.idle for stack in stacks),
            opened=sum(stack.opened for stack in stacks),
            reused=sum(stack.reused for stack in stacks),
            overdue=self._overdue,
        )

    def exchange(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        limits: TimeLimits,
        *,
        method: str = "POST",
        fresh: bool = False,
    ) -> Exchange:
        """Prepare one request and its response; entering it sends.

        Args:
            url: Where to, absolute.
            headers: Sent besides ``host``, ``content-length``, ``user-agent`` and
                ``accept-encoding: identity``; all but the length can be replaced.
            body: The whole body.
            limits: How long it may take.
            method: The HTTP method.
            fresh: Whether to open a new connection even if one is idle; for the
                second try after a `StaleConnectionError`.
        """
        return Exchange(self, url, headers, body, limits, method, fresh)

    async def close_expired(self) -> None:
        """Close the connections that have been idle for too long.

        Exchanges do this as they come and go; call it when none does.
        """
        now = trio.current_time()
        for stack in self._stacks.values():
            stack.expire(now)
            await self.close_spent(stack)

    async def aclose(self) -> None:
        """Close all idle connections; those in use close when their exchange ends."""
        self._closed = True
        for stack in self._stacks.values():
            stack.close()
            await self.close_spent(stack)

    def encoded(self, headers: Mapping[str, str], host: bytes) -> list[tuple[bytes, bytes]]:
        """Give headers for the wire; those of a provider hardly ever change.

        Raises:
            InvalidRequestError: A header is not ASCII.
        """
        key = (host, *headers.items())
        encoded = self._encoded.get(key)
        if encoded is None:
            if len(self._encoded) >= _MOST_HEADERS:
                self._encoded.clear()
            encoded = self._encoded[key] = encode_headers(headers, host)
        return encoded

    def target(self, url: str) -> Target:
        """Take a URL apart.

        Raises:
            InvalidRequestError: It is not an absolute URL of http or https.
            ConnectionFailedError: These connections were closed.
        """
        if self._closed:
            raise ConnectionFailedError("the connections were closed", phase="connect")
        target = self._targets.get(url)
        if target is None:
            if len(self._targets) >= _MOST_URLS:
                self._targets.clear()
            target = self._targets[url] = self._take_apart(url)
        return target

    def _take_apart(self, url: str) -> Target:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            parsed = httpx.URL("")
        if parsed.scheme not in ("http", "https") or not parsed.host:
            # The URL stays out of the message: its query may hold a key.
            raise InvalidRequestError("the URL is not one of http:// or https://", phase="connect")
        origin = (parsed.scheme, parsed.netloc)
        stack = self._stacks.get(origin)
        if stack is None:
            stack = self._stacks[origin] = Stack(
                dial=self._dialler(*origin), keepalive=self._keepalive
            )
        return Target(parsed, parsed.netloc, stack)

    def _dialler(self, scheme: str, authority: bytes) -> Callable[[], Connection]:
        transport = self._transport
        if transport is not None:
            return lambda: SharedConnection(transport)
        proxy = self._proxy
        if proxy is None and self._trust_env:
            proxy = proxy_from_environment(scheme, authority.decode("ascii"))
        # A single connection, and no expiry of its own: the stack decides.
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None)

        def dial() -> Connection:
            context = context_for(self._verify) if scheme == "https" else unused_context()
            return Connection(
                httpx.AsyncHTTPTransport(
                    verify=context,
                    limits=limits,
                    proxy=None if proxy is None else self._proxy_with_context(proxy),
                )
            )

        return dial

    def _proxy_with_context(self, proxy: str) -> httpx.Proxy:
        secure = proxy.lower().startswith("https:")
        return httpx.Proxy(proxy, ssl_context=context_for(self._verify) if secure else None)

    async def close_spent(self, stack: Stack) -> None:
        """Close what a stack has set aside: shielded, and bounded for each."""
        while stack.spent:
            connection = stack.spent.pop()
            # An error while it ends changes nothing: it is not used again.
            with (
                trio.move_on_after(self._close_deadline, shield=True) as scope,
                contextlib.suppress(*FAULTS),
            ):
                await connection.close()
            if scope.cancelled_caught:
                self._overdue += 1
