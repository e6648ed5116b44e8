"""In which order a load balance tries its members: by turns, by chance, by what is known.

Everything that is drawn is keyed by the call and the place in the tree, not by arrival,
so that one seed gives one run.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs

from trio_llm.balancing.routing import Candidate
from trio_llm.balancing.turn import Turn
from trio_llm.policy import Rotation, WeightedRotation
from trio_llm.policy.preference import Standing, least_busy, least_cost


class Order(Protocol):
    """Whose turn it is."""

    def order(self, turn: Turn, /) -> list[Candidate]:
        """Give the candidates of a visit in the order in which they are tried.

        Raises:
            LLMError: None can be given; the call fails with it.
        """
        ...

    def took(self, able: Sequence[Candidate], chosen: Candidate, /) -> None:
        """Say who took the call, among those that could."""
        ...


@attrs.define
class RoundRobin:
    """By turns: the member that has waited longest is first."""

    _rotation: Rotation = attrs.field(factory=Rotation, init=False)

    def order(self, turn: Turn) -> list[Candidate]:
        """Start with the member that has waited longest."""
        return _named(turn, self._rotation.order(_names(turn.candidates)))

    def took(self, _able: Sequence[Candidate], chosen: Candidate) -> None:
        """Pass the turn on."""
        self._rotation.took(chosen.node.name)


@attrs.frozen
class Random:
    """By chance."""

    def order(self, turn: Turn) -> list[Candidate]:
        """Shuffle."""
        return chance(turn).sample(turn.candidates, len(turn.candidates))

    def took(self, able: Sequence[Candidate], chosen: Candidate) -> None:
        """Chance remembers nothing."""


@attrs.define
class Weighted:
    """By weight; the shares of the calls are exact.

    Args:
        weights: Weight by member name; a member without one weighs 1.
    """

    weights: Mapping[str, float]
    _rotation: WeightedRotation = attrs.field(factory=WeightedRotation, init=False)

    def _weights(self, names: Sequence[str]) -> dict[str, float]:
        return {name: self.weights.get(name, 1.0) for name in names}

    def order(self, turn: Turn) -> list[Candidate]:
        """Start with the member that is owed most."""
        names = _names(turn.candidates)
        return _named(turn, self._rotation.order(names, self._weights(names)))

    def took(self, able: Sequence[Candidate], chosen: Candidate) -> None:
        """Let it pay, and the others that could have taken it earn."""
        names = _names(able)
        self._rotation.took(names, self._weights(names), chosen.node.name)


@attrs.define
class LeastBusy:
    """By the share of its places that is taken; among equals by turns."""

    _turns: int = attrs.field(default=0, init=False)
    _last: dict[str, int] = attrs.field(factory=dict[str, int], init=False)

    def order(self, turn: Turn) -> list[Candidate]:
        """Start with the member of which the smallest share is taken."""
        return _named(turn, least_busy(_standings(turn.candidates), self._served))

    def took(self, _able: Sequence[Candidate], chosen: Candidate) -> None:
        """Note whose turn it was."""
        self._turns += 1
        self._last[chosen.node.name] = self._turns

    def _served(self, name: str) -> int:
        return self._last.get(name, 0)


@attrs.frozen
class Informed:
    """By what is known of each member, and by chance.

    Args:
        rule: A rule of `trio_llm.policy.preference`.
        priced: Whether it looks at what the request costs, which takes a while to tell.
    """

    rule: Callable[[Sequence[Standing], random.Random], list[str]]
    priced: bool = False

    def order(self, turn: Turn) -> list[Candidate]:
        """Start with the member that the rule prefers."""
        standings = _standings(turn.candidates, priced=self.priced)
        return _named(turn, self.rule(standings, chance(turn)))

    def took(self, able: Sequence[Candidate], chosen: Candidate) -> None:
        """How the call goes is noted by the member itself."""


@attrs.frozen
class LeastCost:
    """By what the request costs at each member: its tokens, estimated, times real prices."""

    def order(self, turn: Turn) -> list[Candidate]:
        """Start with the cheapest; where the price is not known comes last."""
        return _named(turn, least_cost(_standings(turn.candidates, priced=True)))

    def took(self, able: Sequence[Candidate], chosen: Candidate) -> None:
        """A price remembers nothing."""


def chance(turn: Turn) -> random.Random:
    """Give the generator of a visit."""
    visit = turn.ask.payload
    key = f"{turn.seed}/{visit.call.number}/{'/'.join(visit.path)}"
    return random.Random(key)  # noqa: S311 - a choice of members


def _names(candidates: Sequence[Candidate]) -> list[str]:
    return [candidate.node.name for candidate in candidates]


def _named(turn: Turn, names: Sequence[str]) -> list[Candidate]:
    by_name = {candidate.node.name: candidate for candidate in turn.candidates}
    return [by_name[name] for name in names]


def _standings(candidates: Sequence[Candidate], *, priced: bool = False) -> list[Standing]:
    return [candidate.node.standing(candidate.request, priced=priced) for candidate in candidates]
