"""What does the work behind a provider actor: one exchange at a time.

A backend knows how to turn a request into a completion. Everything around it
(places, cooldown, retries, records, cancellation) is the actor's.
"""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import attrs

from trio_llm.chat import AnyEvent, AnyRequest, AnyResult, Operation, RateWindow, Request


class Sink(Protocol):
    """Where a backend puts the events of a stream."""

    async def put(self, deltas: Sequence[AnyEvent], /) -> None:
        """Hand events over; waits while the consumer is the slow side."""
        ...


@attrs.define(eq=False)
class Work:
    """One exchange to be done.

    Attributes:
        request: What is asked.
        model: The model to use.
        call: The call's number, and
        path: the way to the provider, and
        number: the attempt of this visit, from 1: together the key of
            anything random.
        sink: Where stream events go; ``None`` for a plain exchange.
        fresh: Whether to use a new connection, since a kept one was found dead.
        observe: Is told what the server says of its rate limits, if anybody asks.
    """

    request: AnyRequest
    model: str
    call: int
    path: tuple[str, ...]
    number: int
    sink: Sink | None
    fresh: bool = False
    observe: Callable[[Sequence[RateWindow]], None] | None = None

    @property
    def conversation(self) -> Request:
        """The request, which must be for a conversation.

        Raises:
            TypeError: It is an operation.
        """
        if not isinstance(self.request, Request):
            msg = f"{type(self.request).__name__} is no conversation"
            raise TypeError(msg)
        return self.request


class Backend(Protocol):
    """Turns requests into completions, and operations into their results."""

    @property
    def operations(self) -> frozenset[type[Operation]]:
        """The operations that it can do, besides answering a `Request`."""
        ...

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what one life of the actor needs."""
        ...

    def answer(self, work: Work, /) -> Coroutine[Any, Any, AnyResult]:
        """Do one exchange; most often an ``async def``.

        Raises:
            ProviderError: It gave no usable answer.
        """
        ...
