"""One request and its response, with a clock for each phase.

Each wait for the upstream has a cancel scope of its own. So the time of a slow
consumer never counts, a cancellation from outside passes through as it is, and
no scope is left open while the caller's code runs.
"""

import math
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import trio

from trio_llm.errors import (
    ConnectionFailedError,
    MalformedResponseError,
    ProviderError,
    ProviderTimeoutError,
)
from trio_llm.policy import TimeLimits
from trio_llm.transport.connection import Connection
from trio_llm.transport.faults import explain

if TYPE_CHECKING:
    from trio_llm.transport.connections import Connections
    from trio_llm.transport.stack import Stack

# After the last useful event a stream has a few bytes left. Reading them keeps
# the connection; past these limits a new connection is the cheaper way.
_DRAIN_SECONDS = 0.05
_DRAIN_BYTES = 64 * 1024


class Exchange:
    """One request and its response; an async context manager, made by `Connections`.

    Entering sends the request and waits for the head of the response. Then either
    `read` the body, or iterate over its pieces and call `useful` for each that
    brings something. Leaving ends the response: the connection is kept if the body
    was read to its end (a rest that is at hand is read), and otherwise closed
    before the block ends.
    """

    __slots__ = (
        "_at_end",
        "_body",
        "_connecting",
        "_connection",
        "_connections",
        "_fresh",
        "_has_connection",
        "_headers",
        "_headers_out",
        "_limits",
        "_method",
        "_patience",
        "_read_limit",
        "_received",
        "_scope",
        "_stack",
        "_started",
        "_until_first_token",
        "_until_total",
        "_url",
        "_useful",
        "reused",
        "status",
    )

    status: int
    """The HTTP status. Redirects are not followed."""
    reused: bool
    """Whether the connection had served an exchange before."""

    _connection: "Connection"
    _stack: "Stack"
    _scope: trio.CancelScope
    _started: float
    _until_first_token: float
    _until_total: float
    _read_limit: float

    def __init__(
        self,
        connections: "Connections",
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        limits: TimeLimits,
        method: str,
        fresh: bool,
    ) -> None:
        self._connections = connections
        self._url = url
        self._headers_out = headers
        self._body = body
        self._limits = limits
        self._method = method
        self._fresh = fresh
        self._headers: dict[str, str] | None = None
        self._received = 0
        self._at_end = False
        self._useful = False
        self._connecting = False
        self._patience = limits.idle
        self._has_connection = False

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response, names in lower case; repeated ones are joined."""
        headers = self._headers
        if headers is None:
            headers = self._headers = {}
            for raw_name, raw_value in self._connection.headers:
                name = raw_name.decode("latin-1").lower()
                value = raw_value.decode("latin-1")
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    def mentions(self, word: bytes) -> bool:
        """Tell whether a word, in lower case, is in the name of any header of the response.

        That costs a fraction of decoding them all.
        """
        return word in b" ".join([name for name, _ in self._connection.headers]).lower()

    async def __aenter__(self) -> Self:
        """Send the request and wait for the head of the response.

        Raises:
            ProviderTimeoutError: In the phase ``connect``, ``first_token`` or ``total``.
            StaleConnectionError: A kept connection had ended; see there.
            ConnectionFailedError: No connection, or it broke.
            MalformedResponseError: What came back is not HTTP.
            InvalidRequestError: The URL or a header cannot be sent.
        """
        limits = self._limits
        started = self._started = trio.current_time()
        self._until_first_token = started + limits.first_token
        self._until_total = started + limits.total
        target = self._connections.target(self._url)
        length = (b"content-length", b"%d" % len(self._body))
        headers = [*self._connections.encoded(self._headers_out, target.host), length]
        stack = self._stack = target.stack
        try:
            connection = stack.take(started, fresh=self._fresh)
        except (ImportError, ValueError, OSError) as error:
            raise _cannot_dial(error) from error
        if stack.spent:
            await self._connections.close_spent(stack)
        self._connection = connection
        self._has_connection = True
        self.reused = connection.used
        self._connecting = connection.dials
        scope = self._scope = trio.CancelScope(deadline=self._deadline_of_head())
        try:
            with scope:
                self.status = await connection.send(
                    self._method,
                    target.url,
                    headers,
                    self._body,
                    connect=limits.connect,
                    progress=self._note_progress,
                )
        except BaseException as error:
            await self._discard()
            if isinstance(error, ProviderError):
                error.elapsed = trio.current_time() - started
            raise
        if scope.cancelled_caught:
            raise await self._expired("connect" if self._connecting else "first_token")
        self._read_limit = connection.limit_reads(max(limits.first_token, limits.idle))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._has_connection:
            return
        if not self._at_end and kind is None:
            await self._drain()
        if self._at_end:
            await self._keep()
        else:
            await self._discard()

    def useful(self) -> None:
        """Say that the last piece brought something: the idle clock starts anew."""
        self._useful = True
        self._patience = self._limits.idle

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Give the next piece of the body, as it came.

        Raises:
            ProviderTimeoutError: In the phase ``first_token``, ``idle`` or ``total``.
            ConnectionFailedError: The body broke off (phase ``stream``).
            MalformedResponseError: The body is not HTTP, or larger than allowed.
        """
        data = await self._receive()
        if not data:
            raise StopAsyncIteration
        return data

    async def read(self) -> bytes:
        """Give the whole body of a plain response.

        Raises:
            ProviderError: As for each piece.
        """
        pieces: list[bytes] = []
        self._expect_plain_body()
        while data := await self._receive():
            pieces.append(data)
            self._patience = self._limits.idle
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read_start(self, limit: int = 64 * 1024) -> bytes:
        """Give the start of the body, at most `limit` bytes.

        For a response whose status has said enough: a body that is late, broken
        or endless does not raise, and what has come is given.
        """
        pieces: list[bytes] = []
        self._expect_plain_body()
        try:
            while self._received < limit and (data := await self._receive()):
                pieces.append(data)
        except ProviderError:
            pass
        return b"".join(pieces)[:limit]

    def _expect_plain_body(self) -> None:
        self._read_limit = self._connection.limit_reads(self._limits.idle)
        self.useful()

    async def _receive(self) -> bytes:
        if self._at_end or not self._has_connection:
            return b""
        now = trio.current_time()
        until = now + self._patience if self._useful else self._until_first_token
        until = min(until, self._until_total)
        data = b""
        late = False
        try:
            # A scope costs half as much as the piece itself. None is needed where
            # the connection's own limit is as good.
            if until == now + self._read_limit:
                data = await self._connection.receive()
            else:
                with trio.CancelScope(deadline=until) as scope:
                    data = await self._connection.receive()
                late = scope.cancelled_caught
        except ProviderTimeoutError:
            late = True
        except ProviderError as error:
            await self._discard()
            error.elapsed = trio.current_time() - self._started
            raise
        if late:
            raise await self._expired("idle" if self._useful else "first_token")
        if not data:
            self._at_end = True
            return data
        self._patience -= trio.current_time() - now
        self._received += len(data)
        if self._received > self._connections.max_body:
            await self._discard()
            raise MalformedResponseError(
                f"the body is larger than {self._connections.max_body} bytes",
                status=self.status,
                phase="stream",
            )
        return data

    def _deadline_of_head(self) -> float:
        until = min(self._until_first_token, self._until_total)
        return min(until, self._started + self._limits.connect) if self._connecting else until

    def _note_progress(self, connecting: bool) -> None:
        self._connecting = connecting
        self._scope.deadline = self._deadline_of_head()

    async def _expired(self, phase: str) -> ProviderTimeoutError:
        await self._discard()
        elapsed = trio.current_time() - self._started
        limits = self._limits
        if elapsed >= limits.total:
            phase = "total"
        allowed: float = getattr(limits, phase)
        return ProviderTimeoutError(
            f"the limit of {allowed:g} s passed ({phase})", phase=phase, elapsed=elapsed
        )

    async def _drain(self) -> None:
        # Shielded, and short: by now there is a result, and it must not be lost
        # to a cancellation that comes while its connection is put in order.
        if trio.current_effective_deadline() == -math.inf:
            return
        left = _DRAIN_BYTES
        with trio.move_on_after(_DRAIN_SECONDS, shield=True):
            try:
                while left > 0:
                    data = await self._connection.receive()
                    if not data:
                        self._at_end = True
                        return
                    left -= len(data)
            except ProviderError:
                return

    async def _keep(self) -> None:
        self._has_connection = False
        stack = self._stack
        await self._connection.finish()
        stack.give_back(self._connection, trio.current_time())
        if stack.spent:
            await self._connections.close_spent(stack)

    async def _discard(self) -> None:
        if self._has_connection:
            self._has_connection = False
            self._stack.discard(self._connection)
            await self._connections.close_spent(self._stack)


def _cannot_dial(error: Exception) -> ConnectionFailedError:
    if isinstance(error, OSError):
        failed = explain(error, "connect")
        if isinstance(failed, ConnectionFailedError):
            return failed
    return ConnectionFailedError(
        "the proxy or the TLS setting cannot be used; see the cause", phase="connect"
    )
