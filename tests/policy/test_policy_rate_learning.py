"""What a rate limiter learns from a provider's headers, with and without limits of its own."""

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.chat import RateWindow
from trio_llm.policy.cooldown import LONGEST_WAIT
from trio_llm.policy.rate_limit import RateLimiter

DAY = 24 * 3600.0


@pytest.mark.parametrize("what", ["requests", "tokens"])
def test_a_used_up_limit_is_learned(what: str) -> None:
    """Without a configured limit too, calls wait for the reset that is named, a day at most."""
    limiter = RateLimiter()
    assert limiter.limited
    assert limiter.wait(0.0, 9.0) == 0.0
    limiter.observe(10.0, [RateWindow(what, 0.0, 500.0, 7.0)])
    assert limiter.wait(10.0, 9.0) == limiter.snapshot(10.0).blocked_for == 7.0
    assert limiter.wait(15.0, 9.0) == 2.0
    assert limiter.wait(17.0, 9.0) == 0.0
    limiter.observe(20.0, [RateWindow(what, 0.0, 500.0, 1e9)])
    assert limiter.wait(20.0, 9.0) == LONGEST_WAIT


def test_a_call_without_tokens_is_not_held_up_by_tokens() -> None:
    """A list of models can be asked for although the tokens are used up."""
    limiter = RateLimiter()
    limiter.observe(0.0, [RateWindow("tokens", 0.0, None, 7.0)])
    assert (limiter.wait(0.0, 0.0), limiter.wait(0.0, 1.0)) == (0.0, 7.0)


def test_something_left_lifts_the_block_of_its_kind() -> None:
    """The provider's last word counts; a word about tokens says nothing of requests."""
    limiter = RateLimiter()
    limiter.observe(0.0, [RateWindow("requests", 0.0, None, 60.0)])
    limiter.observe(1.0, [RateWindow("tokens", 900.0, None, 1.0)])
    assert limiter.wait(1.0, 5.0) == 59.0
    limiter.observe(2.0, [RateWindow("requests", 1.0, None, 60.0)])
    assert limiter.wait(2.0, 5.0) == 0.0


def test_of_several_windows_all_hold() -> None:
    """Something left in the day does not lift what is used up in the minute, nor the reverse."""
    minute, day = RateWindow("requests", 0.0, 60.0, 30.0), RateWindow("requests", 9.0, 900.0, DAY)
    for windows in ([minute, day], [day, minute]):
        limiter = RateLimiter()
        limiter.observe(0.0, windows)
        assert limiter.wait(0.0, 5.0) == 30.0
    limiter.observe(0.0, [minute, attrs.evolve(day, remaining=0.0, reset=3600.0)])
    assert limiter.wait(0.0, 5.0) == 3600.0


def test_nothing_left_without_a_reset_changes_no_block() -> None:
    """Nobody knows how long to wait then: no block begins, and one that runs goes on."""
    limiter, unknown = RateLimiter(), RateWindow("requests", 0.0)
    limiter.observe(0.0, [unknown])
    assert limiter.wait(0.0, 5.0) == 0.0
    limiter.observe(0.0, [RateWindow("requests", 0.0, None, 60.0)])
    limiter.observe(1.0, [unknown])
    limiter.observe(1.0, [])
    assert limiter.wait(1.0, 5.0) == 59.0


def test_one_of_a_limit_that_fills_evenly_is_back_long_before_the_reset() -> None:
    """Of 1,000 a day that are used up, the next one is to be had in 86.4 s, not in a day."""
    limiter = RateLimiter()
    limiter.observe(0.0, [RateWindow("requests", 0, 1000, 86_400.0, gradual=True)])
    assert abs(limiter.wait(0.0, 1.0) - 86.4) < 1e-6
    limiter.observe(0.0, [RateWindow("requests", 0, None, 600.0, gradual=True)])
    assert limiter.wait(0.0, 1.0) == 600.0


def test_a_longer_block_is_inherited() -> None:
    """Of either kind; an own one that ends later stays."""
    limiter, other = RateLimiter(), RateLimiter()
    limiter.observe(
        0.0, [RateWindow("requests", 0.0, None, 9.0), RateWindow("tokens", 0.0, None, 1.0)]
    )
    other.observe(
        0.0, [RateWindow("requests", 0.0, None, 3.0), RateWindow("tokens", 0.0, None, 20.0)]
    )
    limiter.inherit(other)
    assert (limiter.wait(0.0, 0.0), limiter.wait(0.0, 1.0)) == (9.0, 20.0)


def test_what_remains_makes_a_configured_limit_stricter() -> None:
    """Of several windows the one with least left, in the bucket of its kind."""
    limiter = RateLimiter(600.0, 6000.0, 2700.0)
    limiter.observe(
        0.0,
        [
            RateWindow("requests", 40.0, 60.0, 30.0),
            RateWindow("requests", 20.0, 90.0, 5.0),
            RateWindow("tokens", 100.0, None, 30.0),
        ],
    )
    snapshot = limiter.snapshot(0.0)
    assert (snapshot.requests_available, snapshot.tokens_available) == (20.0, 100.0)
    assert limiter.wait(0.0, 200.0) == 1.0
    assert limiter.snapshot(30.0) == RateLimiter(600.0, 6000.0, 2700.0).snapshot(30.0)


def test_a_window_of_unknown_length_says_nothing_of_the_day() -> None:
    """Or a minute that is used up would hold up calls until a day's bucket fills."""
    limiter = RateLimiter(requests_per_day=2700.0)
    limiter.observe(0.0, [RateWindow("requests", 0.0)])
    assert limiter.wait(0.0, 1.0) == 0.0


def test_one_that_does_not_learn_hears_nothing() -> None:
    """It holds to its configured limits, and without any it never makes a call wait."""
    limiter = RateLimiter(learn=False)
    assert not limiter.limited
    limiter.observe(0.0, [RateWindow("requests", 0.0, None, 60.0)])
    assert limiter.wait(0.0, 5.0) == 0.0
    for limited in (RateLimiter(9.0, learn=False), RateLimiter(None, 9.0, None, learn=False)):
        assert limited.limited
    snapshot = limiter.snapshot(0.0)
    assert (snapshot.requests_available, snapshot.tokens_available) == (None, None)


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 100.0),
            st.lists(
                st.builds(
                    RateWindow,
                    st.sampled_from(["requests", "tokens", "pictures"]),
                    st.sampled_from([0.0, 1.0, 50.0]),
                    st.none() | st.just(60.0),
                    st.none() | st.floats(0.0, 1e6),
                ),
                max_size=4,
            ),
        ),
        max_size=20,
    ),
    st.builds(RateLimiter, *[st.none() | st.floats(0.5, 1e4)] * 3),
)
def test_every_wait_ends(said: list[tuple[float, list[RateWindow]]], limiter: RateLimiter) -> None:
    """Whatever the headers say, whoever waits as long as told is admitted, and within a day."""
    now = 0.0
    for after, windows in said:
        now += after
        limiter.observe(now, windows)
        limiter.take(now, 5.0)
        wait = limiter.wait(now, 5.0)
        assert 0.0 <= wait < math.inf
        assert limiter.wait(now + wait, 5.0) < 1e-6
