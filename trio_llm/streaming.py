"""The caller's side of a stream."""

from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar, cast

import attrs
import trio

from trio_llm.chat import (
    Delta,
    Finished,
    OnInterrupt,
    OperationResult,
    PullProgress,
    Reply,
    StreamEvent,
    Switched,
    TextDelta,
)
from trio_llm.errors import LLMError, ProviderCrashedError, StreamInterruptedError
from trio_llm.providers.visit import Answer, Ask

E = TypeVar("E")
R = TypeVar("R")


@attrs.define(eq=False, repr=False)
class Outlet(Generic[E, R]):
    """Where the events of one call come out, and after the last of them its result.

    Events that arrived together are given without a checkpoint between them; there
    is one for each hand-over.

    Attributes:
        provider: Who answers.
    """

    _ask: Ask
    _answer: Answer
    _conclude: Callable[[Answer], R]
    _failed: Callable[[LLMError], LLMError]
    _batch: list[E] = attrs.field(factory=list[E], init=False)
    _position: int = attrs.field(default=0, init=False)
    _result: R | None = attrs.field(default=None, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _taking: bool = attrs.field(default=False, init=False)

    def __repr__(self) -> str:
        # The call holds the whole prompt, which has no place in a log.
        state = "ended" if self._ended else "open"
        return f"<{type(self).__name__} of {self.provider!r}, {state}>"

    @property
    def provider(self) -> str:
        """Who answers."""
        return self._answer.provider

    def _concluded(self) -> R:
        """Give the result.

        Raises:
            RuntimeError: The stream has not finished.
        """
        if self._result is None:
            raise RuntimeError("the stream has not finished: iterate it to its end first")
        return self._result

    async def _more(self) -> bool:
        """Take the events that have come; false after the last, when the result is known.

        Raises:
            trio.BusyResourceError: Another task waits for them already.
        """
        if self._taking:
            raise trio.BusyResourceError("another task already reads this stream")
        feed = self._answer.feed
        self._taking = True
        try:
            taken = [] if feed is None else await feed.take()
        finally:
            self._taking = False
        # Each kind of call has events of its own, and nothing else in its feed.
        self._batch = cast("list[E]", taken)
        if self._batch:
            self._position = 1
            return True
        await self._end()
        return False

    async def _end(self) -> None:
        """Everything has been given: wait until nothing runs any more, then conclude.

        The outcome is known, so a deadline that passes during the clean-up, which is
        bounded, does not take it away.
        """
        with trio.CancelScope(shield=True):
            await self._ask.wait_settled()
            written = self._ask.payload.call.written
            if written is not None:
                await written()
        self._ended = True
        if self._answer.result is None:
            raise self._failed(
                self._answer.error
                or ProviderCrashedError(
                    "the stream ended without an outcome", provider=self._answer.provider
                )
            )
        self._result = self._conclude(self._answer)


@attrs.define(eq=False, repr=False)
class ReplyStream(Outlet[Delta | Switched, Reply]):
    """The events of one reply, as they come.

    Iterate it for every event, or `text` for the strings alone. It ends in exactly
    one of three ways: a `Finished` event, an error (`StreamInterruptedError` with the
    partial text), or the caller's own cancellation. With `Request.on_interrupt` another
    provider may go on with it in between, which a `Switched` event says.
    """

    @property
    def reply(self) -> Reply:
        """The whole reply, once the stream has finished.

        Raises:
            RuntimeError: The stream has not finished.
        """
        return self._concluded()

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        if self._position < len(self._batch):
            delta = self._batch[self._position]
            self._position += 1
            return delta
        if self._ended:
            raise StopAsyncIteration
        if await self._more():
            return self._batch[0]
        return Finished(self._concluded())

    def text(self) -> AsyncIterator[str]:
        """Give the text alone, piece by piece.

        Its pieces always make up one text: where another provider begins the answer
        anew after some of it has been given, it raises `StreamInterruptedError`.
        Iterate the events themselves to follow that.
        """
        return _Text(self)


@attrs.define(eq=False)
class _Text:
    """The text of a stream.

    No async generator: one that is left early warns when it is collected, and a
    caller may stop reading wherever it likes.
    """

    _stream: ReplyStream
    _given: list[str] = attrs.field(factory=list[str], init=False)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        async for event in self._stream:
            if isinstance(event, TextDelta):
                self._given.append(event.text)
                return event.text
            if isinstance(event, Switched) and event.policy is OnInterrupt.RESTART and self._given:
                raise StreamInterruptedError(
                    f"the stream broke, and {event.provider} begins anew, which text alone "
                    "cannot tell: iterate the events of the stream",
                    provider=event.failed,
                    phase="stream",
                    partial_text="".join(self._given),
                )
        raise StopAsyncIteration


@attrs.define(eq=False, repr=False)
class PullStream(Outlet[PullProgress, OperationResult]):
    """How a pull goes on, step by step; it ends with `result`, or with an error."""

    @property
    def result(self) -> OperationResult:
        """What the server said at the end, once the pull has finished.

        Raises:
            RuntimeError: It has not finished.
        """
        return self._concluded()

    def __aiter__(self) -> AsyncIterator[PullProgress]:
        return self

    async def __anext__(self) -> PullProgress:
        if self._position < len(self._batch):
            step = self._batch[self._position]
            self._position += 1
            return step
        if self._ended or not await self._more():
            raise StopAsyncIteration
        return self._batch[0]
