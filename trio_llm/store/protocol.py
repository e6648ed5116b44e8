"""What a store is: where usage, reservations and cached answers outlive a runtime."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeAlias

import attrs

from trio_llm.chat import Charge, Cost, Reservation
from trio_llm.errors import StoreError


@attrs.frozen
class Release:
    """What was set aside for an attempt that was never made is given back.

    Attributes:
        id: The identifier of the reservation.
    """

    id: str


class UnwritableError(StoreError):
    """One of the changes has what cannot be stored; without it the others can be written."""


Change: TypeAlias = Reservation | Charge | Release
"""One thing to be written. A charge takes the place of the reservation of its id."""

DIMENSIONS: Final = ("provider", "kind", "model", "user", "operation", "outcome", "day")
"""What usage can be grouped and narrowed by, besides ``tag:NAME``."""


@attrs.frozen
class UsageQuery:
    """Which charges are summed up, and by what.

    Usage is kept by the quarter of an hour: each that the span of time touches counts whole.

    Attributes:
        by: What the sums are kept apart by: names in `DIMENSIONS`, or ``tag:NAME`` for the
            value of a tag.
        since: From this instant on, in seconds since the epoch.
        until: Until before this instant; ``None`` means without end.
        only: For a name as in `by`, the value that a charge must have.
        time_zone: The IANA name of the time zone in which days begin.
    """

    by: tuple[str, ...] = ()
    since: float = 0.0
    until: float | None = None
    only: tuple[tuple[str, str], ...] = ()
    time_zone: str = "UTC"


@attrs.frozen
class UsageRow:
    """The sum of some charges.

    Attributes:
        key: The values by which it is kept apart, in the order of `UsageQuery.by`. A day is
            ``YYYY-MM-DD``; what a charge does not have is the empty string.
        attempts: Physical attempts.
        succeeded: Of these, the ones that gave an answer.
        unpriced: Of these, the ones whose price is not known; their cost is 0, *at least*.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        cached_tokens: Of the input, those read from a provider's cache.
        cache_write_tokens: Of the input, those written to it.
        reasoning_tokens: Of the output, those spent on reasoning.
        cost: What they cost; as sure as the least sure of them.
        latency: Seconds that they took in all.
    """

    key: tuple[str, ...] = ()
    attempts: int = 0
    succeeded: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Cost = attrs.field(factory=Cost)
    latency: float = 0.0

    def __add__(self, other: "UsageRow") -> "UsageRow":
        """Give the sum of both, under the key of this one."""
        return UsageRow(
            self.key,
            self.attempts + other.attempts,
            self.succeeded + other.succeeded,
            self.unpriced + other.unpriced,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.cost + other.cost,
            self.latency + other.latency,
        )


@attrs.frozen
class CachedAnswer:
    """An answer as it is kept.

    Attributes:
        key: The digest of what was asked, and of whom.
        created: When it was kept, in seconds since the epoch.
        expires: Until when it may be given as a fresh one, likewise.
        content: The answer in its versioned form, perhaps compressed.
    """

    key: bytes
    created: float
    expires: float
    content: bytes

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.content)


class Store(Protocol):
    """Where usage, reservations and cached answers are kept.

    Everything is asynchronous but the runtime's own admission: that goes by what is in
    memory, and a store that many processes share grants each of them a local allotment in
    the background.

    Every method but `opened` may raise `StoreError`, and does nothing then.
    """

    @property
    def durable(self) -> bool:
        """Whether what is written is still there after the process has been killed."""
        ...

    def opened(self) -> AbstractAsyncContextManager[None]:
        """Open it; leaving the block closes it.

        Raises:
            StoreError: It cannot be opened, or another process has it open.
        """
        ...

    async def write(self, changes: Sequence[Change], /) -> None:
        """Write changes: all of them, once this returns, or none.

        Writing them a second time, in the same order, changes nothing. A reservation that
        comes after its charge is none.

        Raises:
            UnwritableError: The fault is with the changes, and not with the store.
        """
        ...

    async def outstanding(self) -> tuple[Reservation, ...]:
        """Give the reservations that no charge and no release has ended, by their time."""
        ...

    async def usage(self, query: UsageQuery, /) -> tuple[UsageRow, ...]:
        """Sum charges up; rows in the order of their keys, and none where nothing was charged.

        A latency is kept to the microsecond; all else is exact.

        Raises:
            StoreError: There is no such dimension or time zone, or the store cannot be read.
        """
        ...

    async def prune(self, before: float, /) -> None:
        """Fold charges from before an instant into sums: what `usage` gives stays the same.

        There is one for each quarter of an hour, subject and outcome then, as days begin at
        other instants in other time zones. What has been folded is no longer known by its
        identifier, so it must not be written again.
        """
        ...

    async def cached(self, key: bytes, /) -> CachedAnswer | None:
        """Give a cached answer, expired ones included; ``None`` if there is none."""
        ...

    async def keep(self, answer: CachedAnswer, /, *, entries: int, size: int) -> int:
        """Keep an answer, and let go of others beyond the limits.

        Those that had expired when this one was made go first, then those used least
        recently. An answer that is beyond the limits by itself is not kept, and takes nobody's
        place but that of one with its key.

        Args:
            answer: The answer.
            entries: How many may be kept.
            size: How many bytes their contents may have in all.

        Returns:
            How many were let go of.
        """
        ...

    async def forget(self, *, expired_before: float | None = None) -> int:
        """Forget all cached answers, or those that expired before an instant; give how many."""
        ...

    async def cache_size(self) -> tuple[int, int]:
        """Give the number of cached answers and of the bytes in them."""
        ...
