"""Several calls of one operation at once, opened in a fixed order."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import attrs
import trio

from trio_llm.chat import AnyRequest
from trio_llm.errors import LLMError
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Answer, Ask, Call
from trio_llm.switchboard import Switchboard

R = TypeVar("R")

Conclude = Callable[[Call, Node, Answer], R]
"""Records that a call succeeded, and gives its result."""


def only_failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give what a nursery raised without the cancellations that followed from it."""
    _, failures = group.split(trio.Cancelled)
    return _innermost(group if failures is None else failures)


def _innermost(error: BaseException) -> BaseException:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _innermost(inner[0]) if len(inner) == 1 else error


@attrs.define(eq=False)
class Asking(Generic[R]):
    """Asks several nodes, or one node several things; every outcome is kept.

    Calls are opened in order, by one task, so that their numbers do not depend on the
    scheduler.

    Args:
        board: What opens and ends calls.
        conclude: Makes a result of an answer.
        at_once: How many calls may be under way.
        all_or_nothing: Whether the first failure cancels the calls that are left.

    Attributes:
        outcomes: By position, a result or an error; nothing for what was not asked.
    """

    board: Switchboard
    conclude: Conclude[R]
    at_once: int
    all_or_nothing: bool = False
    outcomes: dict[int, R | LLMError] = attrs.field(factory=dict[int, R | LLMError], init=False)

    async def run(self, questions: Sequence[tuple[Node, AnyRequest]]) -> None:
        """Ask everything, and wait until nothing of it runs."""
        places = trio.Semaphore(self.at_once)
        try:
            async with trio.open_nursery() as nursery:
                for index, (node, request) in enumerate(questions):
                    await places.acquire()
                    try:
                        ask = self.board.open_call(node, request, streaming=False)
                    except LLMError as error:
                        places.release()
                        self._failed(index, error, nursery.cancel_scope)
                    else:
                        nursery.start_soon(
                            self._wait, index, node, ask, places, nursery.cancel_scope
                        )
        except BaseExceptionGroup as group:
            raise only_failure(group) from None

    async def _wait(
        self, index: int, node: Node, ask: Ask, places: trio.Semaphore, all_of_it: trio.CancelScope
    ) -> None:
        try:
            answer = await self.board.outcome(node, ask)
        except LLMError as error:
            self._failed(index, error, all_of_it)
        else:
            self.outcomes[index] = self.conclude(ask.payload.call, node, answer)
        finally:
            places.release()

    def _failed(self, index: int, error: LLMError, all_of_it: trio.CancelScope) -> None:
        self.outcomes[index] = error
        if self.all_or_nothing:
            all_of_it.cancel(reason="another part of the same call failed")
