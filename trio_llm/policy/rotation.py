"""Whose turn it is: round robin, plain and weighted."""

from collections.abc import Mapping, Sequence

import attrs


@attrs.define
class Rotation:
    """Plain round robin: the turn is with the one that has waited longest.

    Over a fixed row that is the declared order, again and again. It stays fair when
    some cannot take their turn, and when calls differ in who may serve them.
    """

    _turns: int = attrs.field(default=0, init=False)
    _last: dict[str, int] = attrs.field(factory=dict[str, int], init=False)

    def order(self, names: Sequence[str]) -> list[str]:
        """Give all names, the one whose turn it is first; ties in declared order."""
        return sorted(names, key=lambda name: self._last.get(name, 0))

    def took(self, name: str) -> None:
        """Say who took the call; its next turn comes after everybody else's."""
        self._turns += 1
        self._last[name] = self._turns


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
