"""One connection of the simulated upstream: h11 over a Trio stream."""

import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

import attrs
import h11
import trio

from trio_llm.testing.upstream.intake import ReadRequest
from trio_llm.testing.upstream.plan import Ending, Plan
from trio_llm.testing.upstream.record import ServedOutcome

_READ = 65_536


@attrs.define(eq=False)
class ServerConnection:
    """Reads requests and plays responses, one after the other.

    Args:
        stream: The connection, TLS included.
        socket_stream: The connection below TLS.
    """

    _stream: trio.abc.Stream = attrs.field(alias="stream")
    _socket_stream: trio.SocketStream = attrs.field(alias="socket_stream")
    _http: h11.Connection = attrs.field(
        factory=lambda: h11.Connection(h11.SERVER), init=False, repr=False
    )

    async def read_request(self) -> ReadRequest | None:
        """Give the next request, or ``None`` when the client has ended the connection."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        request: h11.Request | None = None
        body: list[bytes] = []
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._receive())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return ReadRequest(
                    request.method.decode("ascii"),
                    request.target.decode("ascii"),
                    list(request.headers),
                    b"".join(body),
                )
            else:
                return None

    async def _receive(self) -> bytes:
        try:
            return bytes(await self._stream.receive_some(_READ))
        except trio.BrokenResourceError:
            return b""

    async def play(self, prepare: Callable[[], Awaitable[Plan]], *, trickle: bool) -> ServedOutcome:
        """Send a response while watching for a client that leaves.

        Args:
            prepare: Gives the response, when its time has come.
            trickle: Whether each byte is sent by itself.
        """
        outcome = ServedOutcome.CLIENT_CLOSED
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            with contextlib.suppress(trio.BrokenResourceError):
                outcome = await self._send_all(await prepare(), trickle=trickle)
            nursery.cancel_scope.cancel()
        return outcome

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _watch(self, scope: trio.CancelScope) -> None:
        while data := await self._receive():
            self._http.receive_data(data)
        scope.cancel()

    async def _send_all(self, plan: Plan, *, trickle: bool) -> ServedOutcome:
        if plan.status is not None:
            headers = list(plan.headers.items())
            await self._send(h11.Response(status_code=plan.status, headers=headers), trickle)
        for pause, piece in plan.pieces:
            if pause:
                await trio.sleep(pause)
            if plan.status is None:
                await self._stream.send_all(piece)
            else:
                await self._send(h11.Data(data=piece), trickle)
        if plan.ending is Ending.COMPLETE:
            await self._send(h11.EndOfMessage(), trickle)
            return ServedOutcome.COMPLETED
        if plan.ending is Ending.STALL:
            await trio.sleep_forever()
        if plan.ending is Ending.RESET:
            self.reset_on_close()
        return ServedOutcome.FAULT

    async def _send(self, event: h11.Event, trickle: bool) -> None:
        data = self._http.send(event) or b""
        for piece in [bytes((byte,)) for byte in data] if trickle else [data]:
            if piece:
                await self._stream.send_all(piece)

    def reset_on_close(self) -> None:
        """Make the close that follows a reset instead of an orderly end."""
        # Lingering for 0 seconds means that the kernel drops the connection.
        linger = struct.pack("ii", 1, 0)
        self._socket_stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
