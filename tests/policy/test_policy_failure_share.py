"""The share of failures against a list of all outcomes, counted by hand."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.policy.breaker_scenes import FAULT, breaker, fails, succeeds
from trio_llm.policy.failure_share import FailureShare

OUTCOMES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 1.0, 2.5, 6.0, 20.0, 70.0]), st.booleans()), max_size=80
)


@given(OUTCOMES, st.sampled_from([0.1, 0.5, 0.75, 1.0]), st.integers(1, 8))
def test_a_share_of_failures_opens_it_exactly_as_counted_by_hand(
    outcomes: list[tuple[float, bool]], ratio: float, minimum: int
) -> None:
    """At a failure, when of enough outcomes of this slot and the nine before so many failed."""
    subject = breaker(after_failures=10**9, ratio=ratio, minimum_calls=minimum)
    now, counted = 0.0, list[tuple[int, bool]]()
    for after, failed in outcomes:
        now = max(now + after, subject.until)
        slot = math.floor(now / 6.0)
        was_half_open = subject.is_half_open(now)
        opened = fails(subject, FAULT, now) if failed else succeeds(subject, now) and False
        counted = [(at, bad) for at, bad in counted if at > slot - 10] + [(slot, failed)]
        bad = sum(bad for _, bad in counted)
        assert opened == (
            failed and (was_half_open or (len(counted) >= minimum and bad / len(counted) >= ratio))
        )
        if opened:
            counted = []


@given(OUTCOMES)
def test_the_window_is_bounded(outcomes: list[tuple[float, bool]]) -> None:
    """However many outcomes there are, ten slots hold them."""
    share, now = FailureShare(60.0), 0.0
    for after, failed in outcomes * 3:
        now += after
        share.count(now, failed=failed)
        assert len(share._outcomes) == len(share._failures) == 10  # pyright: ignore[reportPrivateUsage]
        assert sum(share._failures) <= sum(share._outcomes)  # pyright: ignore[reportPrivateUsage]


def test_failures_that_are_long_past_are_forgotten() -> None:
    """The window moves on by a slot at a time, and any leap empties it."""
    share = FailureShare(60.0)
    for now in (0.0, 59.0):
        share.count(now, failed=True)
    assert share.reaches(59.9, 1.0, 2)
    assert not share.reaches(60.0, 1.0, 2)
    assert share.reaches(60.0, 1.0, 1)
    assert not share.reaches(1e9, 0.0, 1)


def test_no_outcomes_have_no_share() -> None:
    """Also where none at all are asked for."""
    assert not FailureShare(60.0).reaches(0.0, 0.0, 0)
