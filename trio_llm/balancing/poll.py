"""One vote while it runs: whole answers come in, and some of them are embedded first."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from trio_llm import events
from trio_llm.balancing.advice import Adviser
from trio_llm.balancing.arrivals import Arrivals, last_call
from trio_llm.balancing.ballots import ballot_of
from trio_llm.balancing.scoring import completion_of
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.chat import Embeddings, EmbedRequest, Request
from trio_llm.errors import LLMError
from trio_llm.policy.votes import Election, Group
from trio_llm.providers.node import Node

_Vector: TypeAlias = Sequence[float]


@attrs.define(eq=False)
class Poll:
    """Counts the answers of one visit as votes.

    Each text is embedded once, and votes when its vector is there. One that gets none
    votes all the same, by its words.

    Args:
        turn: The visit.
        entrants: Those who were asked.
        request: What they were asked.
        election: Who may vote, and who wins.
        weights: What each vote counts, by name.
        quorum: How many answers there must be.
        deadline: When there must be a result, on Trio's clock.
        embedder: Who embeds the answers, where vectors are compared.

    Attributes:
        arrivals: What comes back.
        asides: Those who were asked for vectors.
        failed: What went wrong with those who did not answer.
        voters: Those who have voted.
    """

    turn: Turn
    entrants: Sequence[Branch]
    request: Request
    election: Election
    weights: Mapping[str, float]
    quorum: int
    deadline: float
    embedder: Node | None = None
    failed: dict[Branch, LLMError] = attrs.field(factory=dict[Branch, LLMError], init=False)
    voters: dict[str, Branch] = attrs.field(factory=dict[str, Branch], init=False)
    arrivals: Arrivals = attrs.field(init=False)
    _adviser: Adviser | None = attrs.field(init=False)
    _latest: float = attrs.field(init=False)
    _texts: dict[Branch, str] = attrs.field(factory=dict[Branch, str], init=False)
    _waiting: dict[str, list[Branch]] = attrs.field(factory=dict[str, list[Branch]], init=False)
    _vectors: dict[str, _Vector | None] = attrs.field(
        factory=dict[str, "_Vector | None"], init=False
    )

    def __attrs_post_init__(self) -> None:
        self.arrivals = Arrivals(self.turn, whole=True)
        self._adviser = None if self.embedder is None else Adviser(self.turn, self.embedder)
        self._latest = last_call(self.turn)

    @property
    def asides(self) -> list[Branch]:
        """Those who were asked for vectors."""
        return [] if self._adviser is None else self._adviser.asked

    @property
    def silent(self) -> list[Branch]:
        """Those who have neither voted nor failed."""
        return [
            entrant
            for entrant in self.entrants
            if entrant not in self.failed and entrant.candidate.node.name not in self.voters
        ]

    async def run(self) -> Group | None:
        """Count votes until more of them could change nothing; give the group that won.

        Returns:
            ``None`` when there were too few, or can only be too few.
        """
        for entrant in self.entrants:
            self.arrivals.watch(entrant)
        while True:
            winner = self.election.winner()
            if winner is not None or self.election.lost():
                return winner
            waiting = [member for row in self._waiting.values() for member in row]
            enough = len(self.voters) + len(waiting) >= self.quorum
            until = min(self.deadline, self._latest) if enough else self.deadline
            came = await self.arrivals.next(until)
            if came:
                self._tell([name for branch in came for name in self._take(branch)])
                continue
            self._tell([self._vote(member, None) for member in waiting])
            for entrant in self.silent:
                self.election.abstain(entrant.candidate.node.name)

    def _take(self, branch: Branch) -> list[str]:
        """Take what one has come to; give the names of those who vote on it."""
        failure = self.arrivals.failure(branch)
        text = self._texts.pop(branch, None)
        if text is not None:
            vector = None if failure else _vector_of(branch)
            self._vectors[text] = vector
            members = self._waiting.pop(text)
            if failure and self._adviser is not None:
                self._adviser.missing(members[0], failure)
            return [self._vote(member, vector) for member in members]
        if failure:
            self.failed[branch] = failure
            self.election.abstain(branch.candidate.node.name)
            return []
        return self._answered(branch)

    def _answered(self, branch: Branch) -> list[str]:
        """Let a member vote, at once or when its answer has been embedded."""
        message = completion_of(branch).message
        text = message.text
        adviser = self._adviser
        if adviser is None or message.tool_calls or self.request.output or not text.strip():
            return [self._vote(branch, None)]
        if text in self._waiting:
            self._waiting[text].append(branch)
            return []
        if text not in self._vectors:
            asked = adviser.ask(self._question(adviser.node, text), branch, self.deadline)
            if asked is not None:
                self._texts[asked] = text
                self._waiting[text] = [branch]
                self.arrivals.watch(asked)
                return []
        return [self._vote(branch, self._vectors.get(text))]

    def _question(self, embedder: Node, text: str) -> EmbedRequest:
        question = EmbedRequest(texts=text, user=self.request.user, tags=self.request.tags)
        # Vectors of two model families cannot be compared.
        return attrs.evolve(question, family=embedder.embedding_family(question))

    def _vote(self, branch: Branch, vector: _Vector | None) -> str:
        name = branch.candidate.node.name
        ballot = ballot_of(
            name,
            branch.candidate.index,
            self.weights.get(name, 1.0),
            self.request,
            completion_of(branch),
            vector,
        )
        self.election.vote(ballot)
        self.voters[name] = branch
        return name

    def _tell(self, names: Sequence[str]) -> None:
        """Tell who has voted, and with whom."""
        groups = self.election.groups() if self.turn.ask.payload.call.events.watched else ()
        for name in names:
            for group in groups:
                if name in group.names:
                    self.turn.emit(events.VoteCast, name, group.names[0])


def _vector_of(branch: Branch) -> _Vector | None:
    answer = branch.ask.value
    result = None if answer is None else answer.result
    return result.vectors[0] if isinstance(result, Embeddings) and result.vectors else None
