"""The commit point of a stream, and what is known of it when it breaks."""

import math
from collections.abc import Sequence

import trio

from trio_llm import events
from trio_llm.chat import AnyEvent, AnyRequest, ReasoningDelta, Request, TextDelta
from trio_llm.errors import ProviderError, StreamInterruptedError
from trio_llm.providers.feed import Feed
from trio_llm.providers.visit import Answer, Ask

LONGEST_PREFIX = 16_384
"""How many events a stream may begin with that are not useful."""


def is_useful(delta: AnyEvent, *, reasoning: bool) -> bool:
    """Tell whether a delta is something a caller waits for.

    Text and tool calls are; reasoning only for a caller that asked for it. Role
    deltas, comments and empty pieces never are.
    """
    if type(delta) is TextDelta:
        return bool(delta.text)
    if type(delta) is ReasoningDelta:
        return reasoning and bool(delta.text)
    return True


def wants_reasoning(request: AnyRequest) -> bool:
    """Tell whether the caller waits for reasoning too."""
    return isinstance(request, Request) and request.reasoning is not None


class StreamSink:
    """Takes the events of one attempt; decides its envelope at the first useful one.

    Until then the events are kept private, so that a racer that loses has shown
    nothing. Before the commit there is no consumer, so nothing waits for one; a
    provider that sends `LONGEST_PREFIX` events without a useful one commits with them.
    """

    def __init__(self, ask: Ask, provider: str, model: str, number: int, started: float) -> None:
        self._ask = ask
        self._number = number
        self._started = started
        self._reasoning = wants_reasoning(ask.payload.request)
        self._feed = Feed()
        self._prefix = 0
        self._text: list[str] = []
        self.answer = Answer(provider, model, feed=self._feed)

    @property
    def committed(self) -> bool:
        """Whether a useful event has come."""
        return self.answer.first_token != math.inf

    @property
    def first_token(self) -> float:
        """When that was, on Trio's clock; infinite if it was not yet."""
        return self.answer.first_token

    @property
    def written(self) -> int:
        """How many letters of text have come."""
        return sum(map(len, self._text))

    async def put(self, deltas: Sequence[AnyEvent]) -> None:
        """Take events; wait while the consumer is the slow side."""
        text = self._text
        for delta in deltas:
            if type(delta) is TextDelta:
                text.append(delta.text)
        if self.answer.first_token == math.inf:
            self._feed.offer(deltas)
            reasoning = self._reasoning
            self._prefix += len(deltas)
            if self._prefix >= LONGEST_PREFIX or any(
                is_useful(delta, reasoning=reasoning) for delta in deltas
            ):
                self.commit()
        elif not self._feed.offer(deltas):
            await self._feed.room_made()

    def commit(self) -> None:
        """Decide the envelope; the events may now be consumed."""
        now = trio.current_time()
        self.answer.first_token = now
        visit = self._ask.payload
        if visit.call.events.watched:
            visit.call.events.emit(
                events.FirstToken(
                    now, visit.call.number, visit.path, self._number, now - self._started
                )
            )
        self._ask.decide(self.answer, now)

    def close(self) -> None:
        """End the stream after its last event."""
        self.answer.end()

    def interrupt(self, cause: ProviderError | None, reason: str) -> StreamInterruptedError:
        """End the stream with the error that its consumer will see."""
        if isinstance(cause, StreamInterruptedError):
            error = cause.copy()
        else:
            error = StreamInterruptedError(
                f"the stream broke: {reason}",
                provider=self.answer.provider,
                model=self.answer.model,
                phase="stream",
            )
            if cause is not None:
                error.phase = cause.phase or "stream"
                error.status = cause.status
                error.code = cause.code
                error.request_id = cause.request_id
                error.retry_after = cause.retry_after
                error.elapsed = cause.elapsed
            error.__cause__ = cause
        error.partial_text = "".join(self._text)
        self.answer.end(error)
        return error
