"""One request on its way through an actor, and its outcome.

An envelope has two moments. *Decided*: a value or an error is known, with the
time stamp of its completion; deciding is synchronous and idempotent, the first
wins. *Settled*: nothing of the request runs any more, and its lease is
released. A parent judges by decided; the root returns to its caller at settled.
"""

import contextvars
import math
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import attrs
import trio

P = TypeVar("P")
V = TypeVar("V")


class Releasable(Protocol):
    """What rides in an envelope and is given back when it settles."""

    def release(self) -> None:
        """Give it back; synchronous and idempotent."""
        ...


@attrs.define(eq=False)
class Envelope(Generic[P, V]):
    """A payload, a reply slot and the means to cancel.

    Attributes:
        payload: What is asked.
        lease: Released at settled, whatever happened.
        deadline: The caller's effective deadline when it asked. For planning
            only: a caller may extend its own, so cancellation comes from the
            caller and not from this copy.
        context: The caller's context variables, in which the job runs; copied only
            for an envelope that must queue.
        scope: The job runs inside it.
        accepted: Whether the actor has taken it out of the mailbox. One that is
            not accepted can be settled by its caller at once.
        value: The answer, if it was decided so.
        error: The error, if it was decided so.
        stamp: When it was decided, on Trio's clock; infinite until then.
        settled: Whether nothing of it runs any more.
        cancel_reason: Why the caller gave it up, if it did.
        watcher: Called in the step that decides it.
        follower: Called in the step that settles it, when its lease is released.
    """

    payload: P
    lease: Releasable | None = None
    deadline: float = math.inf
    context: contextvars.Context | None = attrs.field(default=None, repr=False)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, repr=False)
    accepted: bool = False
    value: V | None = None
    error: Exception | None = None
    stamp: float = math.inf
    settled: bool = False
    cancel_reason: str | None = None
    watcher: Callable[[], None] | None = attrs.field(default=None, init=False)
    follower: Callable[[], None] | None = attrs.field(default=None, init=False)
    _for_decided: "list[_Waiter] | None" = attrs.field(default=None, init=False)
    _for_settled: "list[_Waiter] | None" = attrs.field(default=None, init=False)

    @property
    def decided(self) -> bool:
        """Whether a value or an error is known."""
        return self.stamp != math.inf

    def decide(self, value: V, stamp: float) -> bool:
        """Answer with a value; give whether this was the first decision."""
        if self.stamp != math.inf:
            return False
        self.value = value
        self._mark(stamp)
        return True

    def fail(self, error: Exception, stamp: float) -> bool:
        """Answer with an error; give whether this was the first decision."""
        if self.stamp != math.inf:
            return False
        self.error = error
        self._mark(stamp)
        return True

    def _mark(self, stamp: float) -> None:
        self.stamp = stamp
        if self.watcher is not None:
            self.watcher()
        if self._for_decided is not None:
            _wake(self._for_decided)

    def settle(self) -> None:
        """Say that nothing of it runs any more; releases the lease."""
        if self.settled:
            return
        self.settled = True
        if self.lease is not None:
            self.lease.release()
        if self.follower is not None:
            self.follower()
        if self._for_settled is not None:
            _wake(self._for_settled)

    def cancel(self, reason: str) -> None:
        """Give it up.

        A running job is cancelled. One that no actor has accepted yet becomes a
        tombstone: it settles here and now, and the actor skips it.
        """
        if self.settled:
            return
        if self.cancel_reason is None:
            self.cancel_reason = reason
        self.scope.cancel(reason=reason)
        if not self.accepted:
            self.settle()

    async def wait_decided(self) -> None:
        """Wait until it is decided; no checkpoint if it already is."""
        if self.stamp == math.inf:
            if self._for_decided is None:
                self._for_decided = []
            await trio.lowlevel.wait_task_rescheduled(_Waiter(self._for_decided))

    async def wait_settled(self) -> None:
        """Wait until it is settled; no checkpoint if it already is."""
        if not self.settled:
            if self._for_settled is None:
                self._for_settled = []
            await trio.lowlevel.wait_task_rescheduled(_Waiter(self._for_settled))


class _Waiter:
    """A task that waits to be woken; a `trio.Event` would cost twice the time and memory."""

    __slots__ = ("_parked", "task")

    def __init__(self, parked: "list[_Waiter]") -> None:
        self.task = trio.lowlevel.current_task()
        self._parked = parked
        parked.append(self)

    def __call__(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        """Stop waiting: the task is being cancelled."""
        self._parked.remove(self)
        return trio.lowlevel.Abort.SUCCEEDED


def _wake(parked: list[_Waiter]) -> None:
    for waiter in parked:
        trio.lowlevel.reschedule(waiter.task)
    parked.clear()


async def dismiss(envelope: Envelope[P, V], reason: str, deadline: float) -> bool:
    """Cancel an envelope and see it gone.

    The wait is shielded, so it also works in a task that is being cancelled,
    and bounded, since a job may contain code that shields itself.

    Args:
        envelope: What to give up.
        reason: Why, for the records.
        deadline: When to stop waiting, on Trio's clock.

    Returns:
        Whether it settled in time.
    """
    envelope.cancel(reason)
    if not envelope.settled:
        with trio.CancelScope(deadline=deadline, shield=True):
            await envelope.wait_settled()
    return envelope.settled
