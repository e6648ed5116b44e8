"""Who may begin a request at a provider, and when: places, breaker, rate limits, one line.

All of it is looked at, and taken, in one synchronous step. Whoever cannot begin yet
stands in line, first come first served; the head of the line is woken by whatever
frees its way, or by the clock. Requests that hold a place and want to try again stand
before the line, since they came before everyone in it.
"""

import math
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import attrs
import trio

from trio_llm.chat import AnyRequest
from trio_llm.policy.deadlines import fits
from trio_llm.providers.circuit import Circuit
from trio_llm.providers.lease import Estimate, Lease, Refusal
from trio_llm.providers.places import Places
from trio_llm.providers.rates import Rates

_PROBING: Final = Refusal("probing", "one request is trying whether it works again")
_OTHERS_FIRST: Final = Refusal("busy", "others wait for it")

_SAME: Final = 1e-9
"""Seconds; instants that differ by less differ by the rounding of additions."""


@attrs.define(eq=False)
class Gate:
    """Gives leases.

    Args:
        places: How many requests run at once.
        circuit: Whether any may begin.
        rates: How many may begin in a time.
        line_limit: How many may stand in line.

    Attributes:
        heir: Who has taken its place after a reload, and goes by other rules.
        told: Up to which epoch of the breaker that one has been told.
        kin: All that go by the same breaker, this one included, where a reload has made
            it several; each for as long as anybody needs it.
    """

    places: Places
    circuit: Circuit
    rates: Rates
    line_limit: int
    _line: OrderedDict[Lease, None] = attrs.field(factory=OrderedDict[Lease, None], init=False)
    _again: OrderedDict[Lease, None] = attrs.field(factory=OrderedDict[Lease, None], init=False)
    heir: "Gate | None" = attrs.field(default=None, init=False)
    kin: "tuple[weakref.ref[Gate], ...]" = attrs.field(default=(), init=False)
    told: int = attrs.field(default=-1, init=False)

    @property
    def waiting(self) -> int:
        """How many stand in line for a place."""
        return len(self._line)

    def rest(self, now: float) -> Refusal | None:
        """Say that the provider rests, if it does, by what this one or its heir was told."""
        rest = self.circuit.rest(now)
        return self.heir.rest(now) if rest is None and self.heir is not None else rest

    # In the step that selects the provider.

    def at_once(
        self, request: AnyRequest, now: float, estimate: Estimate | None = None
    ) -> Lease | None:
        """Let a request begin where nothing is limited and nobody waits, as is usual."""
        places = self.places
        if self._line or self._again or self.rates.limiter is not None or places.is_full(now):
            return None
        if self.heir is not None and self.rest(now) is not None:
            return None
        permit = self.circuit.admit(now)
        if permit is None:
            return None
        places.used += 1
        return Lease(self, request, 1.0, True, permit, None, estimate)

    # The same, with all that may stand in the way; it has been seen not to rest.

    def obstacle(self, request: AnyRequest, now: float) -> Refusal | None:
        """Say why a request could not begin at once; books nothing."""
        return self._obstacle(now, self.rates.tokens(request))

    def reserve(self, request: AnyRequest, now: float) -> Lease | Refusal:
        """Let a request begin, or say why it cannot."""
        tokens = self.rates.tokens(request)
        return self._obstacle(now, tokens) or self._lease(request, now, tokens)

    def enqueue(self, request: AnyRequest, now: float) -> Lease | Refusal:
        """Let a request begin, or stand in line, or say why it can do neither."""
        tokens = self.rates.tokens(request)
        refusal = self._obstacle(now, tokens)
        if refusal is None:
            return self._lease(request, now, tokens)
        if refusal.code == "rate_limited" and not self.rates.limits.waits:
            return refusal
        if len(self._line) >= self.line_limit:
            return Refusal("mailbox_full", f"{len(self._line)} requests already wait for a place")
        lease = Lease(self, request, tokens)
        lease.queued = True
        self._line[lease] = None
        return lease

    def bypass(self, request: AnyRequest, now: float) -> Lease | Refusal:
        """Give a place past breaker and limits, for one who tries what these cannot know."""
        if self.places.is_full(now):
            return self._busy()
        self.places.used += 1
        return Lease(self, request, self.rates.tokens(request), held=True)

    def _obstacle(self, now: float, tokens: float) -> Refusal | None:
        if not self.circuit.breaker.admits(now):
            return _PROBING
        if self.places.is_full(now):
            return self._busy()
        others = self._line or self._again
        if self.rates.limiter is not None:
            wait = self._wait(now, tokens, (*self._again, *self._line))
            if wait:
                return _rate_limited(wait)
        return _OTHERS_FIRST if others else None

    def _busy(self) -> Refusal:
        return Refusal("busy", f"all its {self.places.limit} places are taken")

    def _lease(self, request: AnyRequest, now: float, tokens: float) -> Lease:
        self.places.used += 1
        permit = self.circuit.begin(now)
        return Lease(self, request, tokens, True, permit, self.rates.take(now, tokens))

    # While they wait.

    async def turn(self, lease: Lease, deadline: float) -> None:
        """Wait until a lease that is queued is granted or refused.

        Args:
            lease: The lease.
            deadline: The caller's, on Trio's clock. A lease that the rate limits would
                keep waiting until then is refused at once.
        """
        while True:
            now = trio.current_time()
            self.advance(now)
            if not lease.queued:
                return
            if self.rates.limiter is not None:
                wait = self._wait(now, lease.tokens, self._before(lease))
                if wait and not fits(now, wait, deadline):
                    self._leave(lease)
                    lease.refuse(_rate_limited(wait))
                    continue
            # Never this very instant again, however small the wait: time must move.
            lease.wakes_at = max(self._due(lease, now), math.nextafter(now, math.inf))
            await lease.changed()

    def ask_again(self, lease: Lease) -> None:
        """Let a lease whose place is held begin another attempt, now or in its turn."""
        if lease.permit is not None:
            # A probe that waited its turn would keep it from those who wait for the probe.
            self.circuit.abandoned(lease.permit)
            lease.permit = None
        lease.queued = True
        self._again[lease] = None
        self.advance(trio.current_time())

    def advance(self, now: float) -> None:
        """Let those begin whose turn has come; to be called when their way may be free."""
        if not (self._line or self._again):
            return
        rest = self.rest(now)
        if rest is not None:
            self.refuse_all(rest)
            return
        while (head := self._head()) is not None:
            if not self.circuit.breaker.admits(now):
                break
            if not head.held and self.places.is_full(now):
                break
            wait = self.rates.wait(now, head.tokens)
            if wait and self.rates.limits.waits:
                break
            self._leave(head)
            if wait:
                head.refuse(_rate_limited(wait))
            else:
                self._grant(head, now)
        if head is not None and abs(head.wakes_at - self._due(head, now)) > _SAME:
            head.nudge()

    def _grant(self, lease: Lease, now: float) -> None:
        if not lease.held:
            self.places.used += 1
        lease.grant(self.circuit.begin(now), self.rates.take(now, lease.tokens))

    def look_again(self) -> None:
        """Have all who wait see how long they must do so now: the limits have changed."""
        for lease in (*self._again, *self._line):
            lease.nudge()

    def refuse_all(self, refusal: Refusal) -> None:
        """Send everybody away who waits."""
        for lease in (*self._again, *self._line):
            self._leave(lease)
            lease.refuse(refusal)

    def take_back(self, lease: Lease) -> None:
        """End a lease, whatever it still holds."""
        if lease.over and not (self._line or self._again):
            lease.held = False
            self.places.used -= 1
            return
        now = trio.current_time()
        if lease.queued:
            self._leave(lease)
        if lease.permit is not None:
            self.circuit.abandoned(lease.permit)
            lease.permit = None
            if self.kin:
                self.advance_all(now)
        if lease.booking is not None:
            self.rates.settle(lease.booking, now, None)
            lease.booking = None
        if lease.held:
            lease.held = False
            self.places.used -= 1
            if lease.cut:
                self.places.hold_one(now)
        self.advance(now)

    def family(self) -> "list[Gate]":
        """Give all that go by the same breaker, where these are several."""
        return [gate for each in self.kin if (gate := each()) is not None]

    def advance_all(self, now: float) -> None:
        """Let those begin whose turn has come, here and where the same breaker holds."""
        self.advance(now)
        if self.kin:
            for gate in self.family():
                if gate is not self:
                    gate.advance(now)

    def _head(self) -> Lease | None:
        return next(iter(self._again or self._line), None)

    def _leave(self, lease: Lease) -> None:
        lease.queued = False
        self._line.pop(lease, None)
        self._again.pop(lease, None)

    def _due(self, lease: Lease, now: float) -> float:
        """Give when a lease's way will be free by the clock; infinity if that is not it."""
        if lease is not self._head():
            return math.inf
        if not self.circuit.breaker.admits(now):
            return math.inf
        due = now
        if not lease.held and self.places.is_full(now):
            due = self.places.next_end(now)
        return max(due, now + self.rates.wait(now, lease.tokens))

    def _before(self, lease: Lease) -> list[Lease]:
        """Give those whose turn comes before a lease's."""
        before: list[Lease] = []
        for other in (*self._again, *self._line):
            if other is lease:
                break
            before.append(other)
        return before

    def _wait(self, now: float, tokens: float, before: Sequence[Lease]) -> float:
        """Give the seconds that the rate limits take until it is the turn of one after these."""
        return self.rates.wait(now, tokens, len(before), sum(other.tokens for other in before))


def _rate_limited(wait: float) -> Refusal:
    return Refusal("rate_limited", f"its rate limits take nothing more for {wait:.3g} s", wait)
