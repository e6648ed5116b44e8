"""What a balancer knows of a member: each thing that happens teaches the right lesson."""

from hypothesis import given
from hypothesis import strategies as st

from tests.policy.nearness import near
from trio_llm.policy.latency import DecayedRate
from trio_llm.policy.vitals import FIRST_FAILURE, Vitals, VitalsSnapshot


def test_nothing_is_known_of_a_new_member() -> None:
    """A new member has no figures, and is the best choice until it has been asked."""
    vitals = Vitals()
    assert vitals.snapshot(0.0) == VitalsSnapshot(None, None, None, None, None, None, 0.0, 0.0)
    assert vitals.score(0.0) == 0.0
    vitals.began()
    assert vitals.score(0.0) > 1000.0


def test_answers_become_figures() -> None:
    """A snapshot shows peaks, percentiles of the first token, and the share of successes."""
    vitals = Vitals()
    for number in range(1, 101):
        vitals.began()
        vitals.answered(float(number), 10.0, first_token=number / 100.0)
        vitals.ended()
    vitals.failed(100.0, 1.0)
    seen = vitals.snapshot(100.0)
    assert vitals.outstanding == 0
    assert seen.latency == near(10.0)
    assert (seen.p50, seen.p95, seen.p99) == near((0.5, 0.95, 0.99), rel=0.05)
    assert seen.samples == vitals.success.weight
    assert seen.success_rate is not None
    assert 0.97 < seen.success_rate < 1.0


def test_a_plain_call_has_its_first_token_at_its_end() -> None:
    """Without a first token, the whole call counts as the wait for it."""
    vitals = Vitals()
    vitals.answered(0.0, 4.0, None)
    assert vitals.snapshot(0.0).p50 == near(4.0, rel=0.05)


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.001, 600.0)), max_size=20),
    st.floats(0.0, 1000.0),
    st.floats(0.0, 600.0),
)
def test_a_failure_never_makes_a_member_look_faster(
    answers: list[tuple[float, float]], silence: float, seconds: float
) -> None:
    """After a failure, however fast, the score is no better than before it."""
    vitals, now = Vitals(), 0.0
    for after, latency in answers:
        now += after
        vitals.answered(now, latency)
    now += silence
    before, level = vitals.score(now), vitals.latency.level
    vitals.failed(now, seconds)
    assert vitals.score(now) >= before
    assert vitals.score(now) >= max(seconds, FIRST_FAILURE if level is None else level) * 0.999999


def test_failures_alone_show_no_latency() -> None:
    """A member that has only failed has no latency to show, but a success rate of nothing."""
    vitals = Vitals()
    vitals.failed(0.0, 0.001)
    seen = vitals.snapshot(0.0)
    assert (seen.latency, seen.p50, seen.success_rate) == (None, None, 0.0)
    assert vitals.score(0.0) == FIRST_FAILURE
    vitals.answered(500.0, 2.0)
    assert vitals.snapshot(500.0).latency == near(2.0, rel=0.05)


def test_a_cancelled_call_teaches_nothing() -> None:
    """A call that only began and ended leaves everything as it was."""
    vitals = Vitals()
    vitals.began()
    vitals.ended()
    assert vitals == Vitals()


def test_races_are_counted_apart_from_calls() -> None:
    """Races change the win rate and the latency in races, and nothing else."""
    vitals = Vitals()
    vitals.raced(True, 2.0, 0.0)
    vitals.raced(False, 4.0, 0.0)
    vitals.raced(False, None, 0.0)
    seen = vitals.snapshot(0.0)
    assert seen.win_rate == near(1.0 / 3.0, rel=0.02)
    assert seen.races == vitals.races.weight
    assert vitals.race_latency.mean == near(3.0)
    assert (seen.samples, seen.success_rate, seen.latency) == (0.0, None, None)


def test_what_was_kept_of_races_can_be_handed_in() -> None:
    """A win rate of an earlier run is where the member goes on."""
    vitals = Vitals(races=DecayedRate.restored((3.0, 4.0)))
    assert vitals.snapshot(0.0).win_rate == 0.75


def test_members_share_nothing() -> None:
    """What one member does is not held against another."""
    one, other = Vitals(), Vitals()
    one.answered(0.0, 1.0)
    one.raced(True, 1.0, 0.0)
    assert other == Vitals()
