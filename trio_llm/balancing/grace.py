"""What the races that wait for better answers share: the grace, and how they end."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.arrivals import Arrivals, last_call
from trio_llm.balancing.collecting import replay
from trio_llm.balancing.contest import see_losers_off
from trio_llm.balancing.entrants import all_errors, line_up, note_race
from trio_llm.balancing.routing import Candidate, others_than
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.errors import LLMError, ProviderTimeoutError


async def within_grace(arrivals: Arrivals, deadline: float, grace: float) -> list[Branch]:
    """Wait for the first success, and then for further ones; give them in order of arrival.

    The grace ends when everybody has come or failed, or `grace` seconds after the first
    success; a success at that instant itself comes too late. It does not reach beyond
    the deadline, nor so near to the caller's own that the answer would be lost.

    A stream that breaks in that time is no success any more. If all do, the next
    success has a grace of its own.

    Args:
        arrivals: What comes back from those who have been asked.
        deadline: When one must have won, on Trio's clock.
        grace: Seconds that the others have after the first success.
    """
    latest = last_call(arrivals.turn)
    found: list[Branch] = []
    until = deadline
    while True:
        came = await arrivals.next(until)
        if came:
            first = not found
            found += [branch for branch in came if arrivals.failure(branch) is None]
            if first and found:
                now = arrivals.instant
                until = min(deadline, max(min(now + grace, latest), now))
            continue
        found = [branch for branch in found if arrivals.failure(branch) is None]
        if found or arrivals.over or trio.current_time() >= deadline:
            return found
        until = deadline


@attrs.frozen
class Scores:
    """How good the answers of a race are.

    Attributes:
        of: By entrant; ``None`` for one that could not be scored, which is the worst.
        instant: When that was known, on Trio's clock.
    """

    of: Mapping[Branch, float | None]
    instant: float


Score: TypeAlias = "Callable[[GracedRace, Sequence[Branch]], Awaitable[Scores]]"
"""Scores the successes of a race; they stand in order of arrival."""


@attrs.define(eq=False)
class GracedRace:
    """One race in which the first success waits for better ones.

    The best score wins; of equals the one that came first, and then the one declared
    first.

    Args:
        turn: The visit.
        timeout: Seconds within which one must have won; ``None`` for no limit.
        grace: Seconds that the others have after the first success.
        whole: Whether an answer counts only when all of it has come. A stream is then
            replayed.
        score: What is best.

    Attributes:
        start: When it began, on Trio's clock.
        deadline: When one must have won, on Trio's clock.
        entrants: Those who were asked.
        asides: Those who were asked besides, to score.
        arrivals: What comes back from the entrants.
    """

    turn: Turn
    timeout: float | None
    grace: float
    whole: bool
    score: Score
    start: float = attrs.field(factory=trio.current_time, init=False)
    deadline: float = attrs.field(init=False)
    entrants: list[Branch] = attrs.field(factory=list[Branch], init=False)
    asides: list[Branch] = attrs.field(factory=list[Branch], init=False)
    arrivals: Arrivals = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.deadline = math.inf if self.timeout is None else self.start + self.timeout
        self.arrivals = Arrivals(self.turn, whole=self.whole, patient=True)

    def seconds(self) -> dict[Branch, float]:
        """Give how long each answer took, of those that had one in time."""
        return {
            entrant: stamp - self.start
            for entrant, stamp in self.arrivals.came.items()
            if stamp < self.deadline and self.arrivals.failure(entrant) is None
        }

    async def run(self) -> None:
        """Ask everybody, decide the visit, and see everybody off."""
        turn = self.turn
        entrants, refused = line_up(turn, self.deadline)
        self.entrants.extend(entrants)
        try:
            for entrant in entrants:
                self.arrivals.watch(entrant)
            found = await within_grace(self.arrivals, self.deadline, self.grace)
            if found and self.whole:  # scoring takes its time: the late ones leave before
                for entrant in entrants:
                    if entrant not in found:
                        entrant.ask.cancel("the grace period is over")
            scores = await self.score(self, found) if found else None
        except BaseException:
            await turn.dismiss([*entrants, *self.asides], turn.give_up_reason)
            raise
        if scores is None:
            await self._fail(refused)
        else:
            await self._succeed(found, scores)

    async def _succeed(self, found: Sequence[Branch], scores: Scores) -> None:
        turn = self.turn
        winner = min(found, key=lambda entrant: self._key(entrant, scores.of[entrant]))
        seconds = self.seconds()
        note_race(self.entrants, winner, seconds)
        by_name = {
            entrant.candidate.node.name: scores.of[entrant]
            for entrant in sorted(found, key=lambda entrant: entrant.candidate.index)
        }
        name = winner.candidate.node.name
        turn.emit(events.RaceScored, tuple(by_name.items()))
        turn.emit(events.WinnerChosen, name, self.arrivals.came[winner])
        metadata = {
            "racing_winner": name,
            "racing_latency_ms": round(seconds[winner] * 1000),
            "racing_scores": by_name,
        }
        others: list[Candidate] = []
        if self.whole:
            replay(turn, winner, metadata, scores.instant)
        else:
            came = self.arrivals.came
            failed = [each.candidate for each in came if self.arrivals.failure(each) is not None]
            others = others_than(winner.candidate, turn.candidates, failed)
            turn.answer(winner, metadata, others, stamp=scores.instant)
        losers = [entrant for entrant in self.entrants if entrant is not winner]
        await see_losers_off(turn, losers, f"lost the race to {name!r}", self.asides)
        await turn.stay(winner, others)

    def _key(self, entrant: Branch, score: float | None) -> tuple[bool, float, float, int]:
        return (
            score is None,
            0.0 if score is None else -score,
            self.arrivals.came[entrant],
            entrant.candidate.index,
        )

    async def _fail(self, refused: Mapping[int, LLMError]) -> None:
        turn = self.turn
        reason = f"no success within {self.timeout} s"
        note_race(self.entrants, None, self.seconds())
        failed = {entrant: self._error_of(entrant, reason) for entrant in self.entrants}
        known = trio.current_time()
        await see_losers_off(turn, self.entrants, reason)
        at_once = trio.current_time() == known
        stamp = self.arrivals.instant if at_once else None
        turn.fail(all_errors(refused, failed), stamp=stamp)

    def _error_of(self, entrant: Branch, reason: str) -> LLMError:
        if self.arrivals.came.get(entrant, math.inf) < self.deadline:
            error = self.arrivals.failure(entrant)
            if error is not None:
                return error
        return ProviderTimeoutError(reason, provider=entrant.candidate.node.name, phase="race")
