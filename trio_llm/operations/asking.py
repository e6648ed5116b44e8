"""Several calls of one operation at once, opened in a fixed order."""

import math
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import attrs
import trio

from trio_llm.chat import AnyRequest, Attempt
from trio_llm.errors import LLMError
from trio_llm.operations.backlog import Backlog
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Answer, Ask, Call
from trio_llm.switchboard import Switchboard

R = TypeVar("R")

Conclude = Callable[[Call, Node, Answer], R]
"""Records that a call succeeded, and gives its result."""


def only_failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give what a nursery raised without the cancellations that followed from it.

    Where there is nothing else, one cancellation stands for all of them.
    """
    _, failures = group.split(trio.Cancelled)
    if failures is None:
        return _first(group)
    return _innermost(failures)


def _first(error: BaseException) -> BaseException:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _first(inner[0]) if inner else error


def _innermost(error: BaseException) -> BaseException:
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    return _innermost(inner[0]) if len(inner) == 1 else error


def after_this_instant(height: int) -> float:
    """Give the time on Trio's clock when all that happens now is known.

    Args:
        height: Of the highest node that is asked: each level of balancers waits one
            step of the clock for the levels below it.
    """
    instant = trio.current_time()
    for _ in range(height + 1):
        instant = math.nextafter(instant, math.inf)
    return instant


@attrs.define(eq=False)
class Asking(Generic[R]):
    """Asks several nodes, or one node several things; every outcome is kept.

    Calls are opened in order, by one task, so that their numbers do not depend on the
    scheduler.

    Args:
        board: What opens and ends calls.
        conclude: Makes a result of an answer.
        at_once: How many calls may be under way.
        all_or_nothing: Whether they are the parts of one whole. The first failure then
            cancels what is left, once everything that happens in the same instant is
            known; and a part that finds a full line waits until another has ended.

    Attributes:
        outcomes: By position, a result or an error; nothing for what was not asked.
        attempts: By position, the attempts of what was asked, cancelled ones too.
    """

    board: Switchboard
    conclude: Conclude[R]
    at_once: int
    all_or_nothing: bool = False
    outcomes: dict[int, R | LLMError] = attrs.field(factory=dict[int, R | LLMError], init=False)
    attempts: dict[int, tuple[Attempt, ...]] = attrs.field(
        factory=dict[int, tuple[Attempt, ...]], init=False
    )
    _backlog: Backlog = attrs.field(factory=Backlog, init=False)
    _over: bool = attrs.field(default=False, init=False)

    async def run(self, questions: Sequence[tuple[Node, AnyRequest]]) -> None:
        """Ask everything, and wait until nothing of it runs.

        When every outcome is known, a deadline that passes during the clean-up does not
        take them away; the caller meets it at its own next checkpoint. What is reloaded
        meanwhile does not count: those that are asked stay until the end.
        """
        with self.board.staying([node for node, _ in questions]):
            await self._ask_all(questions)

    async def _ask_all(self, questions: Sequence[tuple[Node, AnyRequest]]) -> None:
        places = trio.Semaphore(self.at_once)
        try:
            async with trio.open_nursery() as nursery:
                for index, (node, request) in enumerate(questions):
                    await places.acquire()
                    if self._over:
                        break
                    ask = await self._open(index, node, request, nursery.cancel_scope)
                    if ask is None:
                        places.release()
                    else:
                        nursery.start_soon(
                            self._wait, index, node, ask, places, nursery.cancel_scope
                        )
        except BaseExceptionGroup as group:
            failure = only_failure(group)
            if not isinstance(failure, trio.Cancelled) or len(self.outcomes) < len(questions):
                raise failure from None

    async def _open(
        self, index: int, node: Node, request: AnyRequest, all_of_it: trio.CancelScope
    ) -> Ask | None:
        """Open a call; ``None`` if it was refused, or another has failed meanwhile."""
        while not self._over:
            self._backlog.began()
            try:
                return self.board.open_call(node, request, streaming=False)
            except LLMError as error:
                if not await self._may_retry(error):
                    self._failed(index, node, error, all_of_it)
                    break
        return None

    async def _may_retry(self, error: LLMError) -> bool:
        return self.all_or_nothing and not self._over and await self._backlog.may_retry(error)

    async def _wait(
        self, index: int, node: Node, ask: Ask, places: trio.Semaphore, all_of_it: trio.CancelScope
    ) -> None:
        try:
            asked: Ask | None = ask
            while asked is not None:
                asked = await self._conclude(index, node, asked, all_of_it)
        finally:
            places.release()

    async def _conclude(
        self, index: int, node: Node, ask: Ask, all_of_it: trio.CancelScope
    ) -> Ask | None:
        """Wait for an outcome; give the call that is made in place of one that found no room."""
        try:
            answer = await self.board.outcome(node, ask)
        except LLMError as error:
            if await self._may_retry(error):
                return await self._open(index, node, ask.payload.request, all_of_it)
            self._failed(index, node, error, all_of_it)
        else:
            self.outcomes[index] = self.conclude(ask.payload.call, node, answer)
            self._backlog.ended()
        finally:
            self.attempts[index] = ask.payload.call.attempts
        return None

    def _failed(self, index: int, node: Node, error: LLMError, all_of_it: trio.CancelScope) -> None:
        self.outcomes[index] = error
        if self.all_or_nothing and not self._over:
            self._over = True
            all_of_it.deadline = after_this_instant(node.height)
