"""The attempts of one request at one provider: each of them, and whether there is another."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from trio_llm import events
from trio_llm.actors import ActorCrash
from trio_llm.chat import AnyRequest, AnyResult, AttemptOutcome, RateWindow
from trio_llm.errors import (
    BudgetExceededError,
    InvalidRequestError,
    ProviderError,
    StaleConnectionError,
)
from trio_llm.ledger import Entry
from trio_llm.policy import RetryBudget, backoff, blame_for
from trio_llm.policy.retry import rule_for
from trio_llm.policy.vitals import Vitals
from trio_llm.providers.backend import Backend, Work
from trio_llm.providers.bookings import Bookings
from trio_llm.providers.estimate import BYTES_PER_TOKEN
from trio_llm.providers.faults import UNANSWERED, Faults
from trio_llm.providers.lease import ATTEMPTS_SPENT, Lease
from trio_llm.providers.limits import ProviderLimits
from trio_llm.providers.outcomes import Outcomes
from trio_llm.providers.pricing import input_tokens
from trio_llm.providers.sink import StreamSink
from trio_llm.providers.soundness import demand_sound
from trio_llm.providers.status import Tally
from trio_llm.providers.visit import Answer, Ask, Visit, count

LONGEST_RETRY_AFTER: Final = 120.0
"""Seconds; a provider that asks for a longer wait is not asked again by the same call."""


@attrs.define(eq=False)
class _Try:
    """One physical attempt under way."""

    ask: Ask
    lease: Lease
    request: AnyRequest
    model: str
    number: int
    entry: Entry
    provider: str
    started: float = attrs.field(init=False)
    sink: StreamSink | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.started = trio.current_time()
        streaming = self.ask.payload.call.streaming
        self.sink = (
            StreamSink(self.ask, self.provider, self.model, self.number, self.started)
            if streaming
            else None
        )

    @property
    def first_token(self) -> float:
        """When the first useful event came, on Trio's clock; infinite if it was not yet."""
        return math.inf if self.sink is None else self.sink.first_token

    @property
    def written(self) -> int:
        """How many letters of an answer have come."""
        return 0 if self.sink is None else self.sink.written

    @property
    def known(self) -> float:
        """The tokens that it is known to have used, should it break off now.

        A plain one goes on unseen, so it counts as a whole.
        """
        lease = self.lease
        if lease.booking is None or self.sink is None:
            return lease.tokens
        return input_tokens(lease.request) + self.written / BYTES_PER_TOKEN


@attrs.define(eq=False)
class Attempts:
    """Serves requests through one backend.

    Args:
        provider: The provider's name.
        backend: Who does the exchanges.
        limits: What the provider takes, and how often it is asked again.
        outcomes: Who is told how each attempt ended.
        faults: Who completes its errors.
        retries: The retry budget of the runtime.
        seed: The runtime's seed, for keyed randomness.
        wall_clock: Seconds since the epoch.
        bookings: Where each attempt is booked.

    Attributes:
        tally: The counts of requests and attempts.
        vitals: What balancers judge by.
        last_used: When it was last asked, in seconds since the epoch.
    """

    provider: str
    backend: Backend
    limits: ProviderLimits
    outcomes: Outcomes
    faults: Faults
    retries: RetryBudget
    seed: int
    wall_clock: Callable[[], float]
    bookings: Bookings
    tally: Tally = attrs.field(factory=Tally, init=False)
    vitals: Vitals = attrs.field(factory=Vitals, init=False)
    last_used: float | None = attrs.field(default=None, init=False)

    async def serve(self, ask: Ask, lease: Lease) -> None:
        """Serve one request in its place."""
        self.last_used = self.wall_clock()
        began = trio.current_time()
        self.vitals.began()
        try:
            await self._attempts(ask, lease)
        finally:
            count(self.tally, self.vitals, ask, began)

    def observe(self, windows: Sequence[RateWindow]) -> None:
        """Learn what the server says of its limits."""
        now = trio.current_time()
        gate = self.outcomes.gate
        if gate.rates.observe(now, windows):
            gate.look_again()
        gate.advance(now)

    async def _attempts(self, ask: Ask, lease: Lease) -> None:
        """Attempt, and attempt again while that can help."""
        try:
            request, model = self.limits.fit(ask.payload.request, self.provider)
        except InvalidRequestError as unfit:
            ask.fail(unfit, trio.current_time())
            return
        number, failures = 0, 0
        error: ProviderError | None = None
        fresh = False
        visit = ask.payload
        estimate = lease.estimate if lease.request is visit.request else None
        while True:
            entry = self.bookings.opened(visit.call.number, visit.path, request, model, estimate)
            estimate = None
            if isinstance(entry, BudgetExceededError):
                ask.fail(error or entry, trio.current_time())
                return
            try:
                if not visit.book():
                    ask.fail(error or ATTEMPTS_SPENT.error(self.provider), trio.current_time())
                    return
                await self.bookings.secured(entry)
                number += 1
                this = _Try(ask, lease, request, model, number, entry, self.provider)
                error = await self._attempt(this, fresh=fresh)
            finally:
                self.bookings.release(entry)
            if error is None:
                return
            if isinstance(error, StaleConnectionError) and not fresh:
                fresh = True
                continue
            failures += 1
            if not await self._may_again(ask, lease, error, failures):
                ask.fail(error, trio.current_time())
                return

    async def _may_again(self, ask: Ask, lease: Lease, error: ProviderError, failures: int) -> bool:
        """Wait until another attempt may begin; false to give up."""
        resume = self._resumption(ask, lease, error, failures)
        if resume is None:
            return False
        await trio.sleep_until(resume)
        return await lease.again(ask.deadline) is None

    def _resumption(
        self, ask: Ask, lease: Lease, error: ProviderError, failures: int
    ) -> float | None:
        """Give when the next attempt may begin, on Trio's clock; ``None`` to give up."""
        limits, gate, visit = self.limits, self.outcomes.gate, ask.payload
        rule = rule_for(error, limits.retry, limits.retries)
        if failures > rule.attempts or not blame_for(error).retries:
            return None
        now = trio.current_time()
        breaker, rates = gate.circuit.breaker, gate.rates
        wait = rates.wait(now, lease.tokens)
        if wait and not rates.limits.waits:
            return None
        rests = max(error.retry_after or 0.0, breaker.remaining(now), wait)
        if rests > max(rule.max_delay, LONGEST_RETRY_AFTER):
            return None  # it would hold its place, and the call, for too long
        pause = backoff(
            failures,
            base_delay=rule.base_delay,
            max_delay=rule.max_delay,
            rng=random.Random(f"{self._key(visit)}/{failures}"),  # noqa: S311 - jitter
            retry_after=error.retry_after,
        )
        # A rest holds for the call whose own failure began it, too. For the rate limits it
        # waits in its turn, after that.
        resume = max(now + pause, breaker.until)
        if max(resume, now + wait) >= ask.deadline or not self.retries.spend(now):
            return None
        return resume

    def _key(self, visit: Visit) -> str:
        return f"{self.seed}/{visit.call.number}/{'/'.join(visit.path)}"

    async def _attempt(self, this: _Try, *, fresh: bool) -> ProviderError | None:
        """Do one exchange; give the error if it failed before anything was delivered."""
        visit, number, model, sink = this.ask.payload, this.number, this.model, this.sink
        call = visit.call
        self.tally.attempts += 1
        if number > 1:
            self.tally.retries += 1
        if call.events.watched:
            call.events.emit(
                events.AttemptStarted(
                    this.started,
                    call.number,
                    visit.path,
                    number,
                    model,
                    self.bookings.kind,
                    this.entry.subject.operation,
                ),
                usual=True,
            )
        try:
            result = await self.backend.answer(
                Work(
                    this.request, model, call.number, visit.path, number, sink, fresh, self.observe
                )
            )
            result = demand_sound(this.request, result)
        except ActorCrash as crash:
            self._failed(this, self.faults.crashed(crash, model))
            raise
        except StaleConnectionError as error:
            return self._failed(this, error, kept=not fresh)
        except ProviderError as error:
            return self._failed(this, error)
        except Exception as cause:  # noqa: BLE001 - a backend may be a user's own code
            return self._failed(this, self.faults.crashed(cause, model))
        except BaseException:
            self._given_up(this)
            raise
        try:
            self._succeeded(this, result)
        except Exception as cause:  # noqa: BLE001 - an answer may be odd in ways still unthought of
            # The entry must be closed and its consumer must hear of an end, whatever happens.
            return self._failed(this, self.faults.crashed(cause, model))
        return None

    def _succeeded(self, this: _Try, result: AnyResult) -> None:
        now, visit, sink = trio.current_time(), this.ask.payload, this.sink
        outcomes = self.outcomes
        outcomes.succeeded(this.lease, result, now)
        outcomes.last_answer = now
        outcomes.gate.rates.pricing.answered(now, result.usage)
        latency = now - this.started
        visit.attempted(
            number=this.number,
            model=this.model,
            started=this.started,
            ended=now,
            outcome=AttemptOutcome.SUCCEEDED,
            result=result,
            first_token=this.first_token,
            kind=self.bookings.kind,
            cost=self.bookings.succeeded(this.entry, visit.path, this.request, result, latency),
        )
        if sink is None:
            this.ask.decide(Answer(self.provider, this.model, result, finished=now), now)
            return
        sink.answer.result = result
        if not sink.committed:
            sink.commit()
        sink.close()

    def _failed(
        self, this: _Try, error: ProviderError, *, kept: bool = False
    ) -> ProviderError | None:
        """Charge and record a failure; give it on, unless a consumer will see it.

        What the attempt was given is kept for the next one where the request never
        reached the server.
        """
        now, visit, sink = trio.current_time(), this.ask.payload, this.sink
        latency = now - this.started
        error = self.faults.complete(error, this.model, latency)
        if not kept:
            self.outcomes.failed(
                this.lease,
                error,
                now,
                key=f"{self._key(visit)}/{this.number}",
                call=visit.call.number,
                known=this.known,
            )
        visit.attempted(
            number=this.number,
            model=this.model,
            started=this.started,
            ended=now,
            outcome=AttemptOutcome.FAILED,
            reason=error.message,
            error=error,
            first_token=this.first_token,
            kind=self.bookings.kind,
            cost=self.bookings.failed(
                this.entry, visit.path, this.request, error, latency, this.written
            ),
        )
        if sink is None or not sink.committed:
            return error
        sink.interrupt(error, error.message)
        return None

    def _given_up(self, this: _Try) -> None:
        """Record that it was cancelled."""
        now, visit, sink = trio.current_time(), this.ask.payload, this.sink
        reason = this.ask.cancel_reason or UNANSWERED["stopped"]
        if sink is not None and sink.committed:
            sink.interrupt(None, reason)
        self.outcomes.given_up(this.lease, now, this.known)
        visit.attempted(
            number=this.number,
            model=this.model,
            started=this.started,
            ended=now,
            outcome=AttemptOutcome.CANCELLED,
            reason=reason,
            first_token=this.first_token,
            kind=self.bookings.kind,
            cost=self.bookings.given_up(
                this.entry, visit.path, this.request, now - this.started, this.written
            ),
        )
