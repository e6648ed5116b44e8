"""Answers that are gone with the runtime: kept in memory, and without a wait."""

from types import NoneType
from typing import Final

import attrs
import trio

from trio_llm.cache.codec import Kept
from trio_llm.chat import Text
from trio_llm.store.shelf import Shelf

_FIXED: Final = frozenset({str, int, float, bool, NoneType})
_FRAME: Final = 256
"""Bytes that are counted for an answer besides its text: about what it has when written."""

_ROW: Final = 64
"""Bytes that are counted for each entry of its metadata besides the value, likewise."""


@attrs.define(eq=False)
class FleetingAnswer:
    """An answer as it is kept in memory.

    Attributes:
        key: The digest of what was asked, and of whom.
        created: When it was kept, in seconds since the epoch.
        expires: Until when it may be given as a fresh one, likewise.
        content: The answer itself, or its bytes.
        size: How many bytes it has.
    """

    key: bytes
    created: float
    expires: float
    content: Kept | bytes
    size: int


def size_as_it_is(kept: Kept) -> int | None:
    """Give the bytes of an answer that may be kept as it is; ``None`` for any other.

    Only one in which nothing can be changed may: it is given to several callers.
    """
    size = _FRAME
    for part in kept.message.content:
        if type(part) is not Text:
            return None
        text = part.text
        size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    for value in kept.metadata.values():
        if type(value) not in _FIXED:
            return None
        size += _ROW + len(str(value))
    return size


@attrs.define(eq=False)
class FleetingAnswers:
    """What of a store the cache needs, in memory.

    An answer that is found meets a checkpoint, so that a caller in a loop of hits can be
    cancelled and lets others run. Nothing else does: it is over at once.
    """

    _shelf: Shelf[FleetingAnswer] = attrs.field(factory=Shelf[FleetingAnswer], init=False)

    def __contains__(self, key: bytes) -> bool:
        return key in self._shelf

    async def cached(self, key: bytes, /) -> FleetingAnswer | None:
        """Give an answer, expired ones included; ``None`` if there is none."""
        answer = self._shelf.take(key)
        if answer is not None:
            await trio.lowlevel.checkpoint()
        return answer

    def put(self, answer: FleetingAnswer, *, entries: int, size: int) -> int:
        """Keep an answer, and let go of others beyond the limits; give how many."""
        return self._shelf.keep(answer, entries=entries, size=size)

    def drop(self, key: bytes) -> None:
        """Let go of one answer."""
        self._shelf.drop(key)

    def sweep(self, expired_before: float) -> None:
        """Let go of those that expired before an instant."""
        self._shelf.forget(expired_before)

    async def forget(self) -> int:
        """Forget all answers; give how many there were."""
        return self._shelf.forget(None)

    async def cache_size(self) -> tuple[int, int]:
        """Give the number of answers and of the bytes in them."""
        return self.extent

    @property
    def extent(self) -> tuple[int, int]:
        """The number of answers and of the bytes in them."""
        return len(self._shelf), self._shelf.size
