"""A stream that several callers share: one task takes it in, each of them reads its log."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from trio_llm.actors import Envelope
from trio_llm.cache import Flight, Seat
from trio_llm.chat import Reply
from trio_llm.endpoint.handling import Handling
from trio_llm.errors import ProviderCrashedError
from trio_llm.providers.visit import Answer, Ask, Visit
from trio_llm.streaming import ReplyStream


async def pump(
    handling: Handling, ask: Ask, replied: Callable[[Answer], Reply], flight: Flight
) -> None:
    """Take a stream in, and keep its reply.

    Args:
        handling: Of the caller who asked first.
        ask: The call.
        replied: Records that it has succeeded, and gives the reply.
        flight: Whose work this is.

    Raises:
        LLMError: The stream failed; that is recorded.
    """
    board, node, call = handling.board, handling.node, ask.payload.call
    async with board.streamed(node, handling.request, ask) as (_, answer):
        flight.commit(answer)
        if answer.feed is not None and flight.log is not None:
            while taken := await answer.feed.take():
                await flight.log.put(taken)
            flight.log.close()
        with trio.CancelScope(shield=True):  # the outcome is known, and the clean-up bounded
            await ask.wait_settled()
        if answer.result is None:
            error = answer.error or ProviderCrashedError(
                "the stream ended without an outcome", provider=answer.provider
            )
            raise board.finished(call, node, error)
        reply = replied(answer)
        flight.land(reply, answer.finished)
    await handling.keep(call, reply)


@asynccontextmanager
async def follow(handling: Handling, seat: Seat) -> AsyncGenerator[ReplyStream, None]:
    """Read a shared stream from its beginning; the block begins at its commit.

    Raises:
        LLMError: It failed before its commit.
    """
    flight = seat.flight
    try:
        await flight.committed.wait()
        if flight.answer is None:
            raise handling.failed(seat)
        yield _read(handling, seat)
    finally:
        await flight.leave(seat, handling.closing())
        handling.left()


def _read(handling: Handling, seat: Seat) -> ReplyStream:
    flight, cursor = seat.flight, seat.cursor
    source = flight.answer
    if source is None or cursor is None:
        raise RuntimeError("there is no stream to be read")
    answer = cursor.answer = Answer(source.provider, source.model, feed=cursor)
    call = flight.ask.payload.call
    ask: Ask = Envelope(Visit(call, handling.request, (handling.node.name,)))
    ask.decide(answer, trio.current_time())

    def ended() -> None:
        answer.error = flight.error
        answer.result = None if flight.reply is None else source.result
        ask.settle()

    if flight.over.is_set():
        ended()
    else:
        seat.ended = ended
    return ReplyStream(
        ask, answer, lambda _answer: handling.taken(seat), lambda _error: handling.failed(seat)
    )
