"""What every endpoint of a runtime shares: how a call is opened, awaited and recorded."""

import math
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from itertools import count

import attrs
import trio

from trio_llm import events
from trio_llm.actors import Envelope, Refused, Supervisor
from trio_llm.balancing import BalancerActor, see_off
from trio_llm.cache import AnswerCache, Flights
from trio_llm.chat import AnyRequest, Completion, OperationResult, Reply, Usage, operation_of
from trio_llm.config.rules import quoted, suggestion
from trio_llm.errors import (
    AllProvidersFailed,
    ConfigError,
    InvalidRequestError,
    LLMError,
    ProviderCrashedError,
)
from trio_llm.events import EventStream
from trio_llm.ledger import Accounts
from trio_llm.policy import RetryBudget
from trio_llm.providers.actor import ProviderActor
from trio_llm.providers.lease import Refusal
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Answer, Ask, Call, Visit
from trio_llm.wire import DIALECTS

_NO_USAGE = Usage()


@attrs.define(eq=False)
class Switchboard:
    """What every endpoint of one runtime shares.

    A reload puts other values into it, all in one step. Who asks a node several times
    looks it up for each, or keeps it with `staying`.

    Attributes:
        events: Where records go.
        retries: The retry budget of the runtime.
        supervisor: Keeps the actors alive.
        nodes: Every provider and balancer by name, members first.
        default: The name of the one that is asked by default.
        close_deadline: Seconds that a cancelled job has to leave.
        max_attempts: The most physical attempts that a call may make, unless it
            says otherwise.
        overruns: Jobs that were still running after `close_deadline`.
        accounts: Where every attempt is booked.
        answers: Those that are given again.
        flights: Calls that several callers share.
        vector_lengths: The length of the vectors that a balancer gave first, by its
            name and their family; later ones must have it, too.
    """

    events: EventStream
    retries: RetryBudget
    supervisor: Supervisor
    nodes: Mapping[str, ProviderActor | BalancerActor]
    default: str
    close_deadline: float
    max_attempts: int
    accounts: Accounts
    answers: AnswerCache
    flights: Flights = attrs.field(factory=Flights, init=False)
    overruns: int = attrs.field(default=0, init=False)
    vector_lengths: dict[tuple[str, str], int] = attrs.field(
        factory=dict[tuple[str, str], int], init=False
    )
    _numbers: "count[int]" = attrs.field(factory=lambda: count(1), init=False)

    def take_over(
        self,
        nodes: Mapping[str, ProviderActor | BalancerActor],
        default: str,
        *,
        close_deadline: float,
        max_attempts: int,
    ) -> None:
        """Let every call that begins from now on find another plan."""
        self.vector_lengths = {
            (name, family): length
            for (name, family), length in self.vector_lengths.items()
            if self.nodes.get(name) is nodes.get(name)
        }
        self.nodes = nodes
        self.default = default
        self.close_deadline = close_deadline
        self.max_attempts = max_attempts

    @contextmanager
    def staying(self, nodes: Iterable[Node]) -> Generator[None, None, None]:
        """Have nodes take calls until the block is left, whatever is reloaded meanwhile."""
        present = [(node, self.nodes.get(node.name)) for node in nodes]
        cells = [found.cell for node, found in present if found is not None and found is node]
        for cell in cells:
            self.supervisor.hold(cell)
        try:
            yield
        finally:
            for cell in cells:
                self.supervisor.let_go(cell)

    def named(self, name: str, place: str) -> Node:
        """Give the provider or balancer that bears a name.

        Args:
            name: The name.
            place: Where the caller gave it, for the error.

        Raises:
            ConfigError: Nobody bears it.
        """
        node = self.nodes.get(name)
        if node is None:
            hint = suggestion(name, sorted(self.nodes))
            raise ConfigError([f"{place}: no provider named {quoted(name)}; {hint}"], "call")
        return node

    def endpoint(self, name: str | None) -> ProviderActor | BalancerActor:
        """Give who is asked at an endpoint, now.

        Args:
            name: Its name; ``None`` for the default.

        Raises:
            ConfigError: Nobody bears it, or nobody does any more.
        """
        node = self.nodes.get(self.default if name is None else name)
        if node is None:
            hint = suggestion(name or "", sorted(self.nodes))
            raise ConfigError([f"provider: none is named {quoted(name or '')}; {hint}"], "call")
        return node

    def begin(self, node: Node, request: AnyRequest, *, streaming: bool) -> Call:
        """Begin a call: see that it can be made, number it, and record it.

        Raises:
            ConfigError: `prefer` names nobody.
            InvalidRequestError: `extra` is for a dialect that there is not.
        """
        for dialect in request.extra:
            if dialect not in DIALECTS:
                raise InvalidRequestError(
                    f"extra: no dialect named {quoted(str(dialect))}; "
                    f"{suggestion(str(dialect), tuple(DIALECTS))}",
                    phase="request",
                )
        if request.prefer is not None:
            self.named(request.prefer, "prefer")
        now = trio.current_time()
        cap = request.max_attempts or self.max_attempts
        operation = operation_of(request)
        written = self._written if self.accounts.journal.durable else None
        call = Call(
            next(self._numbers), streaming, now, self.events, cap, self._overran, operation, written
        )
        if self.events.watched:
            self.events.emit(
                events.RequestStarted(
                    now,
                    call.number,
                    (node.name,),
                    streaming,
                    operation,
                    request.model,
                    request if self.events.content else None,
                ),
                usual=True,
            )
        return call

    def open_call(
        self, node: Node, request: AnyRequest, *, streaming: bool, call: Call | None = None
    ) -> Ask:
        """Ask a node, at once or not at all; the call may have begun already.

        Raises:
            ProviderUnavailableError: It cannot take the call.
            ConfigError: `prefer` names nobody.
            InvalidRequestError: `extra` is for a dialect that there is not.
        """
        if call is None:
            call = self.begin(node, request, streaming=streaming)
        self.retries.earn()
        lease = node.enqueue(request)
        if isinstance(lease, Refusal):
            raise self.finished(call, node, lease.error(node.name))
        ask: Ask = Envelope(
            Visit(call, request, (node.name,)), lease, trio.current_effective_deadline()
        )
        try:
            node.post(ask)
        except Refused as refused:
            refusal = Refusal(refused.code, f"its mailbox did not take the call: {refused.code}")
            raise self.finished(call, node, refusal.error(node.name)) from None
        return ask

    @asynccontextmanager
    async def streamed(
        self, node: Node, request: AnyRequest, ask: Ask | None = None
    ) -> AsyncGenerator[tuple[Ask, Answer], None]:
        """Ask for a stream; the block begins at its commit, and leaving it ends the call.

        Args:
            node: Who is asked.
            request: What it is asked.
            ask: The call, if it has been opened already.

        Raises:
            LLMError: It failed before the commit; that is recorded.
        """
        if ask is None:
            ask = self.open_call(node, request, streaming=True)
        call = ask.payload.call
        try:
            await ask.wait_decided()
            if ask.value is None:
                await ask.wait_settled()
                raise self.finished(call, node, error_of(ask, node))
            yield ask, ask.value
        finally:
            if not ask.settled:
                await see_off(ask, node, "the caller left the stream", self.closing_time())
            self.given_up(call, node)
            await self._written()

    def _overran(self) -> None:
        self.overruns += 1

    def closing_time(self) -> float:
        """When a call that is given up now must be gone, on Trio's clock."""
        return trio.current_time() + self.close_deadline

    async def outcome(self, node: Node, ask: Ask) -> Answer:
        """Wait until nothing of a call runs any more; give what it was answered.

        Raises:
            LLMError: What it failed with; that is recorded.
        """
        call = ask.payload.call
        try:
            await ask.wait_settled()
        except trio.Cancelled:
            if ask.stamp >= trio.current_time():
                await see_off(ask, node, "the caller was cancelled", self.closing_time())
                self.given_up(call, node)
                raise
            # Decided before the cancellation: the clean-up is bounded, the reply stands,
            # and the caller meets its cancellation at its own next checkpoint.
            with trio.CancelScope(shield=True):
                await ask.wait_settled()
        except BaseException:
            await see_off(ask, node, "the caller was interrupted", self.closing_time())
            self.given_up(call, node)
            raise
        await self._written()
        if ask.value is not None:
            return ask.value
        raise self.finished(call, node, error_of(ask, node))

    async def _written(self) -> None:
        """Wait until what a call was booked with is on disk, where it goes there.

        The outcome is known by then, so a deadline that passes meanwhile does not take it
        away; the wait is bounded, and there is none where the store does not work.
        """
        journal = self.accounts.journal
        if journal.durable:
            with trio.CancelScope(deadline=self.closing_time(), shield=True):
                await journal.written()

    def finished(self, call: Call, node: Node, error: LLMError) -> LLMError:
        """Record that a call failed; give the error, with the attempts."""
        if isinstance(error, AllProvidersFailed):
            budget = error.for_want_of_money
            if budget is not None:
                budget.__cause__, error = error, budget
        error.attempts = call.attempts
        error.call_number = call.number
        self._record(call, node, "failed", error=type(error).__name__)
        return error

    def replied(self, call: Call, node: Node, answer: Answer) -> Reply:
        """Record that a call succeeded; give the reply."""
        completion = answer.result
        if not isinstance(completion, Completion):
            raise TypeError("only a finished answer to a request makes a reply")
        self._record(call, node, "succeeded", answer=answer)
        return Reply(
            message=completion.message,
            finish_reason=completion.finish_reason,
            usage=completion.usage or _NO_USAGE,
            provider=answer.provider,
            model=completion.model or answer.model,
            latency=answer.finished - call.started,
            time_to_first_token=(
                answer.first_token - call.started if answer.feed is not None else None
            ),
            metadata=answer.metadata,
            attempts=call.attempts,
            raw=completion.raw,
            cost=call.cost,
        )

    def concluded(self, call: Call, node: Node, answer: Answer) -> OperationResult:
        """Record that an operation succeeded; give its result."""
        result = answer.result
        if not isinstance(result, OperationResult):
            raise TypeError("only a finished operation has a result")
        self._record(call, node, "succeeded", answer=answer)
        return attrs.evolve(
            result,
            model=result.model or answer.model or None,
            provider=answer.provider,
            latency=answer.finished - call.started,
            metadata=answer.metadata,
            attempts=call.attempts,
            cost=call.cost,
        )

    def given(self, call: Call, node: Node, reply: Reply) -> Reply:
        """Record that a caller got a reply for which nobody was asked on its behalf."""
        result = Completion(reply.message, reply.finish_reason, model=reply.model)
        self._record(call, node, "succeeded", answer=Answer(reply.provider, reply.model, result))
        return reply

    def given_up(self, call: Call, node: Node) -> None:
        """Record that the caller was cancelled, or left a stream, unless it was through."""
        self._record(call, node, "cancelled")

    def _record(
        self,
        call: Call,
        node: Node,
        outcome: str,
        *,
        answer: Answer | None = None,
        error: str | None = None,
    ) -> None:
        if call.concluded:  # a stream that was left, and is read to its end all the same
            return
        call.concluded = True
        if self.events.watched:
            record = _finish(call, node, outcome, answer, error, self.events.content)
            self.events.emit(record, usual=True)


def _finish(
    call: Call, node: Node, outcome: str, answer: Answer | None, error: str | None, content: bool
) -> events.RequestFinished:
    """Make the record of how a call ended, now."""
    now = trio.current_time()
    head = (now, call.number, (node.name,), outcome, now - call.started)
    cost = call.cost
    if answer is None:
        return events.RequestFinished(*head, None, error, cost=cost, operation=call.operation)
    result = answer.result
    streamed = answer.feed is not None and answer.first_token != math.inf
    return events.RequestFinished(
        *head,
        answer.provider,
        None,
        (None if result is None else result.model) or answer.model,
        None if result is None else result.usage,
        cost,
        getattr(result, "finish_reason", None),
        answer.first_token - call.started if streamed else None,
        call.operation,
        result if content else None,
    )


def error_of(ask: Ask, node: Node) -> LLMError:
    """Give the error that a call was decided with, or that it was not decided."""
    error = ask.error
    if isinstance(error, LLMError):
        return error
    crashed = ProviderCrashedError("the call ended without an outcome", provider=node.name)
    crashed.__cause__ = error
    return crashed
