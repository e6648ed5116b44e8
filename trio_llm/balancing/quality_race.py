"""Quality race: of the first whole answers the best one wins."""

import attrs

from trio_llm.balancing.grace import GracedRace, Score
from trio_llm.balancing.race import RaceStrategy
from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.scoring import ScoredByFunction
from trio_llm.balancing.turn import Turn
from trio_llm.chat import Request


@attrs.frozen
class QualityRaceStrategy:
    """All members are asked at once; of the first whole answers the best by score wins.

    Latency only breaks ties. A stream is collected and then replayed; one that breaks
    meanwhile has failed, and nothing of it is shown, so there is nothing that this
    balancer's `on_interrupt` could go on with.

    What is no conversation (embeddings, moderation, ...) has no quality to be judged:
    the first answer wins, as in a plain race.

    Args:
        timeout: Seconds until one must have won, the grace and the scoring included;
            ``None`` for no limit.
        grace: Seconds that the others have after the first whole answer.
        score: What is best.
    """

    timeout: float | None = None
    grace: float = 0.5
    score: Score = attrs.field(factory=ScoredByFunction)

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """All are asked at once: declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Race the members."""
        if isinstance(turn.request, Request):
            await GracedRace(turn, self.timeout, self.grace, whole=True, score=self.score).run()
        else:
            await RaceStrategy(self.timeout).run(turn)
