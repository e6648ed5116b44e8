"""Calls of one operation that find every line full, and wait for one another.

A provider and a balancer let only so many calls wait. An operation that asks more
things at once than that must not lose those that did not get in: each of its own
calls that ends has left a place.
"""

from collections import deque

import attrs
import trio

from trio_llm.balancing.turn import is_refusal
from trio_llm.errors import AllProvidersFailed, LLMError, ProviderError


def found_no_room(error: LLMError) -> bool:
    """Tell whether no attempt was made because a line was full."""
    if not is_refusal(error):
        return False
    leaves = error.errors if isinstance(error, AllProvidersFailed) else (error,)
    return any(isinstance(leaf, ProviderError) and leaf.code == "mailbox_full" for leaf in leaves)


@attrs.define(eq=False)
class Backlog:
    """Counts the calls of one operation, and lines up those that found no room."""

    _under_way: int = attrs.field(default=0, init=False)
    _line: deque[trio.Event] = attrs.field(factory=deque[trio.Event], init=False)

    def began(self) -> None:
        """Count a call that is about to be opened."""
        self._under_way += 1

    def ended(self) -> None:
        """Count a call that is through: the first in line may try again."""
        self._under_way -= 1
        self._call_next()

    async def may_retry(self, error: LLMError) -> bool:
        """Count a call that failed; wait for room if that was all it lacked.

        Returns:
            Whether another call of the operation has ended, so that it may be tried
            again. False for any other error, and when no other call is under way that
            could make room.
        """
        if not (found_no_room(error) and self._under_way > 1):
            self.ended()
            return False
        self._under_way -= 1
        turn = trio.Event()
        self._line.append(turn)
        await turn.wait()
        return True

    def _call_next(self) -> None:
        if self._line:
            self._line.popleft().set()
