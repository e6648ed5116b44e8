"""What the tests of shared calls share: a runtime in which equal requests share one call."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs
import trio

from tests.guarantees.scenes import Cast
from trio_llm import CacheSettings, Config, LLMError, Reply, ReplyStream, Runtime, StreamEvent
from trio_llm.config.schema import Member

SHARED = CacheSettings(single_flight=True)


def sharing(member: Member, **settings: Any) -> Config:
    """Configure one member, with shared calls and further settings of the cache."""
    cache = attrs.evolve(SHARED, **settings)
    return Config(default=member, cache=cache)


@attrs.define(eq=False)
class Callers:
    """Several callers at once, and what came of each.

    Attributes:
        outcomes: By caller: a reply, an error, or ``None`` for one that was cancelled.
        events: By caller, what it has read of a stream.
        ended: By caller, when it had its outcome.
    """

    outcomes: dict[int, Reply | LLMError | None] = attrs.field(
        factory=dict[int, Reply | LLMError | None]
    )
    events: dict[int, list[StreamEvent]] = attrs.field(factory=dict[int, list[StreamEvent]])
    ended: dict[int, float] = attrs.field(factory=dict[int, float])

    async def ask(
        self,
        number: int,
        call: Callable[[], Awaitable[Reply]],
        *,
        after: float = 0.0,
        patience: float = float("inf"),
    ) -> None:
        """Wait, then ask, with so much patience."""
        await trio.sleep(after)
        self.outcomes[number] = None
        with trio.move_on_after(patience):
            try:
                self.outcomes[number] = await call()
            except LLMError as error:
                self.outcomes[number] = error
        self.ended[number] = trio.current_time()

    def begin(
        self,
        nursery: trio.Nursery,
        number: int,
        call: Callable[[], Awaitable[Reply]],
        **when: float,
    ) -> None:
        """Let a caller ask in a task of its own; `when` is as for `ask`."""
        nursery.start_soon(partial(self.ask, number, call, **when))

    async def read(
        self,
        number: int,
        llm: Runtime,
        *,
        prompt: str = "hello",
        pause: float = 0.0,
        **options: Any,
    ) -> Reply:
        """Read a stream to its end, with a pause after each event."""
        events = self.events.setdefault(number, [])
        async with llm.stream(prompt, **options) as stream:
            async for event in stream:
                events.append(event)
                if pause:
                    await trio.sleep(pause)
            return stream.reply

    @property
    def replies(self) -> list[Reply]:
        """The replies, in the order of the callers."""
        return [each for _, each in sorted(self.outcomes.items()) if isinstance(each, Reply)]

    @property
    def errors(self) -> list[LLMError]:
        """The errors, in the order of the callers."""
        return [each for _, each in sorted(self.outcomes.items()) if isinstance(each, LLMError)]


def assert_nothing_left(cast: Cast, llm: Runtime) -> None:
    """Demand that no flight is under way, and nothing runs, waits or occupies a place."""
    assert llm.cache.statistics().under_way == 0
    assert cast.running == 0
    for status in llm.status():
        assert (status.name, status.in_flight, status.queued) == (status.name, 0, 0)


async def rest_of(stream: ReplyStream) -> Reply:
    """Read a stream to its end."""
    async for _ in stream:
        pass
    return stream.reply


@attrs.define(eq=False)
class CancelBefore(trio.abc.Instrument):
    """Cancels a scope before the task step with a given number, and notes when that was."""

    scope: trio.CancelScope
    step: int
    steps: int = attrs.field(default=0, init=False)
    cancelled_at: float = attrs.field(default=float("inf"), init=False)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - Trio names it
        """Count the step."""
        if self.steps == self.step:
            self.cancelled_at = trio.current_time()
            self.scope.cancel(reason="the test says so")
        self.steps += 1
