"""The limits of time for providers that run in this process."""

import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from trio_llm.chat import AnyEvent, AnyResult, Operation
from trio_llm.errors import ProviderTimeoutError
from trio_llm.policy import TimeLimits
from trio_llm.providers.backend import Backend, Sink, Work
from trio_llm.providers.sink import is_useful, wants_reasoning

_NO_LIMITS = TimeLimits(math.inf, math.inf, math.inf, math.inf)


@attrs.define(eq=False)
class _Phases:
    """One scope whose deadline moves with the phase of the exchange."""

    limits: TimeLimits
    started: float
    scope: trio.CancelScope
    phase: str = attrs.field(default="first_token", init=False)
    _idle_until: float = attrs.field(default=math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        if self.limits.first_token >= self.limits.total:
            self.phase = "total"

    def _until(self, deadline: float, phase: str) -> None:
        total = self.started + self.limits.total
        self.phase = phase if deadline < total else "total"
        self.scope.deadline = min(deadline, total)

    def pause(self) -> float:
        """Let only the total run on: the consumer is the slow side.

        Returns:
            Seconds that were left to the next useful event.
        """
        self._until(math.inf, "total")
        return self._idle_until - trio.current_time()

    def wait_useful(self, seconds: float) -> None:
        """Wait so long for the next useful event."""
        self._idle_until = trio.current_time() + seconds
        self._until(self._idle_until, "idle")

    def error(self) -> ProviderTimeoutError:
        """Say which limit passed."""
        limit = getattr(self.limits, self.phase)
        return ProviderTimeoutError(
            f"no {self.phase.replace('_', ' ')} within {limit:g} s"
            if self.phase != "total"
            else f"not finished within {limit:g} s",
            phase=self.phase,
        )


@attrs.define(eq=False)
class _TimedSink:
    """Moves the phases along as events pass."""

    _sink: Sink
    _phases: _Phases
    _reasoning: bool
    _begun: bool = attrs.field(default=False, init=False)

    async def put(self, deltas: Sequence[AnyEvent]) -> None:
        """Hand events on."""
        reasoning = self._reasoning
        useful = any(is_useful(delta, reasoning=reasoning) for delta in deltas)
        self._begun = self._begun or useful
        left = self._phases.pause() if self._begun else math.inf
        await self._sink.put(deltas)
        if self._begun:
            self._phases.wait_useful(self._phases.limits.idle if useful else left)


@attrs.frozen
class TimedBackend:
    """Applies the limits of time to a backend that knows none.

    A plain exchange must answer within `first_token` and `total`; a stream must
    give its first useful event within `first_token`, each further one within
    `idle`, and end within `total`. A limit that passes in the very instant of the
    completion wins over it. Without any limit there is no timer either.
    """

    _backend: Backend
    _limits: TimeLimits

    @property
    def operations(self) -> frozenset[type[Operation]]:
        """The operations that the backend can do; one that does not say so does none."""
        return getattr(self._backend, "operations", frozenset())

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what the backend needs."""
        return self._backend.resources()

    async def answer(self, work: Work) -> AnyResult:
        """Do one exchange in time, or raise `ProviderTimeoutError` with the phase."""
        limits = self._limits
        if limits == _NO_LIMITS:
            return await self._backend.answer(work)
        started = trio.current_time()
        scope = trio.CancelScope(deadline=started + min(limits.first_token, limits.total))
        phases: _Phases | None = None
        if work.sink is not None:
            phases = _Phases(limits, started, scope)
            asked = wants_reasoning(work.request)
            work = attrs.evolve(work, sink=_TimedSink(work.sink, phases, asked))
        result: AnyResult | None = None
        with scope:
            result = await self._backend.answer(work)
        if result is None:
            raise (phases or _Phases(limits, started, scope)).error()
        return result
