"""The balancer actor: an actor like any provider, with members in place of a backend."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import trio

from trio_llm.actors import ActorState, AnyCell
from trio_llm.balancing.line import WaitingRoom
from trio_llm.balancing.routing import Candidate, Models, route
from trio_llm.balancing.turn import Strategy, Turn
from trio_llm.chat import AnyRequest, Capability, EmbedRequest, OnInterrupt, Operation, Price
from trio_llm.errors import (
    LLMError,
    ModelNotFoundError,
    ProviderCrashedError,
    ProviderUnavailableError,
)
from trio_llm.policy.preference import Standing
from trio_llm.policy.vitals import Vitals
from trio_llm.providers.lease import WORTH_WAITING, Refusal
from trio_llm.providers.limits import BatchLimits
from trio_llm.providers.node import Node
from trio_llm.providers.status import NodeStatistics, ProviderStatus, Tally
from trio_llm.providers.visit import Ask, count


class _Open:
    """A balancer has no places of its own, so its lease holds none."""

    def release(self) -> None:
        """Nothing to give back."""


_OPEN = _Open()


@asynccontextmanager
async def _nothing() -> AsyncGenerator[None, None]:
    yield


class BalancerActor:
    """Runs one strategy over its members."""

    def __init__(
        self,
        name: str,
        kind: str,
        strategy: Strategy,
        members: Sequence[Node],
        *,
        mailbox: int,
        close_deadline: float,
        wall_clock: Callable[[], float],
        seed: int,
        is_provider: bool = False,
        models: Models | None = None,
        on_interrupt: OnInterrupt = OnInterrupt.FAIL,
        advisers: Sequence[Node] = (),
    ) -> None:
        self._name = name
        self._kind = kind
        self._is_provider = is_provider
        self._strategy = strategy
        self._members = tuple(members)
        self._room = WaitingRoom(mailbox)
        self._close_deadline = close_deadline
        self._wall_clock = wall_clock
        self._seed = seed
        self._models = Models() if models is None else models
        self._on_interrupt = on_interrupt
        self._tally = Tally()
        self._last_used: float | None = None
        self.vitals = Vitals()
        self.height = 1 + max(node.height for node in (*members, *advisers))
        self.restarts = 0
        self.cell: AnyCell

    @property
    def name(self) -> str:
        """The balancer's name."""
        return self._name

    # What the level above sees.

    def covers(self, name: str) -> bool:
        """Whether a name is its own or that of a member, however deep."""
        return name == self._name or any(member.covers(name) for member in self._members)

    def serves(self, model: str) -> bool | None:
        """Whether any member serves a model; ``None`` when some do not declare theirs."""
        if model in self._models.virtual:
            return True
        answers = [member.serves(model) for member in self._members]
        return True if True in answers else None if None in answers else False

    def offers(self, capability: Capability) -> bool:
        """Whether any member has a capability."""
        return any(member.offers(capability) for member in self._members)

    def expected(self, now: float) -> float | None:
        """Give the seconds within which it most often answers; ``None`` if nothing is known."""
        return self.vitals.first_token.percentile(now, 0.95)

    def cost(self, request: AnyRequest) -> float | None:
        """Estimate what a request costs, in US dollars: what its cheapest member would take."""
        try:
            candidates = self._route(request)
        except ModelNotFoundError:
            return None
        costs = [candidate.node.cost(candidate.request) for candidate in candidates]
        return min([cost for cost in costs if cost is not None], default=None)

    def price(self, model: str | None) -> Price | None:
        """Give what a model costs at the first member that knows, its own if none is named."""
        prices = [member.price(model) for member in self._members]
        return next((price for price in prices if price is not None), None)

    def standing(self, request: AnyRequest, *, priced: bool) -> Standing:
        """Give what a choice among members goes by; the cost only if that is asked for."""
        vitals = self.vitals
        return Standing(
            self._name,
            vitals.outstanding,
            None,
            vitals.score(trio.current_time()),
            vitals.success.value() if vitals.success.weight else None,
            self.cost(request) if priced else None,
            vitals.success.weight,
        )

    def _route(self, request: AnyRequest) -> list[Candidate]:
        return route(self._name, self._members, request, self._models)

    def embedding_family(self, request: EmbedRequest) -> str | None:
        """Give the family of the first member that embeds, in the order of asking."""
        try:
            candidates = self._route(request)
        except ModelNotFoundError:
            return None
        for candidate in self._strategy.in_order(candidates, request.prefer):
            narrowed = candidate.request
            if isinstance(narrowed, EmbedRequest):
                family = candidate.node.embedding_family(narrowed)
                if family is not None:
                    return family
        return None

    def batch_limits(self, operation: Operation) -> BatchLimits | None:
        """Say how much all members that may answer take at once; ``None`` if none does it."""
        try:
            candidates = self._route(operation)
        except ModelNotFoundError:
            return None
        smallest: BatchLimits | None = None
        for candidate in candidates:
            narrowed = candidate.request
            if not isinstance(narrowed, Operation):
                continue
            limits = candidate.node.batch_limits(narrowed)
            if limits is not None:
                smallest = limits if smallest is None else smallest.within(limits)
        return smallest

    def providers(self) -> tuple[Node, ...]:
        """Give the providers below it, in declared order; one may come twice.

        Where its members are the keys of one provider, that is itself.
        """
        if self._is_provider:
            return (self,)
        return tuple([leaf for member in self._members for leaf in member.providers()])

    def refusal(self, request: AnyRequest) -> Refusal | None:
        """Say why no member could take the request now; books nothing."""
        state = self.cell.state
        if state is not ActorState.RUNNING:
            return Refusal(state.value, f"its actor is {state.value}")
        try:
            candidates = self._route(request)
        except ModelNotFoundError as error:
            return Refusal("unsuitable", error.message)
        refusals: list[Refusal] = []
        for candidate in candidates:
            refusal = candidate.node.refusal(candidate.request)
            if refusal is None:
                return None
            refusals.append(refusal)
        for refusal in refusals:
            if refusal.code in WORTH_WAITING:
                return Refusal("busy", "every member that could take the call is busy")
        budgets = [r.budget for r in refusals if r.budget is not None]
        if budgets and len(budgets) == len(refusals):
            return Refusal.by_budget(min(budgets, key=lambda error: error.falls_through))
        waits = [r.retry_after for r in refusals if r.retry_after is not None]
        return Refusal(
            refusals[0].code,
            f"no member can take the call ({', '.join(sorted({r.code for r in refusals}))})",
            min(waits, default=None),
        )

    def reserve(self, request: AnyRequest) -> _Open | Refusal:
        """See whether any member could take the request now."""
        return self.refusal(request) or _OPEN

    def enqueue(self, _request: AnyRequest) -> _Open | Refusal:
        """Let the request in: its members have lines of their own, and words of refusal."""
        state = self.cell.state
        if state is not ActorState.RUNNING:
            return Refusal(state.value, f"its actor is {state.value}")
        return _OPEN

    def post(self, ask: Ask) -> None:
        """Put an ask into the mailbox."""
        self.cell.post(ask)

    def won(self) -> None:
        """Count that its answer was taken."""
        self._tally.wins += 1

    def status(self) -> ProviderStatus:
        """Give a snapshot."""
        state = self.cell.state.value
        return ProviderStatus(
            name=self._name,
            kind=self._kind,
            state="ready" if self.cell.state is ActorState.RUNNING else state,
            in_flight=self.cell.jobs,
            queued=self.cell.queued,
            last_used=self._last_used,
            restarts=self.restarts,
            members=tuple([member.name for member in self._members]),
        ).with_vitals(self.vitals.snapshot(trio.current_time()))

    def statistics(self) -> NodeStatistics:
        """Give the counts."""
        return self._tally.snapshot(self.vitals.snapshot(trio.current_time()))

    def go_on_counting(self, other: object) -> bool:
        """Take over the counts of an earlier actor, if that is of the same kind; tell whether.

        They are shared from then on, so that what the other still finishes counts here.
        """
        if not isinstance(other, BalancerActor) or other._kind != self._kind:  # noqa: SLF001 - one of its own
            return False
        self._tally = other._tally  # noqa: SLF001 - one of its own
        self._last_used = other._last_used  # noqa: SLF001 - one of its own
        return True

    # What the cell runs.

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Nothing: its members have resources of their own."""
        return _nothing()

    def unanswered(self, reason: str, cause: BaseException | None) -> LLMError:
        """Make the error for a request that got no answer."""
        error: LLMError
        if reason in {"draining", "down"}:
            error = ProviderUnavailableError(
                f"its actor is {reason}", provider=self._name, code=reason
            )
        else:
            error = ProviderCrashedError("its actor ended before it answered", provider=self._name)
        error.__cause__ = cause
        return error

    async def serve(self, ask: Ask) -> None:
        """Run one request through the strategy."""
        self._last_used = self._wall_clock()
        began = trio.current_time()
        self.vitals.began()
        try:
            candidates = self._route(ask.payload.request)
            await self._strategy.run(
                Turn(
                    self,
                    ask,
                    candidates,
                    self._close_deadline,
                    self._seed,
                    self._room,
                    self._tally,
                    self._on_interrupt,
                    self._models.usual,
                )
            )
        except ModelNotFoundError as error:
            ask.fail(error, trio.current_time())
        finally:
            ask.payload.unbook()
            count(self._tally, self.vitals, ask, began)
