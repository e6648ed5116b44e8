"""The provider actor: places, cooldown, attempts and records around a backend.

One task per request; that task owns the exchange from open to close. The state
here outlives every restart of the actor, so a cooldown is never forgotten.
"""

import math
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import trio

from trio_llm import events
from trio_llm.actors import ActorCrash, ActorState, AnyCell
from trio_llm.chat import (
    AnyRequest,
    AnyResult,
    AttemptOutcome,
    EmbedRequest,
    Operation,
    TokenCount,
)
from trio_llm.errors import (
    InvalidRequestError,
    ProviderCrashedError,
    ProviderError,
    ProviderUnavailableError,
    StaleConnectionError,
)
from trio_llm.policy import Blame, Cooldown, RetryBudget, backoff, blame_for, own_blame
from trio_llm.policy.preference import Standing
from trio_llm.policy.vitals import Vitals
from trio_llm.providers.backend import Backend, Work
from trio_llm.providers.lease import ATTEMPTS_SPENT, Lease, Occupancy, Refusal
from trio_llm.providers.limits import BatchLimits, ProviderLimits
from trio_llm.providers.node import Node
from trio_llm.providers.pricing import Pricing
from trio_llm.providers.sink import StreamSink
from trio_llm.providers.soundness import demand_sound
from trio_llm.providers.status import NodeStatistics, ProviderStatus, Tally
from trio_llm.providers.visit import Answer, Ask, Visit, count

LONGEST_RETRY_AFTER = 120.0
"""Seconds; a provider that asks for a longer wait is not asked again by the same call."""

_UNANSWERED = {
    "crashed": "the code that serves it raised",
    "stopped": "its actor stopped before it answered",
    "cancelled": "the call was cancelled",
    "draining": "it is shutting down",
    "down": "its actor crashed too often and stays down",
}


class ProviderActor:
    """Serves requests through one backend."""

    height = 0

    def __init__(
        self,
        name: str,
        kind: str,
        backend: Backend,
        *,
        occupancy: Occupancy,
        cooldown: Cooldown,
        limits: ProviderLimits,
        blames: Mapping[type[ProviderError], Blame],
        stream: events.EventStream,
        wall_clock: Callable[[], float],
        retries: RetryBudget,
        seed: int,
        pricing: Pricing | None = None,
    ) -> None:
        self._name = name
        self._kind = kind
        self._backend = backend
        self._occupancy = occupancy
        self._cooldown = cooldown
        self._limits = limits
        self._blames = blames
        self._events = stream
        self._wall_clock = wall_clock
        self._retries = retries
        self._seed = seed
        self._tally = Tally()
        self._last_used: float | None = None
        self.vitals = Vitals()
        self._pricing = Pricing() if pricing is None else pricing
        self.restarts = 0
        self.cell: AnyCell

    @property
    def name(self) -> str:
        """The provider's name."""
        return self._name

    # What the level above sees.

    def covers(self, name: str) -> bool:
        """Whether a name is its own."""
        return name == self._name

    def serves(self, model: str) -> bool | None:
        """Whether it serves a model; ``None`` when it does not declare its models."""
        return self._limits.serves(model)

    def expected(self, now: float) -> float | None:
        """Give the seconds within which it most often answers; ``None`` if nothing is known."""
        return self.vitals.first_token.percentile(now, 0.95)

    def cost(self, request: AnyRequest) -> float | None:
        """Estimate what a request costs, in US dollars; ``None`` if the price is not known."""
        return self._pricing.cost(request, request.model or self._limits.model or "")

    def standing(self, request: AnyRequest) -> Standing:
        """Give what a choice among members goes by."""
        occupancy, vitals = self._occupancy, self.vitals
        return Standing(
            self._name,
            occupancy.taken + occupancy.waiting,
            occupancy.limit,
            vitals.score(trio.current_time()),
            vitals.success.value() if vitals.success.weight else None,
            self.cost(request),
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
        refusal = self._unfit(request)
        if refusal is None and not self._occupancy.free:
            refusal = Refusal("busy", f"all its {self._occupancy.limit} places are taken")
        return refusal

    def reserve(self, request: AnyRequest) -> Lease | Refusal:
        """Take a free place, or say why there is none."""
        return self.refusal(request) or self._occupancy.take()

    def enqueue(self, request: AnyRequest) -> Lease | Refusal:
        """Take a place, or one in the line, or say why not."""
        refusal = self._unfit(request)
        if refusal is not None:
            return refusal
        if self._occupancy.free:
            return self._occupancy.take()
        if self._occupancy.line_full:
            return Refusal(
                "mailbox_full", f"{self._occupancy.waiting} requests already wait for a place"
            )
        return self._occupancy.stand_in_line()

    def _unfit(self, request: AnyRequest) -> Refusal | None:
        state = self.cell.state
        if state is not ActorState.RUNNING:
            return Refusal(state.value, f"its actor is {state.value}")
        now = trio.current_time()
        if now < self._cooldown.until:
            remaining = self._cooldown.remaining(now)
            return Refusal("cooling", "it is cooling down after failures", remaining)
        return self._limits.unsuitable(request)

    def post(self, ask: Ask) -> None:
        """Put an ask into the mailbox."""
        self.cell.post(ask)

    def won(self) -> None:
        """Count that its answer was taken."""
        self._tally.wins += 1

    def status(self) -> ProviderStatus:
        """Give a snapshot."""
        remaining = self._cooldown.remaining(trio.current_time())
        occupied = self._occupancy.taken >= self._occupancy.limit
        state = self.cell.state.value
        if self.cell.state is ActorState.RUNNING:
            state = "cooling" if remaining else "occupied" if occupied else "ready"
        return ProviderStatus(
            name=self._name,
            kind=self._kind,
            state=state,
            occupied=occupied,
            in_flight=self._occupancy.taken,
            queued=self._occupancy.waiting,
            max_concurrency=self._occupancy.limit,
            cooldown_remaining=remaining,
            cooldown_until=self._wall_clock() + remaining if remaining else None,
            failures=self._cooldown.failures,
            last_used=self._last_used,
            restarts=self.restarts,
            model=self._limits.model,
        )

    def statistics(self) -> NodeStatistics:
        """Give the counts."""
        return self._tally.snapshot()

    # What the cell runs.

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what the backend needs."""
        return self._backend.resources()

    def unanswered(self, reason: str, cause: BaseException | None) -> ProviderError:
        """Make the error for a request that got no answer."""
        error: ProviderError
        if reason in {"draining", "down"}:
            error = ProviderUnavailableError(_UNANSWERED[reason], provider=self._name, code=reason)
        else:
            why = _UNANSWERED[reason] if cause is None else f"{_UNANSWERED[reason]}: {cause}"
            error = ProviderCrashedError(why, provider=self._name)
            error.blame = own_blame(error, self._blames)
        error.__cause__ = cause
        return error

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
            await self._use(ask)
        finally:
            ask.payload.unbook()

    async def _granted(self, ask: Ask, lease: Lease) -> Refusal | None:
        """Wait in line; a crash of the actor refuses those who do, for they cost no attempt."""
        crashed = Refusal("restarting", "its actor crashed while the call was in line")
        try:
            refusal = await lease.granted()
        except trio.Cancelled:
            if ask.cancel_reason is None and self.cell.state is not ActorState.DRAINING:
                ask.fail(crashed.error(self._name), trio.current_time())
            raise
        # The place of the one that crashed is passed on before the others are told.
        return crashed if self.cell.state is ActorState.RESTARTING else refusal

    async def _use(self, ask: Ask) -> None:
        """Serve one request in its place."""
        self._last_used = self._wall_clock()
        began = trio.current_time()
        self.vitals.began()
        try:
            await self._attempts(ask)
        finally:
            count(self._tally, self.vitals, ask, began)

    async def _attempts(self, ask: Ask) -> None:
        """Attempt, and attempt again while that can help."""
        try:
            request, model = self._limits.fit(ask.payload.request, self._name)
        except InvalidRequestError as unfit:
            ask.fail(unfit, trio.current_time())
            return
        number, failures = 0, 0
        failed: ProviderError | None = None
        fresh = False
        visit = ask.payload
        while True:
            if not visit.book():
                ask.fail(failed or ATTEMPTS_SPENT.error(self._name), trio.current_time())
                return
            number += 1
            error = failed = await self._attempt(ask, request, model, number, fresh=fresh)
            if error is None:
                return
            if isinstance(error, StaleConnectionError) and not fresh:
                fresh = True
                continue
            failures += 1
            pause = self._pause(ask, error, failures)
            if pause is None:
                ask.fail(error, trio.current_time())
                return
            await trio.sleep(pause)

    async def _attempt(
        self, ask: Ask, request: AnyRequest, model: str, number: int, *, fresh: bool
    ) -> ProviderError | None:
        """Do one exchange; give the error if it failed before anything was delivered."""
        visit = ask.payload
        call = visit.call
        started = trio.current_time()
        self._tally.attempts += 1
        if call.events.watched:
            call.events.emit(events.AttemptStarted(started, call.number, visit.path, number, model))
        sink = StreamSink(ask, self._name, model, number, started) if call.streaming else None
        try:
            result = await self._backend.answer(
                Work(request, model, call.number, visit.path, number, sink, fresh)
            )
            demand_sound(request, result)
        except ActorCrash as crash:
            self._failed(visit, sink, self._crashed(crash, model), number, model, started)
            raise
        except ProviderError as error:
            return self._failed(visit, sink, error, number, model, started)
        except Exception as error:  # noqa: BLE001 - a backend may be a user's own code
            return self._failed(visit, sink, self._crashed(error, model), number, model, started)
        except BaseException:
            reason = ask.cancel_reason or _UNANSWERED["stopped"]
            if sink is not None and sink.committed:
                sink.interrupt(None, reason)
            visit.attempted(
                number=number,
                model=model,
                started=started,
                outcome=AttemptOutcome.CANCELLED,
                reason=reason,
                first_token=math.inf if sink is None else sink.first_token,
            )
            raise
        self._succeeded(ask, sink, result, number, model, started)
        return None

    def _succeeded(
        self,
        ask: Ask,
        sink: StreamSink | None,
        result: AnyResult,
        number: int,
        model: str,
        started: float,
    ) -> None:
        now = trio.current_time()
        if type(result) is not TokenCount or result.exact:
            self._cooldown.succeeded(now)  # an estimate says nothing of the provider's health
        self._pricing.answered(now, result.usage)
        ask.payload.attempted(
            number=number,
            model=model,
            started=started,
            outcome=AttemptOutcome.SUCCEEDED,
            result=result,
            first_token=math.inf if sink is None else sink.first_token,
        )
        if sink is None:
            ask.decide(Answer(self._name, model, result, finished=now), now)
            return
        sink.answer.result = result
        if not sink.committed:
            sink.commit()
        sink.close()

    def _failed(
        self,
        visit: Visit,
        sink: StreamSink | None,
        error: ProviderError,
        number: int,
        model: str,
        started: float,
    ) -> ProviderError | None:
        """Charge and record a failure; give it on, unless a consumer will see it."""
        now = trio.current_time()
        if error.provider is not None:  # seen before: one that a user's code raises again
            error = error.copy()
        error.provider = self._name
        error.blame = own_blame(error, self._blames)
        error.model = error.model or model
        error.elapsed = now - started
        self._charge(error, now, visit)
        visit.attempted(
            number=number,
            model=model,
            started=started,
            outcome=AttemptOutcome.FAILED,
            reason=error.message,
            error=error,
            first_token=math.inf if sink is None else sink.first_token,
        )
        if sink is None or not sink.committed:
            return error
        sink.interrupt(error, error.message)
        return None

    def _charge(self, error: ProviderError, now: float, visit: Visit) -> None:
        blame = blame_for(error)
        if isinstance(error, StaleConnectionError) or not (blame.charges or blame.cools):
            return
        rests = self._cooldown.failed(
            now, charge=blame.charges, at_once=blame.cools, retry_after=error.retry_after
        )
        remaining = self._cooldown.remaining(now)
        if not (rests and remaining):
            return
        self._occupancy.refuse_all(
            Refusal("cooling", "it is cooling down after failures", remaining)
        )
        if self._events.watched:
            self._events.emit(
                events.CooldownStarted(
                    now, visit.call.number, (self._name,), self._cooldown.until, error.message
                )
            )

    def _pause(self, ask: Ask, error: ProviderError, failures: int) -> float | None:
        """How long to wait before the next attempt; ``None`` to give up."""
        limits = self._limits
        blame = blame_for(error)
        if failures > limits.retries or not blame.retries:
            return None
        if (error.retry_after or 0.0) > max(limits.max_delay, LONGEST_RETRY_AFTER):
            return None  # it would hold its place, and the call, for too long
        visit = ask.payload
        pause = backoff(
            failures,
            base_delay=limits.base_delay,
            max_delay=limits.max_delay,
            rng=random.Random(  # noqa: S311 - jitter
                f"{self._seed}/{visit.call.number}/{'/'.join(visit.path)}/{failures}"
            ),
            retry_after=error.retry_after,
        )
        now = trio.current_time()
        if blame.cools:  # a rest that this very failure began holds for its own call too
            pause = max(pause, self._cooldown.remaining(now))
        if now + pause >= ask.deadline or not self._retries.spend(now):
            return None
        return pause

    def _crashed(self, cause: BaseException, model: str) -> ProviderCrashedError:
        error = ProviderCrashedError(
            f"{_UNANSWERED['crashed']}: {type(cause).__name__}: {cause}",
            provider=self._name,
            model=model,
        )
        error.__cause__ = cause
        return error
