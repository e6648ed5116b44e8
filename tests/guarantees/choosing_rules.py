"""What a tree with balancers that choose comes to, by the rules alone: no tasks, no scheduler."""

import math
from collections.abc import Sequence

import attrs

from tests.guarantees.choosing_scenes import Branching, Leaf, Planned, fill
from trio_llm.balancing.arrivals import MARGIN
from trio_llm.policy.agreement import Ballot, Exact
from trio_llm.policy.deadlines import divide
from trio_llm.policy.preference import race_score
from trio_llm.policy.vitals import Vitals
from trio_llm.policy.votes import Election


@attrs.frozen
class Foreseen:
    """What a planned tree comes to.

    Attributes:
        at: When it answers or fails; for a stream, with its first event.
        whole: When all of the answer is there, or the stream breaks.
        leaf: Who answers; ``None`` where it fails.
        text: What it answers.
        broken: Whether the stream breaks after all.
    """

    at: float
    whole: float
    leaf: str | None = None
    text: str = ""
    broken: bool = False

    @property
    def good(self) -> bool:
        """Whether the consumer gets all of an answer."""
        return self.leaf is not None and not self.broken


def foresee(
    planned: Planned, start: float = 0.0, caller: float = math.inf, *, streaming: bool
) -> Foreseen:
    """Compute what a planned tree comes to.

    Args:
        planned: The tree.
        start: When it is asked.
        caller: When whoever asks wants to have been answered.
        streaming: Whether the answer counts from its first half on.
    """
    if isinstance(planned, Leaf):
        return _leaf(planned, start, streaming=streaming)
    if planned.kind == "fallback":
        return _fallback(planned, start, caller, streaming=streaming)
    deadline = math.inf if planned.timeout is None else start + planned.timeout
    outcomes = [
        foresee(member, start, min(deadline, caller), streaming=streaming)
        for member in planned.members
    ]
    if planned.kind == "race":
        return _first(outcomes, deadline)
    latest = caller - min(MARGIN, (caller - start) * 0.1) if caller < math.inf else caller
    if planned.kind == "weighted":
        records = [record(member) for member in planned.members]
        return _weighted(planned.grace, outcomes, records, start, deadline, latest)
    if planned.kind == "quality":
        return _quality(planned.grace, outcomes, deadline, latest)
    return _consensus(outcomes, deadline, latest)


def _leaf(leaf: Leaf, start: float, *, streaming: bool) -> Foreseen:
    plays = leaf.plays
    at, whole = start + plays.first, start + plays.first + plays.rest
    if plays.fails:
        return Foreseen(at, at)
    if streaming:
        return Foreseen(at, whole, leaf.name, plays.text, plays.breaks)
    return Foreseen(whole, whole, None if plays.breaks else leaf.name, plays.text)


def _fallback(planned: Branching, start: float, caller: float, *, streaming: bool) -> Foreseen:
    outcome = Foreseen(start, start)
    for index, member in enumerate(planned.members):
        row = [None] * (len(planned.members) - index)
        until = divide(outcome.at, caller, row) if len(row) > 1 else math.inf
        outcome = foresee(member, outcome.at, min(until, caller), streaming=streaming)
        if outcome.at >= until:
            outcome = Foreseen(until, until)
        if outcome.leaf is not None:
            break
    return outcome


def _failed(outcomes: Sequence[Foreseen], deadline: float) -> Foreseen:
    at = min(max(outcome.at for outcome in outcomes), deadline)
    return Foreseen(at, at)


def _first(outcomes: Sequence[Foreseen], deadline: float) -> Foreseen:
    answers = [one for one in outcomes if one.leaf is not None and one.at < deadline]
    if not answers:
        return _failed(outcomes, deadline)
    return min(answers, key=lambda outcome: outcome.at)


def record(planned: Planned) -> float:
    """Give the share of the races that a member has won, as it counts before the next one."""
    vitals = Vitals()
    if isinstance(planned, Leaf):
        fill(vitals, planned.won, planned.lost)
    return vitals.races.value()


def _end(instants: Sequence[float], first: float, grace: float, latest: float) -> float:
    """Give when a grace is over: early if nothing more comes."""
    until = max(min(first + grace, latest), first)
    last = max(instants)
    return last if last < until or last == first else until


def _weighted(
    grace: float,
    outcomes: Sequence[Foreseen],
    records: Sequence[float],
    start: float,
    deadline: float,
    latest: float,
) -> Foreseen:
    told = start  # what came until then is dealt with
    while True:
        coming = [one for one in outcomes if one.leaf is not None and told < one.at < deadline]
        if not coming:
            return _failed([*outcomes, Foreseen(told, told)], deadline)
        first = min(one.at for one in coming)
        end = _end([each.at for each in outcomes], first, grace, min(latest, deadline))
        until = max(min(first + grace, latest, deadline), first)
        found = [
            index
            for index, one in enumerate(outcomes)
            if one in coming and (one.at < until or one.at == first)
        ]
        living = [
            index
            for index in found
            if not (outcomes[index].broken and outcomes[index].whole <= end)
        ]
        if living:
            fastest = min(outcomes[index].at for index in living) - start
            winner = min(
                living,
                key=lambda index: (
                    -race_score(records[index], outcomes[index].at - start, fastest),
                    outcomes[index].at,
                    index,
                ),
            )
            chosen = outcomes[winner]
            return attrs.evolve(chosen, at=end, whole=max(chosen.whole, end))
        if end >= deadline:
            return Foreseen(deadline, deadline)
        told = max(outcomes[index].at for index in found)


def _quality(
    grace: float, outcomes: Sequence[Foreseen], deadline: float, latest: float
) -> Foreseen:
    good = [outcome for outcome in outcomes if outcome.good and outcome.whole < deadline]
    instants = [outcome.whole for outcome in outcomes]
    if not good:
        at = min(max(instants), deadline)
        return Foreseen(at, at)
    first = min(outcome.whole for outcome in good)
    end = _end(instants, first, grace, min(latest, deadline))
    until = max(min(first + grace, latest, deadline), first)
    found = [one for one in good if one.whole < until or one.whole == first]
    chosen = min(found, key=lambda one: (-ord(one.text[0]), one.whole))
    return attrs.evolve(chosen, at=end, whole=end)


def _consensus(outcomes: Sequence[Foreseen], deadline: float, latest: float) -> Foreseen:
    names = [str(index) for index in range(len(outcomes))]
    quorum = len(names) // 2 + 1
    election = Election(
        [(name, index, 1.0) for index, name in enumerate(names)],
        agreement=Exact(),
        quorum=quorum,
    )
    at, votes = 0.0, 0
    for instant in sorted({outcome.whole for outcome in outcomes}):
        if instant >= (min(deadline, latest) if votes >= quorum else deadline):
            break
        at = instant
        for name, outcome in zip(names, outcomes, strict=True):
            if outcome.whole == instant and outcome.good:
                election.vote(Ballot(name, int(name), 1.0, outcome.text))
                votes += 1
            elif outcome.whole == instant:
                election.abstain(name)
        if election.decided() or election.lost():
            break
    if not (election.decided() or election.lost()):
        at = max(at, min(deadline, latest) if votes >= quorum else deadline)
        for name, outcome in zip(names, outcomes, strict=True):
            if outcome.whole > at or (outcome.whole == at and at in (latest, deadline)):
                election.abstain(name)
    group = election.winner()
    if group is None:
        return Foreseen(at, at)
    return attrs.evolve(outcomes[int(group.representative.name)], at=at, whole=at)
