"""Probes: asking a provider for its health alone, never twice at once.

A probe takes a place, is told to the breaker, and counts at the server like any
request. It is no traffic: it stands in no count but that of the probes, and no balancer
judges by it. It runs in the life of its actor, so that it ends with that, and nobody
waits for it when the actor drains.
"""

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs
import trio

from trio_llm import events
from trio_llm.actors import ActorCrash, ActorState
from trio_llm.chat import (
    NOTHING,
    AnyRequest,
    AnyResult,
    Cost,
    ListModels,
    Message,
    RateWindow,
    Request,
)
from trio_llm.errors import (
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    StaleConnectionError,
)
from trio_llm.ledger import Entry
from trio_llm.policy import BreakerState
from trio_llm.providers.backend import Backend, Work
from trio_llm.providers.bookings import Bookings
from trio_llm.providers.faults import Faults
from trio_llm.providers.lease import Lease, Refusal
from trio_llm.providers.limits import ProviderLimits
from trio_llm.providers.outcomes import Outcomes
from trio_llm.providers.probe_plan import ProbePlan, ProbeResult
from trio_llm.providers.soundness import demand_sound
from trio_llm.providers.status import Tally

_PING: Final = Request(messages=(Message("user", "ping"),), max_tokens=1)


@attrs.define(eq=False)
class _Running:
    """A probe under way.

    Attributes:
        scope: It runs inside it.
        done: Set when nothing of it runs any more.
        waiters: How many wait for it; with the last of them it goes.
        result: How it ended.
    """

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    done: trio.Event = attrs.field(factory=trio.Event, init=False)
    waiters: int = attrs.field(default=0, init=False)
    result: ProbeResult | None = attrs.field(default=None, init=False)


def _uncounted() -> None:
    """Nobody counts."""


@attrs.define(eq=False)
class Prober:
    """Probes one provider, on its own interval and when asked to.

    Args:
        name: The provider's name.
        backend: Who does the exchanges.
        limits: What it takes.
        outcomes: Who is told how a probe ended.
        faults: Who completes its errors.
        stream: Where records go.
        seed: The runtime's seed, for the jitter.
        plan: How it is probed.
        observe: Is told what the server says of its rate limits.
        state: Gives the state of the actor.
        bookings: Where each probe is booked.

    Attributes:
        tally: Where probes are counted.
        left: Whether the provider has left the plan; then it is for others to probe.
    """

    name: str
    backend: Backend
    limits: ProviderLimits
    outcomes: Outcomes
    faults: Faults
    stream: events.EventStream
    seed: int
    plan: ProbePlan
    observe: Callable[[Sequence[RateWindow]], None]
    state: Callable[[], ActorState]
    tally: Tally
    bookings: Bookings
    left: bool = attrs.field(default=False, init=False)
    _life: trio.Nursery | None = attrs.field(default=None, init=False)
    _running: _Running | None = attrs.field(default=None, init=False)
    _number: int = attrs.field(default=0, init=False)
    _pauses: int = attrs.field(default=0, init=False)

    @asynccontextmanager
    async def living(self) -> AsyncGenerator[None, None]:
        """Make probes possible until the block is left, and make those of the interval."""
        async with trio.open_nursery() as nursery:
            self._life = nursery
            if self.plan.interval is not None:
                nursery.start_soon(self._watch, self.plan.interval)
            try:
                yield
            finally:
                self._life = None
                nursery.cancel_scope.cancel(reason="the actor's life has ended")

    async def _watch(self, interval: float) -> None:
        """Probe on the interval, for as long as the actor lives."""
        while True:
            self._pauses += 1
            key = f"{self.seed}/{self.name}/probe/{self._pauses}"
            chance = random.Random(key).uniform(-1.0, 1.0)  # noqa: S311 - jitter
            await trio.sleep(interval * (1.0 + self.plan.jitter * chance))
            await self.probe(interval)

    async def probe(self, interval: float) -> None:
        """Probe the provider, unless there is no need, or no room, for that now.

        There is no need while it rests, while another probe runs, when a caller was
        answered within the interval, or when the provider has left the plan.

        Args:
            interval: Seconds for which an answer to a caller says enough.
        """
        life, now = self._life, trio.current_time()
        if life is not None and self._is_due(now, interval):
            lease = self.outcomes.gate.reserve(self._request(), now)
            if isinstance(lease, Lease):
                await self._share(self._start(life, lease), _uncounted)
                return
        await trio.lowlevel.checkpoint()

    async def check(self, overran: Callable[[], None] = _uncounted) -> ProbeResult:
        """Probe the provider now, or share the probe that runs.

        One that must wait for a place does so. During a rest there is none, but where
        the key was not accepted: that the key is good again nobody else can find out.

        Args:
            overran: Called when a probe that nobody waits for any more does not leave.
        """
        while self._running is not None and self._running.scope.cancel_called:
            await self._running.done.wait()
        if self._running is not None:
            return await self._share(self._running, overran)
        life, state = self._life, self.state()
        if state is not ActorState.RUNNING:
            return await self._refused(state)
        if life is None:  # it has crashed just now
            return await self._refused(ActorState.RESTARTING)
        lease = self._admitted()
        if isinstance(lease, Refusal):
            return await self._refused(lease)
        return await self._share(self._start(life, lease), overran)

    async def _refused(self, why: Refusal | ActorState) -> ProbeResult:
        """Say why there is no probe now."""
        await trio.lowlevel.checkpoint()
        if isinstance(why, ActorState):
            why = Refusal(why.value, f"its actor is {why.value}")
        return ProbeResult(False, 0.0, why.unavailable(self.name))

    def _is_due(self, now: float, interval: float) -> bool:
        if self.left or self._running is not None or self.state() is not ActorState.RUNNING:
            return False
        if self.limits.unsuitable(self._request()) is not None:
            return False
        state = self.outcomes.gate.circuit.state(now)
        if state is BreakerState.CLOSED:
            return self.outcomes.last_answer <= now - interval
        return state is BreakerState.HALF_OPEN

    def _request(self) -> AnyRequest:
        """Give the cheapest request that the provider takes."""
        lists = self.plan.lists_models or self.limits.unsuitable(_PING) is not None
        return ListModels() if lists and ListModels in self.limits.operations else _PING

    def _admitted(self) -> Lease | Refusal:
        """Let a check in, as any caller, or past the breaker where only that can help."""
        request, now, gate = self._request(), trio.current_time(), self.outcomes.gate
        refusal = self.limits.unsuitable(request)
        if refusal is not None:
            return refusal
        if gate.circuit.state(now) is BreakerState.AUTHENTICATION_DEAD:
            return gate.bypass(request, now)
        return gate.rest(now) or gate.enqueue(request, now)

    def _start(self, life: trio.Nursery, lease: Lease) -> _Running:
        running = self._running = _Running()
        life.start_soon(self._run, running, lease)
        return running

    async def _share(self, running: _Running, overran: Callable[[], None]) -> ProbeResult:
        """Wait for a probe; the last one to leave takes it with him."""
        running.waiters += 1
        try:
            await running.done.wait()
        except BaseException:
            running.waiters -= 1
            if not running.waiters:
                await self._dismiss(running, overran)
            raise
        return running.result or ProbeResult(False, 0.0)

    async def _dismiss(self, running: _Running, overran: Callable[[], None]) -> None:
        reason = "nobody waits for the probe any more"
        running.scope.cancel(reason=reason)
        with trio.move_on_after(self.plan.close_deadline, shield=True):
            await running.done.wait()
            return
        now = trio.current_time()
        self.stream.emit(events.CleanupOverran(now, None, (self.name,), reason))
        overran()

    async def _run(self, running: _Running, lease: Lease) -> None:
        """Do one probe: wait for its place, then ask."""
        started = trio.current_time()
        try:
            with running.scope:
                refusal = await lease.granted()
                if refusal is None:
                    await self._ask(running, lease)
                else:
                    running.result = ProbeResult(False, 0.0, refusal.unavailable(self.name))
        finally:
            lease.release()
            if running.result is None:
                error = self.faults.unanswered("stopped", None)
                running.result = ProbeResult(False, trio.current_time() - started, error)
            self._running = None
            running.done.set()

    async def _ask(self, running: _Running, lease: Lease) -> None:
        """Do the exchange, and tell how it ended."""
        try:
            request, model = self.limits.fit(lease.request, self.name)
        except InvalidRequestError as unfit:
            running.result = ProbeResult(False, 0.0, unfit)
            return
        self._number += 1
        self.tally.probes += 1
        number, started = self._number, trio.current_time()
        entry = self.bookings.probe(request, model)
        head = (None, (self.name,), number)
        if self.stream.watched:
            self.stream.emit(events.ProbeStarted(started, *head))
        cost: Cost | None = NOTHING
        try:
            result = await self._exchange(request, model, number)
            now = trio.current_time()
            self.outcomes.succeeded(lease, result, now)
            cost = self.bookings.succeeded(entry, (self.name,), request, result, now - started)
            running.result = ProbeResult(True, now - started, model=result.model or model or None)
        except BaseException as failure:
            running.result = self._failed(lease, failure, model, number, started)
            cost = self._book_failure(entry, request, failure, running.result)
            if isinstance(failure, ActorCrash) or not isinstance(failure, Exception):
                raise
        finally:
            self.tally.paid.add(cost)
            found = running.result
            if found is not None and self.stream.watched:
                error = None if found.error is None else type(found.error).__name__
                self.stream.emit(
                    events.ProbeFinished(
                        trio.current_time(),
                        *head,
                        found.healthy,
                        found.latency,
                        error,
                        model,
                        self.bookings.kind,
                        cost,
                    )
                )

    def _book_failure(
        self, entry: Entry, request: AnyRequest, failure: BaseException, found: ProbeResult
    ) -> Cost | None:
        path, latency, bookings = (self.name,), found.latency, self.bookings
        if isinstance(failure, Exception) and found.error is not None:
            return bookings.failed(entry, path, request, found.error, latency, 0)
        return bookings.given_up(entry, path, request, latency, 0)

    async def _exchange(self, request: AnyRequest, model: str, number: int) -> AnyResult:
        """Ask within the time for it, once more where a kept connection was found dead."""
        work = Work(request, model, 0, (self.name,), number, None, observe=self.observe)
        with trio.move_on_after(self.plan.timeout):
            try:
                result = await self.backend.answer(work)
            except StaleConnectionError:
                result = await self.backend.answer(attrs.evolve(work, fresh=True))
            return demand_sound(request, result)
        timeout = self.plan.timeout
        raise ProviderTimeoutError(
            f"the probe was not answered within {timeout:g} s", phase="total"
        )

    def _failed(
        self, lease: Lease, failure: BaseException, model: str, number: int, started: float
    ) -> ProbeResult:
        now = trio.current_time()
        if not isinstance(failure, Exception):
            self.outcomes.given_up(lease, now, lease.tokens)
            return ProbeResult(False, now - started, self.faults.unanswered("cancelled", None))
        error = (
            failure if isinstance(failure, ProviderError) else self.faults.crashed(failure, model)
        )
        error = self.faults.complete(error, model, now - started)
        self.outcomes.failed(lease, error, now, key=f"{self.seed}/{self.name}/probe/{number}")
        return ProbeResult(False, now - started, error)
