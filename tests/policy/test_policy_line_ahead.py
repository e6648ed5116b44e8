"""How long a call must wait that stands in line behind others, and what a successor takes over."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.chat import RateWindow
from trio_llm.policy.breaker import Breaker, FailureKind
from trio_llm.policy.cooldown import Cooldown
from trio_llm.policy.gcra import Gcra
from trio_llm.policy.rate_limit import RateLimiter

buckets = st.builds(
    Gcra,
    limit=st.floats(1.0, 1000.0),
    period=st.just(60.0),
    burst=st.none() | st.floats(1.0, 100.0),
)
costs = st.floats(0.5, 50.0)


def _served_one_by_one(gcra: Gcra, now: float, ahead: list[float], cost: float) -> float:
    """Give the seconds until a call's turn when each before it begins as soon as it may."""
    at = now
    for one in ahead:
        at += gcra.wait(at, one)
        gcra.take(at, one)
    return at + gcra.wait(at, cost) - now


@given(gcra=buckets, spent=costs, pause=st.floats(0.0, 100.0), count=st.integers(0, 10))
def test_behind_calls_of_one_unit_the_wait_is_exact(
    gcra: Gcra, spent: float, pause: float, count: int
) -> None:
    """It is the time until all of them have begun, and then one more may."""
    gcra.take(0.0, spent)
    expected = gcra.wait(pause, 1.0, float(count))
    assert _served_one_by_one(gcra, pause, [1.0] * count, 1.0) == pytest.approx(expected, abs=1e-6)


@given(gcra=buckets, spent=costs, ahead=st.lists(costs, max_size=8), cost=costs)
def test_behind_calls_of_any_size_the_wait_is_never_overstated(
    gcra: Gcra, spent: float, ahead: list[float], cost: float
) -> None:
    """A call that is refused for it could not have been served in time."""
    gcra.take(0.0, spent)
    expected = gcra.wait(1.0, cost, sum(ahead))
    assert expected <= _served_one_by_one(gcra, 1.0, ahead, cost) + 1e-6


def test_requests_and_tokens_ahead_both_count() -> None:
    """The longer of the two waits holds; one without tokens waits for requests alone."""
    limiter = RateLimiter(requests_per_minute=60.0, tokens_per_minute=6000.0)
    for _ in range(6):
        limiter.take(0.0, 100.0)
    assert limiter.wait(0.0, 100.0) == pytest.approx(1.0)
    assert limiter.wait(0.0, 100.0, 2, 500.0) == pytest.approx(6.0)
    assert limiter.wait(0.0, 0.0, 2, 500.0) == pytest.approx(3.0)


def test_a_successor_keeps_the_waits_that_the_server_asked_for() -> None:
    """Where both know of one the longer holds."""
    one, other = RateLimiter(), RateLimiter()
    one.observe(0.0, [RateWindow("requests", 0.0, None, 10.0)])
    other.observe(0.0, [RateWindow("tokens", 0.0, None, 20.0)])
    one.inherit(other)
    assert (one.wait(0.0, 0.0), one.wait(0.0, 1.0)) == (10.0, 20.0)
    other.inherit(one)
    assert (other.wait(0.0, 0.0), other.wait(0.0, 1.0)) == (10.0, 20.0)


def test_rules_are_those_of_the_settings_alone() -> None:
    """What has happened makes no other rules; any setting does."""
    one, other = Breaker(Cooldown(5.0, 60.0, 3)), Breaker(Cooldown(5.0, 60.0, 3))
    one.cooldown.rest(0.0, 10.0)
    assert one.has_the_rules_of(other)
    assert not one.has_the_rules_of(Breaker(Cooldown(5.0, 60.0, 2)))
    assert not one.has_the_rules_of(Breaker(Cooldown(5.0, 60.0, 3), jitter=0.0))
    assert not one.has_the_rules_of(Breaker(Cooldown(5.0, 60.0, 3), quota_rest=1.0))


def test_admitting_is_asking_and_beginning_in_one() -> None:
    """It gives a permit exactly when a request may begin, and one probe when that is needed."""
    breaker = Breaker(Cooldown(5.0, 60.0, 1))
    first = breaker.admit(0.0)
    assert first is not None
    assert not first.probe
    breaker.inherit(_opened())
    assert breaker.admit(4.0) is None
    probe = breaker.admit(5.0)
    assert probe is not None
    assert probe.probe
    assert breaker.admit(5.0) is None
    breaker.abandoned(probe)
    assert breaker.admit(5.0) is not None


def _opened() -> Breaker:
    """Give a breaker that opened at 0 and rests until 5."""
    breaker = Breaker(Cooldown(5.0, 60.0, 1), jitter=0.0)
    breaker.failed(
        breaker.begin(0.0),
        0.0,
        charge=True,
        at_once=False,
        retry_after=None,
        kind=FailureKind.FAULT,
        rng=random.Random(1),
    )
    return breaker
