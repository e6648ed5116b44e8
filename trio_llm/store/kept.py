"""Cached answers on disk."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import attrs

from trio_llm.store.protocol import CachedAnswer
from trio_llm.store.schema import transaction


@attrs.define(eq=False)
class KeptAnswers:
    """Answers in the order of their last use, with their number and size at hand.

    Attributes:
        connection: The connection.
        count: How many there are.
        size: How many bytes their contents have.
    """

    connection: sqlite3.Connection
    count: int = attrs.field(default=0, init=False)
    size: int = attrs.field(default=0, init=False)
    _last_use: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Read how many there are, from an index alone."""
        self.count, self.size, self._last_use = self.connection.execute(
            "SELECT count(*), coalesce(sum(size), 0), coalesce(max(used), 0) FROM answers"
        ).fetchone()

    def take(self, key: bytes) -> CachedAnswer | None:
        """Give an answer; its use is written with the next change."""
        row: Any = self.connection.execute(
            "SELECT created, expires, content FROM answers WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else CachedAnswer(key, *row)

    def note_use(self, keys: Mapping[bytes, None]) -> None:
        """Write in which order answers were used, the last one last."""
        if keys:
            with transaction(self.connection):
                self._use(keys)

    def _use(self, keys: Mapping[bytes, None]) -> None:
        rows = [(self._last_use + place, key) for place, key in enumerate(keys, 1)]
        self.connection.executemany("UPDATE answers SET used = ? WHERE key = ?", rows)
        self._last_use += len(rows)

    def keep(
        self, answer: CachedAnswer, used: Mapping[bytes, None], *, entries: int, size: int
    ) -> int:
        """Keep an answer, and let go of others beyond the limits; give how many."""
        with transaction(self.connection):
            self._use(used)
            replaced = self._drop("key = ?", answer.key)
            count, total, gone = self.count - replaced[0], self.size - replaced[1], 0
            if entries > 0 and len(answer.content) <= size:
                self._add(answer)
                count, total = count + 1, total + len(answer.content)
            else:
                gone = replaced[0]
            for clause, argument in self._beyond(answer.created, count, total, entries, size):
                dropped = self._drop(clause, argument)
                count, total, gone = count - dropped[0], total - dropped[1], gone + dropped[0]
        self.count, self.size = count, total
        return gone
