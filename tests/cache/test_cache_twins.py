"""An error for each of several callers: equal, whole, and never the same object."""

import traceback
from collections.abc import Callable
from decimal import Decimal

import pytest

from trio_llm import (
    AllProvidersFailed,
    BudgetExceededError,
    ConfigError,
    LLMError,
    RateLimitError,
    RuntimeClosedError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.cache.twins import twin_of


def _group() -> AllProvidersFailed:
    inner = AllProvidersFailed("inner failed", [ServerError("one", provider="a")], "inner")
    error = AllProvidersFailed(
        "all failed", [inner, RateLimitError("two", provider="b", retry_after=3.0)], "outer"
    )
    error.call_number = 7
    error.add_note("seen by the test")
    return error


@pytest.mark.parametrize(
    "error",
    [
        ServerError("broke", provider="a", model="m", status=500, request_id="r", elapsed=1.0),
        StreamInterruptedError("cut", provider="a", partial_text="half"),
        BudgetExceededError("spent", budget="b", limit=Decimal(1), spent=Decimal(1)),
        ConfigError(["x: wrong"], "call"),
        RuntimeClosedError("closed"),
        _group(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_twin_is_equal_and_another(error: LLMError) -> None:
    """Class, words, facts and cause are the same; the traceback stays behind."""
    error.__cause__ = KeyError("why")
    try:
        raise error
    except LLMError as caught:
        twin = twin_of(caught)
    assert twin is not error
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert twin.__traceback__ is None
    assert twin.__cause__ is error.__cause__
    assert {k: v for k, v in vars(twin).items() if k != "exceptions"} == vars(error)


def test_the_members_of_a_group_are_twins_too() -> None:
    """The shape is kept, and no leaf is shared between two callers."""
    error = _group()
    twin = twin_of(error)
    assert isinstance(twin, AllProvidersFailed)
    assert [str(each) for each in twin.errors] == [str(each) for each in error.errors]
    assert not {id(each) for each in twin.errors} & {id(each) for each in error.errors}
    assert (twin.balancer, twin.retry_after) == ("outer", 3.0)
    assert isinstance(twin.exceptions[0], AllProvidersFailed)
    assert twin.exceptions[0].balancer == "inner"


@pytest.mark.parametrize("twin", [twin_of, ServerError.copy])
def test_a_note_is_seen_by_who_gets_it(twin: Callable[[ServerError], LLMError]) -> None:
    """What one caller adds to its error is on nobody else's; what was there is on all."""
    error = ServerError("broke")
    error.add_note("seen by the provider")
    first, second = twin(error), twin(error)
    first.add_note("seen by the first")
    assert first.__notes__ == ["seen by the provider", "seen by the first"]
    assert error.__notes__ == second.__notes__ == ["seen by the provider"]


def test_many_raises_grow_no_traceback() -> None:
    """Each caller's traceback has its own frames alone."""
    error = ServerError("broke")
    lengths: list[int] = []
    for _ in range(5):
        try:
            raise twin_of(error)
        except ServerError as caught:
            lengths.append(len(traceback.extract_tb(caught.__traceback__)))
    assert lengths == [1] * 5
