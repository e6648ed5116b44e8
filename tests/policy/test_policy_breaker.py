"""The breaker's table, row by row: what begins a state, what ends it, and what does not."""

import math
from collections.abc import Callable

import attrs
import pytest

from tests.policy.breaker_scenes import (
    DEAD,
    FAULT,
    NEUTRAL,
    QUOTA,
    THROTTLE,
    Failure,
    breaker,
    fails,
    succeeds,
)
from trio_llm.policy.breaker import LONGEST_REST, Breaker, BreakerState, FailureKind
from trio_llm.policy.cooldown import LONGEST_WAIT, Cooldown

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
THROTTLED = BreakerState.THROTTLED
EXHAUSTED = BreakerState.QUOTA_EXHAUSTED
KEY_DEAD = BreakerState.AUTHENTICATION_DEAD


@pytest.mark.parametrize(
    ("failure", "state", "rest", "after"),
    [
        (FAULT, OPEN, 8.0, HALF_OPEN),
        (Failure(FailureKind.FAULT, charge=False, at_once=True), OPEN, 8.0, HALF_OPEN),
        (attrs.evolve(FAULT, retry_after=3.0), OPEN, 8.0, HALF_OPEN),
        (attrs.evolve(FAULT, retry_after=90.0), OPEN, 90.0, HALF_OPEN),
        (Failure(FailureKind.FAULT, charge=False, retry_after=3.0), THROTTLED, 3.0, CLOSED),
        (THROTTLE, THROTTLED, 8.0, CLOSED),
        (attrs.evolve(THROTTLE, retry_after=3.0), THROTTLED, 3.0, CLOSED),
        (attrs.evolve(THROTTLE, charge=True), THROTTLED, 8.0, CLOSED),
        (attrs.evolve(THROTTLE, charge=True, at_once=False), OPEN, 8.0, HALF_OPEN),
        (QUOTA, EXHAUSTED, 600.0, HALF_OPEN),
        (attrs.evolve(QUOTA, retry_after=30.0), EXHAUSTED, 30.0, HALF_OPEN),
        (attrs.evolve(QUOTA, retry_after=0.0), EXHAUSTED, 600.0, HALF_OPEN),
        (attrs.evolve(QUOTA, at_once=False), EXHAUSTED, 600.0, HALF_OPEN),
        (attrs.evolve(QUOTA, retry_after=1e9), EXHAUSTED, LONGEST_WAIT, HALF_OPEN),
        (DEAD, KEY_DEAD, 300.0, HALF_OPEN),
        (attrs.evolve(DEAD, retry_after=900.0), KEY_DEAD, 900.0, HALF_OPEN),
        (attrs.evolve(DEAD, retry_after=1e9), KEY_DEAD, LONGEST_WAIT, HALF_OPEN),
    ],
)
def test_a_failure_begins_the_rest_of_its_kind(
    failure: Failure, state: BreakerState, rest: float, after: BreakerState
) -> None:
    """For so long nothing is admitted, then the clock alone opens the way out."""
    subject = breaker()
    assert (subject.state(2.0), subject.until, subject.remaining(2.0)) == (CLOSED, -math.inf, 0.0)
    assert fails(subject, failure, 2.0)
    assert subject.failures == failure.charge
    assert (subject.until, subject.remaining(2.0)) == (2.0 + rest, rest)
    for now in (2.0, 1.999 + rest):
        assert subject.state(now) is state
        assert not subject.admits(now)
        with pytest.raises(RuntimeError, match=state.value):
            subject.begin(now)
    assert subject.state(2.0 + rest) is after
    assert subject.is_half_open(2.0 + rest) == (after is HALF_OPEN)
    assert subject.admits(2.0 + rest)


@pytest.mark.parametrize(
    "failure",
    [
        NEUTRAL,
        Failure(FailureKind.NEUTRAL, charge=True, at_once=True, retry_after=9.0),
        Failure(FailureKind.FAULT, charge=False),
        Failure(FailureKind.THROTTLE, charge=False),
        Failure(FailureKind.QUOTA, charge=False),
        Failure(FailureKind.AUTHENTICATION, charge=False),
    ],
)
def test_a_failure_that_counts_for_nothing_begins_nothing(failure: Failure) -> None:
    """Neither the kind alone nor a neutral one rests; a probe of such an end is free again."""
    subject = breaker()
    assert not fails(subject, failure, 0.0)
    assert (subject.state(0.0), subject.failures) == (CLOSED, 0)
    fails(subject, FAULT, 0.0)
    assert not fails(subject, failure, 8.0)
    assert (subject.state(8.0), subject.failures) == (HALF_OPEN, 1)
    assert subject.admits(8.0)


def test_failures_in_a_row_open_it() -> None:
    """A success in between begins the row again; failures that are not charged do not count."""
    subject = breaker(after_failures=3)
    for now, failure in enumerate([FAULT, FAULT, None, FAULT, NEUTRAL, FAULT]):
        if failure is None:
            assert not succeeds(subject, now)
        else:
            assert not fails(subject, failure, now)
    assert subject.failures == 2
    assert fails(subject, FAULT, 6.0)
    assert subject.state(6.0) is OPEN


def test_half_open_lets_exactly_one_through() -> None:
    """The probe is the only request until it is resolved, and its success closes the breaker."""
    subject = breaker()
    fails(subject, FAULT, 0.0)
    probe = subject.begin(8.0)
    assert probe.probe
    assert not subject.admits(9.0)
    assert subject.is_half_open(9.0)
    with pytest.raises(RuntimeError, match="half_open"):
        subject.begin(9.0)
    assert subject.succeeded(probe, 10.0)
    assert (subject.state(10.0), subject.failures) == (CLOSED, 0)
    assert not subject.begin(10.0).probe
    assert not succeeds(subject, 10.0)
    assert fails(subject, FAULT, 10.0)
    assert subject.remaining(10.0) == 8.0


def test_a_probe_that_fails_opens_it_again_for_longer() -> None:
    """One failure is enough then, and every rest is twice the last, up to the longest."""
    subject = breaker(after_failures=3)
    for _ in range(3):
        fails(subject, FAULT, 0.0)
    lengths = [subject.remaining(0.0)]
    for _ in range(4):
        now = subject.until
        assert fails(subject, FAULT, now)
        assert subject.state(now) is OPEN
        lengths.append(subject.remaining(now))
    assert lengths == [8.0, 16.0, 32.0, 64.0, 64.0]


@pytest.mark.parametrize("ends", [Breaker.abandoned, None])
def test_a_probe_that_was_given_up_leaves_room_for_the_next(
    ends: Callable[..., None] | None,
) -> None:
    """A caller that cancelled, or whose request was bad, says nothing of the provider."""
    subject = breaker()
    fails(subject, FAULT, 0.0)
    for now in (8.0, 9.0, 10.0):
        probe = subject.begin(now)
        if ends is None:
            assert not NEUTRAL.happens(subject, probe, now)
        else:
            ends(subject, probe)
        assert (subject.state(now), subject.until) == (HALF_OPEN, 8.0)
    assert succeeds(subject, 11.0)


def test_a_throttled_probe_proves_nothing() -> None:
    """It waits as it is asked to, and is then half-open as before."""
    subject = breaker()
    fails(subject, FAULT, 0.0)
    assert fails(subject, attrs.evolve(THROTTLE, retry_after=5.0), 8.0)
    assert subject.state(8.0) is THROTTLED
    assert subject.state(13.0) is HALF_OPEN
    assert succeeds(subject, 13.0)


def test_the_rests_of_quota_and_key_double_too() -> None:
    """Each in a row, up to an hour; a success begins again with the first."""
    for failure, lengths in (
        (QUOTA, [600.0, 1200.0, 2400.0]),
        (DEAD, [300.0, 600.0, 1200.0, 2400.0]),
    ):
        subject, now = breaker(), 0.0
        for length in [*lengths, LONGEST_REST, LONGEST_REST]:
            fails(subject, failure, now)
            assert subject.remaining(now) == length
            now = subject.until
        assert succeeds(subject, now)
        fails(subject, failure, now)
        assert subject.remaining(now) == lengths[0]


def test_a_longer_maximum_holds_for_quota_and_key() -> None:
    """Whoever configured longer rests, or a longer first one, gets them."""
    patient = Breaker(Cooldown(maximum=9000.0), jitter=0.0, quota_rest=4000.0)
    fails(patient, QUOTA, 0.0)
    assert patient.remaining(0.0) == 4000.0
    fails(patient, QUOTA, 4000.0)
    fails(patient, QUOTA, 12_000.0)
    assert patient.remaining(12_000.0) == 9000.0
    assert fails(Breaker(Cooldown(), quota_rest=7200.0), QUOTA, 0.0)
    patient = Breaker(Cooldown(), jitter=0.0, authentication_rest=7200.0)
    fails(patient, DEAD, 0.0)
    assert patient.remaining(0.0) == 7200.0


def test_stragglers_are_old_news() -> None:
    """What was under way when a rest began neither closes it, nor lengthens it or the next."""
    subject = breaker()
    stragglers = [subject.begin(0.0) for _ in range(4)]
    fails(subject, FAULT, 0.0)
    assert subject.epoch != stragglers[0].epoch
    assert not FAULT.happens(subject, stragglers[0], 1.0)
    assert not DEAD.happens(subject, stragglers[1], 2.0)
    assert not subject.succeeded(stragglers[2], 8.0)
    assert (subject.state(8.0), subject.failures, subject.until) == (HALF_OPEN, 1, 8.0)
    assert not FAULT.happens(subject, stragglers[3], 8.0)
    assert fails(subject, FAULT, 8.0)
    assert subject.remaining(8.0) == 16.0


def test_a_wait_that_a_straggler_is_asked_for_is_kept() -> None:
    """It prolongs the rest that runs, which keeps its name; or begins one that needs no proof."""
    subject = breaker()
    first, second = subject.begin(0.0), subject.begin(0.0)
    fails(subject, FAULT, 0.0)
    assert attrs.evolve(THROTTLE, retry_after=20.0).happens(subject, first, 1.0)
    assert (subject.state(20.0), subject.until) == (OPEN, 21.0)
    succeeds(subject, 21.0)
    assert attrs.evolve(QUOTA, retry_after=5.0).happens(subject, second, 22.0)
    assert (subject.state(22.0), subject.state(27.0)) == (THROTTLED, CLOSED)


def test_a_wait_that_a_straggler_is_asked_for_does_not_hide_the_probe() -> None:
    """The probe under way still closes the breaker, or opens it for longer."""
    for failure, state in ((None, CLOSED), (FAULT, HALF_OPEN)):
        subject = breaker()
        straggler = subject.begin(0.0)
        fails(subject, FAULT, 0.0)
        probe = subject.begin(8.0)
        assert attrs.evolve(THROTTLE, retry_after=4.0).happens(subject, straggler, 8.0)
        if failure is None:
            assert subject.succeeded(probe, 9.0)
            assert subject.until == 12.0
        else:
            assert failure.happens(subject, probe, 9.0)
            assert (subject.state(9.0), subject.until) == (OPEN, 25.0)
        assert subject.state(subject.until) is state


@pytest.mark.parametrize("last", range(3))
@pytest.mark.parametrize("first", range(3))
def test_the_first_outcome_of_a_permit_counts(first: int, last: int) -> None:
    """Whatever is told of it afterwards changes nothing."""
    subject = breaker()
    fails(subject, FAULT, 0.0)
    probe = subject.begin(8.0)
    outcomes: list[Callable[[], object]] = [
        lambda: subject.succeeded(probe, 8.0),
        lambda: FAULT.happens(subject, probe, 8.0),
        lambda: subject.abandoned(probe),
    ]
    outcomes[first]()
    before = (subject.state(8.0), subject.until, subject.failures, subject.admits(8.0))
    assert not outcomes[last]()
    assert before == (subject.state(8.0), subject.until, subject.failures, subject.admits(8.0))


def test_a_new_key_ends_the_rest_of_the_old_one() -> None:
    """At once and without a probe; what was under way with the old key is old news."""
    subject = breaker()
    old = [subject.begin(0.0) for _ in range(2)]
    fails(subject, DEAD, 0.0)
    subject.revived()
    assert (subject.state(1.0), subject.failures, subject.remaining(1.0)) == (CLOSED, 0, 0.0)
    assert not subject.begin(1.0).probe
    assert not DEAD.happens(subject, old[0], 2.0)
    assert not attrs.evolve(QUOTA, retry_after=900.0).happens(subject, old[1], 2.0)
    assert subject.admits(2.0)
    assert fails(subject, DEAD, 3.0)
    assert subject.remaining(3.0) == 300.0


def test_a_new_key_in_time_spares_the_rest() -> None:
    """A key that changed before anything failed is not judged by what the old one meets."""
    subject = breaker()
    old = subject.begin(0.0)
    subject.revived()
    assert not DEAD.happens(subject, old, 1.0)
    assert (subject.state(1.0), subject.failures) == (CLOSED, 0)


def test_a_new_key_closes_what_was_half_open_for_the_old_one() -> None:
    """Also while a probe with the old key is under way; its outcome is old news."""
    subject = breaker()
    fails(subject, DEAD, 0.0)
    probe = subject.begin(300.0)
    subject.revived()
    assert subject.state(300.0) is CLOSED
    assert not DEAD.happens(subject, probe, 301.0)
    assert subject.state(301.0) is CLOSED


@pytest.mark.parametrize(("failure", "state"), [(FAULT, OPEN), (QUOTA, EXHAUSTED)])
def test_a_new_key_ends_no_other_rest(failure: Failure, state: BreakerState) -> None:
    """What rests for another reason goes on, and still needs its probe."""
    subject = breaker()
    fails(subject, failure, 0.0)
    until = subject.until
    subject.revived()
    assert (subject.state(1.0), subject.until) == (state, until)
    assert subject.state(until) is HALF_OPEN
