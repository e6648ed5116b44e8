"""The seam to the HTTP library: send this, give head and body bytes, close.

Everything that knows how httpx sends and receives is in this file, so that
another way of speaking HTTP/1.1 can take its place as one file.
"""

import math
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Protocol, cast

import attrs

from trio_llm.errors import MalformedResponseError
from trio_llm.transport.faults import FAULTS, explain
from trio_llm.transport.library import httpx

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class _Inflater(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


class _Body(httpx.AsyncByteStream):
    """A request's body: one piece.

    No async generator: one that is left in the middle, because sending was
    cancelled, warns when it is collected.
    """

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._content)


class _Once:
    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        content, self._content = self._content, None
        if content is None:
            raise StopAsyncIteration
        return content


@attrs.define(eq=False)
class _Dial:
    """Follows the library below while it opens a connection."""

    dialled: list[Any]
    progress: Callable[[bool], None]
    connecting: bool = True

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if name.endswith("connect_tcp.complete"):
            self.dialled.append(info["return_value"])
        elif name.endswith("send_request_headers.started"):
            self.connecting = info["request"].method == b"CONNECT"
            self.progress(self.connecting)


@attrs.define(eq=False)
class Connection:
    """One connection of ours: a transport that holds at most one, and nothing queues.

    It serves one exchange at a time: `send`, then `receive` until it gives no
    bytes, then `finish`. `close` ends it at any point.

    Attributes:
        used: Whether a response has been read over it.
        idle_since: When it was given back, in Trio's time.
    """

    _transport: httpx.AsyncBaseTransport
    used: bool = attrs.field(default=False, init=False)
    idle_since: float = attrs.field(default=0.0, init=False)
    _socket: Any = attrs.field(default=None, init=False)
    _dialled: list[Any] = attrs.field(factory=list[Any], init=False)
    _response: httpx.Response = attrs.field(init=False)
    _timeouts: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    _answering: bool = attrs.field(default=False, init=False)
    _inflater: _Inflater | None = attrs.field(default=None, init=False)
    _body: AsyncIterator[bytes] | None = attrs.field(default=None, init=False)

    @property
    def dials(self) -> bool:
        """Whether the next `send` opens a connection, and says when it is open."""
        return not self.used

    @property
    def is_usable(self) -> bool:
        """Whether an idle connection still stands, as far as this side can know.

        Bytes to read on an idle connection can only be its end.
        """
        socket = self._socket
        return socket is None or (socket.fileno() >= 0 and not socket.is_readable())

    async def send(
        self,
        method: str,
        url: httpx.URL,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        *,
        connect: float,
        progress: Callable[[bool], None],
    ) -> int:
        """Send a request, wait for the head of the response, give its status.

        Args:
            method: The HTTP method.
            url: Where to.
            headers: All headers that go on the wire.
            body: The whole body.
            connect: Seconds to open a connection, for a transport that does so
                without saying it.
            progress: Called with ``True`` when connecting goes on and ``False``
                when the connection stands; only if `dials`.

        Raises:
            ProviderError: See `faults.explain`.
        """
        self._timeouts = {"connect": connect}
        extensions: dict[str, Any] = {"timeout": self._timeouts}
        dial = _Dial(self._dialled, progress) if self.dials else None
        if dial is not None:
            extensions["trace"] = dial
        request = httpx.Request(
            method, url, headers=headers, stream=_Body(body), extensions=extensions
        )
        try:
            self._response = await self._transport.handle_async_request(request)
        except FAULTS as error:
            fault = error
        else:
            self._answering = True
            return self._response.status_code
        connecting = dial is not None and dial.connecting
        raise explain(fault, "connect" if connecting else "response", reused=self.used)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the response, as they came."""
        return self._response.headers.raw

    def limit_reads(self, seconds: float) -> float:
        """Let each `receive` raise after so many seconds; only before the first one.

        Returns:
            The limit that is really kept.
        """
        # The library below looks at this once before the head and once before
        # the body.
        self._timeouts["read"] = seconds
        return seconds

    async def receive(self) -> bytes:
        """Give the next bytes of the body; none at its end.

        Raises:
            ProviderError: See `faults.explain`.
        """
        body = self._body
        if body is None:
            self._inflater = self._make_inflater()
            body = self._body = aiter(self._stream)
        data = b""
        try:
            # A piece may be empty, or give nothing yet, and no bytes mean the end.
            while not data:
                data = await body.__anext__()
                if self._inflater is not None:
                    data = _inflate(self._inflater, data)
        except StopAsyncIteration:
            return b""
        except FAULTS as error:
            fault = error
        else:
            return data
        raise explain(fault, "stream")

    def _make_inflater(self) -> _Inflater | None:
        headers = self._response.headers
        if "content-encoding" not in headers:
            return None
        encoding = headers["content-encoding"].strip().lower()
        if encoding in {"gzip", "x-gzip", "deflate"}:
            return zlib.decompressobj(_GZIP_OR_ZLIB)
        if encoding in {"", "identity"}:
            return None
        raise MalformedResponseError(
            f"the body is compressed with {encoding[:40]!r}, although none was asked for",
            status=self._response.status_code,
            phase="response",
        )

    @property
    def _stream(self) -> httpx.AsyncByteStream:
        return cast("httpx.AsyncByteStream", self._response.stream)

    async def finish(self) -> None:
        """End a response whose body was read to its end; the connection may live on."""
        await self._stream.aclose()
        self._answering = False
        self._body = None
        if not self.used:
            self.used = True
            self._dialled.clear()
            stream = self._response.extensions.get("network_stream")
            self._socket = None if stream is None else stream.get_extra_info("socket")

    async def close(self) -> None:
        """End the connection now, whatever state it is in."""
        body = self._body
        if self._answering:
            await self._stream.aclose()
        await self._transport.aclose()
        # The library below forgets a TCP stream when it is cancelled in the
        # middle of the TLS handshake on it.
        for stream in self._dialled:
            await stream.aclose()
        if body is not None:
            await _run_out(body)


@attrs.define(eq=False)
class SharedConnection(Connection):
    """The place of a connection when a transport was handed in.

    Several exchanges use that transport at once, and it stays open: who made it
    closes it.
    """

    @property
    def dials(self) -> bool:
        """Never, as far as this side can know."""
        return False

    def limit_reads(self, seconds: float) -> float:
        """Nothing: what was handed in may ignore a limit."""
        del seconds
        return math.inf

    @property
    def is_usable(self) -> bool:
        """Never a second time: it stands for one exchange."""
        return False

    async def finish(self) -> None:
        """Nothing yet: `close` follows, because this is not used again."""

    async def close(self) -> None:
        """End the response, and leave the transport as it is."""
        if not self._answering:
            return
        await self._stream.aclose()
        body = self._body
        if isinstance(self._transport, httpx.AsyncHTTPTransport):
            if body is not None:
                await _run_out(body)
        elif isinstance(body, AsyncGenerator):
            await cast("AsyncGenerator[bytes, None]", body).aclose()


def _inflate(inflater: _Inflater, data: bytes) -> bytes:
    try:
        return inflater.decompress(data)
    except zlib.error as error:
        raise MalformedResponseError(
            "the compressed body cannot be decoded", phase="stream"
        ) from error


async def _run_out(body: AsyncIterator[bytes]) -> None:
    """Take what a closed body still has buffered.

    The body is a chain of async generators, and closing the outermost leaves
    the inner ones to the garbage collector, with a warning. On a closed
    connection each of them ends by itself.
    """
    try:
        while await anext(body, None) is not None:
            pass
    except FAULTS:
        return
