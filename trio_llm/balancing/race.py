"""Race: ask every member that can take the call, and keep the first success.

Who wins, and why that never depends on the scheduler, is told in
`trio_llm.balancing.contest`.
"""

import math

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.contest import first_success, see_losers_off
from trio_llm.balancing.entrants import all_errors, line_up, note_race
from trio_llm.balancing.routing import Candidate, others_than, preferred_first
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.errors import LLMError, ProviderTimeoutError


@attrs.frozen
class RaceStrategy:
    """First wins; the losers are cancelled, awaited and gone.

    Args:
        timeout: Seconds to the commit; the body of a winning stream is not
            covered. ``None`` for no limit.
    """

    timeout: float | None = None

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """All are asked at once: declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Race the members."""
        start = trio.current_time()
        deadline = math.inf if self.timeout is None else start + self.timeout
        entrants, refused = line_up(turn, deadline)
        try:
            winner = await first_success(turn, entrants, deadline)
        except BaseException:
            await turn.dismiss(entrants, turn.give_up_reason)
            raise
        note_race(entrants, winner, _seconds(entrants, start))
        reason = f"no success within {self.timeout} s"
        others: list[Candidate] = []
        if winner is not None:
            name = winner.candidate.node.name
            reason = f"lost the race to {name!r}"
            turn.emit(events.WinnerChosen, name, winner.ask.stamp)
            latency = round((winner.ask.stamp - start) * 1000)
            failed = [each.candidate for each in entrants if each.ask.error is not None]
            others = others_than(winner.candidate, turn.candidates, failed)
            metadata = {"racing_winner": name, "racing_latency_ms": latency}
            turn.answer(winner, metadata, others)
        losers = [entrant for entrant in entrants if entrant is not winner]
        await see_losers_off(turn, losers, reason)
        if winner is not None:
            await turn.stay(winner, others)
            return
        errors = {entrant: _error_of(entrant, deadline, reason) for entrant in entrants}
        turn.fail(all_errors(refused, errors))


def _seconds(entrants: list[Branch], start: float) -> dict[Branch, float]:
    """How long each answer took, of those that had one."""
    return {
        entrant: entrant.ask.stamp - start for entrant in entrants if entrant.ask.value is not None
    }


def _error_of(entrant: Branch, deadline: float, reason: str) -> LLMError:
    """The error of a member that did not win: its own, or the race's timeout."""
    error = entrant.error
    if error is not None and entrant.ask.stamp < deadline:
        return error
    return ProviderTimeoutError(reason, provider=entrant.candidate.node.name, phase="race")
