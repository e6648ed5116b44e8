"""Fallback: ask the members one after another until one answers."""

import attrs

from trio_llm import events
from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.turn import (
    Branch,
    Turn,
    error_of,
    falls_through,
    is_busy,
    is_refusal,
)
from trio_llm.errors import LLMError
from trio_llm.providers.lease import Refusal


@attrs.frozen
class FallbackStrategy:
    """In declared order, the primary before the rest, the call's preferred before both.

    A member that cannot take the call (busy, cooling, down) is passed over and
    costs no try. Members that are only busy get a second chance, in their line,
    when nobody else answered. An error that no other member could mend ends the
    call at once.

    Args:
        max_retries: How many further members may be tried after the first;
            ``None`` for all.
        primary: Declared position of the member to try first.
    """

    max_retries: int | None = None
    primary: int = 0

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """Put the primary before the rest, and the preferred before both."""
        if self.primary:
            candidates = sorted(candidates, key=lambda candidate: candidate.index != self.primary)
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Try the members in order."""
        order = self.in_order(turn.candidates, turn.request.prefer)
        errors: list[LLMError] = []
        busy: list[tuple[Candidate, LLMError]] = []
        tries = 1 + (len(order) if self.max_retries is None else self.max_retries)
        for candidate in order:
            lease = candidate.node.reserve(candidate.request)
            if isinstance(lease, Refusal):
                error: LLMError = lease.error(candidate.node.name)
            elif tries == 0:
                lease.release()
                break
            else:
                outcome = await turn.consult(candidate, lease, may_wait=False)
                if await self._answered(turn, candidate, outcome, errors):
                    return
                error = error_of(outcome)
                tries -= not is_refusal(error)
            if is_busy(error):
                busy.append((candidate, error))
            else:
                errors.append(error)
                turn.emit(events.FellBack, candidate.node.name, str(error))
        for candidate, refusal in busy:
            if tries == 0 or not turn.may_wait:
                errors.append(refusal)
                continue
            place = turn.enqueue(candidate)
            if isinstance(place, Refusal):
                errors.append(place.error(candidate.node.name))
                continue
            outcome = await turn.consult(candidate, place, may_wait=True)
            if await self._answered(turn, candidate, outcome, errors):
                return
            errors.append(error_of(outcome))
            tries -= not is_refusal(errors[-1])
        turn.fail(errors)

    async def _answered(
        self,
        turn: Turn,
        candidate: Candidate,
        outcome: Branch | LLMError,
        earlier: list[LLMError],
    ) -> bool:
        """Take a member's outcome; true when it decides the call."""
        if isinstance(outcome, Branch) and outcome.error is None:
            name = candidate.node.name
            turn.answer(outcome, {"fallback_provider": name, "fallback_index": candidate.index})
            await turn.stay(outcome)
            return True
        error = error_of(outcome)
        if falls_through(error):
            return False
        turn.stop(error, earlier)
        return True
