"""Consensus: all members are asked, and the answer that most of the weight is behind wins."""

import math
from collections.abc import Mapping

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.ballots import ByValue
from trio_llm.balancing.collecting import replay
from trio_llm.balancing.contest import announce, see_losers_off
from trio_llm.balancing.entrants import all_errors, line_up
from trio_llm.balancing.poll import Poll
from trio_llm.balancing.race import RaceStrategy
from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.turn import Turn
from trio_llm.chat import Request
from trio_llm.errors import (
    LLMError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from trio_llm.policy.agreement import Agreement, Exact
from trio_llm.policy.votes import Election, Group
from trio_llm.providers.node import Node


@attrs.frozen
class ConsensusStrategy:
    """Everybody is asked at once, and each whole answer is a vote.

    Votes are counted instant by instant. As soon as those that are missing could change
    nothing any more, the group that has won answers with its member that was declared
    first, and the others are cancelled. A stream is collected and then replayed; one that
    breaks meanwhile has failed, and nothing of it is shown, so there is nothing that this
    balancer's `on_interrupt` could go on with.

    There must be `quorum` answers. Members without a free place wait in line where those
    with one would be too few; where even together they are, nobody is asked. When time
    runs out, the answers that are there decide, if they are enough: that is at the
    timeout, or shortly before the caller's deadline.

    What is no conversation (embeddings, moderation, ...) is not voted on: the first
    answer wins, as in a plain race.

    Args:
        agreement: When two answers say the same.
        weights: What the vote of a member counts, by name; 1 where nothing is said.
        quorum: How many answers there must be; ``None`` for more than half of the
            members, or of those that serve the model that the call names.
        timeout: Seconds until there must be a result; ``None`` for no limit.
        embedder: Who turns the answers into vectors, where those are compared.
    """

    agreement: Agreement = attrs.field(factory=Exact)
    weights: Mapping[str, float] = attrs.field(factory=dict[str, float])
    quorum: int | None = None
    timeout: float | None = None
    embedder: Node | None = None

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """All are asked at once: declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Ask the members, and let them vote."""
        if not isinstance(turn.request, Request):
            await RaceStrategy(self.timeout).run(turn)
            return
        deadline = math.inf if self.timeout is None else trio.current_time() + self.timeout
        quorum = len(turn.candidates) // 2 + 1 if self.quorum is None else self.quorum
        entrants, refused = line_up(turn, deadline, quorum)
        if not entrants:
            _fail(turn, list(refused.values()), quorum, votes=0)
            return
        election = self._election(turn, turn.request, quorum, refused)
        poll = Poll(
            turn, entrants, turn.request, election, self.weights, quorum, deadline, self.embedder
        )
        try:
            winner = await poll.run()
        except BaseException:
            await turn.dismiss([*entrants, *poll.asides], turn.give_up_reason)
            raise
        if winner is None:
            await self._lose(poll, refused)
        else:
            await _succeed(poll, winner)

    def _election(
        self, turn: Turn, request: Request, quorum: int, refused: Mapping[int, LLMError]
    ) -> Election:
        agreement = self.agreement
        if request.output is not None:
            agreement = Exact()
        elif not isinstance(agreement, Exact):
            agreement = ByValue(agreement)
        election = Election(
            [
                (each.node.name, each.index, self.weights.get(each.node.name, 1.0))
                for each in turn.candidates
            ],
            agreement=agreement,
            quorum=quorum,
        )
        for candidate in turn.candidates:
            if candidate.index in refused:
                election.abstain(candidate.node.name)
        return election

    async def _lose(self, poll: Poll, refused: Mapping[int, LLMError]) -> None:
        """Say why there were too few answers; those who still work on theirs leave."""
        turn = poll.turn
        reason = f"{poll.quorum} answers cannot come any more"
        failed = dict(poll.failed)
        if poll.arrivals.instant >= poll.deadline:
            reason = f"no answer within {self.timeout} s"
            for entrant in poll.silent:
                failed[entrant] = ProviderTimeoutError(
                    reason, provider=entrant.candidate.node.name, phase="consensus"
                )
        known = trio.current_time()
        await see_losers_off(turn, poll.entrants, reason, poll.asides)
        stamp = poll.arrivals.instant if trio.current_time() == known else None
        errors = all_errors(refused, failed)
        _fail(turn, errors, poll.quorum, votes=len(poll.voters), stamp=stamp)


async def _succeed(poll: Poll, group: Group) -> None:
    """Give the answer of the best-ranked member of the group; the others leave."""
    turn, name = poll.turn, group.representative.name
    winner = poll.voters[name]
    groups = poll.election.groups()
    votes = tuple([(each.names, each.weight) for each in groups])
    turn.emit(events.ConsensusReached, name, votes)
    cast = math.fsum(each.weight for each in groups)
    metadata = {
        "consensus_provider": name,
        "consensus_votes": poll.election.report(),
        "consensus_share": group.weight / cast if cast else 0.0,
    }
    replay(turn, winner, metadata, poll.arrivals.instant)
    losers = [entrant for entrant in poll.entrants if entrant is not winner]
    agreeing = [each for each in losers if each.candidate.node.name in group.names]
    announce(turn, agreeing, f"agreed with {name!r}")
    others = [each for each in losers if each not in agreeing]
    await see_losers_off(turn, others, f"the vote went to {name!r}", [*agreeing, *poll.asides])
    await turn.stay(winner)


def _fail(
    turn: Turn, errors: list[LLMError], quorum: int, *, votes: int, stamp: float | None = None
) -> None:
    name, members = turn.node.name, len(turn.candidates)
    needed = f"{quorum} of {members} answers needed, {votes} came"
    if votes:  # those who have answered have no error that would stand for them
        errors = [*errors, ProviderError(needed, provider=name, code="quorum")]
    elif not errors:  # there are fewer members than answers needed
        errors = [ProviderUnavailableError(needed, provider=name, code="quorum")]
    turn.fail(errors, message=f"no consensus at {name!r}: {needed}", stamp=stamp)
