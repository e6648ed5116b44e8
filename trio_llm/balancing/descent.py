"""Asking members one after the other until one succeeds, within the caller's deadline."""

import math
from collections.abc import Callable, Sequence

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.routing import Candidate
from trio_llm.balancing.turn import (
    Branch,
    Turn,
    error_of,
    falls_through,
    is_busy,
    is_refusal,
)
from trio_llm.errors import LLMError
from trio_llm.policy.deadlines import divide
from trio_llm.providers.lease import Refusal

Detour = Callable[[LLMError], list[Candidate]]
"""Who is asked next because of an error, before or in place of all others."""


def _no_detour(_error: LLMError) -> list[Candidate]:
    return []


@attrs.define(eq=False)
class Descent:
    """One walk down a row of members.

    A member that cannot take the call (busy, cooling, down) is passed over and costs
    no try. Members that are only busy get a second chance, in their line, when nobody
    else answered. An error that no other member could mend ends the walk, unless a
    detour leads on.

    The caller's deadline is divided: a member may use what is left of it less a reserve
    for those that may have to follow (see `trio_llm.policy.deadlines`).

    Args:
        turn: The visit.
        tries: How many members may be asked, detours not counted.
        detour: Whom an error leads to.

    Attributes:
        errors: What the members failed with, in the order in which they were asked.
        stopped: Whether the last of them is one that no other member could mend.
        asked: Whose turn has come so far, those included that could not take the call.
    """

    turn: Turn
    tries: float = math.inf
    detour: Detour = _no_detour
    errors: list[LLMError] = attrs.field(factory=list[LLMError], init=False)
    stopped: bool = attrs.field(default=False, init=False)
    asked: list[Candidate] = attrs.field(factory=list[Candidate], init=False)

    async def down(self, order: Sequence[Candidate]) -> Branch | None:
        """Ask them in order; give the one that succeeded, or nothing."""
        queue = list(order)
        busy: list[tuple[Candidate, LLMError]] = []
        while queue:
            candidate = queue.pop(0)
            self.asked.append(candidate)
            lease = candidate.node.reserve(candidate.request)
            if isinstance(lease, Refusal):
                error: LLMError = lease.error(candidate.node.name)
            elif self.tries <= 0:
                lease.release()
                break
            else:
                followers = [*queue, *(each for each, _ in busy)]
                until = self._until(candidate, followers)
                outcome = await self.turn.consult(candidate, lease, may_wait=False, until=until)
                if isinstance(outcome, Branch) and outcome.error is None:
                    return outcome
                error = error_of(outcome)
                self.tries -= not is_refusal(error)
            if is_busy(error):
                busy.append((candidate, error))
                continue
            if not self._goes_on(error, candidate, queue):
                return None
        return await self._in_line(busy)

    async def _in_line(self, busy: list[tuple[Candidate, LLMError]]) -> Branch | None:
        """Give those that were only busy their second chance."""
        turn = self.turn
        queue = [candidate for candidate, _ in busy]
        for candidate, refusal in busy:
            queue.pop(0)
            if self.tries <= 0 or not turn.may_wait:
                self.errors.append(refusal)
                continue
            place = turn.enqueue(candidate)
            if isinstance(place, Refusal):
                self.errors.append(place.error(candidate.node.name))
                continue
            until = self._until(candidate, queue)
            outcome = await turn.consult(candidate, place, may_wait=True, until=until)
            if isinstance(outcome, Branch) and outcome.error is None:
                return outcome
            error = error_of(outcome)
            self.tries -= not is_refusal(error)
            detours: list[Candidate] = []
            if not self._goes_on(error, candidate, detours):
                return None
            if detours:
                branch = await self.down(detours)
                if branch is not None or self.stopped:
                    return branch
        return None

    def _goes_on(self, error: LLMError, failed: Candidate, queue: list[Candidate]) -> bool:
        """Note a failure, and let those that it leads to come first; false ends the walk."""
        self.errors.append(error)
        detours = [each for each in self.detour(error) if not self._knows(each)]
        if not falls_through(error):
            if not detours:
                self.stopped = True
                return False
            queue.clear()
        if detours:
            queue[:] = [*detours, *(each for each in queue if each.node not in _nodes(detours))]
            self.tries += len(detours)
        self.turn.emit(events.FellBack, failed.node.name, str(error))
        return True

    def _knows(self, candidate: Candidate) -> bool:
        return candidate.node in _nodes(self.asked)

    def _until(self, candidate: Candidate, followers: Sequence[Candidate]) -> float:
        """Give the instant at which a member must have answered, for the others' sake."""
        deadline = self.turn.ask.deadline
        if deadline == math.inf or not followers or self.tries <= 1:
            return math.inf
        now = trio.current_time()
        may_follow = followers[: int(min(self.tries - 1, len(followers)))]
        row = [candidate, *may_follow]
        return divide(now, deadline, [each.node.expected(now) for each in row])


def _nodes(candidates: Sequence[Candidate]) -> list[object]:
    return [candidate.node for candidate in candidates]
