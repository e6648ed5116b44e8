"""The provider actor: the face of one provider to those who ask it, and to its cell.

What it does for them stands beside it: who may begin in `gate`, the attempts of a
request in `attempts`, what follows from an outcome in `outcomes`, and probes in
`probing`. The state in all of these outlives every restart of the actor, so a rest is
never forgotten.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from trio_llm.actors import ActorState, AnyCell
from trio_llm.chat import AnyRequest, Capability, EmbedRequest, Operation, Price
from trio_llm.errors import InvalidRequestError, ProviderError
from trio_llm.events import EventStream
from trio_llm.ledger import Accounts
from trio_llm.policy import BreakerState, RetryBudget
from trio_llm.policy.preference import Standing
from trio_llm.policy.vitals import Vitals
from trio_llm.providers.attempts import Attempts
from trio_llm.providers.backend import Backend
from trio_llm.providers.bookings import Bookings
from trio_llm.providers.faults import Faults
from trio_llm.providers.gate import Gate
from trio_llm.providers.lease import Estimate, Lease, Refusal
from trio_llm.providers.limits import BatchLimits, ProviderLimits
from trio_llm.providers.node import Node
from trio_llm.providers.outcomes import Outcomes
from trio_llm.providers.probe_plan import ProbePlan, ProbeResult
from trio_llm.providers.probing import Prober
from trio_llm.providers.status import NodeStatistics, ProviderStatus
from trio_llm.providers.succession import succeed
from trio_llm.providers.visit import Ask


class ProviderActor:
    """Serves requests through one backend.

    Args:
        name: Its name.
        kind: Its kind.
        backend: Who does the exchanges.
        gate: Who may begin, and when.
        limits: What it takes.
        faults: Who completes its errors.
        stream: Where records go.
        wall_clock: Seconds since the epoch.
        retries: The retry budget of the runtime.
        seed: The runtime's seed.
        probes: How it is probed.
        accounts: Where attempts are booked.
    """

    height = 0

    def __init__(
        self,
        name: str,
        kind: str,
        backend: Backend,
        *,
        gate: Gate,
        limits: ProviderLimits,
        faults: Faults,
        stream: EventStream,
        wall_clock: Callable[[], float],
        retries: RetryBudget,
        seed: int,
        probes: ProbePlan,
        accounts: Accounts,
    ) -> None:
        self._name = name
        self._kind = kind
        self._backend = backend
        self._gate = gate
        self._limits = limits
        self._faults = faults
        self._wall_clock = wall_clock
        outcomes = Outcomes(gate)
        self._bookings = bookings = Bookings(name, kind, gate.rates.pricing, accounts)
        attempts = Attempts(
            name, backend, limits, outcomes, faults, retries, seed, wall_clock, bookings
        )
        self._attempts = attempts
        self._prober = Prober(
            name,
            backend,
            limits,
            outcomes,
            faults,
            stream,
            seed,
            probes,
            attempts.observe,
            lambda: self.cell.state,
            attempts.tally,
            bookings,
        )
        self.restarts = 0
        self.cell: AnyCell

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._name

    @property
    def vitals(self) -> Vitals:
        """What is known of how fast, how sound and how busy it is."""
        return self._attempts.vitals

    # What the level above sees.

    def covers(self, name: str) -> bool:
        """Whether a name is its own."""
        return name == self._name

    def serves(self, model: str) -> bool | None:
        """Whether it serves a model; ``None`` when it does not declare its models."""
        return self._limits.serves(model)

    def offers(self, capability: Capability) -> bool:
        """Whether it has a capability, as far as its configuration and its kind say."""
        return self._limits.offers(capability)

    def expected(self, now: float) -> float | None:
        """Give the seconds within which it most often answers; ``None`` if nothing is known."""
        return self.vitals.first_token.percentile(now, 0.95)

    def cost(self, request: AnyRequest) -> float | None:
        """Estimate what a request costs, in US dollars; ``None`` if the price is not known."""
        return self._gate.rates.pricing.cost(request, request.model or self._limits.model or "")

    def price(self, model: str | None) -> Price | None:
        """Give what a model costs, its own if none is named; ``None`` if that is not known."""
        return self._gate.rates.pricing.price(model or self._limits.model or "")

    def standing(self, request: AnyRequest, *, priced: bool) -> Standing:
        """Give what a choice among members goes by; the cost only if that is asked for."""
        gate, vitals, now = self._gate, self.vitals, trio.current_time()
        places = gate.places
        return Standing(
            self._name,
            places.used + places.held(now) + gate.waiting,
            places.limit,
            vitals.score(now),
            vitals.success.value() if vitals.success.weight else None,
            self.cost(request) if priced else None,
            vitals.success.weight,
        )

    def embedding_family(self, request: EmbedRequest) -> str | None:
        """Give the family of the vectors that it would give; ``None`` if it gives none."""
        return self._limits.embedding_family(request)

    def batch_limits(self, operation: Operation) -> BatchLimits | None:
        """Say how much of an operation it takes at once; ``None`` if it does not do it."""
        return self._limits.batch_limits(operation)

    def providers(self) -> tuple[Node, ...]:
        """Give itself."""
        return (self,)

    def refusal(self, request: AnyRequest) -> Refusal | None:
        """Say why it could not take the request now; books nothing."""
        now = trio.current_time()
        return self._unfit(request, now) or self._gate.obstacle(request, now)

    def reserve(self, request: AnyRequest) -> Lease | Refusal:
        """Take a free place, or say why there is none."""
        now = trio.current_time()
        lease = self._at_once(request, now)
        if lease is not None:
            return lease
        unfit = self._unfit(request, now)
        return self._gate.reserve(request, now) if unfit is None else self._told(unfit)

    def enqueue(self, request: AnyRequest) -> Lease | Refusal:
        """Take a place, or one in the line, or say why not."""
        now = trio.current_time()
        lease = self._at_once(request, now)
        if lease is not None:
            return lease
        unfit = self._unfit(request, now)
        return self._gate.enqueue(request, now) if unfit is None else self._told(unfit)

    def _at_once(self, request: AnyRequest, now: float) -> Lease | None:
        """Take a place where nothing stands in the way, as is usual."""
        if self.cell.state is not ActorState.RUNNING or self._limits.unsuitable(request):
            return None
        if not self._bookings.accounts.budgeted:
            return self._gate.at_once(request, now)
        estimate = self._estimate(request)
        if estimate is None or self._bookings.obstacle(estimate) is not None:
            return None
        return self._gate.at_once(request, now, estimate)

    def _unfit(self, request: AnyRequest, now: float) -> Refusal | None:
        """Say why no wait in line would help."""
        state = self.cell.state
        if state is not ActorState.RUNNING:
            return Refusal(state.value, f"its actor is {state.value}")
        return self._gate.rest(now) or self._limits.unsuitable(request) or self._unpaid(request)

    def _unpaid(self, request: AnyRequest) -> Refusal | None:
        """Say that there is no money for it."""
        if not self._bookings.accounts.budgeted:
            return None
        estimate = self._estimate(request)
        return None if estimate is None else self._bookings.obstacle(estimate)

    def _estimate(self, request: AnyRequest) -> Estimate | None:
        """Estimate what it costs; ``None`` where the attempt will say why that cannot be told."""
        try:
            fitted, model = self._limits.fit(request, self._name)
        except InvalidRequestError:
            return None
        return self._bookings.estimate(fitted, model)

    def _told(self, refusal: Refusal) -> Refusal:
        """Record a refusal for want of money: here the request is turned away for it."""
        if refusal.budget is not None:
            self._bookings.accounts.tell(refusal.budget, 0, (self._name,))
        return refusal

    def post(self, ask: Ask) -> None:
        """Put an ask into the mailbox."""
        self.cell.post(ask)

    def won(self) -> None:
        """Count that its answer was taken."""
        self._attempts.tally.wins += 1

    def status(self) -> ProviderStatus:
        """Give a snapshot."""
        now, gate = trio.current_time(), self._gate
        breaker, places = gate.circuit.breaker, gate.places
        remaining, occupied = breaker.remaining(now), places.is_full(now)
        rates = gate.rates.snapshot(now)
        state = self.cell.state.value
        if self.cell.state is ActorState.RUNNING:
            state = "cooling" if remaining else "occupied" if occupied else "ready"
            if breaker.state(now) is BreakerState.HALF_OPEN:
                state = "probing"
        return ProviderStatus(
            name=self._name,
            kind=self._kind,
            state=state,
            occupied=occupied,
            in_flight=places.used,
            held=places.held(now),
            queued=gate.waiting,
            max_concurrency=places.limit,
            cooldown_remaining=remaining,
            cooldown_until=self._wall_clock() + remaining if remaining else None,
            failures=breaker.failures,
            last_used=self._attempts.last_used,
            restarts=self.restarts,
            model=self._limits.model,
            breaker=breaker.state(now).value,
            retry_after=max(remaining, gate.rates.wait(now, 1.0)),
            requests_available=rates.requests_available,
            tokens_available=rates.tokens_available,
        ).with_vitals(self.vitals.snapshot(now))

    def statistics(self) -> NodeStatistics:
        """Give the counts."""
        return self._attempts.tally.snapshot(self.vitals.snapshot(trio.current_time()))

    # What a reload asks of it.

    def inherit(self, other: "ProviderActor") -> None:
        """Take over what an earlier actor of the same account knows of its health.

        That is its rests, what is still to be proved, and what was booked on rate
        limits that have not changed. What the other is told later counts here, too.
        """
        succeed(self._gate, other._gate, trio.current_time())  # noqa: SLF001 - of its kind

    def leave(self) -> None:
        """Probe no more of its own accord: from now on only calls under way ask it."""
        self._prober.left = True

    def go_on_counting(self, other: object) -> bool:
        """Take over the counts of an earlier actor, if that is of the same kind; tell whether.

        They are shared from then on, so that what the other still finishes counts here.
        """
        if not isinstance(other, ProviderActor) or other._kind != self._kind:  # noqa: SLF001
            return False
        attempts, theirs = self._attempts, other._attempts  # noqa: SLF001 - of its kind
        attempts.tally = self._prober.tally = theirs.tally
        attempts.last_used = theirs.last_used
        return True

    # What an operator asks of it.

    async def check(self, overran: Callable[[], None]) -> ProbeResult:
        """See whether it answers, by its cheapest call; see `Prober.check`."""
        return await self._prober.check(overran)

    async def probe(self, interval: float) -> None:
        """See the same, if nothing was heard of it in so many seconds; see `Prober.probe`."""
        await self._prober.probe(interval)

    # What the cell runs.

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what the backend needs, and probe for as long as it is open."""
        return self._living()

    @asynccontextmanager
    async def _living(self) -> AsyncGenerator[None, None]:
        async with self._backend.resources(), self._prober.living():
            yield

    def unanswered(self, reason: str, cause: BaseException | None) -> ProviderError:
        """Make the error for a request that got no answer."""
        return self._faults.unanswered(reason, cause)

    async def serve(self, ask: Ask) -> None:
        """Run one request: wait for its place, then attempt it."""
        lease = ask.lease
        if not isinstance(lease, Lease):
            msg = f"{self._name} was asked without a lease"
            raise TypeError(msg)
        try:
            if not lease.held:
                refusal = await self._granted(ask, lease)
                if refusal is not None:
                    ask.fail(refusal.error(self._name), trio.current_time())
                    return
            await self._attempts.serve(ask, lease)
        finally:
            ask.payload.unbook()

    async def _granted(self, ask: Ask, lease: Lease) -> Refusal | None:
        """Wait in line; a crash of the actor refuses those who do, for they cost no attempt."""
        crashed = Refusal("restarting", "its actor crashed while the call was in line")
        try:
            refusal = await lease.granted(ask.deadline)
        except trio.Cancelled:
            if ask.cancel_reason is None and self.cell.state is not ActorState.DRAINING:
                ask.fail(crashed.error(self._name), trio.current_time())
            raise
        # The place of the one that crashed is passed on before the others are told.
        return crashed if self.cell.state is ActorState.RESTARTING else refusal
