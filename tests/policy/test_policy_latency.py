"""Statistics of latency and outcome: right within what they promise, and of fixed size."""

import itertools
import math
import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.nearness import near
from trio_llm.policy.latency import (
    RELATIVE_ERROR,
    UNKNOWN_PENALTY,
    DecayedRate,
    Ewma,
    PeakEwma,
    RotatingHistogram,
)


@attrs.frozen
class Sample:
    """A latency, so many seconds after the last sample."""

    after: float
    seconds: float


SAMPLES = st.lists(
    st.builds(Sample, st.floats(0.0, 50.0), st.floats(0.001, 3600.0)), min_size=1, max_size=60
)


@given(SAMPLES)
def test_a_peak_is_believed_at_once_and_forgotten_slowly(samples: list[Sample]) -> None:
    """A sample above the mean becomes the mean; one below it draws the mean part of the way."""
    peak, now = PeakEwma(), 1000.0
    for sample in samples:
        now += sample.after
        worn, level = peak.value(now), peak.level
        peak.observe(now, sample.seconds)
        if worn is None or level is None or sample.seconds >= worn:
            assert peak.value(now) == sample.seconds
        else:
            assert sample.seconds * 0.999999 <= (peak.value(now) or 0.0) <= level * 1.000001


def test_a_peak_comes_down_by_its_time_constant() -> None:
    """After one time constant of fast samples, what is left of the peak is one e-th of it."""
    peak = PeakEwma(decay=10.0)
    peak.observe(0.0, 100.0)
    for tick in range(1, 101):
        peak.observe(tick / 10.0, 0.0)
    assert peak.value(10.0) == near(100.0 / math.e)


def test_silence_wears_a_mean_away_but_not_its_level() -> None:
    """A member that nobody asks looks ever faster, so it is tried again; its level stays."""
    peak = PeakEwma(decay=10.0)
    peak.observe(5.0, 8.0)
    assert peak.value(5.0) == peak.value(0.0) == 8.0
    assert peak.value(15.0) == near(8.0 / math.e)
    assert peak.value(1e9) == 0.0
    assert peak.level == 8.0


def test_reading_changes_nothing() -> None:
    """However often a mean is looked at, it goes on as if nobody had."""
    looked, other = PeakEwma(), PeakEwma()
    for tick in range(50):
        seconds = (tick * 7) % 5 + 0.5
        looked.observe(tick, seconds)
        other.observe(tick, seconds)
        for part in range(5):
            looked.value(tick + part / 10.0)
            looked.score(tick + part / 10.0, part)
    assert looked == other


@given(st.floats(0.001, 3600.0), st.integers(0, 100))
def test_a_fresh_score_is_the_mean_times_the_queue(seconds: float, outstanding: int) -> None:
    """One call more waits for those under way and for itself."""
    peak = PeakEwma()
    peak.observe(1.0, seconds)
    assert peak.score(1.0, outstanding) == near(seconds * (outstanding + 1))


@given(st.integers(1, 100), st.floats(0.0, 1e6))
def test_requests_under_way_count_in_full_after_a_silence(outstanding: int, silence: float) -> None:
    """A long call is silent too: what is under way never looks faster for it."""
    peak = PeakEwma()
    peak.observe(0.0, 7.0)
    assert 7.0 * outstanding <= peak.score(silence, outstanding) <= 7.0 * (outstanding + 1)


def test_a_new_member_is_tried_but_not_flooded() -> None:
    """Without samples it scores best when idle, and worse than slow ones when asked already."""
    new, slow = PeakEwma(), PeakEwma()
    slow.observe(0.0, 60.0)
    assert new.value(0.0) is None
    assert new.score(0.0, 0) == 0.0 < slow.score(0.0, 0)
    assert slow.score(0.0, 9) < new.score(0.0, 1) == UNKNOWN_PENALTY < new.score(0.0, 2)


def test_time_that_goes_back_counts_as_no_time() -> None:
    """A sample that is handed in late neither raises an error nor moves the clock back."""
    peak, mean, histogram = PeakEwma(), Ewma(), RotatingHistogram()
    for now in (100.0, 0.0, 100.0):
        peak.observe(now, 2.0)
        mean.observe(now, 2.0)
        histogram.observe(now, 2.0)
    assert peak.value(100.0) == mean.mean == 2.0
    assert histogram.count(100.0) == 3


@given(SAMPLES, st.floats(1.0, 1000.0))
def test_a_decayed_mean_is_the_mean_weighted_by_age(samples: list[Sample], decay: float) -> None:
    """It equals the sum over all samples, each weighing ``exp(-age / decay)``."""
    mean, now = Ewma(decay), 0.0
    times: list[float] = []
    assert mean.mean is None
    for sample in samples:
        now += sample.after
        times.append(now)
        mean.observe(now, sample.seconds)
    weights = [math.exp((time - now) / decay) for time in times]
    exact = sum(w * s.seconds for w, s in zip(weights, samples, strict=True)) / sum(weights)
    assert mean.mean == near(exact, rel=1e-9)


@given(SAMPLES)
def test_a_restored_mean_goes_on_where_it_was(samples: list[Sample]) -> None:
    """A state that was kept gives the same mean, and the same mean after the next sample."""
    mean, now = Ewma(), 0.0
    for sample in samples:
        now += sample.after
        mean.observe(now, sample.seconds)
    again = Ewma.restored(mean.state())
    assert again.mean == mean.mean
    mean.observe(now, 5.0)
    again.observe(123456.0, 5.0)
    assert again.mean == mean.mean


@pytest.mark.parametrize("state", [(math.nan, 1.0), (1.0, -1.0), (1.0, math.inf), (1.0, math.nan)])
def test_a_damaged_mean_is_refused(state: tuple[float, float]) -> None:
    """What no mean could have written raises an error."""
    with pytest.raises(ValueError, match="must be finite"):
        Ewma.restored(state)


def _exact(values: list[float], share: float) -> float:
    return sorted(values)[min(max(math.ceil(share * len(values)), 1), len(values)) - 1]


@given(SAMPLES, st.floats(0.0, 1.0), st.integers(1, 8), st.sampled_from([1.0, 60.0, 300.0]))
def test_a_percentile_is_within_its_error(
    samples: list[Sample], share: float, slots: int, window: float
) -> None:
    """At every instant it is within 5 % of the exact one over the samples that count."""
    histogram, now = RotatingHistogram(window, slots), -200.0
    length = window / slots
    seen: list[tuple[float, float]] = []
    for sample in samples:
        now += sample.after
        histogram.observe(now, sample.seconds)
        seen.append((math.floor(now / length), sample.seconds))
        counting = [s for slot, s in seen if slot >= math.floor(now / length) - slots]
        assert histogram.count(now) == len(counting)
        exact = _exact(counting, share)
        assert histogram.percentile(now, share) == near(exact, rel=RELATIVE_ERROR + 1e-9)
    assert RELATIVE_ERROR <= 0.05


@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=100),
    st.integers(0, 2000),
    st.integers(1, 8),
)
def test_a_sample_counts_for_a_window_and_leaves_within_a_slot_more(
    times: list[int], later: int, slots: int
) -> None:
    """All samples of the window count, and none that is older than a window and a slot."""
    slot = 60.0
    histogram = RotatingHistogram(slot * slots, slots)
    for time in sorted(times):
        histogram.observe(time, 1.0)
    now = max(times) + later
    young = sum(now - time <= slot * slots for time in times)
    leaving = sum(slot * slots < now - time < slot * (slots + 1) for time in times)
    assert young <= histogram.count(now) <= young + leaving


def test_what_lies_outside_the_range_counts_as_its_end() -> None:
    """Shorter than 1 ms counts as 1 ms, longer than 1 h as 1 h; nothing raises an error."""
    for seconds, end in [(0.0, 0.001), (-1.0, 0.001), (1e-9, 0.001), (1e9, 3600.0)]:
        histogram = RotatingHistogram()
        histogram.observe(0.0, seconds)
        assert histogram.percentile(0.0, 0.5) == near(end, rel=0.05)
    endless = RotatingHistogram()
    endless.observe(0.0, math.inf)
    endless.observe(0.0, math.nextafter(3600.0, 0.0))
    assert endless.percentile(0.0, 0.0) == near(3600.0, rel=0.05)


def test_an_empty_histogram_knows_nothing() -> None:
    """Before the first sample, and after the last one has left, there is no percentile."""
    histogram = RotatingHistogram(10.0, 2)
    assert (histogram.count(0.0), histogram.percentile(0.0, 0.5)) == (0, None)
    histogram.observe(0.0, 1.0)
    assert histogram.percentile(10.0, 0.5) is not None
    assert (histogram.count(15.0), histogram.percentile(15.0, 0.5)) == (0, None)
    histogram.observe(15.0, 2.0)
    assert histogram.percentile(15.0, 0.5) == near(2.0, rel=0.05)


def test_a_histogram_is_bounded() -> None:
    """However many samples, instants and looks, it keeps one slot more than it was given."""
    rng, histogram = random.Random(5), RotatingHistogram(60.0, 6)
    now = 0.0
    for _ in range(20_000):
        now += rng.expovariate(1.0)
        histogram.observe(now, rng.lognormvariate(0.0, 3.0))
        histogram.count(now + rng.random())
        kept = histogram._kept  # pyright: ignore[reportPrivateUsage]
        assert len(kept) <= 7
        assert all(len(counts) <= 160 for _, counts in kept)
    assert len(histogram._counts) == 160  # pyright: ignore[reportPrivateUsage]
    assert histogram.count(now + 1000.0) == 0
    assert not any(histogram._counts)  # pyright: ignore[reportPrivateUsage]


OUTCOMES = st.lists(st.booleans(), max_size=300)


@given(OUTCOMES, st.floats(0.5, 500.0))
def test_a_rate_is_the_share_weighted_by_age_in_outcomes(
    outcomes: list[bool], half_life: float
) -> None:
    """It equals the weighted share, each outcome weighing half after a half-life of others."""
    rate = DecayedRate(half_life)
    for outcome in outcomes:
        rate.observe(outcome)
    weights = [0.5 ** (age / half_life) for age in reversed(range(len(outcomes)))]
    won = sum(itertools.compress(weights, outcomes))
    assert rate.weight == near(sum(weights))
    assert rate.value() == near((won + 0.5) / (sum(weights) + 1.0))
    assert rate.value(0.9, 4.0) == near((won + 3.6) / (sum(weights) + 4.0))


@given(OUTCOMES, st.floats(0.5, 500.0), st.floats(0.0, 1.0), st.floats(0.0, 10.0))
def test_a_rate_stays_within_its_bounds(
    outcomes: list[bool], half_life: float, prior: float, weight: float
) -> None:
    """The rate is a share, and its weight never passes that of endless outcomes."""
    rate = DecayedRate(half_life)
    for outcome in outcomes:
        rate.observe(outcome)
        assert 0.0 <= rate.value(prior, weight) <= 1.0
        assert 1.0 <= rate.weight <= 1.0 / (1.0 - 0.5 ** (1.0 / half_life)) + 1e-6


def test_a_rate_without_outcomes_is_what_was_believed() -> None:
    """The prior stands until the first outcome, also when it weighs nothing."""
    assert DecayedRate().value(0.3) == DecayedRate().value(0.3, 0.0) == 0.3


@given(OUTCOMES, OUTCOMES)
def test_a_restored_rate_goes_on_where_it_was(before: list[bool], after: list[bool]) -> None:
    """A state that was kept gives an equal rate, whatever follows."""
    rate = DecayedRate()
    for outcome in before:
        rate.observe(outcome)
    again = DecayedRate.restored(rate.state())
    for outcome in after:
        rate.observe(outcome)
        again.observe(outcome)
    assert again == rate


def test_a_rate_restored_to_a_shorter_half_life_weighs_no_more_than_it_can() -> None:
    """The share is kept, and the weight is cut to what the new half-life allows."""
    rate = DecayedRate(1000.0)
    for number in range(1000):
        rate.observe(number % 4 == 0)
    again = DecayedRate.restored(rate.state(), half_life=10.0)
    assert again.weight == near(1.0 / (1.0 - 0.5**0.1))
    assert again.value(weight=0.0) == near(rate.value(weight=0.0))


@pytest.mark.parametrize(
    "state", [(2.0, 1.0), (-1.0, 1.0), (0.0, math.inf), (math.nan, 1.0), (0.0, math.nan)]
)
def test_a_damaged_rate_is_refused(state: tuple[float, float]) -> None:
    """What no rate could have written raises an error."""
    with pytest.raises(ValueError, match="successes must be"):
        DecayedRate.restored(state)
