"""What does the work behind a provider actor: one exchange at a time.

A backend knows how to turn a request into a completion. Everything around it
(places, cooldown, retries, records, cancellation) is the actor's.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from trio_llm.chat import Completion, Delta, Request


class Sink(Protocol):
    """Where a backend puts the events of a stream."""

    async def put(self, deltas: list[Delta], /) -> None:
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
    """

    request: Request
    model: str
    call: int
    path: tuple[str, ...]
    number: int
    sink: Sink | None
    fresh: bool = False


class Backend(Protocol):
    """Turns requests into completions."""

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what one life of the actor needs."""
        ...

    async def answer(self, work: Work, /) -> Completion:
        """Do one exchange.

        Raises:
            ProviderError: It gave no usable answer.
        """
        ...
