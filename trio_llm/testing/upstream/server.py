"""A simulated upstream: a server on this machine that speaks the real wire formats.

    async with open_upstream(Behaviour(chunks=("Hi",))) as upstream:
        url = upstream.base_url("openai_chat")

Requests are answered as the script says, faults included, and recorded.
"""

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

    def __init__(self, url: str, script: Script, close_after: int | None) -> None:
        self.url = url
        self.script = script
        self.served: list[Served] = []
        self._close_after = close_after
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

    def _change(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def serve(self, connection: ServerConnection) -> None:
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
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    scheme = "http" if tls is None else "https"
    upstream = Upstream(f"{scheme}://127.0.0.1:{port}", script, close_after)

    async def handle(socket_stream: trio.SocketStream) -> None:
        stream: trio.abc.Stream = socket_stream
        if tls is not None:
            stream = trio.SSLStream(socket_stream, tls, server_side=True, https_compatible=True)
        async with stream:
            await upstream.serve(ServerConnection(stream=stream, socket_stream=socket_stream))

    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [listener])
        try:
            yield upstream
        except Exception as error:  # noqa: BLE001 - raised again, outside the nursery
            # Left to the nursery it would arrive in a group.
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
