"""Scripted providers: what they answer, when, and how they fail.

They stand below the real provider actor: places, cooldown, retries, limits of
time and records are those of the runtime. Each attempt takes the next step of the
script; the last step is repeated, or the script is a function of the `Work`.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Protocol, TypeAlias

import attrs
import trio

from trio_llm.actors import ActorCrash
from trio_llm.chat import (
    AnyResult,
    Completion,
    Message,
    Operation,
    Request,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from trio_llm.errors import (
    MalformedResponseError,
    ProviderError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.providers.backend import Work


class Step(Protocol):
    """What one attempt meets."""

    async def play(self, work: Work, /) -> AnyResult:
        """Answer, fail, stall or crash."""
        ...


async def _pass_time(after: float, passes: int) -> None:
    """Wait, with a number of scheduler passes before and after the timer."""
    for _ in range(passes):
        await trio.lowlevel.checkpoint()
    await trio.sleep(after)
    for _ in range(passes):
        await trio.lowlevel.checkpoint()


@attrs.frozen
class Answers:
    """Gives a text.

    Args:
        text: What it answers.
        after: Seconds to the answer, or to the first piece of a stream.
        pieces: How many pieces a stream has.
        gap: Seconds between two pieces.
        passes: Extra scheduler passes around the timer, so that answers of the same
            instant take chains of different length.
        usage: The tokens that it counts; ``None`` for one that does not say.
        charged: US dollars that it says it charges; ``None`` for one that does not say.
    """

    text: str = "ok"
    after: float = 0.0
    pieces: int = 1
    gap: float = 0.0
    passes: int = 0
    usage: Usage | None = Usage(1, 1)  # noqa: RUF009 - it is frozen
    charged: Decimal | None = None

    async def play(self, work: Work) -> Completion:
        """Wait, then answer."""
        await _pass_time(self.after, self.passes)
        if work.sink is not None:
            for index, piece in enumerate(_cut(self.text, self.pieces)):
                if index:
                    await trio.sleep(self.gap)
                await work.sink.put([TextDelta(piece)])
        return Completion(
            Message("assistant", self.text),
            "stop",
            usage=self.usage,
            model=work.model,
            charged=self.charged,
        )


@attrs.frozen
class Fails:
    """Raises an error.

    Args:
        error: Its class, or an error to copy.
        after: Seconds until then.
        passes: As `Answers.passes`.
    """

    error: type[ProviderError] | ProviderError = ServerError
    after: float = 0.0
    passes: int = 0

    async def play(self, _work: Work) -> Completion:
        """Wait, then fail."""
        await _pass_time(self.after, self.passes)
        if isinstance(self.error, ProviderError):
            raise self.error.copy()
        raise self.error("scripted to fail")


@attrs.frozen
class RateLimits:
    """Answers 429 with a Retry-After of so many seconds, or without one."""

    retry_after: float | None = 1.0
    after: float = 0.0

    async def play(self, _work: Work) -> Completion:
        """Wait, then refuse."""
        await trio.sleep(self.after)
        raise RateLimitError("scripted rate limit", status=429, retry_after=self.retry_after)


@attrs.frozen
class Stalls:
    """Gives some pieces of a stream, or nothing, and then never anything more."""

    pieces: int = 0
    text: str = "ok"
    after: float = 0.0

    async def play(self, work: Work) -> Completion:
        """Begin, and stop."""
        await trio.sleep(self.after)
        if work.sink is not None:
            for piece in _cut(self.text, max(1, self.pieces))[: self.pieces]:
                await work.sink.put([TextDelta(piece)])
        await trio.sleep_forever()
        raise AssertionError("unreachable")


@attrs.frozen
class Cuts:
    """Breaks the connection in the middle of a stream, or of a plain answer."""

    pieces: int = 1
    text: str = "cut off"
    after: float = 0.0
    gap: float = 0.0

    async def play(self, work: Work) -> Completion:
        """Begin, and break."""
        await trio.sleep(self.after)
        if work.sink is not None:
            for piece in _cut(self.text, self.pieces + 1)[: self.pieces]:
                await work.sink.put([TextDelta(piece)])
                await trio.sleep(self.gap)
        raise StreamInterruptedError("scripted cut")


@attrs.frozen
class SendsGarbage:
    """Sends bytes that are no answer."""

    after: float = 0.0

    async def play(self, _work: Work) -> Completion:
        """Wait, then fail to be understood."""
        await trio.sleep(self.after)
        raise MalformedResponseError("scripted garbage")


@attrs.frozen
class Crashes:
    """Raises what no provider should: a bug, in the job or of the whole actor.

    Args:
        after: Seconds until then.
        actor: Whether the actor itself is broken, with every job in it.
        error: What it raises when it is only the job.
    """

    after: float = 0.0
    actor: bool = False
    error: type[Exception] = RuntimeError

    async def play(self, _work: Work) -> Completion:
        """Wait, then crash."""
        await trio.sleep(self.after)
        if self.actor:
            raise ActorCrash("scripted crash of the actor")
        raise self.error("scripted crash")


@attrs.frozen
class Clings:
    """Shields itself from cancellation for so many seconds, as bad code does."""

    seconds: float

    async def play(self, _work: Work) -> Completion:
        """Refuse to leave."""
        with trio.CancelScope(shield=True):
            await trio.sleep(self.seconds)
        await trio.lowlevel.checkpoint()
        return Completion(Message("assistant", "at last"))


@attrs.frozen
class CallsTool:
    """Asks for a tool, its arguments in pieces when streamed."""

    name: str = "lookup"
    arguments: tuple[str, ...] = ("{}",)
    after: float = 0.0

    async def play(self, work: Work) -> Completion:
        """Wait, then call."""
        await trio.sleep(self.after)
        if work.sink is not None:
            await work.sink.put([ToolCallDelta(0, "call_0", self.name, "")])
            for piece in self.arguments:
                await work.sink.put([ToolCallDelta(0, arguments=piece)])
        call = ToolCall.parse("call_0", self.name, "".join(self.arguments))
        return Completion(Message("assistant", (call,)), "tool_calls", model=work.model)


Script: TypeAlias = Step | Sequence[Step] | Callable[[Work], Step]


def _to_operations(value: Iterable[type[Operation]]) -> frozenset[type[Operation]]:
    return frozenset(value)


@attrs.define(eq=False)
class ScriptedProvider:
    """A provider that follows a script; give it as the ``cls`` of a custom provider.

    Args:
        script: One step, several in turn (the last is repeated), or a function.
        operations: What it is asked for besides conversations; its steps must answer
            that.

    Attributes:
        started: How many attempts it has met.
        running: How many are running now.
        most_running: The most that ever ran at once.
        opened: How many lives its actor has had.
    """

    _script: Script
    operations: frozenset[type[Operation]] = attrs.field(
        default=frozenset[type[Operation]](), converter=_to_operations
    )
    started: int = attrs.field(default=0, init=False)
    running: int = attrs.field(default=0, init=False)
    most_running: int = attrs.field(default=0, init=False)
    opened: int = attrs.field(default=0, init=False)

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Count the lives."""
        return self._life()

    @asynccontextmanager
    async def _life(self) -> AsyncGenerator[None, None]:
        self.opened += 1
        yield

    async def answer(self, work: Work) -> AnyResult:
        """Play the next step."""
        step = self._next(work)
        self.started += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await step.play(work)
        finally:
            self.running -= 1

    async def generate(self, request: Request) -> Completion:
        """Play the next step for a plain request, outside of any runtime."""
        result = await self.answer(Work(request, request.model or "scripted", 0, (), 1, None))
        if not isinstance(result, Completion):
            raise TypeError("the step answers no conversation")
        return result

    def _next(self, work: Work) -> Step:
        if callable(self._script):
            return self._script(work)
        if isinstance(self._script, Sequence):
            return self._script[min(self.started, len(self._script) - 1)]
        return self._script


def _cut(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]
