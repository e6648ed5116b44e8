"""The rate algorithm against a bucket that is filled drop by drop, in exact numbers."""

import math
from collections.abc import Sequence
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.policy.gcra import Gcra

EIGHTHS = st.integers(0, 800).map(lambda number: number / 8)
COSTS = st.integers(0, 200).map(lambda number: number / 4)
POWERS = st.integers(-2, 7).map(lambda power: 2.0**power)
"""With such numbers floats are exact, so that model and machine must agree to the last bit."""


@attrs.define
class Bucket:
    """The model: a level that rises with time up to the brim, and falls by what is taken."""

    limit: Fraction
    period: Fraction
    brim: Fraction
    level: Fraction
    at: Fraction = Fraction(0)

    @classmethod
    def like(cls, gcra: Gcra) -> "Bucket":
        """Make the model of a fresh bucket."""
        brim = Fraction(max(1.0, gcra.limit / 10) if gcra.burst is None else gcra.burst)
        return cls(Fraction(gcra.limit), Fraction(gcra.period), brim, brim)

    def rise(self, now: float) -> None:
        """Let time pass."""
        filled = (Fraction(now) - self.at) * self.limit / self.period
        self.level, self.at = min(self.brim, self.level + filled), Fraction(now)

    def change(self, amount: float) -> None:
        """Put in or take out; what is above the brim runs over."""
        self.level = min(self.brim, self.level + Fraction(amount))

    def wait(self, cost: float) -> Fraction:
        """Give how long until so much is there, or until the brim is reached."""
        short = min(Fraction(cost), self.brim) - self.level
        return max(Fraction(0), short * self.period / self.limit)


@attrs.frozen
class Use:
    """Something that happens to a bucket, so many seconds after the last."""

    after: float
    kind: str
    cost: float
    actual: float


USES = st.lists(
    st.builds(Use, EIGHTHS, st.sampled_from(["ask", "take", "settle"]), COSTS, COSTS),
    max_size=40,
)
BUCKETS = st.builds(Gcra, POWERS, POWERS, POWERS)


@given(BUCKETS, USES)
def test_it_is_a_bucket(gcra: Gcra, uses: list[Use]) -> None:
    """Whatever is taken and put right, waits and what is available are those of the model."""
    bucket, now = Bucket.like(gcra), 0.0
    for use in uses:
        now += use.after
        bucket.rise(now)
        assert gcra.wait(now, use.cost) == bucket.wait(use.cost)
        if use.kind == "take":
            gcra.take(now, use.cost)
            bucket.change(-use.cost)
        elif use.kind == "settle":
            gcra.settle(now, use.cost, use.actual)
            bucket.change(use.cost - use.actual)
        assert gcra.available(now) == bucket.level


def admitted(gcra: Gcra, calls: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Let calls come one after the other, each waiting as long as it is told to."""
    taken: list[tuple[float, float]] = []
    now = 0.0
    for after, cost in calls:
        now += after
        now += gcra.wait(now, cost)
        assert gcra.wait(now, cost) == 0.0
        gcra.take(now, cost)
        taken.append((now, cost))
    return taken


CALLS = st.lists(st.tuples(EIGHTHS | st.just(0.0), COSTS), min_size=1, max_size=60)


@given(BUCKETS, CALLS)
def test_no_window_admits_more_than_the_limit_and_the_burst(
    gcra: Gcra, calls: list[tuple[float, float]]
) -> None:
    """In any period, both ends included; a cost above the burst stands in its place."""
    taken = admitted(gcra, calls)
    most = max([gcra.burst or 0.0, *(cost for _, cost in taken)])
    for begin, _ in taken:
        inside = [cost for now, cost in taken if begin <= now <= begin + gcra.period]
        assert sum(inside) <= gcra.limit + most


def test_a_window_can_admit_the_limit_and_the_burst() -> None:
    """The bound is tight: a full bucket, then every unit as it comes."""
    gcra = Gcra(64.0, 64.0, burst=8.0)
    taken = admitted(gcra, [(0.0, 1.0)] * 100)
    assert len([now for now, _ in taken if now <= 64.0]) == 64 + 8


@pytest.mark.parametrize(("limit", "burst"), [(500.0, 50), (10.0, 1), (3.0, 1), (0.5, 1)])
def test_the_default_burst_is_a_tenth_and_at_least_one(limit: float, burst: int) -> None:
    """So a bucket of a small limit still admits its first unit at once."""
    gcra = Gcra(limit, 60.0)
    assert gcra.available(0.0) == burst
    for _ in range(burst):
        assert gcra.wait(0.0) == 0.0
        gcra.take(0.0)
    assert round(gcra.wait(0.0), 9) == round(60.0 / limit, 9)


def test_a_cost_above_the_burst_goes_into_debt() -> None:
    """It waits for a full bucket, never for ever, and what follows waits for it."""
    gcra = Gcra(60.0, 60.0, burst=10.0)
    assert gcra.wait(0.0, 1e6) == 0.0
    gcra.take(0.0, 30.0)
    assert gcra.available(0.0) == -20.0
    assert gcra.wait(0.0, 0.0) == 20.0
    assert gcra.wait(0.0, 1.0) == 21.0
    assert gcra.wait(0.0, 30.0) == 30.0


@given(
    st.floats(1e-3, 1e9),
    st.floats(1e-3, 1e6),
    st.lists(st.tuples(st.floats(0.0, 1e4), st.floats(0.0, 1e7)), min_size=1, max_size=20),
    st.floats(0.0, 1e10),
)
def test_whoever_waits_as_told_is_admitted(
    limit: float, period: float, calls: list[tuple[float, float]], start: float
) -> None:
    """Rounding never tells a caller to wait again and again for no time at all."""
    gcra, now = Gcra(limit, period), start
    for after, cost in calls:
        now += after
        for _ in range(3):
            wait = gcra.wait(now, cost)
            assert math.isfinite(wait)
            assert wait == 0.0 or now + wait > now
            now += wait
        assert gcra.wait(now, cost) == 0.0
        gcra.take(now, cost)


@attrs.frozen
class Told:
    """What a provider said, or what was taken, so many seconds after the last."""

    after: float
    cost: float
    remaining: float
    reset: float | None
    limit: float | None


TOLD = st.lists(
    st.builds(Told, EIGHTHS, COSTS, COSTS, st.none() | EIGHTHS, st.none() | POWERS), max_size=30
)


@given(BUCKETS, TOLD)
def test_what_the_provider_says_only_ever_makes_it_stricter(gcra: Gcra, told: list[Told]) -> None:
    """Beside one that does not listen it never admits more, nor earlier, and not more than told."""
    deaf, now = Gcra(gcra.limit, gcra.period, gcra.burst), 0.0
    for word in told:
        now += word.after
        for bucket in (gcra, deaf):
            bucket.take(now, word.cost)
        gcra.observe(now, word.remaining, word.reset, word.limit)
        if word.reset != 0.0:
            assert gcra.available(now) <= word.remaining
        for later in (now, now + 0.25, now + 50.0):
            assert gcra.available(later) <= deaf.available(later)
            for cost in (0.0, 1.0, word.cost):
                assert gcra.wait(later, cost) >= deaf.wait(later, cost)


@given(BUCKETS, TOLD, COSTS)
def test_what_was_said_ends_at_its_reset(gcra: Gcra, told: list[Told], cost: float) -> None:
    """From then on it is as if nothing had been said."""
    deaf, now = Gcra(gcra.limit, gcra.period, gcra.burst), 0.0
    for word in told:
        now += word.after
        for bucket in (gcra, deaf):
            bucket.take(now, word.cost)
        gcra.observe(now, word.remaining, word.reset, word.limit)
        if word.reset is not None:
            after = now + word.reset
            assert gcra.wait(after, cost) == deaf.wait(after, cost)
            assert gcra.available(after) == deaf.available(after)
            assert gcra.wait(now, cost) <= max(word.reset, deaf.wait(now, cost))


@given(BUCKETS, TOLD, COSTS, COSTS)
def test_whoever_waits_behind_others_waits_for_what_they_take(
    gcra: Gcra, told: list[Told], cost: float, ahead: float
) -> None:
    """What others will take first counts as if they had taken it now."""
    now = 0.0
    for word in told:
        now += word.after
        gcra.take(now, word.cost)
        gcra.observe(now, word.remaining, word.reset, word.limit)
    wait = gcra.wait(now, cost, ahead)
    gcra.take(now, ahead)
    assert wait == gcra.wait(now, cost)


def test_what_the_provider_says_counts_down_and_fills_up() -> None:
    """What is taken leaves less of it, what comes back is at the own rate, its next word is new."""
    gcra = Gcra(120.0, 60.0, burst=10.0)
    gcra.observe(0.0, 3.0, reset=20.0, limit=60.0)
    gcra.take(0.0, 2.0)
    assert gcra.available(0.0) == 1.0
    assert gcra.wait(0.0, 2.0) == 0.5
    assert gcra.wait(0.0, 9.0) == 4.0
    gcra.observe(0.5, 50.0, reset=20.0, limit=60.0)
    assert gcra.available(0.5) == 9.0


def test_nothing_is_given_back_to_what_the_provider_said() -> None:
    """Only the own books note that a call cost less than estimated; that it cost more, both."""
    gcra = Gcra(120.0, 60.0, burst=10.0)
    gcra.observe(0.0, 6.0, reset=None, limit=None)
    gcra.take(0.0, 4.0)
    gcra.settle(0.0, 4.0, 0.0)
    assert gcra.available(0.0) == 2.0
    gcra.settle(0.0, 0.0, 1.0)
    assert gcra.available(0.0) == 1.0


def test_more_left_than_the_limit_is_not_believed() -> None:
    """Together states 59 left of 30; and a cost above the limit waits for all of it, no longer."""
    gcra = Gcra(120.0, 60.0, burst=60.0)
    gcra.observe(0.0, 59.0, reset=None, limit=30.0)
    assert gcra.available(0.0) == 30.0
    assert gcra.wait(0.0, 40.0) == 0.0
    gcra.take(0.0, 10.0)
    assert gcra.wait(0.0, 40.0) == 5.0


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.inf, math.nan])
def test_a_limit_must_be_one(wrong: float) -> None:
    """Nothing, less than nothing and without end are no limits."""
    with pytest.raises(ValueError, match="limit must be above zero and finite"):
        Gcra(wrong, 60.0)
    with pytest.raises(ValueError, match="period"):
        Gcra(1.0, wrong)
    with pytest.raises(ValueError, match="burst"):
        Gcra(1.0, 60.0, burst=wrong)
