"""The scene of the wall of faults: a fallback of a bad member and a healthy one."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import attrs
import trio
from trio.testing import MockClock

from tests.sockets.socket_scenes import ask, full_listener, jump_when_blocked, member, open_llm
from tests.sockets.wall_case import HEALTHY, NOW, WAIT, Break, Case, Server
from trio_llm import Endpoint, Fallback, LLMError, ProviderStatus, Reply, Runtime, Timeouts, events
from trio_llm.testing.upstream import Behaviour, Upstream, open_upstream

_STORY = (
    events.RequestStarted,
    events.AttemptStarted,
    events.FirstToken,
    events.AttemptFailed,
    events.AttemptSucceeded,
    events.FellBack,
    events.RequestFinished,
)


@attrs.frozen
class Scene:
    """A bad server, a healthy one, and a runtime that falls back from one to the other.

    Attributes:
        case: What the bad member does.
        bad: Its server.
        good: The healthy member's server.
        llm: The runtime; its members are ``bad`` and ``good``.
        clock: All but stands still.
        log: Every event.
    """

    case: Case | Break
    bad: Upstream
    good: Upstream
    llm: Runtime
    clock: MockClock
    log: list[events.Event]
    _nursery: trio.Nursery

    async def ask(self, *, stream: bool, whom: Endpoint | None = None) -> Reply | LLMError:
        """Ask, and let the time pass that the fault takes to show; give what the caller gets.

        Args:
            stream: Whether to ask for a stream.
            whom: The fallback, unless another is named.
        """
        if self.case.passes:
            self.let_pass(self.case.passes, requests=len(self.bad.served) + self.reachable)
        try:
            return await ask(whom or self.llm, stream=stream)
        except LLMError as error:
            return error

    def let_pass(
        self, seconds: float, *, requests: int = 1, server: Upstream | None = None
    ) -> None:
        """Let time pass as soon as a server has so many requests and everybody waits.

        Args:
            seconds: How much.
            requests: How many requests, from the start.
            server: Which server; the bad one unless told otherwise.
        """
        self._nursery.start_soon(
            jump_when_blocked, self.clock, server or self.bad, requests, seconds
        )

    @property
    def reachable(self) -> bool:
        """Whether requests reach the bad server at all."""
        return isinstance(self.case, Break) or self.case.server is Server.UP

    def status(self, name: str) -> ProviderStatus:
        """Give the status of one member."""
        (status,) = [status for status in self.llm.status() if status.name == name]
        return status

    def story(self) -> list[tuple[str, str]]:
        """Tell what happened so far, each with whom it happened to."""
        return [(event.kind, event.actor) for event in self.log if isinstance(event, _STORY)]


@asynccontextmanager
async def open_wall(
    clock: MockClock, case: Case | Break, dialect: str, **settings: Any
) -> AsyncGenerator[Scene, None]:
    """Open the two servers and the runtime; leaving demands that nothing is left.

    Args:
        clock: All but stands still.
        case: What the bad member does.
        dialect: What both members speak.
        settings: Further settings of the fallback.
    """
    patience = case.patience if isinstance(case, Case) else WAIT
    limits = Timeouts(connect=WAIT, first_token=patience, idle=WAIT, total=6000.0)
    with ExitStack() as stack:
        async with (
            open_upstream(case.script) as bad,
            open_upstream(Behaviour(chunks=(HEALTHY,))) as good,
            trio.open_nursery() as nursery,
        ):
            first = member(bad, "bad", dialect=dialect, timeouts=limits)
            if isinstance(case, Case) and case.server is Server.DOWN:
                bad.go_down()
            elif isinstance(case, Case) and case.server is Server.FULL:
                first = attrs.evolve(first, base_url=stack.enter_context(full_listener()))
            second = member(good, "good", dialect=dialect, timeouts=limits, continues=True)
            tree = Fallback((first, second), name="tree", **settings)
            async with open_llm(tree, wall_clock=lambda: NOW) as llm:
                log: list[events.Event] = []
                llm.subscribe(log.append)
                yield Scene(case, bad, good, llm, clock, log, nursery)
