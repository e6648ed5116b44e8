"""A Trio run that a synchronous program drives step by step.

Hypothesis's state machines are synchronous. The run is a guest of this very thread: a
step hands it something to do, and returns when everybody in it waits. Its clock stands
still between the steps, and jumps when a step says so.
"""

import queue
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import attrs
import outcome
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_llm.testing.scheduler import seeded_scheduler

LONGEST_STEP = 30.0
"""Real seconds after which a step counts as hung."""

Command = Callable[[trio.Nursery], Awaitable[None]]


@attrs.define(eq=False)
class Host:
    """Runs Trio as a guest, a step at a time.

    Args:
        seed: Of the scheduler.

    Attributes:
        clock: The run's clock.
    """

    seed: int
    clock: MockClock = attrs.field(factory=MockClock, init=False)
    _due: "queue.SimpleQueue[Callable[[], object]]" = attrs.field(
        factory=queue.SimpleQueue[Callable[[], object]], init=False
    )
    _commands: list[Command] = attrs.field(factory=list[Command], init=False)
    _called: trio.Event = attrs.field(factory=trio.Event, init=False)
    _token: trio.lowlevel.TrioToken | None = attrs.field(default=None, init=False)
    _idle: bool = attrs.field(default=False, init=False)
    _ended: "outcome.Outcome[None] | None" = attrs.field(default=None, init=False)
    _stack: ExitStack = attrs.field(factory=ExitStack, init=False)

    def start(self) -> None:
        """Begin the run."""
        self._stack.enter_context(seeded_scheduler(self.seed))
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._due.put,
            done_callback=self._end,
            host_uses_signal_set_wakeup_fd=True,
            clock=self.clock,
        )
        self._pump(lambda: self._idle)

    def step(self, command: Command) -> None:
        """Have something done in the run, and let it go on until everybody waits."""
        self._idle = False
        self._commands.append(command)
        assert self._token is not None
        self._token.run_sync_soon(self._call)
        self._pump(lambda: self._idle)

    def stop(self) -> None:
        """End the run; what it raised is raised here."""

        async def leave(nursery: trio.Nursery) -> None:
            nursery.cancel_scope.cancel(reason="the machine has stopped")

        self._commands.append(leave)
        assert self._token is not None
        self._token.run_sync_soon(self._call)
        self._pump(lambda: self._ended is not None)
        self._stack.close()

    def _call(self) -> None:
        self._called.set()

    def _pump(self, enough: Callable[[], bool]) -> None:
        while not enough():
            self._due.get(timeout=LONGEST_STEP)()
            if self._ended is not None:
                self._ended.unwrap()

    def _end(self, ended: "outcome.Outcome[Any]") -> None:
        self._ended = ended

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            await wait_all_tasks_blocked()
            self._idle = True
            while True:
                await self._called.wait()
                self._called = trio.Event()
                while self._commands:
                    await self._commands.pop(0)(nursery)
                await wait_all_tasks_blocked()
                self._idle = True
