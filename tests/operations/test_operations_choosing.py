"""Finding the best provider and the cheapest model for a purpose."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
import trio

from tests.operations.operations_stage import Stage
from trio_llm import (
    Capability,
    Config,
    CooldownSettings,
    EmbedRequest,
    Endpoint,
    Fallback,
    InvalidRequestError,
    ListModels,
    LLMError,
    ModelInfo,
    Price,
    PriceSettings,
    Provider,
    ProviderUnavailableError,
    Race,
    Runtime,
    ServerError,
)
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Embeds, Fails, Lists, RateLimits, Stalls, World, explore, run
from trio_llm.testing import seeds as seeds_of

T = TypeVar("T")


def _with(tree: Member, use: Callable[[Runtime], Awaitable[T]]) -> T:
    """Use a runtime over a tree."""

    async def scenario(world: World) -> T:
        async with world.open(Config(default=tree)) as llm:
            return await use(llm)

    return run(scenario).value


def _named(endpoint: Endpoint | None) -> str | None:
    return None if endpoint is None else endpoint.name


# find_provider


def test_a_provider_is_found_by_what_it_can_do() -> None:
    """Its declared capabilities count, or those of its kind; a word does as well."""
    stage = Stage()
    tree = Fallback(
        [
            stage.provider("talks", Answers(), capabilities=["chat", "translation"]),
            stage.provider("sees", Answers(), capabilities=["chat", "vision"]),
            stage.provider("draws", Answers(), capabilities=["image_generation"]),
        ]
    )

    async def use(llm: Runtime) -> list[str | None]:
        return [
            _named(llm.find_provider(capability))
            for capability in (None, "translation", Capability.VISION, "image_generation", "tools")
        ]

    assert _with(tree, use) == ["talks", "talks", "sees", "draws", None]


def test_what_is_found_can_be_asked() -> None:
    """It is an endpoint like that of `Runtime.provider`."""
    stage = Stage()
    tree = Race([stage.provider("a", Answers("from a")), stage.provider("b", Answers("from b"))])

    async def use(llm: Runtime) -> str:
        found = llm.find_provider(Capability.CODE_GENERATION)
        assert found is not None
        return (await found.generate("a loop")).text

    assert _with(tree, use) == "from a"


def test_an_operation_is_offered_only_by_who_does_it() -> None:
    """A class without a method for embeddings has the capability of its kind in vain."""
    stage = Stage()
    tree = Fallback(
        [stage.provider("talks", Answers()), stage.provider("embeds", Embeds(), EmbedRequest)]
    )

    async def use(llm: Runtime) -> list[str | None]:
        return [_named(llm.find_provider(word)) for word in ("embedding", "moderation")]

    assert _with(tree, use) == ["embeds", None]


def test_one_that_rests_is_not_found_and_one_that_is_full_is() -> None:
    """A rest is a refusal; a full provider has a line."""

    async def scenario(world: World) -> None:
        stage = Stage()
        tree = Fallback(
            [
                stage.provider("rests", [*[Answers()] * 20, RateLimits(10.0), Answers()]),
                stage.provider("full", Stalls(), max_concurrency=1),
            ]
        )
        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            for _ in range(20):
                await llm.provider("rests").generate("hi")
            assert _named(llm.find_provider()) == "rests"
            with pytest.raises(LLMError):
                await llm.provider("rests").generate("hi")
            nursery.start_soon(llm.provider("full").generate, "hi")
            await trio.sleep(1.0)
            assert _named(llm.find_provider()) == "full"
            await trio.sleep(10.0)
            found = {_named(llm.provider(name).find_provider()) for name in ("rests", "full")}
            assert found == {"rests", "full"}
            nursery.cancel_scope.cancel()

    run(scenario)


def test_the_sound_one_goes_before_the_fast_one_and_the_untried_one() -> None:
    """By success rate to the percent, then by latency, then in declared order."""

    async def scenario(world: World) -> None:
        stage = Stage()
        tireless = CooldownSettings(after_failures=10**9)
        tree = Fallback(
            [
                stage.provider("untried", Answers()),
                stage.provider("shaky", [Answers(after=0.1), Fails(after=0.1)], cooldown=tireless),
                stage.provider("slow", Answers(after=2.0)),
                stage.provider("quick", Answers(after=1.0)),
                stage.provider("quick too", Answers(after=1.0)),
            ]
        )
        async with world.open(Config(default=tree)) as llm:
            assert _named(llm.find_provider()) == "untried"
            for name in ("shaky", "slow", "quick", "quick too"):
                for _ in range(10):
                    try:
                        await llm.provider(name).generate("hi")
                    except ServerError:
                        continue
            assert _named(llm.find_provider()) == "quick"
            assert _named(llm.find_provider(model="slow")) == "slow"

    run(scenario)


def test_an_untried_one_goes_before_one_that_mostly_fails() -> None:
    """Nothing known is better than much that is bad."""

    async def scenario(world: World) -> None:
        stage = Stage()
        tireless = CooldownSettings(after_failures=10**9)
        tree = Fallback(
            [stage.provider("bad", Fails(), cooldown=tireless), stage.provider("new", Answers())]
        )
        async with world.open(Config(default=tree)) as llm:
            for _ in range(3):
                with pytest.raises(ServerError):
                    await llm.provider("bad").generate("hi")
            assert _named(llm.find_provider()) == "new"

    run(scenario)


def test_the_order_of_the_default_comes_first() -> None:
    """Among equals it is the order in which the default asks, and that goes by priority."""

    async def scenario(world: World) -> None:
        stage = Stage()
        config = Config(
            providers={
                "late": stage.provider("late", Answers(), priority=2),
                "early": stage.provider("early", Answers(), priority=1),
                "off": Provider("simulated", enabled=False),
            }
        )
        async with world.open(config) as llm:
            assert _named(llm.find_provider()) == "early"

    run(scenario)


def test_a_model_narrows_the_search() -> None:
    """Who declares the model goes before who declares none; who declares others is out."""
    stage = Stage()
    tree = Fallback(
        [
            stage.provider("any", Answers()),
            stage.provider("small", Answers(), model="small", models=("small", "tiny")),
        ]
    )

    async def use(llm: Runtime) -> list[str | None]:
        models = (None, "small", "tiny", "huge")
        found: list[str | None] = [_named(llm.find_provider(model=model)) for model in models]
        found.append(_named(llm.provider("small").find_provider(model="huge")))
        return found

    assert _with(tree, use) == ["any", "small", "small", "any", None]


def test_free_ones_are_those_that_cost_nothing() -> None:
    """By their price, or by running on the user's own machine."""
    stage = Stage()
    tree = Fallback(
        [
            stage.provider("unknown", Answers()),
            stage.provider("dear", Answers(), price=PriceSettings(1.0, 2.0)),
            stage.provider("gift", Answers(), price=PriceSettings(0.0, 0.0)),
            Provider("simulated", "sim"),
        ]
    )

    async def use(llm: Runtime) -> list[str | None]:
        return [
            _named(llm.find_provider(free_only=True)),
            _named(llm.provider("sim").find_provider("chat", free_only=True)),
            _named(llm.provider("dear").find_provider(free_only=True)),
        ]

    assert _with(tree, use) == ["gift", "sim", None]


def test_several_keys_of_one_provider_are_one() -> None:
    """What is found stands for all of them."""

    async def scenario(world: World) -> None:
        config = {
            "providers": {
                "lab": {
                    "kind": "openai",
                    "model": "m",
                    "base_url": "http://127.0.0.1:1/v1",
                    "api_key_envs": ["TRIO_LLM_TEST_ONE", "TRIO_LLM_TEST_TWO"],
                }
            }
        }
        async with world.open(config) as llm:
            assert _named(llm.find_provider("tools", model="m")) == "lab"
            assert _named(llm.find_provider("video_generation")) is None

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIO_LLM_TEST_ONE", "one")
        patch.setenv("TRIO_LLM_TEST_TWO", "two")
        run(scenario)


@pytest.mark.parametrize(
    ("capability", "said"),
    [
        ("code_generaton", 'no capability "code_generaton"; did you mean "code_generation"?'),
        ("CHAT", "no capability"),
        ("", "no capability"),
        (3, "capability must be a Capability or its word, not int"),
    ],
)
def test_a_wrong_capability_is_said_with_the_nearest(capability: Any, said: str) -> None:
    """Both searches refuse it, before anything is asked."""

    async def use(llm: Runtime) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            llm.find_provider(capability)
        assert said in caught.value.message
        with pytest.raises(InvalidRequestError) as caught:
            await llm.cheapest_model(capability)
        assert said in caught.value.message

    _with(Stage().provider("a", Answers()), use)


# cheapest_model


def _model(name: str, paid: tuple[int, int] | None = None, *can: Capability) -> ModelInfo:
    price = None if paid is None else Price(Decimal(paid[0]), Decimal(paid[1]))
    return ModelInfo(id=name, price=price, capabilities=frozenset(can) or None)


def _lists(*models: ModelInfo, after: float = 0.0, **settings: Any) -> Provider:
    return Stage().provider("lab", Lists(models, after=after), ListModels, **settings)


def _cheapest(tree: Member, *args: Any, **options: Any) -> str | None:
    async def use(llm: Runtime) -> str | None:
        model = await llm.cheapest_model(*args, **options)
        return None if model is None else f"{model.provider}/{model.id}"

    return _with(tree, use)


def test_input_and_output_are_weighed_together() -> None:
    """The sum of both prices decides, and one without a price comes last."""
    lab = _lists(_model("secret"), _model("reader", (1, 9)), _model("even", (4, 4)))
    assert _cheapest(lab) == "lab/even"
    assert _cheapest(_lists(_model("secret"), _model("another"))) == "lab/secret"
    assert _cheapest(_lists()) is None


def test_the_first_of_equals_is_taken() -> None:
    """In the order of the list, and of the providers."""
    assert _cheapest(_lists(_model("a", (1, 2)), _model("b", (2, 1)))) == "lab/a"


def test_only_models_that_can_do_it_count() -> None:
    """What a list says of a model holds, in both directions."""
    lab = _lists(
        _model("blind", (1, 1), Capability.CHAT),
        _model("seeing", (2, 2), Capability.CHAT, Capability.VISION),
        _model("vectors", (0, 1), Capability.EMBEDDING),
    )
    assert _cheapest(lab, "vision") == "lab/seeing"
    assert _cheapest(lab, Capability.CHAT) == "lab/blind"
    assert _cheapest(lab, Capability.AUDIO_GENERATION) is None


def test_who_writes_text_does_what_is_asked_in_words() -> None:
    """No list of models tells that one translates; one that only embeds does not."""
    lab = _lists(
        _model("vectors", (0, 1), Capability.EMBEDDING), _model("talks", (2, 2), Capability.CHAT)
    )
    for word in ("code_generation", "translation", "summarization", "text_generation"):
        assert _cheapest(lab, word) == "lab/talks"


def test_where_no_list_tells_the_name_does() -> None:
    """An embedding model without a word about it is no cheap one for text."""
    lab = _lists(
        _model("text-embedding-3-small", (0, 1)),
        _model("omni-moderation-latest", (0, 0)),
        _model("gpt-large", (3, 3)),
        _model("gpt-small", (2, 2)),
    )
    assert _cheapest(lab, "text_generation") == "lab/gpt-small"
    assert _cheapest(lab, "moderation") == "lab/omni-moderation-latest"


def test_what_neither_tells_its_provider_does() -> None:
    """The capabilities of the provider stand for those of its models."""
    plain = _lists(_model("m", (1, 1)), capabilities=["chat", "translation"])
    assert _cheapest(plain, "translation") == "lab/m"
    assert _cheapest(plain, "vision") is None


def test_free_only_means_a_price_of_nothing() -> None:
    """An unknown price is not taken for a gift."""
    lab = _lists(_model("secret"), _model("cheap", (0, 1)), _model("gift", (0, 0)))
    assert _cheapest(lab, free_only=True) == "lab/gift"
    assert _cheapest(_lists(_model("secret"), _model("cheap", (0, 1))), free_only=True) is None
    both = Fallback([_lists(_model("cheap", (0, 1))), Provider("simulated", "own")])
    assert _cheapest(both, free_only=True) == "own/simulated"


def test_the_price_of_the_configuration_counts_where_the_list_has_none() -> None:
    """It is what the user pays, whatever nobody publishes."""
    named = _lists(_model("m"), price=PriceSettings(1.0, 1.0))
    other = Stage().provider("other", Lists((_model("n", (5, 5)),)), ListModels)
    assert _cheapest(Race([other, named])) == "lab/m"


def test_models_of_every_provider_are_compared() -> None:
    """One that fails is left out; if all fail, that is an error."""
    stage = Stage()
    tree = Race(
        [
            stage.provider("a", Lists((_model("big", (9, 9)),), after=2.0), ListModels),
            stage.provider("broken", Fails(after=1.0), ListModels),
            stage.provider("b", Lists((_model("small", (1, 1)),), after=1.0), ListModels),
        ]
    )
    assert _cheapest(tree) == "b/small"
    with pytest.raises(ServerError):
        _cheapest(stage.provider("alone", Fails(), ListModels))


def test_a_search_that_is_given_up_leaves_nothing_behind() -> None:
    """Cancelled at any moment it ends at once."""

    async def scenario(world: World) -> None:
        stage = Stage()
        models = tuple(_model(f"m{number}", (1, 1)) for number in range(300))
        tree = Race(
            [
                stage.provider("a", Lists(models, after=1.0), ListModels),
                stage.provider("b", Stalls(), ListModels),
            ]
        )
        async with world.open(Config(default=tree)) as llm:
            with trio.move_on_after(world.rng.choice((0.0, 0.5, 1.0, 2.0))) as scope:
                await llm.cheapest_model("chat")
            assert scope.cancelled_caught
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds_of(1000, share=50))


def test_what_was_found_can_be_asked_for() -> None:
    """The provider and the model of what is found make a call."""

    async def use(llm: Runtime) -> tuple[str, str]:
        model = await llm.cheapest_model("chat", free_only=True)
        assert model is not None
        reply = await llm.provider(model.provider).generate("hi", model=model.id)
        with pytest.raises(ProviderUnavailableError):
            await llm.provider("lab").embed("x")
        return reply.provider, reply.model

    tree = Fallback([Provider("simulated", "own"), _lists(_model("m", (1, 1)))])
    assert _with(tree, use) == ("own", "simulated")
