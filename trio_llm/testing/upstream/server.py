"""A simulated upstream: a server on this machine that speaks the real wire formats.

    async with open_upstream(Behaviour(chunks=("Hi",))) as upstream:
        url = upstream.base_url("openai_chat")

Requests are answered as the script says, faults included, and recorded.
"""

import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import attrs
import h11
import trio

from trio_llm.testing.upstream.behaviour import Behaviour, Script, decide
from trio_llm.testing.upstream.connection import ServerConnection
from trio_llm.testing.upstream.intake import ReadRequest, take_in
from trio_llm.testing.upstream.plan import Plan, plan
from trio_llm.testing.upstream.record import Served, ServedOutcome
from trio_llm.wire import DIALECTS

_BACKLOG = 1024


@attrs.frozen
class UpstreamStatistics:
    """Counts of one upstream.

    Attributes:
        connections_accepted: Connections ever accepted.
        connections_open: Connections open now.
        requests: Requests ever read.
        in_flight: Requests whose response has not ended.
        max_in_flight: The most of them at one moment.
    """

    connections_accepted: int
    connections_open: int
    requests: int
    in_flight: int
    max_in_flight: int


class Upstream:
    """A running simulated upstream; made by `open_upstream`.

    Attributes:
        url: Its address, without a path.
        script: How requests are answered; may be replaced at any time.
        served: What it has seen, in the order of arrival.
    """

    def __init__(
        self,
        script: Script,
        nursery: trio.Nursery,
        *,
        tls: ssl.SSLContext | None,
        close_after: int | None,
    ) -> None:
        self.script = script
        self.served: list[Served] = []
        self._nursery = nursery
        self._tls = tls
        self._close_after = close_after
        self._socket = _reserved(0)
        self._port: int = self._socket.getsockname()[1]
        self._life: trio.CancelScope | None = None
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self._port}"
        self._accepted = 0
        self._open = 0
        self._in_flight = 0
        self._max_in_flight = 0
        self._changed = trio.Event()

    def base_url(self, dialect: str) -> str:
        """Give the base URL under which a dialect is spoken.

        Raises:
            KeyError: There is no such dialect.
        """
        return f"{self.url}/{DIALECTS[dialect].name}"

    def statistics(self) -> UpstreamStatistics:
        """Count connections and requests."""
        return UpstreamStatistics(
            connections_accepted=self._accepted,
            connections_open=self._open,
            requests=len(self.served),
            in_flight=self._in_flight,
            max_in_flight=self._max_in_flight,
        )

    async def wait_until(self, condition: Callable[[UpstreamStatistics], bool]) -> None:
        """Wait until the counts are as wanted; looked at after each change."""
        await trio.lowlevel.checkpoint()
        while not condition(self.statistics()):
            await self._changed.wait()

    async def wait_requests(self, count: int) -> None:
        """Wait until so many requests have been read, from the start."""
        await self.wait_until(lambda counts: counts.requests >= count)

    async def wait_no_connections(self) -> None:
        """Wait until every connection has been closed."""
        await self.wait_until(lambda counts: counts.connections_open == 0)

    def come_up(self) -> None:
        """Serve, from now on or again; a server that is up stays so."""
        if self._life is None:
            self._socket.listen(_BACKLOG)
            self._life = trio.CancelScope()
            self._nursery.start_soon(self._live, self._life, trio.SocketListener(self._socket))

    def go_down(self) -> None:
        """Refuse connections from now on, and end those there are, as a process that died.

        The address stays reserved, for `come_up`.
        """
        if self._life is not None:
            self._life.cancel()
            self._life = None
            self._socket.close()
            self._socket = _reserved(self._port)

    def close(self) -> None:
        """Stop for good."""
        self.go_down()
        self._socket.close()

    async def _live(self, life: trio.CancelScope, listener: trio.SocketListener) -> None:
        with life:
            try:
                await trio.serve_listeners(self._welcome, [listener])
            except* trio.ClosedResourceError:
                # A client may be at the door in the very moment in which it is shut.
                if not life.cancel_called:
                    raise

    async def _welcome(self, socket_stream: trio.SocketStream) -> None:
        stream: trio.abc.Stream = socket_stream
        if self._tls is not None:
            stream = trio.SSLStream(
                socket_stream, self._tls, server_side=True, https_compatible=True
            )
        async with stream:
            await self._serve(ServerConnection(stream=stream, socket_stream=socket_stream))

    def _change(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _serve(self, connection: ServerConnection) -> None:
        """Serve one connection until its end."""
        self._accepted += 1
        self._open += 1
        number = self._accepted
        self._change()
        try:
            responses = 0
            while request := await connection.read_request():
                await self._answer(connection, request, number)
                responses += 1
                if not connection.is_reusable or responses == self._close_after:
                    break
        except (h11.RemoteProtocolError, trio.BrokenResourceError):
            # What no client of ours sends, or a handshake that failed: the
            # connection ends, and the other side sees that.
            return
        finally:
            self._open -= 1
            self._change()

    async def _answer(
        self, connection: ServerConnection, request: ReadRequest, number: int
    ) -> None:
        served, dialect, refusal = take_in(request, ordinal=len(self.served) + 1, connection=number)
        self.served.append(served)
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        self._change()
        try:
            behaviour = refusal or decide(self.script, served)

            async def prepare() -> Plan:
                await trio.sleep(behaviour.latency)
                return plan(
                    behaviour, dialect, model=served.model or "simulated", stream=served.stream
                )

            served.end(await connection.play(prepare, trickle=behaviour.trickle))
        finally:
            served.end(ServedOutcome.STOPPED)
            self._in_flight -= 1
            self._change()


@asynccontextmanager
async def open_upstream(
    script: Script = Behaviour(),  # noqa: B008 - frozen
    *,
    tls: ssl.SSLContext | None = None,
    close_after: int | None = None,
) -> AsyncGenerator[Upstream, None]:
    """Run a simulated upstream on a free port of 127.0.0.1.

    Leaving the block closes its connections.

    Args:
        script: How it answers; see `Script`.
        tls: A context with a certificate; then it speaks ``https``.
        close_after: After so many responses a connection is closed without a word,
            so that its client finds a stale one.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        upstream = Upstream(script, nursery, tls=tls, close_after=close_after)
        upstream.come_up()
        try:
            yield upstream
        except Exception as error:  # noqa: BLE001 - raised again, outside the nursery
            # Left to the nursery it would arrive in a group.
            failure = error
        finally:
            upstream.close()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _reserved(port: int) -> trio.socket.SocketType:
    """Take a port, 0 for any; who dials it is refused until it listens."""
    reserved = socket.socket()
    # Connections of an earlier life may linger at the same address.
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", port))
    return trio.socket.from_stdlib_socket(reserved)
