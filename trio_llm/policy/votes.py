"""Consensus: which answer most of the weight stands behind, known as early as can be.

Ballots form groups by their declared rank, never by when they came. The first ballot
founds a group and represents it; each further one joins the first group whose
representative it agrees with, or founds its own. So a group's representative is its
best-ranked ballot, and every ballot in the group agrees with it. The group of the
greatest weight wins; of equals the one with the best-ranked representative.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import attrs

from trio_llm.policy.agreement import Agreement as Agreement
from trio_llm.policy.agreement import Aligned as Aligned
from trio_llm.policy.agreement import Ballot as Ballot
from trio_llm.policy.agreement import Exact as Exact
from trio_llm.policy.agreement import Similar as Similar


@attrs.frozen
class Group:
    """Ballots that agree with the best-ranked one among them.

    Attributes:
        weight: What they count together.
        names: Who gave them, in declared order.
        representative: The best-ranked ballot.
    """

    weight: float
    names: tuple[str, ...]
    representative: Ballot


@attrs.frozen
class _Standing:
    """A group with its exact weight."""

    ballots: tuple[Ballot, ...]
    weight: Fraction

    @property
    def rank(self) -> int:
        """The rank of its representative."""
        return self.ballots[0].rank

    @property
    def order(self) -> tuple[Fraction, int]:
        """The smaller, the nearer to winning."""
        return -self.weight, self.rank

    def public(self) -> Group:
        """Give it as others see it."""
        return Group(
            float(self.weight), tuple(ballot.name for ballot in self.ballots), self.ballots[0]
        )


def _exact(weight: float) -> Fraction:
    """Take a weight for the decimal number as which it is written: 0.1 + 0.2 is 0.3."""
    return Fraction(str(weight))


@attrs.define(eq=False)
class Election:
    """Counts ballots as they come, until more of them could change nothing.

    What it says depends on the ballots alone, not on their order. Weights are added
    up exactly, as the decimal numbers as which they are written.

    Args:
        electorate: Name, declared rank and weight of each member; names and ranks
            differ, and weights are finite numbers of zero or more.
        agreement: When two answers say the same.
        quorum: How many members must have answered, at least.

    Raises:
        ValueError: The electorate is not like that, or the quorum not within 1 and
            its size.
    """

    _electorate: Sequence[tuple[str, int, float]] = attrs.field(alias="electorate")
    _agreement: Agreement = attrs.field(alias="agreement", kw_only=True)
    _quorum: int = attrs.field(alias="quorum", kw_only=True)
    _pending: dict[str, tuple[int, float]] = attrs.field(init=False, repr=False)
    _cast: list[Ballot] = attrs.field(factory=list[Ballot], init=False, repr=False)
    _known: dict[tuple[int, int], bool] = attrs.field(
        factory=dict[tuple[int, int], bool], init=False, repr=False
    )
    _standings: tuple[_Standing, ...] = attrs.field(default=(), init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._pending = {name: (rank, weight) for name, rank, weight in self._electorate}
        size = len(self._electorate)
        if len(self._pending) < size or len({rank for _, rank, _ in self._electorate}) < size:
            raise ValueError("two members have one name or one rank")
        for name, _, weight in self._electorate:
            if not 0 <= weight < math.inf:
                msg = f"the weight of {name!r} must be a finite number of 0 or more, not {weight}"
                raise ValueError(msg)
        if not 1 <= self._quorum <= size:
            msg = f"the quorum must be from 1 to the {size} members there are, not {self._quorum}"
            raise ValueError(msg)
        try:
            float(self._coming())
        except OverflowError:
            raise ValueError("the weights are too large to add up") from None

    def vote(self, ballot: Ballot) -> None:
        """Count a ballot.

        Raises:
            ValueError: Nobody of that name, rank and weight is still to vote.
        """
        if self._pending.get(ballot.name) != (ballot.rank, ballot.weight):
            msg = f"no member {ballot.name!r} of that rank and weight is still to vote"
            raise ValueError(msg)
        del self._pending[ballot.name]
        self._cast.append(ballot)
        self._cast.sort(key=lambda one: one.rank)
        self._standings = self._grouped()

    def abstain(self, name: str) -> None:
        """Note that a member will not answer: it has failed, or will not be waited for.

        Raises:
            ValueError: Nobody of that name is still to vote.
        """
        if name not in self._pending:
            msg = f"no member {name!r} is still to vote"
            raise ValueError(msg)
        del self._pending[name]

    def groups(self) -> tuple[Group, ...]:
        """Give the groups as they stand, the one nearest to winning first."""
        return tuple(standing.public() for standing in self._standings)

    def decided(self) -> bool:
        """Tell whether the quorum is there and the votes to come cannot change who wins.

        That is: however they turn out, the group that wins holds the ballot that
        represents the winner now. It is said as soon as it is so, and never before.
        """
        if len(self._cast) < self._quorum:
            return False
        if not self._pending:
            return True
        if self._agreement.transitive:
            return self._outweighs_classes()
        if self._standings[0].rank < self._first_to_come():
            return self._outweighs_newcomers()
        return self._survives_newcomers()

    def winner(self) -> Group | None:
        """Give the group that has won; ``None`` while that is open, or without a quorum.

        Let those abstain that are not waited for: once nobody is left, all is decided.
        """
        return self._standings[0].public() if self.decided() else None

    def lost(self) -> bool:
        """Tell whether the quorum can no longer be reached."""
        return len(self._cast) + len(self._pending) < self._quorum

    def report(self) -> list[dict[str, Any]]:
        """Tell who voted together, as JSON and without what they said.

        Returns:
            For each group, the one nearest to winning first: ``names`` in declared
            order, ``size``, ``weight``, and whether it ``won``.
        """
        decided = self.decided()
        return [
            {
                "names": list(group.names),
                "size": len(group.names),
                "weight": group.weight,
                "won": decided and place == 0,
            }
            for place, group in enumerate(self.groups())
        ]

    def _grouped(self) -> tuple[_Standing, ...]:
        groups: list[list[Ballot]] = []
        for ballot in self._cast:
            for group in groups:
                if self._same(group[0], ballot):
                    group.append(ballot)
                    break
            else:
                groups.append([ballot])
        standings = [
            _Standing(tuple(group), sum((_exact(one.weight) for one in group), Fraction()))
            for group in groups
        ]
        return tuple(sorted(standings, key=lambda standing: standing.order))

    def _same(self, better: Ballot, other: Ballot) -> bool:
        pair = (better.rank, other.rank)
        if pair not in self._known:
            self._known[pair] = self._agreement.same(better, other)
        return self._known[pair]

    def _coming(self) -> Fraction:
        """What the votes to come count together."""
        return sum((_exact(weight) for _, weight in self._pending.values()), Fraction())

    def _first_to_come(self) -> int:
        return min(rank for rank, _ in self._pending.values())

    def _outweighs_classes(self) -> bool:
        """Tell whether the leader holds when agreement divides answers into classes.

        The worst for it is that all who come join one rival, or found one together.
        """
        leader, *rivals = self._standings
        coming, first = self._coming(), self._first_to_come()
        worst = [(-coming, first)]
        worst += [(-rival.weight - coming, min(rival.rank, first)) for rival in rivals]
        return leader.order < min(worst)

    def _outweighs_newcomers(self) -> bool:
        """Tell whether a leader ranked before all who come holds, without classes.

        Its ballots are its own for good, and so are those of rivals ranked like that.
        The worst is that all who come join one of these, or that the best-ranked of
        them represents the others and whatever the groups behind it held.
        """
        leader, *rivals = self._standings
        coming, first = self._coming(), self._first_to_come()
        loose = sum((rival.weight for rival in rivals if rival.rank > first), Fraction())
        worst = [(-loose - coming, first)]
        worst += [(-rival.weight - coming, rival.rank) for rival in rivals if rival.rank < first]
        return leader.order < min(worst)

    def _survives_newcomers(self) -> bool:
        """Tell whether a leader with a better-ranked vote still to come holds.

        A newcomer of better rank than its representative can represent all other
        ballots of the group in its place, and those of every group behind the first
        who comes, so that the representative stands alone. Whoever draws with it is
        better ranked, and wins.
        """
        leader, *rivals = self._standings
        coming, first = self._coming(), self._first_to_come()
        alone = _exact(leader.ballots[0].weight)
        loose = sum((rival.weight for rival in rivals if rival.rank > first), Fraction())
        if loose + leader.weight - alone + coming >= alone:
            return False
        firm = max((rival.weight for rival in rivals if rival.rank < first), default=None)
        if firm is None:
            return True
        # Of those who come one has to break the leader up, and cannot join the rival.
        breaker = min(
            _exact(weight) for rank, weight in self._pending.values() if rank < leader.rank
        )
        return firm + coming < leader.weight and firm + coming - breaker < alone
