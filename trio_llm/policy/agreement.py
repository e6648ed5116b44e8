"""When two answers say the same: by their values, their words or their vectors."""

import json
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Final, Protocol

import attrs

from trio_llm.policy.similarity import Profile, cosine, normalised

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
        if self.value is None:
            return normalised(self.text)
        return normalised(json.loads(self.value)) if self.value[0] == '"' else self.value

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

    transitive: ClassVar[bool]

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether two answers say the same; the better-ranked one comes first."""
        ...


@attrs.frozen
class Exact:
    """Equal answers agree: equal JSON values, or equal texts once normalised."""

    transitive: ClassVar[bool] = True

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

    transitive: ClassVar[bool] = False

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

    transitive: ClassVar[bool] = False

    def same(self, a: Ballot, b: Ballot) -> bool:
        """Tell whether two answers point the same way."""
        if a.vector is None or b.vector is None or len(a.vector) != len(b.vector):
            return a.profile.likeness(b.profile) >= self.words
        return cosine(a.vector, b.vector) >= self.threshold
