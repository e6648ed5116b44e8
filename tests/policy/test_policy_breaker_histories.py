"""The breaker over random histories: what never happens, and when a share of failures opens it."""

import math
import random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]
)

from tests.policy.breaker_scenes import (
    DEAD,
    FAULT,
    NEUTRAL,
    QUOTA,
    THROTTLE,
    Failure,
    breaker,
    fails,
)
from trio_llm.policy.breaker import Breaker, BreakerState, FailureKind, Permit
from trio_llm.policy.cooldown import LONGEST_WAIT, Cooldown

RESTS = {
    BreakerState.OPEN,
    BreakerState.THROTTLED,
    BreakerState.QUOTA_EXHAUSTED,
    BreakerState.AUTHENTICATION_DEAD,
}

FAILURES = st.sampled_from([FAULT, THROTTLE, QUOTA, DEAD, NEUTRAL]) | st.builds(
    Failure,
    st.sampled_from(FailureKind),
    st.booleans(),
    st.booleans(),
    st.none() | st.sampled_from([0.0, 1.0, 30.0, 2 * LONGEST_WAIT]),
)


@attrs.define(eq=False)
class Running:
    """A request: what it got, and what the model knows of it."""

    permit: Permit
    straggles: bool = False
    over: bool = False


class Histories(RuleBasedStateMachine):
    """Requests begin, end in every way and more than once, while rests come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.latest = -math.inf
        self.requests: list[Running] = []
        self.rng = random.Random(1)

    @initialize(
        cooldown=st.builds(
            Cooldown, st.sampled_from([0.0, 0.5, 8.0]), st.just(64.0), st.integers(1, 4)
        ),
        jitter=st.sampled_from([0.0, 0.5]),
        minimum=st.integers(1, 6),
    )
    def make(self, cooldown: Cooldown, jitter: float, minimum: int) -> None:
        self.subject = Breaker(cooldown, minimum_calls=minimum, jitter=jitter, quota_rest=50.0)

    def facts(self) -> tuple[Any, ...]:
        """Give all that could be seen of it, now and later."""
        subject = self.subject
        return (subject.until, subject.failures, subject.state(self.now), subject.admits(self.now))

    def pick(self, number: int) -> Running:
        return self.requests[number % len(self.requests)]

    def over(self, running: Running) -> bool:
        """Note that a request is over; give whether its outcome is news."""
        news = not running.over and not running.straggles
        running.over = True
        return news

    def rest(self) -> None:
        """Note that a rest began: whatever is under way straggles."""
        for running in self.requests:
            # The probe is the one request that may outlast the beginning of another rest.
            if not running.permit.probe or running.over:
                running.straggles = True

    @rule(seconds=st.sampled_from([0.25, 1.0, 8.0, 60.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def the_rest_ends(self) -> None:
        self.now = max(self.now, self.subject.until)

    @rule()
    def begins(self) -> None:
        half_open = self.subject.is_half_open(self.now)
        if self.subject.admits(self.now):
            permit = self.subject.begin(self.now)
            assert permit.probe == half_open
            assert permit.epoch == self.subject.epoch
            self.requests.append(Running(permit))
        else:
            assert self.subject.admit(self.now) is None
            with pytest.raises(RuntimeError, match="although the breaker is"):
                self.subject.begin(self.now)

    @precondition(lambda self: self.requests)
    @rule(number=st.integers(0, 1000))
    def succeeds(self, number: int) -> None:
        running, before = self.pick(number), self.facts()
        closed = self.subject.succeeded(running.permit, self.now)
        news = self.over(running)
        assert closed == (news and running.permit.probe)
        if not news:
            assert self.facts() == before
        else:
            assert self.subject.failures == 0
            resting = self.now < self.subject.until
            assert resting or self.subject.state(self.now) is BreakerState.CLOSED

    @precondition(lambda self: self.requests)
    @rule(number=st.integers(0, 1000), failure=FAILURES)
    def fails(self, number: int, failure: Failure) -> None:
        running, before = self.pick(number), self.facts()
        was_over = running.over
        epoch, escalation = self.subject.epoch, repr(self.subject.cooldown).partition("level")[2]
        moved = failure.happens(self.subject, running.permit, self.now, self.rng)
        news = self.over(running)
        until, failures, *_ = before
        assert moved == (self.subject.until > until)
        if was_over or failure.kind is FailureKind.NEUTRAL:
            assert self.subject.until == until
        elif not news:
            asked = failure.retry_after
            soonest = -math.inf if asked is None else self.now + min(asked, LONGEST_WAIT)
            assert self.subject.until in {until, max(until, soonest)}
            assert self.subject.failures == failures
            assert repr(self.subject.cooldown).partition("level")[2] == escalation
        else:
            assert self.subject.failures == failures + failure.charge
            if running.permit.probe and failure.charge and self.subject.cooldown.initial:
                assert self.now < self.subject.until
            if failure.retry_after is not None and (failure.charge or failure.at_once):
                asked = min(failure.retry_after, LONGEST_WAIT)
                assert self.subject.until >= self.now + asked
        # A rest of no length moves no end, and is one all the same.
        if moved or self.subject.epoch != epoch:
            self.rest()

    @precondition(lambda self: self.requests)
    @rule(number=st.integers(0, 1000))
    def is_abandoned(self, number: int) -> None:
        running, before = self.pick(number), self.facts()
        self.subject.abandoned(running.permit)
        self.over(running)
        assert self.facts()[:3] == before[:3]

    @rule()
    def gets_a_new_key(self) -> None:
        other_rest = self.subject.cooldown.until
        self.subject.revived()
        assert self.subject.until == other_rest
        assert self.subject.state(self.now) is not BreakerState.AUTHENTICATION_DEAD
        self.latest = other_rest
        for running in self.requests:
            running.straggles = True

    @rule()
    def is_replaced(self) -> None:
        before, old = self.facts(), self.subject
        self.subject = Breaker(attrs.evolve(old.cooldown), minimum_calls=3, quota_rest=50.0)
        self.subject.inherit(old)
        assert self.facts()[:3] == before[:3]
        for running in self.requests:
            running.straggles = True

    @invariant()
    def a_rest_never_ends_earlier(self) -> None:
        assert self.subject.until >= self.latest
        self.latest = self.subject.until

    @invariant()
    def it_rests_until_it_does_not(self) -> None:
        resting = self.now < self.subject.until
        assert (self.subject.state(self.now) in RESTS) == resting
        assert self.subject.remaining(self.now) == max(0.0, self.subject.until - self.now)
        assert not (resting and self.subject.admits(self.now))

    @invariant()
    def at_most_one_probe_is_under_way(self) -> None:
        probes = [
            running
            for running in self.requests
            if running.permit.probe and not running.over and not running.straggles
        ]
        assert len(probes) <= 1
        # And nothing but that probe keeps anybody out once the rest has ended.
        later = max(self.now, self.subject.until)
        assert self.subject.admits(later) == (not probes)


def test_no_history_breaks_a_promise() -> None:
    """Rests never end early, one probe at a time, a way out of every state, no news of old."""
    run_state_machine_as_test(Histories, settings=settings(stateful_step_count=60, deadline=None))


@given(
    st.sampled_from([FAULT, THROTTLE, QUOTA, DEAD]),
    st.none() | st.floats(1.0, 5000.0),
    st.floats(0.0, 1.0),
    st.integers(0, 1000),
)
def test_jitter_only_lengthens_and_only_what_was_not_asked_for(
    failure: Failure, asked: float | None, jitter: float, seed: int
) -> None:
    """A rest lies between its own length and that and its share; one asked for is exact."""
    failure = attrs.evolve(failure, retry_after=asked)
    plain, jittery = breaker(), breaker(jitter=jitter)
    failure.happens(plain, plain.begin(0.0), 0.0)
    failure.happens(jittery, jittery.begin(0.0), 0.0, random.Random(seed))
    if asked is not None and (failure in {THROTTLE, QUOTA} or failure.at_once):
        assert jittery.until == plain.until == asked
    assert plain.until <= jittery.until <= plain.until * (1.0 + jitter)


def test_jitter_uses_its_whole_range() -> None:
    """Rests that began together end apart."""
    rng, rests = random.Random(1), list[float]()
    for _ in range(1000):
        subject = breaker(jitter=0.5)
        FAULT.happens(subject, subject.begin(0.0), 0.0, rng)
        rests.append(subject.until)
    assert 8.0 <= min(rests) < 8.05
    assert 11.95 < max(rests) <= 12.0


@given(st.sampled_from([FAULT, THROTTLE, QUOTA, DEAD]), st.integers(1, 4), st.floats(0.0, 2000.0))
def test_what_is_inherited_goes_on(failure: Failure, times: int, after: float) -> None:
    """State, rest, failures and escalation of a replaced breaker are those of the new one."""
    other, subject, now = breaker(), breaker(), 0.0
    for _ in range(times):
        now = max(now, other.until)
        fails(other, failure, now)
    subject.inherit(other)
    for later in (now, now + after, other.until):
        assert subject.state(later) is other.state(later)
    assert (subject.until, subject.failures) == (other.until, other.failures)
    for each in (subject, other):
        fails(each, failure, other.until + after)
    assert subject.until == other.until


@given(
    st.sampled_from([FAULT, THROTTLE, QUOTA, DEAD]),
    st.sampled_from([FAULT, THROTTLE, QUOTA, DEAD]),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_an_own_rest_is_not_shortened_by_another(
    theirs: Failure, own: Failure, their_times: int, own_times: int
) -> None:
    """The later end holds, and whatever either of both has to prove is still to be proved."""
    other, subject = breaker(), breaker()
    for each, failure, times in ((other, theirs, their_times), (subject, own, own_times)):
        for _ in range(times):
            fails(each, failure, max(0.0, each.until))
    until = max(subject.until, other.until)
    proof = any(each.is_half_open(until) for each in (subject, other))
    failures = max(subject.failures, other.failures)
    subject.inherit(other)
    assert (subject.until, subject.failures) == (until, failures)
    assert subject.state(until - 0.1) in RESTS
    assert subject.is_half_open(until) == proof
    assert subject.admits(until)


def test_what_another_let_begin_straggles_here() -> None:
    """Its probe does not close the new breaker, which sends one of its own."""
    other, subject = breaker(), breaker()
    early = other.begin(0.0)
    fails(other, FAULT, 0.0)
    probe = other.begin(8.0)
    subject.inherit(other)
    assert subject.epoch > other.epoch
    own = subject.begin(9.0)
    assert not FAULT.happens(subject, probe, 9.0)
    assert not subject.succeeded(early, 9.0)
    assert not subject.admits(9.0)
    assert subject.succeeded(own, 9.0)
