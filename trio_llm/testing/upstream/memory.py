"""The simulated upstream without sockets: a transport that plays the same script.

Given to `open_runtime` as ``transport=``, it stands below the real dialects and the
real exchanges, and runs in virtual time.
"""

from collections.abc import AsyncIterator
from typing import Final

import trio

from trio_llm.testing.upstream.behaviour import Behaviour, Script, decide
from trio_llm.testing.upstream.intake import ReadRequest, take_in
from trio_llm.testing.upstream.plan import Ending, Plan, plan
from trio_llm.testing.upstream.record import Served, ServedOutcome
from trio_llm.transport.library import httpx
from trio_llm.wire import DIALECTS

ADDRESS: Final = "http://upstream.invalid"


class MemoryUpstream(httpx.AsyncBaseTransport):
    """Answers requests as the script says, in this process.

    Args:
        script: As for `open_upstream`.

    Attributes:
        script: How requests are answered; may be replaced at any time.
        served: What it has seen, in the order of arrival.
    """

    def __init__(self, script: Script = Behaviour()) -> None:  # noqa: B008 - frozen
        self.script = script
        self.served: list[Served] = []

    def base_url(self, dialect: str) -> str:
        """Give the base URL under which a dialect is spoken.

        Raises:
            KeyError: There is no such dialect.
        """
        return f"{ADDRESS}/{DIALECTS[dialect].name}"

    @property
    def open_responses(self) -> int:
        """How many responses have neither ended nor been closed."""
        return sum(served.outcome is None for served in self.served)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take a request; give the response that the script wants, when its time has come."""
        read = ReadRequest(
            request.method,
            request.url.raw_path.decode("ascii"),
            list(request.headers.raw),
            await request.aread(),
        )
        ordinal = len(self.served) + 1
        served, dialect, refusal = take_in(read, ordinal=ordinal, connection=ordinal)
        self.served.append(served)
        behaviour = refusal or decide(self.script, served)
        try:
            await trio.sleep(behaviour.latency)
            played = plan(
                behaviour, dialect, model=served.model or "simulated", stream=served.stream
            )
            if played.status is None:
                await _break_off(played, request, "before the head of the response")
        except httpx.TransportError:
            served.end(ServedOutcome.FAULT)
            raise
        except trio.Cancelled:
            served.end(ServedOutcome.CLIENT_CLOSED)
            raise
        return httpx.Response(
            played.status or 200,
            headers=played.headers,
            stream=_PlayedBody(played, served, request),
            request=request,
        )


class _PlayedBody(httpx.AsyncByteStream):
    """The body of one response, piece by piece in Trio's time."""

    def __init__(self, played: Plan, served: Served, request: httpx.Request) -> None:
        self._plan = played
        self._served = served
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for pause, piece in self._plan.pieces:
            await trio.sleep(pause)
            yield piece
        if self._plan.ending is not Ending.COMPLETE:
            self._served.end(ServedOutcome.FAULT)
            await _break_off(self._plan, self._request, "in the middle of the response")
        self._served.end(ServedOutcome.COMPLETED)

    async def aclose(self) -> None:
        """Note that the client has left, unless the response had ended."""
        self._served.end(ServedOutcome.CLIENT_CLOSED)
        await trio.lowlevel.cancel_shielded_checkpoint()


async def _break_off(played: Plan, request: httpx.Request, where: str) -> None:
    if played.ending is Ending.STALL:
        await trio.sleep_forever()
    if played.ending is Ending.RESET:
        raise httpx.ReadError(f"connection reset {where}", request=request)
    if played.status is not None:
        reason = "peer closed connection without sending complete message body"
    elif any(True for _ in played.pieces):
        reason = "illegal status line"
    else:
        reason = "Server disconnected without sending a response."
    raise httpx.RemoteProtocolError(reason, request=request)
