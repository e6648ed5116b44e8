"""Those who take part in what asks several members at once."""

from collections.abc import Mapping, Sequence

import trio

from trio_llm.actors import Releasable
from trio_llm.balancing.routing import Candidate
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.errors import LLMError
from trio_llm.providers.lease import ATTEMPTS_SPENT, WORTH_WAITING, Refusal


def line_up(
    turn: Turn, deadline: float, enough: int = 1
) -> tuple[list[Branch], dict[int, LLMError]]:
    """Ask every member in one synchronous step, so that the start is fair.

    Members without a free place take part only when fewer than `enough` have one; they
    then wait in line. Where not even that would be enough, or the attempts that the call has
    left are too few, nobody is asked.

    Args:
        turn: The visit.
        deadline: When the members must have answered, on Trio's clock.
        enough: How many must take part.

    Returns:
        Those who were asked, and by declared position why the others were not.
    """
    free, busy, refused = _places(turn)
    visit = turn.ask.payload
    spent = visit.call.attempts_left + visit.booked < enough
    if spent or len(free) + len(busy) < enough:
        for _, place in free:
            place.release()
        if spent:
            for candidate in (*[each for each, _ in free], *busy):
                refused[candidate.index] = ATTEMPTS_SPENT.error(candidate.node.name)
        return [], refused
    entrants: list[Branch] = []

    def enter(candidate: Candidate, place: Releasable | Refusal, *, may_wait: bool) -> None:
        branch = (
            place.error(candidate.node.name)
            if isinstance(place, Refusal)
            else turn.post(candidate, place, may_wait=may_wait, deadline=deadline)
        )
        if isinstance(branch, Branch):
            entrants.append(branch)
            refused.pop(candidate.index, None)
        else:
            refused[candidate.index] = branch

    for candidate, place in free:
        enter(candidate, place, may_wait=turn.may_wait)
    if len(entrants) < enough:
        for candidate in busy:
            enter(candidate, turn.enqueue(candidate), may_wait=True)
    return entrants, refused


def _places(
    turn: Turn,
) -> tuple[list[tuple[Candidate, Releasable]], list[Candidate], dict[int, LLMError]]:
    """Take the places that are free; give them, whose line may be joined, and all refusals."""
    free: list[tuple[Candidate, Releasable]] = []
    busy: list[Candidate] = []
    refused: dict[int, LLMError] = {}
    for candidate in turn.candidates:
        place = candidate.node.reserve(candidate.request)
        if not isinstance(place, Refusal):
            free.append((candidate, place))
            continue
        refused[candidate.index] = place.error(candidate.node.name)
        if place.code in WORTH_WAITING and turn.may_wait:
            busy.append(candidate)
    return free, busy, refused


def note_race(
    entrants: Sequence[Branch], winner: Branch | None, seconds: Mapping[Branch, float]
) -> None:
    """Keep in mind how each entrant of a race has fared.

    Args:
        entrants: All who were asked.
        winner: Whose answer was taken.
        seconds: How long each answer took, of those that had one.
    """
    now = trio.current_time()
    for entrant in entrants:
        entrant.candidate.node.vitals.raced(entrant is winner, seconds.get(entrant), now)


def all_errors(
    refused: Mapping[int, LLMError], failed: Mapping[Branch, LLMError]
) -> list[LLMError]:
    """Give all that went wrong, by declared position."""
    errors = {**refused, **{branch.candidate.index: error for branch, error in failed.items()}}
    return [errors[index] for index in sorted(errors)]
