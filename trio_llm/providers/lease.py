"""Occupancy: leases on a provider, and the line of those who wait for one.

A lease is taken in the same synchronous step that selects the provider, and
given back synchronously, so that neither double booking nor a leak can come
between two tasks.
"""

from collections import OrderedDict

import attrs
import trio

from trio_llm.errors import ProviderUnavailableError


@attrs.frozen
class Refusal:
    """Why a provider or balancer cannot take a call now.

    Attributes:
        code: As `ProviderUnavailableError.code`.
        message: The same in words.
        retry_after: Seconds until it may be worth asking again, if known.
    """

    code: str
    message: str
    retry_after: float | None = None

    def error(self, provider: str) -> ProviderUnavailableError:
        """Make the error that tells a caller."""
        return ProviderUnavailableError(
            self.message, provider=provider, code=self.code, retry_after=self.retry_after
        )


ATTEMPTS_SPENT = Refusal("attempts_spent", "the call has made all its attempts")


@attrs.define(eq=False)
class Lease:
    """A place at a provider, or a place in the line for one.

    Attributes:
        held: Whether the place is ours.
    """

    _occupancy: "Occupancy"
    held: bool = False
    _refusal: Refusal | None = attrs.field(default=None, init=False)
    _released: bool = attrs.field(default=False, init=False)
    _changed: trio.Event | None = attrs.field(default=None, init=False)

    @property
    def waiting(self) -> bool:
        """Whether it stands in line."""
        return not (self.held or self._released or self._refusal is not None)

    async def granted(self) -> Refusal | None:
        """Wait for the place, first come first served; a refusal if it will not come."""
        if not self.held and self._refusal is None:
            self._changed = trio.Event()
            await self._changed.wait()
        return self._refusal

    def release(self) -> None:
        """Give the place back, or leave the line."""
        if self._released:
            return
        self._released = True
        if self.held:
            self.held = False
            self._occupancy.give_back()
        else:
            self._occupancy.leave(self)

    def grant(self) -> None:
        """Make the place ours; for `Occupancy` alone."""
        self.held = True
        if self._changed is not None:
            self._changed.set()

    def refuse(self, refusal: Refusal) -> None:
        """Say that the place will not come; for `Occupancy` alone."""
        self._refusal = refusal
        if self._changed is not None:
            self._changed.set()


@attrs.define(eq=False)
class Occupancy:
    """How many places a provider has, and who holds them.

    Args:
        limit: Places, at least 1.
        line_limit: How many may wait in line.

    Attributes:
        taken: Places held.
    """

    limit: int
    line_limit: int
    taken: int = attrs.field(default=0, init=False)
    _line: OrderedDict[Lease, None] = attrs.field(factory=OrderedDict[Lease, None], init=False)

    @property
    def waiting(self) -> int:
        """How many wait in line."""
        return len(self._line)

    @property
    def free(self) -> bool:
        """Whether a place can be had without overtaking anybody."""
        return self.taken < self.limit and not self._line

    @property
    def line_full(self) -> bool:
        """Whether nobody more may wait."""
        return len(self._line) >= self.line_limit

    def take(self) -> Lease:
        """Take a place; the caller has seen that one is free."""
        self.taken += 1
        return Lease(self, held=True)

    def stand_in_line(self) -> Lease:
        """Wait for a place; the caller has seen that the line is not full."""
        lease = Lease(self)
        self._line[lease] = None
        return lease

    def give_back(self) -> None:
        """Pass a place to the first in line, or free it."""
        self.taken -= 1
        while self._line and self.taken < self.limit:
            self.taken += 1
            self._line.popitem(last=False)[0].grant()

    def leave(self, lease: Lease) -> None:
        """Take a lease out of the line, if it is still there."""
        self._line.pop(lease, None)

    def refuse_all(self, refusal: Refusal) -> None:
        """Send everybody in line away."""
        while self._line:
            self._line.popitem(last=False)[0].refuse(refusal)
