"""Fallback: ask the members one after another until one answers."""

import attrs

from trio_llm import events
from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.turn import Branch, Turn, falls_through
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

    async def run(self, turn: Turn) -> None:
        """Try the members in order."""
        order = sorted(turn.candidates, key=lambda candidate: candidate.index != self.primary)
        order = preferred_first(order, turn.request.prefer)
        errors: list[LLMError] = []
        busy: list[tuple[Candidate, LLMError]] = []
        tries = 1 + (len(order) if self.max_retries is None else self.max_retries)
        for candidate in order:
            lease = candidate.node.reserve(candidate.request)
            if isinstance(lease, Refusal):
                error: LLMError = lease.error(candidate.node.name)
                if lease.code == "busy":
                    busy.append((candidate, error))
                else:
                    errors.append(error)
                    turn.emit(events.FellBack, candidate.node.name, lease.message)
                continue
            if tries == 0:
                lease.release()
                break
            tries -= 1
            if await self._try(turn, candidate, await turn.consult(candidate, lease), errors):
                return
        for candidate, refusal in busy:
            if tries == 0:
                errors.append(refusal)
                continue
            place = candidate.node.enqueue(candidate.request)
            if isinstance(place, Refusal):
                errors.append(place.error(candidate.node.name))
                continue
            tries -= 1
            if await self._try(turn, candidate, await turn.consult(candidate, place), errors):
                return
        turn.fail(errors)

    async def _try(
        self,
        turn: Turn,
        candidate: Candidate,
        outcome: Branch | LLMError,
        errors: list[LLMError],
    ) -> bool:
        """Take a member's outcome; true when the call is decided."""
        error = outcome.error if isinstance(outcome, Branch) else outcome
        if error is None and isinstance(outcome, Branch):
            name = candidate.node.name
            turn.answer(outcome, {"fallback_provider": name, "fallback_index": candidate.index})
            await turn.stay(outcome)
            return True
        if error is None:
            return False
        if not falls_through(error):
            turn.stop(error, errors)
            return True
        errors.append(error)
        turn.emit(events.FellBack, candidate.node.name, str(error))
        return False
