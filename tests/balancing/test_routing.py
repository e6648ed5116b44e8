"""What `model` and `prefer` mean at a balancer."""

import pytest

from trio_llm import (
    Config,
    ConfigError,
    Fallback,
    LoadBalance,
    ModelNotFoundError,
    Provider,
    Race,
    Reply,
)
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, ScriptedProvider, World, run


def _member(name: str, *models: str) -> Provider:
    script = ScriptedProvider(Answers(name))
    return Provider("custom", name, cls=script, model=models[0], models=models)


def _ask(tree: Member, **options: str) -> Reply:
    async def scenario(world: World) -> Reply:
        async with world.open(Config(default=tree)) as llm:
            return await llm.generate("hi", **options)  # type: ignore[arg-type]

    return run(scenario).value


def _tree() -> Fallback:
    return Fallback(
        [
            _member("anna", "small"),
            LoadBalance([_member("otto", "large", "huge"), _member("olga", "large")], name="pool"),
            Provider("custom", "free", cls=ScriptedProvider(Answers("free"))),
        ]
    )


@pytest.mark.parametrize(
    ("model", "provider", "asked"),
    [
        ("free", "free", "free"),
        ("pool", "otto", "large"),
        ("olga", "olga", "large"),
        ("otto/huge", "otto", "huge"),
        ("olga/anything", "olga", "anything"),
        ("huge", "otto", "huge"),
        ("small", "anna", "small"),
        ("unheard-of", "free", "unheard-of"),
    ],
)
def test_a_model_is_a_member_or_member_and_model_or_what_members_serve(
    model: str, provider: str, asked: str
) -> None:
    """Names of members come first, at any depth, then what members declare to serve."""
    reply = _ask(_tree(), model=model)
    assert (reply.provider, reply.attempts[-1].model) == (provider, asked)


def test_a_model_that_nobody_serves_is_an_error_without_any_attempt() -> None:
    """Where every member declares its models, an unknown one is refused at the balancer."""
    with pytest.raises(ModelNotFoundError, match="no member serves the model 'medium'") as caught:
        _ask(Race([_member("anna", "small"), _member("otto", "large")]), model="medium")
    assert caught.value.attempts == ()


def test_a_preferred_member_is_tried_first_at_any_depth() -> None:
    """`prefer` moves the member that is, or contains, that name to the front."""
    assert _ask(_tree(), prefer="olga").provider == "olga"
    assert _ask(_tree(), prefer="free").metadata == {
        "fallback_provider": "free",
        "fallback_index": 2,
    }


def test_a_preferred_name_that_nobody_bears_is_said_with_the_nearest() -> None:
    """A misspelt `prefer` is one error with a suggestion, before anything is asked."""
    with pytest.raises(ConfigError, match='no provider named "ana"; did you mean "anna"'):
        _ask(_tree(), prefer="ana")
