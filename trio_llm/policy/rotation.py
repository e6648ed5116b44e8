"""Whose turn it is: round robin, plain and weighted."""

from collections.abc import Mapping, Sequence

import attrs


@attrs.define
class Rotation:
    """Plain round robin over a declared order."""

    _next: int = attrs.field(default=0, init=False)

    def order(self, names: Sequence[str]) -> list[str]:
        """Give all names, starting with the one whose turn it is."""
        start = self._next % len(names)
        return [*names[start:], *names[:start]]

    def took(self, names: Sequence[str], name: str) -> None:
        """Say who took the call; the turn passes to the one behind it."""
        self._next = (names.index(name) + 1) % len(names)


@attrs.define
class WeightedRotation:
    """Smooth weighted round robin: shares are exact and never bunched.

    Each member earns its weight in every round, the one that has earned most
    goes first, and the one that takes the call pays the sum of the weights (the
    rule that nginx made known). A weight of 0 means only when nobody else can.
    """

    _earned: dict[str, float] = attrs.field(factory=dict[str, float], init=False)

    def order(self, names: Sequence[str], weights: Mapping[str, float]) -> list[str]:
        """Give all names, the one that is owed most first; ties in declared order."""
        return sorted(
            names,
            key=lambda name: (
                weights[name] <= 0.0,
                -(self._earned.get(name, 0.0) + weights[name]),
            ),
        )

    def took(self, names: Sequence[str], weights: Mapping[str, float], name: str) -> None:
        """Say who took the call, among those that could."""
        for other in names:
            self._earned[other] = self._earned.get(other, 0.0) + weights[other]
        self._earned[name] -= sum(weights[other] for other in names)
