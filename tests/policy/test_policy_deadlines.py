"""A deadline is divided so that every attempt has a share and the last one ends with it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.policy.nearness import near
from trio_llm.policy.deadlines import LEAST_RESERVE, divide, fits

EXPECTED = st.lists(st.none() | st.floats(0.0, 1000.0), min_size=1, max_size=8)
NOW = st.floats(0.0, 1e6)
LEFT = st.floats(0.001, 1e5)


@given(NOW, LEFT, EXPECTED)
def test_every_attempt_has_its_share_and_the_last_one_the_deadline(
    now: float, left: float, expected: list[float | None]
) -> None:
    """If each attempt uses up its time, each has had some, and the last ends at the deadline."""
    deadline = now + left
    for number in range(len(expected)):
        until = divide(now, deadline, expected[number:])
        equal = (deadline - now) / (len(expected) - number)
        assert now < until <= deadline
        assert until - now >= equal * 0.999999 - 1e-9
        now = until
    assert now == deadline


@given(NOW, LEFT, EXPECTED)
def test_what_is_kept_for_others_is_what_they_need(
    now: float, left: float, expected: list[float | None]
) -> None:
    """The reserve is half as much again as is expected of each, or equal shares."""
    equal = left / len(expected)
    reserve = sum(
        equal if s is None else min(max(1.5 * s, LEAST_RESERVE), equal) for s in expected[1:]
    )
    assert divide(now, now + left, expected) == near(now + left - reserve, within=1e-6)


def test_a_fast_second_leaves_the_first_nearly_all() -> None:
    """Known attempts reserve little, unknown ones an equal share, slow ones no more than that."""
    assert divide(100.0, 130.0, [None, 2.0]) == 127.0
    assert divide(100.0, 130.0, [None, None]) == 115.0
    assert divide(100.0, 130.0, [None, 60.0, 2.0]) == 117.0
    assert divide(100.0, 130.0, [5.0]) == 130.0


@given(NOW, st.floats(-10.0, 1e5), st.floats(0.0, 1e5), EXPECTED)
def test_a_later_deadline_never_makes_an_attempt_shorter(
    now: float, left: float, more: float, expected: list[float | None]
) -> None:
    """The end of an attempt moves with the caller's deadline, and never against it."""
    sooner, later = now + left, now + left + more
    assert divide(now, sooner, expected) <= divide(now, later, expected) + 1e-6


@given(NOW, st.floats(-1e5, 1e5), EXPECTED)
def test_an_attempt_ends_between_now_and_the_deadline(
    now: float, left: float, expected: list[float | None]
) -> None:
    """Never before now, never after the deadline; one that has passed is given back."""
    deadline = now + left
    until = divide(now, deadline, expected)
    assert until <= deadline
    assert until >= min(now, deadline)


@given(NOW, EXPECTED)
def test_without_a_deadline_there_is_nothing_to_divide(
    now: float, expected: list[float | None]
) -> None:
    """No deadline of the caller, none for an attempt; a plan of nothing changes nothing."""
    assert divide(now, math.inf, expected) == math.inf
    assert divide(now, now + 1.0, []) == now + 1.0


def test_an_attempt_of_which_everything_is_expected_gets_its_share_only() -> None:
    """An endless expectation reserves an equal share, and nothing reserves a little."""
    assert divide(0.0, 10.0, [None, math.inf]) == 5.0
    assert divide(0.0, 10.0, [None, 0.0]) == 10.0 - LEAST_RESERVE


@given(NOW, st.floats(0.0, 1e5), st.floats(0.0, 1e5))
def test_a_wait_fits_when_time_is_left_after_it(now: float, wait: float, left: float) -> None:
    """A wait that ends at the deadline or after it does not fit; without a deadline any does."""
    deadline = now + left
    assert fits(now, wait, deadline) == (now + wait < deadline)
    assert not fits(now, left, deadline)
    assert fits(now, wait, math.inf)
    assert not fits(now, math.inf, math.inf)
