"""A model per member, and models that there are at a balancer alone."""

import pytest

from tests.guarantees.scenes import Cast
from trio_llm import (
    Config,
    Consensus,
    Fallback,
    Hedge,
    LoadBalance,
    ModelNotFoundError,
    Provider,
    Race,
    Reply,
)
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Fails, World, run


def _ask(tree: Member, **options: str) -> Reply:
    async def scenario(world: World) -> Reply:
        async with world.open(Config(default=tree)) as llm:
            return await llm.generate("hi", **options)  # type: ignore[arg-type]

    return run(scenario).value


def _members(cast: Cast) -> list[Provider]:
    return [
        cast.provider("a", Fails(), model="own-a"),
        cast.provider("b", Answers("b"), model="own-b"),
    ]


@pytest.mark.parametrize("kind", [Race, Fallback, Hedge, LoadBalance, Consensus])
def test_each_member_is_asked_for_the_model_that_the_balancer_names(kind: type) -> None:
    """Every balancer can name a model per member; a member without one uses its own."""
    cast = Cast()
    members = [cast.provider(name, Answers("x"), model=f"own-{name}") for name in "ab"]
    reply = _ask(kind(members, models={"a": "large"}))
    for attempt in reply.attempts:
        assert attempt.model == {"a": "large", "b": "own-b"}[attempt.provider]
    assert reply.attempts


def test_a_virtual_model_is_a_model_of_each_member() -> None:
    """Called by it, the members that serve it are asked, each for its own model."""
    tree = Fallback(_members(Cast()), virtual_models={"best": {"a": "gold", "b": "platinum"}})
    reply = _ask(tree, model="best")
    assert [(each.provider, each.model) for each in reply.attempts] == [
        ("a", "gold"),
        ("b", "platinum"),
    ]


def test_a_member_without_the_virtual_model_is_not_asked() -> None:
    """Only those whose model it names take part."""
    tree = Fallback(_members(Cast()), virtual_models={"best": {"b": "platinum"}})
    assert [each.provider for each in _ask(tree, model="best").attempts] == ["b"]


def test_a_virtual_model_is_found_through_the_balancers_above() -> None:
    """A balancer over the one that has it passes the call there."""
    inner = Race(_members(Cast())[1:], name="inner", virtual_models={"best": {"b": "platinum"}})
    tree = Fallback([Cast().provider("c", Answers("c"), models=("small",)), inner])
    reply = _ask(tree, model="best")
    assert (reply.provider, reply.attempts[-1].model) == ("b", "platinum")


def test_a_virtual_model_goes_before_a_model_of_the_same_name() -> None:
    """The balancer's own names come first, then names of members, then what they serve."""
    members = _members(Cast())
    tree = Fallback(members, virtual_models={"own-a": {"b": "platinum"}})
    assert _ask(tree, model="own-a").attempts[0].provider == "b"


def test_a_member_called_by_name_is_asked_for_the_model_named_for_it() -> None:
    """The member's name as a model means the member, as this balancer uses it."""
    tree = Fallback(_members(Cast()), models={"b": "large"})
    assert _ask(tree, model="b").attempts[0].model == "large"
    assert _ask(tree, model="b/tiny").attempts[0].model == "tiny"


def test_a_model_of_nobody_is_still_an_error() -> None:
    """A name that is neither virtual nor served is refused, and the error has it."""
    members = [Cast().provider("a", Answers(), model="m", models=("m",))]
    with pytest.raises(ModelNotFoundError, match="worst"):
        _ask(Fallback(members, virtual_models={"best": {"a": "m"}}), model="worst")
