"""Who is asked when a request is too long, or its content was refused."""

from typing import Any

import pytest

from tests.guarantees.scenes import Cast
from trio_llm import (
    Blame,
    Config,
    ContentFilterError,
    ContextLengthError,
    Fallback,
    InvalidRequestError,
    LLMError,
    Race,
    Reply,
    ServerError,
)
from trio_llm.testing import Answers, Fails, World, run

TOO_LONG = Fails(ContextLengthError, after=1.0)
REFUSED = Fails(ContentFilterError, after=1.0)


def _ask(config: Config) -> Reply | LLMError:
    async def scenario(world: World) -> Reply | LLMError:
        async with world.open(config) as llm:
            try:
                return await llm.generate("hi")
            except LLMError as error:
                return error

    return run(scenario).value


def _asked(outcome: Reply | LLMError) -> list[str]:
    """Give who was asked, in the order of time."""
    return [each.provider for each in sorted(outcome.attempts, key=lambda each: each.started)]


def _config(cast: Cast, first: Any, **settings: Any) -> Config:
    """Give a fallback over ``a`` and ``b``, with ``big`` and ``frank`` beside it."""
    providers = {
        "a": cast.provider("a", first),
        "b": cast.provider("b", Answers("b")),
        "big": cast.provider("big", Answers("big"), model="huge"),
        "frank": cast.provider("frank", Answers("frank")),
    }
    return Config(providers, {"x": Fallback(["a", "b"], **settings)}, "x")


def test_without_them_such_errors_end_the_call() -> None:
    """A request that is too long, or refused, is the caller's to mend."""
    assert isinstance(_ask(_config(Cast(), TOO_LONG)), ContextLengthError)
    assert isinstance(_ask(_config(Cast(), REFUSED)), ContentFilterError)


def test_each_error_has_specialists_of_its_own() -> None:
    """They are asked in place of the members that remain."""
    both = {"on_context_length": ["big"], "on_content_filter": ["frank"]}
    assert _asked(_ask(_config(Cast(), TOO_LONG, **both))) == ["a", "big"]
    assert _asked(_ask(_config(Cast(), REFUSED, **both))) == ["a", "frank"]
    assert isinstance(
        _ask(_config(Cast(), Fails(InvalidRequestError), **both)), InvalidRequestError
    )


def test_a_member_may_be_a_specialist() -> None:
    """One that comes later in the row is asked next, and not twice."""
    outcome = _ask(_config(Cast(), TOO_LONG, on_context_length=["b", "big"]))
    assert _asked(outcome) == ["a", "b"]
    assert isinstance(outcome, Reply)
    assert outcome.metadata["fallback_index"] == 1


def test_a_specialist_gets_the_model_named_for_it() -> None:
    """It is asked for its own model, unless the balancer names one."""
    outcome = _ask(_config(Cast(), TOO_LONG, on_context_length=["big"]))
    assert outcome.attempts[-1].model == "huge"
    assert isinstance(outcome, Reply)
    assert (outcome.metadata["fallback_provider"], outcome.metadata["fallback_index"]) == ("big", 2)


def test_specialists_do_not_count_as_retries() -> None:
    """They are asked even where no further member may be tried."""
    config = _config(Cast(), TOO_LONG, on_context_length=["big"], max_retries=0)
    assert _asked(_ask(config)) == ["a", "big"]


def test_when_all_specialists_fail_too_the_last_error_stands() -> None:
    """It has the earlier ones as its cause, and nobody is asked twice."""
    cast = Cast()
    config = _config(cast, TOO_LONG, on_context_length=["big"])
    config.providers["big"].cls._script = TOO_LONG  # type: ignore[attr-defined]
    outcome = _ask(config)
    assert isinstance(outcome, ContextLengthError)
    assert outcome.provider == "big"
    assert _asked(outcome) == ["a", "big"]


def test_where_the_error_falls_through_the_members_come_after_them() -> None:
    """A provider's own row lets the call go on: specialists first, then the rest."""
    cast = Cast()
    onward = {"ContextLengthError": Blame(False, False, True, False)}
    providers = {
        "a": cast.provider("a", TOO_LONG, errors=onward),
        "b": cast.provider("b", Answers("b")),
        "big": cast.provider("big", Fails(ServerError, after=1.0)),
    }
    tree = Fallback(["a", "b"], on_context_length=["big"])
    assert _asked(_ask(Config(providers, {"x": tree}, "x"))) == ["a", "big", "b"]


@pytest.mark.parametrize("kind", [Fallback, Race])
def test_an_error_from_deeper_down_leads_to_them_too(kind: type) -> None:
    """A balancer below passes the error on, or has it among those of its members."""
    cast = Cast()
    providers = {
        "a": cast.provider("a", TOO_LONG),
        "b": cast.provider("b", Answers("b")),
        "big": cast.provider("big", Answers("big")),
    }
    balancers = {"in": kind(["a"]), "x": Fallback(["in", "b"], on_context_length=["big"])}
    assert _asked(_ask(Config(providers, balancers, "x"))) == ["a", "big"]
