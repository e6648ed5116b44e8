"""Weighted race: of the first answers, that of the member with the best record wins."""

from collections.abc import Sequence

import attrs

from trio_llm.balancing.grace import GracedRace, Scores
from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.policy.preference import race_score


@attrs.frozen
class WeightedRaceStrategy:
    """All members are asked at once; of the first answers the best one by score wins.

    The score is the share of its races that a member has won, recent ones first, times
    its latency factor in this one (`race_score`). A stream has answered with its first
    useful event; until the race is decided it waits, and so does the consumer.

    When the others have time until, and what a stream that breaks meanwhile counts, is
    told in `trio_llm.balancing.grace`.

    Args:
        timeout: Seconds to the commit, the grace included; the body of a winning stream
            is not covered. ``None`` for no limit.
        grace: Seconds that the others have after the first success.
    """

    timeout: float | None = None
    grace: float = 0.5

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """All are asked at once: declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Race the members."""
        await GracedRace(turn, self.timeout, self.grace, whole=False, score=_by_record).run()


async def _by_record(race: GracedRace, found: Sequence[Branch]) -> Scores:
    """Score by the record as it was before this race."""
    seconds = race.seconds()
    fastest = min(seconds[entrant] for entrant in found)
    scores = {
        entrant: race_score(entrant.candidate.node.vitals.races.value(), seconds[entrant], fastest)
        for entrant in found
    }
    return Scores(scores, race.arrivals.instant)
