"""Load balance: one member takes the call, by turns, by chance or by weight."""

import random
from collections.abc import Mapping
from typing import Protocol

import attrs

from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.turn import (
    Branch,
    Turn,
    error_of,
    falls_through,
    is_busy,
    is_refusal,
)
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
    tried and failed does so only where the members are the keys of one provider;
    elsewhere a fallback above does it.

    Attributes:
        turns: Whose turn it is.
        passes_on: Whether a call that failed at one member goes on to the next.
    """

    turns: Order
    passes_on: bool = False

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """Whose turn it is must not matter here: declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Find the member whose turn it is, and ask it."""
        by_name = {candidate.node.name: candidate for candidate in turn.candidates}
        order = [by_name[name] for name in self.turns.order(turn, list(by_name))]
        order = preferred_first(order, turn.request.prefer)
        refused: dict[str, LLMError] = {}
        busy: list[Candidate] = []
        for candidate in order:
            name = candidate.node.name
            lease = candidate.node.reserve(candidate.request)
            if isinstance(lease, Refusal):
                refused[name] = lease.error(name)
            else:
                self.turns.took([other for other in by_name if other not in refused], name)
                outcome = await turn.consult(candidate, lease, may_wait=False)
                if await self._decided(turn, candidate, outcome, refused):
                    return
                refused[name] = error_of(outcome)
            if is_busy(refused[name]):
                busy.append(candidate)
        for candidate in busy if turn.may_wait else ():
            name = candidate.node.name
            lease = turn.enqueue(candidate)
            if isinstance(lease, Refusal):
                refused[name] = lease.error(name)
                continue
            self.turns.took([other.node.name for other in busy], name)
            outcome = await turn.consult(candidate, lease, may_wait=True)
            if await self._decided(turn, candidate, outcome, refused):
                return
            refused[name] = error_of(outcome)
        turn.fail([refused[name] for name in by_name if name in refused])

    async def _decided(
        self,
        turn: Turn,
        candidate: Candidate,
        outcome: Branch | LLMError,
        earlier: Mapping[str, LLMError],
    ) -> bool:
        """Take a member's outcome; false if the next one is to be asked."""
        if isinstance(outcome, Branch) and outcome.error is None:
            others = [each for each in turn.candidates if each is not candidate]
            turn.answer(outcome, {"loadbalance_provider": candidate.node.name}, others)
            await turn.stay(outcome, others)
            return True
        error = error_of(outcome)
        if is_refusal(error) or (self.passes_on and falls_through(error)):
            return False
        if falls_through(error):
            turn.fail([error])
        else:
            turn.stop(error, list(earlier.values()) if self.passes_on else ())
        return True
