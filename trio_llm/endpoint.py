"""The operations: one request from a caller to a node of the tree, and back."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, TypeAlias, TypedDict, Unpack

import attrs
import trio

from trio_llm import events
from trio_llm.actors import Envelope, Refused
from trio_llm.balancing import see_off
from trio_llm.chat import (
    AnyRequest,
    Completion,
    EmbedRequest,
    Message,
    Operation,
    OperationResult,
    OutputSchema,
    Reply,
    Request,
    Tool,
    Usage,
)
from trio_llm.config.rules import quoted, suggestion
from trio_llm.errors import ConfigError, InvalidRequestError, LLMError, ProviderCrashedError
from trio_llm.events import EventStream
from trio_llm.policy import RetryBudget
from trio_llm.providers.lease import Refusal
from trio_llm.providers.node import Node
from trio_llm.providers.status import ProviderStatus
from trio_llm.providers.visit import Answer, Ask, Call, Visit
from trio_llm.streaming import ReplyStream

_NO_USAGE = Usage()

Prompt: TypeAlias = str | Message | Sequence[Message] | Request


class CallOptions(TypedDict, total=False):
    """The options of a call, as `Request` describes them."""

    model: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: str | Iterable[str] | None
    seed: int | None
    tools: Iterable[Tool] | None
    tool_choice: str | None
    parallel_tool_calls: bool | None
    reasoning: str | None
    output: OutputSchema | None
    user: str | None
    metadata: Mapping[str, str] | None
    prefer: str | None
    max_attempts: int | None
    extra: Mapping[str, Mapping[str, Any]] | None
    tags: Mapping[str, str] | None


def to_request(prompt: Prompt, options: CallOptions) -> Request:
    """Make a request of a prompt and the options of a call.

    Raises:
        InvalidRequestError: The prompt is empty or no prompt; or an option is unknown
            or out of range.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in CallOptions.__annotations__:
            known = suggestion(name, tuple(CallOptions.__annotations__))
            raise InvalidRequestError(f"no option named {quoted(name)}; {known}", phase="request")
    try:
        if isinstance(prompt, Request):
            return attrs.evolve(prompt, **given) if given else prompt
        return Request(messages=prompt, **given)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(str(error.args[0]), phase="request") from error


@attrs.define(eq=False)
class Switchboard:
    """What every endpoint of one runtime shares.

    Attributes:
        events: Where records go.
        close_deadline: Seconds that a cancelled job has to leave.
        names: Every provider and balancer.
        max_attempts: The most physical attempts that a call may make, unless it
            says otherwise.
        retries: The retry budget of the runtime.
        overruns: Jobs that were still running after `close_deadline`.
    """

    events: EventStream
    close_deadline: float
    names: frozenset[str]
    max_attempts: int
    retries: RetryBudget
    overruns: int = attrs.field(default=0, init=False)
    _numbers: "count[int]" = attrs.field(factory=lambda: count(1), init=False)

    def open_call(self, node: Node, request: AnyRequest, *, streaming: bool) -> Ask:
        """Ask a node, at once or not at all.

        Raises:
            ProviderUnavailableError: It cannot take the call.
            ConfigError: `prefer` names nobody.
        """
        if request.prefer is not None and request.prefer not in self.names:
            remedy = suggestion(request.prefer, sorted(self.names))
            fault = f"prefer: no provider named {quoted(request.prefer)}; {remedy}"
            raise ConfigError([fault], "call")
        now = trio.current_time()
        cap = request.max_attempts or self.max_attempts
        call = Call(next(self._numbers), streaming, now, self.events, cap, self._overran)
        self.retries.earn()
        if self.events.watched:
            self.events.emit(events.RequestStarted(now, call.number, (node.name,), streaming))
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

    def _overran(self) -> None:
        self.overruns += 1

    def closing_time(self) -> float:
        """When a call that is given up now must be gone, on Trio's clock."""
        return trio.current_time() + self.close_deadline

    def finished(self, call: Call, node: Node, error: LLMError) -> LLMError:
        """Record that a call failed; give the error, with the attempts."""
        error.attempts = call.attempts
        self._record(call, node, "failed", error=type(error).__name__)
        return error

    def replied(self, call: Call, node: Node, answer: Answer) -> Reply:
        """Record that a call succeeded; give the reply."""
        completion = answer.result
        if not isinstance(completion, Completion):
            raise TypeError("only a finished answer to a request makes a reply")
        self._record(call, node, "succeeded", provider=answer.provider)
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
        )

    def concluded(self, call: Call, node: Node, answer: Answer) -> OperationResult:
        """Record that an operation succeeded; give its result."""
        result = answer.result
        if not isinstance(result, OperationResult):
            raise TypeError("only a finished operation has a result")
        self._record(call, node, "succeeded", provider=answer.provider)
        return attrs.evolve(
            result,
            model=result.model or answer.model or None,
            provider=answer.provider,
            latency=answer.finished - call.started,
            metadata=answer.metadata,
            attempts=call.attempts,
        )

    def given_up(self, call: Call, node: Node) -> None:
        """Record that the caller was cancelled, or left a stream early."""
        self._record(call, node, "cancelled")

    def _record(
        self,
        call: Call,
        node: Node,
        outcome: str,
        *,
        provider: str | None = None,
        error: str | None = None,
    ) -> None:
        if call.concluded:  # a stream that was left, and is read to its end all the same
            return
        call.concluded = True
        if self.events.watched:
            now = trio.current_time()
            self.events.emit(
                events.RequestFinished(
                    now, call.number, (node.name,), outcome, now - call.started, provider, error
                )
            )


class Endpoint:
    """One provider or balancer, to be asked."""

    def __init__(self, node: Node, switchboard: Switchboard) -> None:
        self._node = node
        self._switchboard = switchboard

    @property
    def name(self) -> str:
        """The provider's or balancer's name."""
        return self._node.name

    def status_of(self) -> ProviderStatus:
        """Give a snapshot of this one."""
        return self._node.status()

    async def generate(self, prompt: Prompt, **options: Unpack[CallOptions]) -> Reply:
        """Ask, and wait for the whole answer.

        When this returns or raises, nothing of the call runs any more: losers of a
        race have left, and every connection it used is closed or back in its place.

        Args:
            prompt: A string, a message, a conversation, or a `Request` (the options
                then replace its fields).
            options: The fields of `Request`, by name; ``None`` leaves one as it is.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            InvalidRequestError: The prompt or an argument cannot be used.
        """
        call, answer = await self._answer(to_request(prompt, options))
        return self._switchboard.replied(call, self._node, answer)

    async def perform(self, operation: Operation) -> OperationResult:
        """Do one operation; its result is of the class that belongs to it.

        The road is that of `generate`, with the same guarantees.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
        """
        if isinstance(operation, EmbedRequest) and operation.family is None:
            family = self._node.embedding_family(operation)
            operation = attrs.evolve(operation, family=family)
        call, answer = await self._answer(operation)
        return self._switchboard.concluded(call, self._node, answer)

    async def _answer(self, request: AnyRequest) -> tuple[Call, Answer]:
        """Ask, and wait until nothing of the call runs any more."""
        board, node = self._switchboard, self._node
        ask = board.open_call(node, request, streaming=False)
        call = ask.payload.call
        try:
            await ask.wait_settled()
        except trio.Cancelled:
            if ask.stamp >= trio.current_time():
                await see_off(ask, node, "the caller was cancelled", board.closing_time())
                board.given_up(call, node)
                raise
            # Decided before the cancellation: the clean-up is bounded, the reply stands,
            # and the caller meets its cancellation at its own next checkpoint.
            with trio.CancelScope(shield=True):
                await ask.wait_settled()
        except BaseException:
            await see_off(ask, node, "the caller was interrupted", board.closing_time())
            board.given_up(call, node)
            raise
        if ask.value is not None:
            return call, ask.value
        raise board.finished(call, node, _error_of(ask, node))

    @asynccontextmanager
    async def stream(
        self, prompt: Prompt, **options: Unpack[CallOptions]
    ) -> AsyncGenerator[ReplyStream, None]:
        """Ask, and take the answer as it is written.

        Entering the block waits for the commit: the first useful event of the
        provider that answers. Errors before it are raised there, as by `generate`;
        errors after it are raised by the iteration. Leaving the block early cancels
        the call and waits until nothing of it runs.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            StreamInterruptedError: The stream broke; it carries the partial text.
        """
        board, node = self._switchboard, self._node
        ask = board.open_call(node, to_request(prompt, options), streaming=True)
        call = ask.payload.call
        ended = False

        def to_reply(answer: Answer) -> Reply:
            nonlocal ended
            ended = True
            return board.replied(call, node, answer)

        def failed(error: LLMError) -> LLMError:
            nonlocal ended
            ended = True
            return board.finished(call, node, error)

        try:
            await ask.wait_decided()
            if ask.value is None:
                await ask.wait_settled()
                raise failed(_error_of(ask, node))
            yield ReplyStream(ask, ask.value, to_reply, failed)
        finally:
            if not ask.settled:
                await see_off(ask, node, "the caller left the stream", board.closing_time())
            if not ended:
                board.given_up(call, node)


def _error_of(ask: Ask, node: Node) -> LLMError:
    error = ask.error
    if isinstance(error, LLMError):
        return error
    crashed = ProviderCrashedError("the call ended without an outcome", provider=node.name)
    crashed.__cause__ = error
    return crashed
