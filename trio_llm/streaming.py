"""The caller's side of a stream."""

from collections.abc import AsyncIterator, Callable
from typing import cast

import attrs
import trio

from trio_llm.chat import Delta, Finished, Reply, StreamEvent, TextDelta
from trio_llm.errors import LLMError, ProviderCrashedError
from trio_llm.providers.visit import Answer, Ask


@attrs.define(eq=False)
class ReplyStream:
    """The events of one reply, as they come.

    Iterate it for every event, or `text` for the strings alone. It ends in exactly
    one of three ways: a `Finished` event, an error (`StreamInterruptedError` with the
    partial text), or the caller's own cancellation. Events that arrived together
    are given without a checkpoint between them; there is one for each hand-over.

    Attributes:
        provider: Who answers.
    """

    _ask: Ask
    _answer: Answer
    _to_reply: Callable[[Answer], Reply]
    _failed: Callable[[LLMError], LLMError]
    _batch: list[Delta] = attrs.field(factory=list[Delta], init=False)
    _position: int = attrs.field(default=0, init=False)
    _reply: Reply | None = attrs.field(default=None, init=False)
    _ended: bool = attrs.field(default=False, init=False)

    @property
    def provider(self) -> str:
        """Who answers."""
        return self._answer.provider

    @property
    def reply(self) -> Reply:
        """The whole reply, once the stream has finished.

        Raises:
            RuntimeError: The stream has not finished.
        """
        if self._reply is None:
            raise RuntimeError("the stream has not finished: iterate it to its end first")
        return self._reply

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self

    async def __anext__(self) -> StreamEvent:
        if self._position < len(self._batch):
            delta = self._batch[self._position]
            self._position += 1
            return delta
        if self._ended:
            raise StopAsyncIteration
        feed = self._answer.feed
        taken = [] if feed is None else await feed.take()
        # A conversation's stream carries nothing but its own deltas.
        self._batch = cast("list[Delta]", taken)
        if self._batch:
            self._position = 1
            return self._batch[0]
        return await self._end()

    async def _end(self) -> Finished:
        """Everything has been given: wait until nothing runs any more, then conclude.

        The outcome is known, so a deadline that passes during the clean-up, which is
        bounded, does not take it away.
        """
        with trio.CancelScope(shield=True):
            await self._ask.wait_settled()
        self._ended = True
        if self._answer.result is not None:
            self._reply = self._to_reply(self._answer)
            return Finished(self._reply)
        raise self._failed(
            self._answer.error
            or ProviderCrashedError(
                "the stream ended without an outcome", provider=self._answer.provider
            )
        )

    def text(self) -> AsyncIterator[str]:
        """Give the text alone, piece by piece."""
        return _Text(self)


@attrs.define(eq=False)
class _Text:
    """The text of a stream.

    No async generator: one that is left early warns when it is collected, and a
    caller may stop reading wherever it likes.
    """

    _stream: ReplyStream

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        async for event in self._stream:
            if isinstance(event, TextDelta):
                return event.text
        raise StopAsyncIteration
