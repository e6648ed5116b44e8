"""The cooldown as a pure machine: monotone and escalating, whatever it is fed."""

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm.policy import Cooldown
from trio_llm.policy.cooldown import LONGEST_WAIT


@attrs.frozen
class Happening:
    """Something that a provider met, so many seconds after the last."""

    after: float
    kind: str
    retry_after: float | None = None


HAPPENINGS = st.builds(
    Happening,
    st.floats(0.0, 100.0),
    st.sampled_from(["success", "charged", "limited", "quota", "asked to wait"]),
    st.none() | st.floats(0.0, 1000.0),
)


def _feed(cooldown: Cooldown, now: float, happening: Happening) -> bool:
    if happening.kind == "success":
        cooldown.succeeded(now)
        return False
    return cooldown.failed(
        now,
        charge=happening.kind in {"charged", "quota"},
        at_once=happening.kind in {"limited", "quota"},
        retry_after=happening.retry_after,
    )


@given(
    st.lists(HAPPENINGS, max_size=50),
    st.floats(0.1, 50.0),
    st.floats(0.1, 500.0),
    st.integers(1, 5),
)
def test_the_end_of_a_rest_never_moves_back(
    happenings: list[Happening], initial: float, maximum: float, after_failures: int
) -> None:
    """No sequence of failures and successes makes a rest end earlier."""
    cooldown = Cooldown(initial, maximum, after_failures)
    now = 0.0
    for happening in happenings:
        now += happening.after
        before = cooldown.until
        began = _feed(cooldown, now, happening)
        assert cooldown.until >= before
        assert began == (cooldown.until > before)
        assert cooldown.remaining(now) == max(0.0, cooldown.until - now)


@given(st.lists(HAPPENINGS, max_size=50), st.floats(0.1, 50.0), st.floats(0.1, 500.0))
def test_no_rest_is_longer_than_allowed_or_asked_for(
    happenings: list[Happening], initial: float, maximum: float
) -> None:
    """A rest is at most the maximum, unless the provider itself asked for a longer one."""
    cooldown = Cooldown(initial, maximum, 1)
    now, longest = 0.0, -math.inf
    for happening in happenings:
        now += happening.after
        longest = max(longest, now + maximum)
        if happening.retry_after is not None and happening.kind != "success":
            longest = max(longest, now + happening.retry_after)
        _feed(cooldown, now, happening)
        assert cooldown.until <= longest


@given(st.lists(HAPPENINGS, max_size=50))
def test_a_wait_that_was_asked_for_is_kept(happenings: list[Happening]) -> None:
    """After a Retry-After the provider rests at least that long."""
    cooldown = Cooldown()
    now = 0.0
    for happening in happenings:
        now += happening.after
        _feed(cooldown, now, happening)
        if happening.kind != "success" and happening.retry_after is not None:
            assert cooldown.until >= now + happening.retry_after


def test_the_failures_must_come_in_a_row() -> None:
    """A success in between starts the count again."""
    cooldown = Cooldown(initial=5.0, after_failures=2)
    assert not cooldown.failed(0.0, charge=True)
    cooldown.succeeded(1.0)
    assert not cooldown.failed(2.0, charge=True)
    assert cooldown.failed(3.0, charge=True)
    assert cooldown.until == 8.0


def test_a_failure_that_is_not_charged_counts_for_nothing() -> None:
    """Neutral failures neither count nor start a rest."""
    cooldown = Cooldown(after_failures=1)
    assert not cooldown.failed(0.0, charge=False)
    assert (cooldown.failures, cooldown.until) == (0, -math.inf)


def test_a_success_during_a_rest_does_not_end_it() -> None:
    """A request that was under way and succeeds forgets the failures, not the rest."""
    cooldown = Cooldown(initial=10.0, after_failures=1)
    cooldown.failed(0.0, charge=True)
    cooldown.succeeded(1.0)
    assert (cooldown.failures, cooldown.remaining(1.0)) == (0, 9.0)


@pytest.mark.parametrize(("asked", "length"), [(None, 5.0), (2.0, 2.0), (90.0, 90.0)])
def test_a_rate_limit_rests_as_long_as_it_asks(asked: float | None, length: float) -> None:
    """A refusal that names its wait replaces the configured one."""
    cooldown = Cooldown(initial=5.0, maximum=60.0)
    assert cooldown.failed(10.0, charge=False, at_once=True, retry_after=asked)
    assert cooldown.until == 10.0 + length


@given(st.lists(HAPPENINGS, max_size=20), st.floats(1.0, 2.0), st.booleans())
def test_a_stretched_rest_is_never_a_shorter_one(
    happenings: list[Happening], stretch: float, due: bool
) -> None:
    """What is lengthened ends later by its share at most, unless the provider named the end."""
    plain, stretched = Cooldown(after_failures=1), Cooldown(after_failures=1)
    now = 0.0
    for happening in happenings:
        now = max(now + happening.after, stretched.until)
        if happening.kind == "success":
            for each in (plain, stretched):
                each.succeeded(now)
            continue
        for each, factor in ((plain, 1.0), (stretched, stretch)):
            each.failed(
                now, charge=True, retry_after=happening.retry_after, due=due, stretch=factor
            )
        assert plain.remaining(now) <= stretched.remaining(now)
        assert stretched.remaining(now) <= plain.remaining(now) * stretch * (1 + 1e-9)


def test_a_rest_that_is_due_begins_beside_another() -> None:
    """Whoever has its own reason says so; the rest that runs and is longer is kept."""
    cooldown = Cooldown(initial=5.0)
    cooldown.rest(0.0, 7.0)
    assert not cooldown.failed(0.0, charge=False, due=True)
    assert cooldown.until == 7.0
    assert cooldown.failed(0.0, charge=False, due=True)
    assert cooldown.until == 10.0
    cooldown.rest(1.0, 2.0)
    assert cooldown.until == 10.0


def test_a_wait_that_is_asked_for_is_a_day_at_most() -> None:
    """A typing error of the provider's must not be kept."""
    cooldown = Cooldown()
    cooldown.rest_as_asked(0.0, 1e9)
    assert cooldown.until == LONGEST_WAIT
    assert cooldown.failed(1.0, charge=False, retry_after=1e9)
    assert cooldown.until == 1.0 + LONGEST_WAIT


@given(st.lists(HAPPENINGS, max_size=20), st.lists(HAPPENINGS, max_size=20))
def test_what_is_inherited_is_the_greater_of_both(
    own: list[Happening], theirs: list[Happening]
) -> None:
    """Neither rest, failures nor escalation are forgotten, and no own rest is shortened."""
    cooldown, other = Cooldown(initial=1.0), Cooldown(initial=1.0)
    lengths: list[float] = []
    for each, happenings in ((cooldown, own), (other, theirs)):
        now = 0.0
        for happening in happenings:
            now += happening.after
            _feed(each, now, happening)
        twin = attrs.evolve(each)
        twin.inherit(each)
        assert (twin.until, twin.failures) == (each.until, each.failures)
        twin.failed(1e7, charge=False, due=True)
        lengths.append(twin.remaining(1e7))
    until = max(cooldown.until, other.until)
    failures = max(cooldown.failures, other.failures)
    cooldown.inherit(other)
    assert (cooldown.until, cooldown.failures) == (until, failures)
    cooldown.failed(1e7, charge=False, due=True)
    assert cooldown.remaining(1e7) == max(lengths)
