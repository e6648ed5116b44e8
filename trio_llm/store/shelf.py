"""Cached answers in memory, the least recently used at the front."""

import heapq
from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

import attrs


class Shelved(Protocol):
    """What of an answer a shelf goes by; as in `CachedAnswer`."""

    @property
    def key(self) -> bytes:
        """The digest of what was asked."""
        ...

    @property
    def created(self) -> float:
        """When it was kept, in seconds since the epoch."""
        ...

    @property
    def expires(self) -> float:
        """Until when it is fresh, likewise."""
        ...

    @property
    def size(self) -> int:
        """How many bytes it has."""
        ...


A = TypeVar("A", bound=Shelved)


@attrs.define(eq=False)
class Shelf(Generic[A]):
    """Answers in the order in which they were last used.

    Attributes:
        size: How many bytes they have.
    """

    size: int = attrs.field(default=0, init=False)
    _answers: OrderedDict[bytes, A] = attrs.field(factory=OrderedDict[bytes, A], init=False)
    _ends: list[tuple[float, bytes]] = attrs.field(factory=list[tuple[float, bytes]], init=False)

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, key: bytes) -> bool:
        return key in self._answers

    def take(self, key: bytes) -> A | None:
        """Give an answer, which is the most recently used one then."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def keep(self, answer: A, *, entries: int, size: int) -> int:
        """Keep an answer, and let go of others beyond the limits; give how many."""
        replaced = self.drop(answer.key)
        gone = 0
        if entries > 0 and answer.size <= size:
            self._answers[answer.key] = answer
            self.size += answer.size
            self._note_end(answer)
        elif replaced:
            gone = 1
        if self._exceeds(entries, size):
            gone += self.forget(answer.created)
        while self._exceeds(entries, size):
            self.drop(next(iter(self._answers)))
            gone += 1
        return gone

    def forget(self, expired_before: float | None) -> int:
        """Forget all answers, or those that expired before an instant; give how many."""
        if expired_before is None:
            gone = len(self._answers)
            self._answers.clear()
            self._ends.clear()
            self.size = 0
            return gone
        gone = 0
        while self._ends and self._ends[0][0] < expired_before:
            expires, key = heapq.heappop(self._ends)
            answer = self._answers.get(key)
            if answer is not None and answer.expires == expires:
                self.drop(key)
                gone += 1
        return gone

    def _exceeds(self, entries: int, size: int) -> bool:
        return len(self._answers) > entries or self.size > size

    def drop(self, key: bytes) -> bool:
        """Let go of one answer; tell whether it was there."""
        answer = self._answers.pop(key, None)
        if answer is None:
            return False
        self.size -= answer.size
        return True

    def _note_end(self, answer: A) -> None:
        """Remember when an answer expires; forget the ends of those that have gone."""
        heapq.heappush(self._ends, (answer.expires, answer.key))
        if len(self._ends) > 2 * len(self._answers) + 100:
            self._ends = [(each.expires, each.key) for each in self._answers.values()]
            heapq.heapify(self._ends)
