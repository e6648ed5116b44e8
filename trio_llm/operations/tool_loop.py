"""The tool loop: ask, run what the model calls, tell it the results, until it answers."""

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs
import trio

from trio_llm.chat import (
    Attempt,
    Message,
    Part,
    Reply,
    Request,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from trio_llm.chat.typed import UnfitValueError, to_text
from trio_llm.errors import (
    InvalidRequestError,
    LLMError,
    ToolCallError,
    ToolRoundsExceededError,
)
from trio_llm.operations.asking import after_this_instant, only_failure

if TYPE_CHECKING:
    from trio_llm.endpoint.asking import Asking

ToolErrors: TypeAlias = Literal["tell", "raise"]


@attrs.frozen
class ToolOutcome:
    """One call of a tool, and what came of it.

    Attributes:
        round: In which round, from 1.
        call: What the model asked for.
        result: What it was told.
        error: What the tool raised, or why it was not run.
        latency: Seconds that it took, waiting for a place left out.
    """

    round: int
    call: ToolCall
    result: ToolResult
    error: Exception | None
    latency: float


@attrs.frozen(kw_only=True)
class ToolRun:
    """What a tool loop gave.

    Attributes:
        reply: The last reply: the answer.
        messages: The whole conversation, the answer included.
        rounds: How many times the model was asked.
        calls: Every call of a tool, in the order in which the model wrote them.
        usage: Tokens of all rounds.
        attempts: The physical attempts of all rounds.
    """

    reply: Reply
    messages: tuple[Message, ...]
    rounds: int
    calls: tuple[ToolOutcome, ...]
    usage: Usage
    attempts: tuple[Attempt, ...]

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.reply.text


async def run_tools(
    endpoint: "Asking",
    request: Request,
    *,
    max_rounds: int = 10,
    max_concurrency: int = 8,
    on_error: ToolErrors = "tell",
    on_message: Callable[[Message], None] | None = None,
) -> ToolRun:
    """Ask, and run the tools that the model calls; see `Endpoint.run_tools`."""
    tools = _runnable(request.tools)
    _check(max_rounds, "max_rounds")
    _check(max_concurrency, "max_concurrency")
    if on_error not in ("tell", "raise"):
        raise InvalidRequestError('on_error must be "tell" or "raise"', phase="request")
    turn = _Turn(tools, on_error, max_concurrency)
    history = _History(list(request.messages), on_message)
    for number in range(1, max_rounds + 1):
        try:
            reply = await endpoint.generate(attrs.evolve(request, messages=history.messages))
        except LLMError as failure:
            failure.attempts = (*history.attempts, *failure.attempts)
            raise
        history.replied(reply)
        if not reply.tool_calls:
            history.add(reply.message)
            return history.run(reply, number)
        if number == max_rounds:
            error = ToolRoundsExceededError(
                f"the model still calls tools after {max_rounds} rounds; raise max_rounds, or "
                "go on from the conversation that this error carries",
                rounds=number,
                messages=history.messages,
                reply=reply,
            )
            error.attempts = tuple(history.attempts)
            raise error
        message = _told_apart(reply.message)
        history.add(message)
        outcomes = await turn.run(number, message.tool_calls)
        history.calls += outcomes
        history.add(Message("tool", [outcome.result for outcome in outcomes]))
        if request.tool_choice not in (None, "auto", "none"):
            # A choice that forces a call holds once, or the loop would never end.
            request = attrs.evolve(request, tool_choice=None)
    raise AssertionError("unreachable")


@attrs.define
class _History:
    """What has been said so far, and what it cost."""

    messages: list[Message]
    _observer: Callable[[Message], None] | None
    calls: list[ToolOutcome] = attrs.field(factory=list[ToolOutcome], init=False)
    attempts: list[Attempt] = attrs.field(factory=list[Attempt], init=False)
    _usage: Usage = attrs.field(factory=Usage, init=False)

    def add(self, message: Message) -> None:
        self.messages.append(message)
        if self._observer is not None:
            self._observer(message)

    def replied(self, reply: Reply) -> None:
        self.attempts += reply.attempts
        mine, new = attrs.astuple(self._usage), attrs.astuple(reply.usage)
        self._usage = Usage(*(count + more for count, more in zip(mine, new, strict=True)))

    def run(self, reply: Reply, rounds: int) -> ToolRun:
        return ToolRun(
            reply=reply,
            messages=tuple(self.messages),
            rounds=rounds,
            calls=tuple(self.calls),
            usage=self._usage,
            attempts=tuple(self.attempts),
        )


@attrs.frozen
class _Turn:
    """Runs the calls of one turn side by side; none outlives the turn."""

    tools: dict[str, Tool]
    on_error: ToolErrors
    max_concurrency: int

    async def run(self, number: int, calls: Sequence[ToolCall]) -> list[ToolOutcome]:
        """Run them; give the outcomes in the order of the calls.

        The first error that is to be raised cancels the others, once everything that
        happens in the same instant is known, and no further tool begins.
        """
        places = trio.CapacityLimiter(self.max_concurrency)
        outcomes: dict[int, ToolOutcome] = {}
        failed = False

        async def run_one(index: int, nursery: trio.Nursery) -> None:
            nonlocal failed
            async with places:
                if failed:
                    return
                outcome = outcomes[index] = await self._outcome(number, calls[index])
                if outcome.error is not None and self.on_error == "raise" and not failed:
                    failed = True
                    nursery.cancel_scope.deadline = after_this_instant(0)

        try:
            async with trio.open_nursery() as nursery:
                for index in range(len(calls)):
                    nursery.start_soon(run_one, index, nursery)
        except BaseExceptionGroup as group:
            raise only_failure(group) from None
        ordered = [outcomes[index] for index in sorted(outcomes)]
        errors = [outcome.error for outcome in ordered if outcome.error is not None]
        if not failed:
            return ordered
        if len(errors) == 1:
            raise errors[0]
        raise ExceptionGroup("several tools failed", errors)

    async def _outcome(self, number: int, call: ToolCall) -> ToolOutcome:
        started = trio.current_time()
        error: Exception | None = None
        try:
            text = await self._call(call)
        except Exception as raised:  # noqa: BLE001 - a tool is the user's own code
            error = raised
            text = str(raised) if isinstance(raised, ToolCallError) else _said(raised)
        result = ToolResult(call.id, text, is_error=error is not None, name=call.name)
        return ToolOutcome(number, call, result, error, trio.current_time() - started)

    async def _call(self, call: ToolCall) -> str:
        tool = self.tools.get(call.name)
        if tool is None or tool.function is None:
            known = ", ".join(self.tools)
            raise ToolCallError(f"no tool is named {call.name!r}; there are: {known}", call=call)
        if not call.is_valid:
            raise ToolCallError(f"the arguments of {call.name} are no JSON object", call=call)
        try:
            # A copy: the conversation keeps what the model wrote, whatever a tool does.
            result = tool.function(copy.deepcopy(dict(call.arguments)))
        except UnfitValueError as unfit:
            raise ToolCallError(
                f"the arguments of {call.name} do not fit", call=call, faults=unfit.faults
            ) from None
        if inspect.isawaitable(result):
            result = await result
        return to_text(result)


def _told_apart(message: Message) -> Message:
    """Give each call of a turn an id of its own, where a model has used one twice.

    The results could not be told apart otherwise, and most providers refuse them.
    """
    calls = message.tool_calls
    used = {call.id for call in calls}
    if len(used) == len(calls):
        return message
    met: set[str] = set()
    content: list[Part] = []
    for part in message.content:
        if isinstance(part, ToolCall):
            call_id, number = part.id, 1
            while call_id in met or (number > 1 and call_id in used):
                number += 1
                call_id = f"{part.id}_{number}"
            met.add(call_id)
            content.append(attrs.evolve(part, id=call_id))
        else:
            content.append(part)
    return attrs.evolve(message, content=content)


def _said(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _check(value: object, name: str) -> None:
    if type(value) is not int or value < 1:
        raise InvalidRequestError(f"{name} must be an integer of at least 1", phase="request")


def _runnable(tools: Sequence[Tool]) -> dict[str, Tool]:
    if not tools:
        raise InvalidRequestError("tools: give at least one tool to run", phase="request")
    named: dict[str, Tool] = {}
    for index, tool in enumerate(tools):
        if tool.function is None:
            raise InvalidRequestError(
                f"tools[{index}]: {tool.name!r} has nothing to run; make it with "
                "Tool.from_function, or give function=",
                phase="request",
            )
        if tool.name in named:
            raise InvalidRequestError(
                f"tools[{index}]: a second tool is named {tool.name!r}", phase="request"
            )
        named[tool.name] = tool
    return named
