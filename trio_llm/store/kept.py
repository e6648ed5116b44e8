"""Cached answers on disk."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import attrs

from trio_llm.store.faults import reading
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
        self.count, self.size = measure(self.connection)
        (last,) = self.connection.execute("SELECT max(used) FROM answers").fetchone()
        with reading():
            self._last_use = int(last or 0)

    def note_use(self, keys: Iterable[bytes]) -> None:
        """Write in which order answers were used, the last one last."""
        with transaction(self.connection):
            self._use(keys)

    def keep(self, answer: CachedAnswer, used: Iterable[bytes], *, entries: int, size: int) -> int:
        """Keep an answer, and let go of others beyond the limits; give how many.

        Args:
            answer: The answer.
            used: The keys of those that were used since, the last one last.
            entries: How many may be kept.
            size: How many bytes their contents may have in all.
        """
        before = self.count, self.size, self._last_use
        try:
            with transaction(self.connection):
                self._use(used)
                gone = self._drop("key = ?", answer.key)
                if entries > 0 and len(answer.content) <= size:
                    self._add(answer)
                    gone = 0
                return gone + self._shrink(answer.created, entries, size)
        except BaseException:
            self.count, self.size, self._last_use = before
            raise

    def forget(self, expired_before: float | None) -> int:
        """Forget all answers, or those that expired before an instant; give how many."""
        before = self.count, self.size
        try:
            with transaction(self.connection):
                if expired_before is None:
                    return self._drop("?", 1)
                return self._drop("expires < ?", expired_before)
        except BaseException:
            self.count, self.size = before
            raise

    def _use(self, keys: Iterable[bytes]) -> None:
        rows = [(self._last_use + place, key) for place, key in enumerate(keys, 1)]
        self.connection.executemany("UPDATE answers SET used = ? WHERE key = ?", rows)
        self._last_use += len(rows)

    def _add(self, answer: CachedAnswer) -> None:
        self._last_use += 1
        size = len(answer.content)
        self.connection.execute(
            "INSERT INTO answers (key, created, expires, used, size, content) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (answer.key, answer.created, answer.expires, self._last_use, size, answer.content),
        )
        self.count += 1
        self.size += size

    def _shrink(self, now: float, entries: int, size: int) -> int:
        """Let go of what has expired, and then of the least recently used."""
        if self.count <= entries and self.size <= size:
            return 0
        gone = self._drop("expires < ?", now)
        count, total, last = self.count, self.size, -1
        rows = self.connection.execute("SELECT used, size FROM answers ORDER BY used")
        with reading(), closing(rows):
            while (count > entries or total > size) and (row := rows.fetchone()) is not None:
                last = int(row[0])
                count -= 1
                total -= int(row[1])
        return gone + (self._drop("used <= ?", last) if last >= 0 else 0)

    def _drop(self, clause: str, argument: object) -> int:
        """Remove the answers that a clause is true of; give how many."""
        count, size = self.connection.execute(
            f"SELECT count(*), coalesce(sum(size), 0) FROM answers WHERE {clause}",  # noqa: S608 - a clause of ours
            (argument,),
        ).fetchone()
        if count:
            self.connection.execute(f"DELETE FROM answers WHERE {clause}", (argument,))  # noqa: S608
            self.count -= count
            self.size -= int(size)
        return int(count)


def find(connection: sqlite3.Connection, key: bytes) -> CachedAnswer | None:
    """Give an answer, be it expired or not.

    Raises:
        UnreadableError: The row cannot be read.
    """
    row: Any = connection.execute(
        "SELECT created, expires, content FROM answers WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    created, expires, content = row
    with reading():
        return CachedAnswer(key, float(created), float(expires), memoryview(content).tobytes())


def measure(connection: sqlite3.Connection) -> tuple[int, int]:
    """Give the number of answers and of the bytes in them."""
    count, size = connection.execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM answers"
    ).fetchone()
    return int(count), int(size)
