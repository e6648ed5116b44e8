"""Answers that are gone with the runtime: kept in memory, and without a wait."""

import attrs
import trio

from trio_llm.store import CachedAnswer
from trio_llm.store.shelf import Shelf


@attrs.define(eq=False)
class FleetingAnswers:
    """What of a store the cache needs, in memory.

    An answer that is found meets a checkpoint, so that a caller in a loop of hits can be
    cancelled and lets others run. Nothing else does: it is over at once.
    """

    _shelf: Shelf = attrs.field(factory=Shelf, init=False)

    async def cached(self, key: bytes, /) -> CachedAnswer | None:
        """Give an answer, expired ones included; ``None`` if there is none."""
        answer = self._shelf.take(key)
        if answer is not None:
            await trio.lowlevel.checkpoint()
        return answer

    async def keep(self, answer: CachedAnswer, /, *, entries: int, size: int) -> int:
        """Keep an answer, and let go of others beyond the limits; give how many."""
        return self._shelf.keep(answer, entries=entries, size=size)

    async def forget(self, *, expired_before: float | None = None) -> int:
        """Forget all answers, or those that expired before an instant; give how many."""
        return self._shelf.forget(expired_before)

    async def cache_size(self) -> tuple[int, int]:
        """Give the number of answers and of the bytes in them."""
        return len(self._shelf), self._shelf.size
