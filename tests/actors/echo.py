"""A small actor for the tests of the kernel."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import trio

from trio_llm.actors import Cell, Envelope, RestartIntensity

Ask = Envelope[str, str]
EchoCell = Cell[str, str]


class UnansweredError(Exception):
    """What the actor says for an envelope that got no answer."""

    def __init__(self, reason: str, cause: BaseException | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


async def _echo(ask: Ask) -> None:
    ask.decide(ask.payload, trio.current_time())


@attrs.define(eq=False)
class Echo:
    """Answers with the payload, or does what it is told."""

    job: Callable[[Ask], Awaitable[None]] = _echo
    broken_lives: int = 0
    lives: int = attrs.field(default=0, init=False)
    closed: int = attrs.field(default=0, init=False)
    name: str = "echo"

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Count the lives; the first `broken_lives` of them do not open."""
        return self._life()

    @asynccontextmanager
    async def _life(self) -> AsyncGenerator[None, None]:
        self.lives += 1
        if self.lives <= self.broken_lives:
            raise OSError("cannot open")
        try:
            yield
        finally:
            self.closed += 1

    async def serve(self, envelope: Ask, /) -> None:
        """Run the job."""
        await self.job(envelope)

    def unanswered(self, reason: str, cause: BaseException | None, /) -> Exception:
        """Give the reason as an error."""
        return UnansweredError(reason, cause)


@attrs.define
class Diary:
    """Keeps what a cell reports."""

    lines: list[tuple[str, object]] = attrs.field(factory=list[tuple[str, object]])

    def actor_crashed(self, name: str, error: BaseException, /) -> None:
        """Note a crash."""
        assert name == "echo"
        self.lines.append(("crashed", type(error)))

    def actor_restarted(self, name: str, delay: float, /) -> None:
        """Note a restart."""
        assert name == "echo"
        self.lines.append(("restarted", delay))

    def actor_down(self, name: str, /) -> None:
        """Note that it was given up."""
        self.lines.append(("down", name))

    def actor_drained(self, name: str, unfinished: int, /) -> None:
        """Note that it stopped."""
        assert name == "echo"
        self.lines.append(("drained", unfinished))


def cell_of(echo: Echo, diary: Diary, *, capacity: int = 4, max_restarts: int = 2) -> EchoCell:
    """Put the actor into a cell."""
    return Cell(
        echo,
        capacity=capacity,
        intensity=RestartIntensity(max_restarts, window=60.0, backoff=0.5, max_backoff=4.0),
        lifecycle=diary,
    )


@attrs.define(eq=False)
class Token:
    """A lease that counts how often it was given back."""

    released: int = 0

    def release(self) -> None:
        """Count."""
        self.released += 1
