"""What is counted of the cache and of shared calls."""

import attrs


@attrs.frozen
class CacheStatistics:
    """Counts since the runtime began.

    Attributes:
        hits: Calls that were answered by a kept answer within its time.
        stale_hits: Calls that were answered by one past its time, as nobody could answer.
        misses: Calls for which there was none.
        stores: Answers that were kept.
        evictions: Answers that had to go for others.
        undecodable: Answers that were damaged, or of another version, and were dropped.
        entries: Answers that are kept now, as of the last one that was.
        size: Bytes that they have in all, likewise.
        shared: Callers who shared the call of another.
        under_way: Shared calls that are under way now.
    """

    hits: int = 0
    stale_hits: int = 0
    misses: int = 0
    stores: int = 0
    evictions: int = 0
    undecodable: int = 0
    entries: int = 0
    size: int = 0
    shared: int = 0
    under_way: int = 0

    @property
    def hit_rate(self) -> float | None:
        """The share of the calls that looked for an answer and found one within its time."""
        looked = self.hits + self.misses
        return self.hits / looked if looked else None
