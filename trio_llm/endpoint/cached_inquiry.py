"""One plain question, by way of the cache and of those who ask the same."""

from functools import partial

from trio_llm.cache import Flight, Seat
from trio_llm.chat import Reply
from trio_llm.endpoint.handling import Handling
from trio_llm.endpoint.inquiry import Inquiry
from trio_llm.errors import LLMError
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Ask


class CachedInquiry(Inquiry):
    """A question that may be answered already, or be asked by another just now.

    Args:
        handling: What there is to be done about that.
    """

    def __init__(self, handling: Handling) -> None:
        super().__init__(handling.board, handling.look_up, handling.request)
        self._handling = handling
        self._seat: Seat | None = None

    async def recalled(self) -> Reply | None:
        """Begin the call; give a reply that was kept."""
        handling = self._handling
        call = handling.begin()
        found = await handling.find(call)
        if found is None:
            return None
        return self._board.given(call, handling.node, handling.given(call, found))

    def open(self) -> None:
        """Join those who ask the same, or ask, at once or not at all."""
        handling, flights = self._handling, self._board.flights
        self._seat = handling.seat()
        if self._seat is None:
            origin = handling.origin()
            ask = handling.ask(origin)
            self._asked = handling.node, ask
            if origin is not None:
                work = partial(self._fly, handling.node, ask)
                self._seat = flights.begin(handling.flight_key, ask, work, origin)

    async def reply(self) -> Reply:
        """Wait until nothing of the call runs any more, but for others; give the reply."""
        if self._seat is not None:
            return await self._handling.outcome(self._seat)
        reply = await super().reply()
        await self._handling.keep(self._opened[1].payload.call, reply)
        return reply

    async def amended(self, error: LLMError) -> Reply | None:
        """Give a reply past its time in place of an error; ``None`` if the error stands."""
        return await self._handling.stale(error)

    async def _fly(self, node: Node, ask: Ask, flight: Flight) -> None:
        board, call = self._board, ask.payload.call
        answer = await board.outcome(node, ask)
        reply = board.replied(call, node, answer)
        flight.land(reply, answer.finished)
        await self._handling.keep(call, reply)
