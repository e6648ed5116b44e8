"""Backoff with full jitter, and the table that says whose fault an error is."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_llm import errors
from trio_llm.errors import (
    ConnectionFailedError,
    ContextLengthError,
    LLMError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitError,
    ServerError,
    StaleConnectionError,
)
from trio_llm.policy import Blame, backoff, blame, blame_for, own_blame
from trio_llm.policy.blame import CONFIGURABLE, row_of
from trio_llm.policy.retry import RetryRule, rule_for


@given(
    number=st.integers(1, 10_000),
    base=st.floats(0.0, 100.0),
    longest=st.floats(0.0, 1000.0),
    seed=st.integers(0, 1000),
)
def test_a_pause_lies_between_nothing_and_its_bound(
    number: int, base: float, longest: float, seed: int
) -> None:
    """Every pause is drawn from 0 to the doubled base, and never longer than the longest."""
    pause = backoff(number, base_delay=base, max_delay=longest, rng=random.Random(seed))
    assert 0.0 <= pause <= min(longest, base * 2.0 ** min(number - 1, 64))


def test_pauses_use_the_whole_range() -> None:
    """Full jitter: the mean of many pauses is half of the bound, and both ends occur."""
    rng = random.Random(1)
    pauses = [backoff(3, base_delay=1.0, max_delay=8.0, rng=rng) for _ in range(4000)]
    assert abs(sum(pauses) / len(pauses) - 2.0) < 0.1
    assert min(pauses) < 0.05
    assert max(pauses) > 3.95


@given(st.floats(0.0, 10_000.0), st.integers(1, 50))
def test_a_wait_that_the_provider_asked_for_is_kept_to_the_letter(wait: float, number: int) -> None:
    """A Retry-After replaces the jitter, also when it is longer than the longest pause."""
    rng = random.Random(0)
    assert backoff(number, base_delay=1.0, max_delay=8.0, rng=rng, retry_after=wait) == wait


def test_the_rule_of_the_nearest_class_holds() -> None:
    """An error goes by the rule of its class, else of its nearest base, else by the default."""
    default, near, far = (RetryRule(attempts, 0.5, 8.0) for attempts in (2, 5, 0))

    class MyError(RateLimitError):
        pass

    own: dict[type[ProviderError], RetryRule] = {RateLimitError: near, ConnectionFailedError: far}
    assert rule_for(RateLimitError("any"), default, own) is near
    assert rule_for(MyError("any"), default, own) is near
    assert rule_for(StaleConnectionError("any"), default, own) is far
    assert rule_for(ServerError("any"), default, own) is default
    assert rule_for(ServerError("any"), default, {}) is default
    both: dict[type[ProviderError], RetryRule] = {ProviderError: far, MyError: near}
    assert rule_for(MyError("any"), default, both) is near
    assert rule_for(RateLimitError("any"), default, both) is far


PROVIDER_ERRORS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, ProviderError) and value is not ProviderError
]


def _printed() -> dict[str, Blame]:
    lines = (blame.__doc__ or "").splitlines()
    rows = [line.split() for line in lines if line.count("  ") and "Error " in line]
    return {name: Blame(*(word == "yes" for word in words)) for name, *words in rows}


@pytest.mark.parametrize("cls", PROVIDER_ERRORS)
def test_the_printed_table_is_the_table(cls: type[ProviderError]) -> None:
    """Every provider error, or its base, stands in the module's table with what the code does."""
    printed = _printed()
    row = next(base.__name__ for base in cls.__mro__ if base.__name__ in printed)
    assert blame_for(cls("any")) == printed[row]


def test_a_subclass_is_judged_as_its_base() -> None:
    """An error class of a user's own has the row of the nearest class in the table."""

    class MyError(RateLimitError):
        pass

    assert blame_for(MyError("any")) == blame_for(RateLimitError("any"))


def test_an_unknown_error_is_the_providers() -> None:
    """What the table does not know is charged and falls through, but is not retried."""
    unknown = Blame(charges=True, cools=False, falls_through=True, retries=False)
    assert blame_for(LLMError("any")) == unknown
    assert blame_for(KeyError("any")) == unknown
    assert blame_for(ServerError("any")) != unknown


def test_every_row_but_one_can_be_configured() -> None:
    """Only an error without any attempt has nothing that could follow otherwise."""
    assert set(CONFIGURABLE) == set(_printed()) - {ProviderUnavailableError.__name__}
    for name, cls in CONFIGURABLE.items():
        assert row_of(name) == _printed()[name] == blame_for(cls("any"))


def test_what_is_written_on_an_error_goes_before_the_table() -> None:
    """The provider that raised it has judged it already, and its copies say the same."""
    error = ContextLengthError("too long")
    assert not blame_for(error).falls_through
    error.blame = Blame(charges=False, cools=False, falls_through=True, retries=False)
    assert blame_for(error) == blame_for(error.copy()) == error.blame
    assert blame_for(ContextLengthError("too long")) != error.blame


def test_an_own_row_holds_for_the_class_and_those_below_it() -> None:
    """A nearer row of the general table goes before an own row for a farther base."""
    mine = Blame(charges=False, cools=True, falls_through=False, retries=False)

    class MyError(RateLimitError):
        pass

    own: dict[type[ProviderError], Blame] = {RateLimitError: mine, ConnectionFailedError: mine}
    assert own_blame(RateLimitError("any"), own) == mine
    assert own_blame(MyError("any"), own) == mine
    assert own_blame(StaleConnectionError("any"), own) == mine
    assert own_blame(ServerError("any"), own) is None
    assert own_blame(ServerError("any"), {ProviderError: mine}) is None
    assert own_blame(ProviderError("any"), {ProviderError: mine}) == mine
    assert own_blame(ServerError("any"), {}) is None
