"""Load balance: one member takes the call, by turns, by chance or by weight."""

import random
from collections.abc import Mapping
from typing import Protocol

import attrs

from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.turn import Branch, Turn, falls_through, is_refusal
from trio_llm.errors import LLMError
from trio_llm.policy import Rotation, WeightedRotation
from trio_llm.providers.lease import Refusal


class Order(Protocol):
    """Whose turn it is."""

    def order(self, turn: Turn, names: list[str], /) -> list[str]:
        """Give all names, the one whose turn it is first."""
        ...

    def took(self, names: list[str], name: str, /) -> None:
        """Say who took the call, among those that could."""
        ...


@attrs.define
class RoundRobin:
    """By turns."""

    _rotation: Rotation = attrs.field(factory=Rotation, init=False)

    def order(self, _turn: Turn, names: list[str]) -> list[str]:
        """Start with the member that has waited longest."""
        return self._rotation.order(names)

    def took(self, _names: list[str], name: str) -> None:
        """Pass the turn on."""
        self._rotation.took(name)


@attrs.define
class Random:
    """By chance, keyed by the call and the place in the tree, not by arrival."""

    def order(self, turn: Turn, names: list[str]) -> list[str]:
        """Shuffle."""
        visit = turn.ask.payload
        key = f"{turn.seed}/{visit.call.number}/{'/'.join(visit.path)}"
        return random.Random(key).sample(names, len(names))  # noqa: S311 - a choice of members

    def took(self, names: list[str], name: str) -> None:
        """Chance remembers nothing."""


@attrs.define
class Weighted:
    """By weight; the shares of the calls are exact.

    Args:
        weights: Weight by member name; a member without one weighs 1.
    """

    weights: Mapping[str, float]
    _rotation: WeightedRotation = attrs.field(factory=WeightedRotation, init=False)

    def _weights(self, names: list[str]) -> dict[str, float]:
        return {name: self.weights.get(name, 1.0) for name in names}

    def order(self, _turn: Turn, names: list[str]) -> list[str]:
        """Start with the member that is owed most."""
        return self._rotation.order(names, self._weights(names))

    def took(self, names: list[str], name: str) -> None:
        """Let it pay, and the others that could have taken it earn."""
        self._rotation.took(names, self._weights(names), name)


@attrs.frozen
class LoadBalanceStrategy:
    """One member takes the call; members that cannot take it are skipped.

    A member that refuses (busy, cooling, down, full) passes the call on. One that
    tried and failed does not: put a fallback above for that.
    """

    turns: Order

    async def run(self, turn: Turn) -> None:
        """Find the member whose turn it is, and ask it."""
        by_name = {candidate.node.name: candidate for candidate in turn.candidates}
        order = [by_name[name] for name in self.turns.order(turn, list(by_name))]
        order = preferred_first(order, turn.request.prefer)
        refused: dict[str, LLMError] = {}
        busy: list[Candidate] = []
        for candidate in order:
            lease = candidate.node.reserve(candidate.request)
            if isinstance(lease, Refusal):
                refused[candidate.node.name] = lease.error(candidate.node.name)
                if lease.code == "busy":
                    busy.append(candidate)
                continue
            able = [name for name in by_name if name not in refused]
            self.turns.took(able, candidate.node.name)
            if await self._ask(turn, candidate, await turn.consult(candidate, lease), refused):
                return
        for candidate in busy:
            lease = candidate.node.enqueue(candidate.request)
            if isinstance(lease, Refusal):
                refused[candidate.node.name] = lease.error(candidate.node.name)
                continue
            self.turns.took([c.node.name for c in busy], candidate.node.name)
            if await self._ask(turn, candidate, await turn.consult(candidate, lease), refused):
                return
        turn.fail([refused[name] for name in by_name if name in refused])

    async def _ask(
        self,
        turn: Turn,
        candidate: Candidate,
        outcome: Branch | LLMError,
        refused: dict[str, LLMError],
    ) -> bool:
        """Take a member's outcome; true when the call is decided."""
        name = candidate.node.name
        error = outcome.error if isinstance(outcome, Branch) else outcome
        if error is None and isinstance(outcome, Branch):
            turn.answer(outcome, {"loadbalance_provider": name})
            await turn.stay(outcome)
            return True
        if error is None:
            return False
        if is_refusal(error):
            refused[name] = error
            return False
        if falls_through(error):
            turn.fail([error])
        else:
            turn.stop(error, ())
        return True
