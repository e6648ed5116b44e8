"""What comes back from those who were asked, one instant after the other.

The instant barrier of `trio_llm.balancing.contest` stands between two instants, so that
whatever is made of them never depends on the order in which the scheduler runs the tasks.
"""

import math
from functools import partial
from typing import Final

import attrs
import trio

from trio_llm.balancing.contest import barrier_after, instant_over, is_broken
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.errors import LLMError, ProviderCrashedError
from trio_llm.providers.visit import Answer

MARGIN: Final = 0.05
"""Seconds before the caller's deadline at which an answer that is there goes up."""

_SHARE: Final = 0.1
"""The margin is no more than this share of the time that the caller gives."""


@attrs.define(eq=False)
class Arrivals:
    """Tells what became of those who were asked, instant by instant.

    Args:
        turn: The visit.
        whole: Whether an answer has come only when all of it has. A stream is then held
            back here, and otherwise comes with its first useful event.
        patient: Whether failures are told only with the next success, or at the end.

    Attributes:
        instant: Until when everything is known, on Trio's clock.
        pending: How many have neither come nor failed.
        came: When each came or failed, on Trio's clock.
    """

    turn: Turn
    whole: bool
    patient: bool = False
    instant: float = attrs.field(factory=trio.current_time, init=False)
    pending: int = attrs.field(default=0, init=False)
    came: dict[Branch, float] = attrs.field(factory=dict[Branch, float], init=False)
    _untold: list[Branch] = attrs.field(factory=list[Branch], init=False)
    _news: trio.Event | None = attrs.field(default=None, init=False)

    @property
    def over(self) -> bool:
        """Whether nobody more will come."""
        return not self.pending and not self._untold

    def watch(self, branch: Branch) -> None:
        """Be told of one more."""
        self.pending += 1
        if branch.ask.decided:
            self._decided(branch)
        else:
            branch.ask.watcher = partial(self._decided, branch)

    def _decided(self, branch: Branch) -> None:
        ask = branch.ask
        answer = ask.value
        if not self.whole or answer is None or answer.result is not None or ask.settled:
            self._arrived(branch, ask.stamp)
            return
        if answer.feed is not None:
            answer.feed.hold()
        ask.follower = lambda: self._settled(branch, answer)

    def _settled(self, branch: Branch, answer: Answer) -> None:
        """Take a stream that has ended: in the instant of its end, if that is not over."""
        now, end = trio.current_time(), answer.finished
        self._arrived(branch, end if end <= now <= barrier_after(self.turn, end) else now)

    def _arrived(self, branch: Branch, stamp: float) -> None:
        self.pending -= 1
        self.came[branch] = stamp
        self._untold.append(branch)
        if self._news is not None and self._is_news:
            self._news.set()

    @property
    def _is_news(self) -> bool:
        """Whether something is there to be told."""
        if self.patient and self.pending:
            return any(self.failure(branch) is None for branch in self._untold)
        return bool(self._untold)

    @property
    def _all_failed(self) -> bool:
        return not self.pending and all(self.failure(branch) is not None for branch in self.came)

    async def next(self, until: float = math.inf) -> list[Branch]:
        """Give all that came, or failed, in the next instant, by declared position.

        Args:
            until: When to stop waiting, on Trio's clock. What comes at that instant
                itself comes too late.

        Returns:
            Nothing when `until` has been reached, or nobody is pending.
        """
        if not self._is_news and self.pending and trio.current_time() < until:
            self._news = trio.Event()
            if until == math.inf:
                await self._news.wait()
            else:
                with trio.move_on_at(until):
                    await self._news.wait()
        if self.over:
            return []
        instant = min([self.came[branch] for branch in self._untold], default=until)
        instant = min(instant, until)
        # Which of the failures of the last instant came first has been no news, if patient.
        if not (self.patient and self._all_failed) or trio.current_time() >= until:
            await instant_over(self.turn, instant)
        told = [
            branch
            for branch in self._untold
            if self.came[branch] <= instant and self.came[branch] < until
        ]
        self._untold = [branch for branch in self._untold if branch not in told]
        self.instant = max(self.instant, instant)
        return sorted(told, key=lambda branch: branch.candidate.index)

    def failure(self, branch: Branch) -> LLMError | None:
        """Give what one that came failed with; ``None`` for a success."""
        ask = branch.ask
        answer = ask.value
        if answer is None:
            return branch.error or _without_outcome(branch)
        if is_broken(branch):
            return answer.error
        return _without_outcome(branch) if self.whole and answer.result is None else None


def _without_outcome(branch: Branch) -> ProviderCrashedError:
    return ProviderCrashedError("it ended without an outcome", provider=branch.candidate.node.name)


def last_call(turn: Turn) -> float:
    """Give the instant at which what is there must go up, for the caller's deadline.

    An answer that waits for better ones until that deadline would be lost to it. The
    margin is `MARGIN` seconds, or a tenth of the time that is left if that is less.
    """
    deadline = turn.ask.deadline
    if deadline == math.inf:
        return deadline
    return deadline - min(MARGIN, max(deadline - trio.current_time(), 0.0) * _SHARE)
