"""Rotations are fair: shares are measured over whole rounds."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from trio_llm.policy import Rotation, WeightedRotation

NAMES = ["a", "b", "c", "d"]


def test_a_rotation_goes_round() -> None:
    """Everybody in turn, in declared order, again and again."""
    rotation = Rotation()
    taken: list[str] = []
    for _ in range(9):
        taken.append(rotation.order(NAMES)[0])
        rotation.took(taken[-1])
    assert "".join(taken) == "abcdabcda"


def test_looking_does_not_pass_the_turn() -> None:
    """Asking for the order changes nothing; only taking does."""
    rotation = Rotation()
    assert rotation.order(NAMES) == rotation.order(NAMES) == NAMES
    rotation.took("a")
    assert rotation.order(NAMES) == ["b", "c", "d", "a"]


@given(st.sets(st.sampled_from(NAMES), min_size=1), st.integers(0, 8))
def test_those_that_can_serve_share_evenly(able: set[str], before: int) -> None:
    """Whoever is missing, the others take turns, one each per round."""
    rotation = Rotation()
    for _ in range(before):
        rotation.took(rotation.order(NAMES)[0])
    taken: list[str] = []
    for _ in range(3 * len(able)):
        taken.append(next(name for name in rotation.order(NAMES) if name in able))
        rotation.took(taken[-1])
    assert Counter(taken) == dict.fromkeys(able, 3)


@given(st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any))
def test_weighted_shares_are_exact_over_a_round(shares: list[int]) -> None:
    """In as many calls as the weights sum up to, each member serves exactly its weight."""
    weights = dict(zip(NAMES, map(float, shares), strict=True))
    rotation = WeightedRotation()
    for _ in range(3):
        taken: Counter[str] = Counter()
        for _ in range(sum(shares)):
            name = rotation.order(NAMES, weights)[0]
            rotation.took(NAMES, weights, name)
            taken[name] += 1
        assert taken == {name: int(weight) for name, weight in weights.items() if weight}


def test_weighted_turns_are_not_bunched() -> None:
    """The heaviest member's turns are spread over the round."""
    weights = {"a": 5.0, "b": 1.0, "c": 1.0}
    rotation = WeightedRotation()
    taken = ""
    for _ in range(7):
        name = rotation.order(["a", "b", "c"], weights)[0]
        rotation.took(["a", "b", "c"], weights, name)
        taken += name
    assert taken == "aabacaa"


def test_a_weight_of_nothing_is_the_last_resort() -> None:
    """A member without weight goes last, and serves only when nobody else can."""
    weights = {"a": 0.0, "b": 1.0, "c": 0.5}
    rotation = WeightedRotation()
    for _ in range(20):
        order = rotation.order(["a", "b", "c"], weights)
        assert order[-1] == "a"
        rotation.took(["a", "b", "c"], weights, order[0])


@given(st.integers(0, 10_000))
def test_nobody_is_owed_without_bound(seed: int) -> None:
    """Under random absences what a member is owed stays within the weights' sum."""
    rng = random.Random(seed)
    weights = {"a": 3.0, "b": 2.0, "c": 1.0}
    rotation = WeightedRotation()
    for _ in range(200):
        able = [name for name in weights if rng.random() < 0.8] or ["a"]
        first = next(name for name in rotation.order(["a", "b", "c"], weights) if name in able)
        rotation.took(able, weights, first)
        owed = rotation._earned.values()  # pyright: ignore[reportPrivateUsage]
        assert abs(sum(owed)) < 1e-9
        assert max(map(abs, owed)) <= 12.0
