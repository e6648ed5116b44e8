"""One visit at a balancer: asking members, seeing them off, answering upwards."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import attrs
import trio

from trio_llm import events
from trio_llm.actors import Envelope, Refused, Releasable, dismiss
from trio_llm.balancing.line import WaitingRoom
from trio_llm.balancing.routing import Candidate
from trio_llm.chat import AnyRequest, OnInterrupt, Request
from trio_llm.errors import (
    AllProvidersFailed,
    BudgetExceededError,
    LLMError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from trio_llm.policy import blame_for
from trio_llm.providers.lease import ATTEMPTS_SPENT, WORTH_WAITING, Refusal
from trio_llm.providers.node import Node
from trio_llm.providers.status import Tally
from trio_llm.providers.visit import Ask, Visit

_REFUSED = {
    "mailbox_full": "its mailbox is full",
    "draining": "it is shutting down",
    "down": "its actor crashed too often and stays down",
}


async def see_off(ask: Ask, node: Node, reason: str, deadline: float) -> None:
    """Cancel an ask and wait until it is gone, at most until `deadline` (Trio's clock).

    A node of height h waits h steps of the clock longer than a provider, so that
    the one nearest to the culprit is the one that reports it.
    """
    for _ in range(node.height):
        deadline = math.nextafter(deadline, math.inf)
    if await dismiss(ask, reason, deadline) or node.height:
        return
    visit = ask.payload
    visit.call.events.emit(
        events.CleanupOverran(trio.current_time(), visit.call.number, visit.path, reason)
    )
    visit.call.overran()


@attrs.define(eq=False)
class Branch:
    """A member that has been asked.

    Attributes:
        candidate: The member.
        ask: The envelope that it was given.
        dismissed: Whether it is being, or has been, seen off; that is done once.
        guarded: Whether others will go on with its stream should it break.
    """

    candidate: Candidate
    ask: Ask
    dismissed: bool = attrs.field(default=False, init=False)
    guarded: bool = attrs.field(default=False, init=False)

    @property
    def error(self) -> LLMError | None:
        """Its error, if it was decided so."""
        error = self.ask.error
        return error if error is None or isinstance(error, LLMError) else _foreign(error)

    @property
    def key(self) -> tuple[float, int]:
        """What decides between two successes: the earlier, then the first declared."""
        return (self.ask.stamp, self.candidate.index)


def _foreign(error: Exception) -> ProviderError:
    wrapped = ProviderError(f"{type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped


@attrs.define(eq=False)
class Turn:
    """One visit at one balancer.

    Attributes:
        node: The balancer.
        ask: The envelope that it must decide.
        candidates: The members that may serve, in declared order.
        close_deadline: Seconds that a cancelled member has to leave.
        seed: The runtime's seed, for keyed randomness.
        room: The balancer's waiting room.
        tally: The balancer's counts.
        on_interrupt: What happens when a stream breaks, unless the call says otherwise.
        models: The model that a member is asked for when the call names none.
    """

    node: Node
    ask: Ask
    candidates: list[Candidate]
    close_deadline: float
    seed: int
    room: WaitingRoom
    tally: Tally
    on_interrupt: OnInterrupt = OnInterrupt.FAIL
    models: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def request(self) -> AnyRequest:
        """What this balancer is asked."""
        return self.ask.payload.request

    def emit(self, record: type[events.Event], *fields: Any) -> None:
        """Emit a record about this visit, if anybody looks."""
        visit = self.ask.payload
        if visit.call.events.watched:
            visit.call.events.emit(
                record(trio.current_time(), visit.call.number, visit.path, *fields)
            )

    @property
    def may_wait(self) -> bool:
        """Whether members may be asked to let the call wait in their lines."""
        return self.ask.payload.may_wait

    def enqueue(self, candidate: Candidate) -> Releasable | Refusal:
        """Book a place at a member, or one in its line."""
        place = self.room.refusal() or candidate.node.enqueue(candidate.request)
        if not isinstance(place, Refusal):
            self.room.enter(place)
        return place

    def post(
        self,
        candidate: Candidate,
        lease: Releasable,
        *,
        may_wait: bool,
        deadline: float = math.inf,
    ) -> Branch | ProviderUnavailableError | BudgetExceededError:
        """Ask a member, at once or not at all."""
        visit = self.ask.payload
        if not visit.book():
            lease.release()
            return ATTEMPTS_SPENT.error(candidate.node.name)
        onward = Visit(
            visit.call,
            candidate.request,
            (*visit.path, candidate.node.name),
            (*visit.rank, candidate.index),
            may_wait,
            booked=True,
        )
        ask: Ask = Envelope(
            onward,
            lease,
            min(deadline, self.ask.deadline),
        )
        try:
            candidate.node.post(ask)
        except Refused as refused:
            onward.unbook()
            return Refusal(refused.code, _REFUSED[refused.code]).error(candidate.node.name)
        return Branch(candidate, ask)

    async def consult(
        self,
        candidate: Candidate,
        lease: Releasable,
        *,
        may_wait: bool,
        until: float = math.inf,
    ) -> Branch | LLMError:
        """Ask a member and wait until it is decided.

        Args:
            candidate: The member.
            lease: Its place there.
            may_wait: Whether it may put the call into a line.
            until: The instant by which it must have answered, on Trio's clock.
        """
        branch = self.post(candidate, lease, may_wait=may_wait, deadline=until)
        if not isinstance(branch, Branch):
            return branch
        began = trio.current_time()
        try:
            if until == math.inf:
                await branch.ask.wait_decided()
            else:
                with trio.move_on_at(until):
                    await branch.ask.wait_decided()
        except BaseException:
            await self.dismiss([branch], self.give_up_reason)
            raise
        if branch.ask.stamp >= until:  # at the instant itself it comes too late
            return await self.overdue(branch, until - began)
        if branch.ask.error is not None:
            await self.dismiss([branch], "failed")
        return branch

    async def overdue(self, branch: Branch, seconds: float) -> ProviderTimeoutError:
        """See off a member that used up its share of the caller's deadline."""
        reason = "its share of the caller's deadline passed"
        await self.dismiss([branch], reason)
        branch.ask.payload.discard(reason)
        return ProviderTimeoutError(
            f"no answer within {seconds:.3g} s, {reason}",
            provider=branch.candidate.node.name,
            phase="deadline",
            elapsed=seconds,
        )

    @property
    def give_up_reason(self) -> str:
        """Why members are cancelled when this visit itself is."""
        return self.ask.cancel_reason or "the balancer stopped"

    async def dismiss(self, branches: Iterable[Branch], reason: str) -> None:
        """Cancel members, all before the first wait, and see them gone in one deadline."""
        leaving = [b for b in branches if not (b.dismissed or b.ask.settled)]
        for branch in leaving:
            branch.dismissed = True
            branch.ask.cancel(reason)
        deadline = trio.current_time() + self.close_deadline
        for branch in leaving:
            await see_off(branch.ask, branch.candidate.node, reason, deadline)

    @property
    def policy(self) -> OnInterrupt:
        """What happens when the stream of this visit breaks."""
        request = self.request
        if not isinstance(request, Request) or not self.ask.payload.call.streaming:
            return OnInterrupt.FAIL
        return request.on_interrupt or self.on_interrupt

    def beside(self, node: Node, index: int) -> Candidate:
        """Make a candidate of one that is asked besides the members."""
        request = self.ask.payload.request
        model = self.models.get(node.name)
        return Candidate(node, index, attrs.evolve(request, model=model))

    def answer(
        self,
        branch: Branch,
        metadata: dict[str, Any],
        others: Sequence[Candidate] = (),
        *,
        stamp: float | None = None,
    ) -> None:
        """Let a member's answer through: upwards first, clean-up after.

        Args:
            branch: The member.
            metadata: What this balancer adds.
            others: Who could go on with its stream, where a policy wants that.
            stamp: The instant that made it the answer, on Trio's clock, if that is not
                the one in which it came.
        """
        answer = branch.ask.value
        if answer is None:
            msg = "only a success can be let through"
            raise TypeError(msg)
        answer.metadata = {**answer.metadata, **metadata}
        branch.candidate.node.won()
        if others and self.policy is not OnInterrupt.FAIL:
            branch.guarded = True
            answer.guard()
        self.ask.decide(answer, branch.ask.stamp if stamp is None else stamp)

    async def stay(
        self, branch: Branch, others: Sequence[Candidate] = (), tries: float = math.inf
    ) -> None:
        """Remain while the winner's stream runs; leave with it when cancelled.

        Args:
            branch: The winner, already let through.
            others: As they were told to `answer`; they go on with a stream that breaks.
            tries: How many of them may be asked.
        """
        answer = branch.ask.value
        if not branch.guarded or answer is None:
            try:
                await branch.ask.wait_settled()
            except BaseException:
                await self.dismiss([branch], self.give_up_reason)
                raise
            return
        # Imported here: it asks members the way in which every balancer does.
        from trio_llm.balancing.continuation import Continuation  # noqa: PLC0415

        following = Continuation(self, branch, answer, list(others), self.policy, tries)
        try:
            await following.follow()
        except BaseException:
            await self.dismiss([following.branch], self.give_up_reason)
            raise
        finally:
            following.conclude()
            answer.unguard()

    def fail(
        self,
        errors: Sequence[LLMError],
        *,
        message: str | None = None,
        stamp: float | None = None,
    ) -> None:
        """Say that every member failed, with all the errors.

        Args:
            errors: In declared order.
            message: What failed, if that is not every member.
            stamp: The instant that decided it, on Trio's clock, if that is not now.
        """
        name = self.node.name
        if errors:
            message = message or f"all members of {name!r} failed"
            error = AllProvidersFailed(message, errors, name)
            self.ask.fail(error, trio.current_time() if stamp is None else stamp)

    def stop(self, error: LLMError, earlier: Sequence[LLMError]) -> None:
        """Pass an error on that no other member could mend; earlier ones are its cause."""
        if earlier:
            final = error.copy() if isinstance(error, ProviderError) else error
            final.__cause__ = AllProvidersFailed(
                f"earlier members of {self.node.name!r} failed", earlier, self.node.name
            )
            error = final
        self.ask.fail(error, trio.current_time())


def error_of(outcome: Branch | LLMError) -> LLMError:
    """Give the error of an outcome that is no success."""
    error = outcome.error if isinstance(outcome, Branch) else outcome
    if error is None:
        raise TypeError("a success has no error")
    return error


def falls_through(error: LLMError) -> bool:
    """Whether another member could do better."""
    if isinstance(error, AllProvidersFailed):
        budget = error.for_want_of_money
        return budget is None or budget.falls_through
    return blame_for(error).falls_through


def is_refusal(error: LLMError) -> bool:
    """Whether no attempt at all was made."""
    if isinstance(error, AllProvidersFailed):
        return all(isinstance(leaf, ProviderUnavailableError) for leaf in error.errors)
    return isinstance(error, ProviderUnavailableError | BudgetExceededError)


def is_busy(error: LLMError) -> bool:
    """Whether no attempt was made, and waiting in line could help."""
    if isinstance(error, AllProvidersFailed):
        return is_refusal(error) and any(leaf.code in WORTH_WAITING for leaf in error.errors)
    return isinstance(error, ProviderUnavailableError) and error.code in WORTH_WAITING


class Strategy(Protocol):
    """How a balancer picks among its members."""

    def in_order(self, candidates: list[Candidate], prefer: str | None, /) -> list[Candidate]:
        """Give the candidates in the order that settles what all of a call's parts share."""
        ...

    async def run(self, turn: Turn, /) -> None:
        """Decide ``turn.ask``, and leave nothing running."""
        ...
