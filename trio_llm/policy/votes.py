"""Consensus: which answer most of the weight stands behind, known as early as can be.

Ballots form groups by their declared rank, never by when they came. The first ballot
founds a group and represents it; each further one joins the first group whose
representative it agrees with, or founds its own. So a group's representative is its
best-ranked ballot, and every ballot in the group agrees with it. The group of the
greatest weight wins; of equals the one with the best-ranked representative.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, Protocol

import attrs

from trio_llm.policy.similarity import Profile, canonical_value, cosine, normalised

_WORDS_ALIKE: Final = 0.7


@attrs.frozen
class Ballot:
    """One member's answer.

    Args:
        name: Who gave it.
        rank: Its place in the declared order; the smallest is the best.
        weight: What its vote counts, a finite number of zero or more.
        text: The answer.
        value: The JSON value in it, as `canonical_value` writes it, where values are
            to be compared.
        vector: Its embedding, where meanings are to be compared.
    """

    name: str
    rank: int
    weight: float
    text: str = attrs.field(repr=False)
    value: str | None = attrs.field(default=None, repr=False)
    vector: Sequence[float] | None = attrs.field(default=None, repr=False)

    @cached_property
    def key(self) -> str:
        """What is equal for equal answers: the value, or else the normalised text.

        A value that is a string counts as the text that it holds, so that ``"Paris"``
        with and without quotes is one answer.
        """
        if self.value is None or self.value.startswith('"'):
            return normalised(self.text)
        return self.value

    @cached_property
    def profile(self) -> Profile:
        """Its words."""
        return Profile.of(self.text)


class Agreement(Protocol):
    """When two answers say the same.

    Attributes:
        transitive: Whether what agrees with one of two that agree always agrees with
            the other too. A promise: early decisions rest on it.
    """

    @property
    def transitive(self) -> bool:
        """Whether agreement divides all answers into classes."""
        ...

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether two answers say the same; the better-ranked one comes first."""
        ...


@attrs.frozen
class Exact:
    """Equal answers agree: equal JSON values, or equal texts once normalised."""

    @property
    def transitive(self) -> bool:
        """Equality is."""
        return True

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether two answers are equal; see `Ballot.key`."""
        return a.key == b.key


@attrs.frozen
class Similar:
    """Answers agree whose words are alike.

    Args:
        threshold: The least similarity, 0 to 1; see `similarity`.
    """

    threshold: float = _WORDS_ALIKE

    @property
    def transitive(self) -> bool:
        """Likeness is not: the first may be like the second, the second like a third."""
        return False

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether two answers are alike."""
        return a.profile.likeness(b.profile) >= self.threshold


@attrs.frozen
class Aligned:
    """Answers agree whose embeddings point the same way.

    Where one has no vector, or theirs come from different models and differ in length,
    their words are compared.

    Args:
        threshold: The least cosine, -1 to 1.
        words: The least similarity of words, 0 to 1, where there are no vectors.
    """

    threshold: float
    words: float = _WORDS_ALIKE

    @property
    def transitive(self) -> bool:
        """Likeness is not."""
        return False

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether two answers point the same way."""
        if a.vector is None or b.vector is None or len(a.vector) != len(b.vector):
            return a.profile.likeness(b.profile) >= self.words
        return cosine(a.vector, b.vector) >= self.threshold


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

    ballots: list[Ballot]
    weight: Fraction

    @property
    def rank(self) -> int:
        return self.ballots[0].rank

    @property
    def order(self) -> tuple[Fraction, int]:
        """The smaller, the nearer to winning."""
        return -self.weight, self.rank
