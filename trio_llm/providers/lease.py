"""Leases: a place at a provider, or in the line for one, with all that goes with it.

A lease is taken in the same synchronous step that selects the provider, and given
back synchronously, so that neither double booking nor a leak can come between two
tasks. What else a request has to be given to begin rides in it: the breaker's permit,
and what was booked on the rate limits.
"""

import math
from decimal import Decimal
from typing import Final, Protocol

import attrs
import trio

from trio_llm.chat import AnyRequest, Subject
from trio_llm.errors import BudgetExceededError, ProviderUnavailableError
from trio_llm.policy import Permit
from trio_llm.policy.rate_limit import Reservation


@attrs.frozen
class Refusal:
    """Why a provider or balancer cannot take a call now.

    Attributes:
        code: As `ProviderUnavailableError.code`.
        message: The same in words.
        retry_after: Seconds until it may be worth asking again, if known.
        budget: The error, where it is a budget that has no room.
    """

    code: str
    message: str
    retry_after: float | None = None
    budget: BudgetExceededError | None = None

    @classmethod
    def by_budget(cls, error: BudgetExceededError) -> "Refusal":
        """Refuse for want of money."""
        return cls("budget_exceeded", error.message, error.retry_after, error)

    def error(self, provider: str) -> ProviderUnavailableError | BudgetExceededError:
        """Make the error that tells a caller."""
        return self.unavailable(provider) if self.budget is None else self.budget

    def unavailable(self, provider: str) -> ProviderUnavailableError:
        """Make the error for a refusal that is not for want of money."""
        return ProviderUnavailableError(
            self.message, provider=provider, code=self.code, retry_after=self.retry_after
        )


@attrs.frozen
class Estimate:
    """What an attempt is expected to cost, and whom.

    Attributes:
        subject: Whose attempt it is.
        expected: US dollars; ``None`` where the price is not known.
    """

    subject: Subject
    expected: Decimal | None


ATTEMPTS_SPENT = Refusal("attempts_spent", "the call has made all its attempts")

WORTH_WAITING: Final = frozenset({"busy", "probing", "rate_limited"})
"""The codes of refusals after which a place in the line may help."""


class Keeper(Protocol):
    """Who gives leases, and takes them back."""

    async def turn(self, lease: "Lease", deadline: float, /) -> None:
        """Wait until a lease that is queued is granted or refused."""
        ...

    def ask_again(self, lease: "Lease", /) -> None:
        """Let a lease whose place is held begin another attempt, now or in its turn."""
        ...

    def take_back(self, lease: "Lease", /) -> None:
        """End a lease, whatever it still holds."""
        ...


@attrs.define(eq=False)
class Lease:
    """A place at a provider, or a place in the line for one.

    Attributes:
        request: What it is for.
        tokens: What one attempt at that is estimated to use.
        held: Whether a place is ours.
        permit: What the breaker gave for the next attempt; ``None`` once that is over.
        booking: What the rate limits were told of it; ``None`` likewise, and where
            nothing is limited.
        estimate: What the first attempt was estimated to cost when the place was taken;
            ``None`` where that has still to be done.
        cut: Whether an attempt was cancelled, so that the server may go on with it.
        queued: Whether it waits for its turn.
        wakes_at: When it will look by itself whether its turn has come, on Trio's clock.
    """

    _keeper: Keeper
    request: AnyRequest
    tokens: float
    held: bool = False
    permit: Permit | None = None
    booking: Reservation | None = None
    estimate: Estimate | None = None
    cut: bool = attrs.field(default=False, init=False)
    queued: bool = attrs.field(default=False, init=False)
    wakes_at: float = attrs.field(default=math.inf, init=False)
    _refusal: Refusal | None = attrs.field(default=None, init=False)
    _released: bool = attrs.field(default=False, init=False)
    _changed: trio.Event | None = attrs.field(default=None, init=False)

    @property
    def waiting(self) -> bool:
        """Whether it stands in line for a place."""
        return self.queued and not self.held

    @property
    def over(self) -> bool:
        """Whether nothing but a place is left of it, and that free at once."""
        return self.held and self.permit is None and self.booking is None and not self.cut

    async def granted(self, deadline: float = math.inf) -> Refusal | None:
        """Wait for the place, first come first served; a refusal if it will not come.

        Args:
            deadline: The caller's, on Trio's clock. A wait that the rate limits would
                draw out beyond it is not begun.
        """
        if self.queued:
            await self._keeper.turn(self, deadline)
        return self._refusal

    async def again(self, deadline: float = math.inf) -> Refusal | None:
        """Wait until another attempt may begin in the place that is held."""
        self._keeper.ask_again(self)
        return await self.granted(deadline)

    def release(self) -> None:
        """Give everything back, or leave the line."""
        if not self._released:
            self._released = True
            self._keeper.take_back(self)

    # For the keeper alone.

    def grant(self, permit: Permit | None, booking: Reservation | None) -> None:
        """Let it begin."""
        self.held = True
        self.queued = False
        self.permit = permit
        self.booking = booking
        self.nudge()

    def refuse(self, refusal: Refusal) -> None:
        """Say that its turn will not come."""
        self.queued = False
        self._refusal = refusal
        self.nudge()

    def nudge(self) -> None:
        """Have whoever waits with it look again."""
        if self._changed is not None:
            self._changed.set()

    async def changed(self) -> None:
        """Wait until it is granted, refused or nudged, or for `wakes_at`."""
        self._changed = trio.Event()
        if self.wakes_at == math.inf:
            await self._changed.wait()
            return
        with trio.move_on_at(self.wakes_at):
            await self._changed.wait()
