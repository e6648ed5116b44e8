"""The operations of providers in this process: simulated, and of the user's own classes."""

import math
from typing import Any

import pytest

from trio_llm import (
    Config,
    CooldownSettings,
    CountRequest,
    Embeddings,
    EmbedRequest,
    Fallback,
    InvalidRequestError,
    MalformedResponseError,
    ModelInfo,
    ModerateRequest,
    Moderation,
    Provider,
    ProviderCrashedError,
    ProviderUnavailableError,
    Request,
    ServerError,
    Simulation,
    TokenCount,
    Verdict,
)
from trio_llm.chat import ModelList
from trio_llm.providers.simulated_operations import DIMENSIONS
from trio_llm.testing import World, run


def _with(tree: Any, name: str, *arguments: Any, **options: Any) -> Any:
    async def scenario(world: World) -> object:
        async with world.open(Config(default=tree)) as llm:
            return await getattr(llm, name)(*arguments, **options)

    return run(scenario).value


def _alike(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


SIMULATED = Provider("simulated", "sim")


def test_simulated_vectors_are_deterministic_and_of_length_one() -> None:
    """The same text gives the same vector, at every provider and in every run."""
    first = _with(SIMULATED, "embed", ["an actor", "語"])
    again = _with(Provider("simulated", "other"), "embed", ["an actor", "語"])
    assert first.vectors == again.vectors
    assert first.dimensions == DIMENSIONS
    assert all(math.isclose(_alike(vector, vector), 1.0) for vector in first)
    assert (first.model, first.provider) == ("simulated-embedding", "sim")


def test_simulated_vectors_of_like_texts_are_alike() -> None:
    """Texts that share words are nearer than texts that do not."""
    cat, kitten, stock = _with(
        SIMULATED,
        "embed",
        ["the cat sat on the mat", "a cat on the mat", "shares fell sharply today"],
    )
    assert _alike(cat, kitten) > 0.5 > _alike(cat, stock)


def test_a_simulated_provider_has_a_family_of_its_kind() -> None:
    """One simulated provider may take over from another."""
    broken = Simulation(failure_rate=1.0)
    tree = Fallback([Provider("simulated", "a", simulation=broken), Provider("simulated", "b")])
    assert _with(tree, "embed", "x").provider == "b"


def test_simulated_operations_take_time_and_fail_as_told() -> None:
    """Latency and failures are those of its conversations."""
    slow = Provider("simulated", "slow", simulation=Simulation(latency=2.5, jitter=0.0))
    assert _with(slow, "embed", "x").latency == 2.5
    broken = Provider("simulated", "b", simulation=Simulation(failure_rate=1.0))
    with pytest.raises(ServerError, match="a simulated failure"):
        _with(broken, "moderate", "x")


def test_simulated_dimensions_can_be_chosen_within_reason() -> None:
    """Anything to 4,096."""
    assert _with(SIMULATED, "embed", "x", dimensions=7).dimensions == 7
    with pytest.raises(InvalidRequestError, match="at most 4096"):
        _with(SIMULATED, "embed", "x", dimensions=5000)


def test_simulated_moderation_flags_its_words() -> None:
    """A word counts as a word, in any case, by its category."""
    result = _with(SIMULATED, "moderate", ["Kill the lights", "painkiller", "I hate it"])
    assert [verdict.flagged for verdict in result.verdicts] == [True, False, True]
    assert result.categories == {"violence", "hate"}


def test_a_simulated_count_is_what_a_call_is_billed() -> None:
    """So it is exact."""

    async def scenario(world: World) -> tuple[Any, int]:
        async with world.open(Config(default=SIMULATED)) as llm:
            count = await llm.count_tokens("What is an actor?")
            return count, (await llm.generate("What is an actor?")).usage.input_tokens

    count, billed = run(scenario).value
    assert (count.tokens, count.exact) == (billed, True)


def test_a_simulated_provider_lists_its_model() -> None:
    """And what it can do, and that it costs nothing."""
    (model,) = _with(SIMULATED, "models")
    assert (model.id, model.provider) == ("simulated", "sim")
    assert model.price is not None
    assert model.price.free
    assert model.capabilities is not None


class _Plain:
    async def generate(self, _request: Request) -> str:
        return "hi"


class _Able(_Plain):
    """Does every operation, with plain values."""

    async def embed(self, request: EmbedRequest) -> list[list[float]]:
        return [[float(len(text)), 1] for text in request.texts]

    async def moderate(self, request: ModerateRequest) -> list[bool]:
        return ["bad" in text for text in request.texts]

    async def count_tokens(self, request: Request) -> int:
        return len(request.messages[-1].text)

    async def models(self) -> list[str | ModelInfo]:
        return ["small", ModelInfo(id="large", context_window=9)]


class _Formal(_Plain):
    """Does every operation, with this library's records."""

    async def embed(self, request: EmbedRequest) -> Embeddings:
        assert request.model == "vectors"
        return Embeddings(vectors=tuple((1.0,) for _ in request.texts), model="exact-name")

    async def moderate(self, request: ModerateRequest) -> Moderation:
        return Moderation(verdicts=tuple(Verdict(False) for _ in request.texts))

    async def count_tokens(self, request: Request) -> TokenCount:
        assert request.model == "talker"
        return TokenCount(tokens=3, exact=False, error=0.5)

    async def models(self) -> ModelList:
        return ModelList(models=(ModelInfo(id="m"),))


def _custom(cls: Any, **settings: Any) -> Provider:
    return Provider("custom", "mine", cls=cls, **settings)


@pytest.mark.parametrize("cls", [_Able, _Able()])
def test_a_class_with_methods_offers_the_operations(cls: Any) -> None:
    """A class or an object of it; plain values are enough."""
    mine = _custom(cls)
    assert _with(mine, "embed", ["four", "fives"]).vectors == ((4.0, 1.0), (5.0, 1.0))
    assert [v.flagged for v in _with(mine, "moderate", ["bad", "good"]).verdicts] == [True, False]
    count = _with(mine, "count_tokens", "hello")
    assert (count.tokens, count.exact) == (5, True)
    assert [(m.id, m.context_window) for m in _with(mine, "models")] == [
        ("small", None),
        ("large", 9),
    ]


def test_a_class_may_give_records_and_is_told_the_model() -> None:
    """The configured model of the operation, or of the conversation."""
    mine = _custom(_Formal, model="talker", embedding_model="vectors")
    assert _with(mine, "embed", "x").model == "exact-name"
    assert not _with(mine, "moderate", "x").flagged
    assert _with(mine, "count_tokens", "x").error == 0.5
    assert [model.id for model in _with(mine, "models")] == ["m"]


def test_a_class_without_methods_offers_none() -> None:
    """Embeddings and moderation are refused; tokens are estimated; its own name is its model."""
    mine = _custom(_Plain)
    for operation in ("embed", "moderate"):
        with pytest.raises(ProviderUnavailableError, match="it does not offer"):
            _with(mine, operation, "x")
    assert not _with(mine, "count_tokens", "x").exact
    assert [model.id for model in _with(mine, "models")] == ["mine"]


WRONG: list[tuple[str, object, str]] = [
    ("embed", 5, r"embed\(\) gives a sequence of vectors, not int"),
    ("embed", "ab", "a sequence of vectors, not str"),
    ("embed", [[1.0], "ab"], "a sequence of numbers, not str"),
    ("embed", [[1.0], ["a"]], "finite numbers, not str"),
    ("embed", [[1.0], [math.nan]], "finite numbers, not float"),
    ("embed", [[1.0], [True]], "finite numbers, not bool"),
    ("embed", [[1.0]], "1 vectors came for 2 texts"),
    ("embed", [[1.0], [1.0, 2.0]], "vector 1 has 2 dimensions, and 1 were expected"),
    ("embed", [[], []], "vector 0 has 0 dimensions"),
    ("embed", Moderation(verdicts=()), "a sequence of vectors, not Moderation"),
    ("moderate", None, r"moderate\(\) gives one verdict for each text, not NoneType"),
    ("moderate", [0, 1], "booleans or Verdict records, not int"),
    ("moderate", [False], "1 verdicts came for 2 texts"),
    ("moderate", {"a": False}, "one verdict for each text, not dict"),
    ("count_tokens", "5", "an int or a TokenCount, not str"),
    ("count_tokens", True, "an int or a TokenCount, not bool"),
    ("count_tokens", -1, "tokens is below zero"),
    ("models", "abc", "names or ModelInfo records, not str"),
    ("models", [5], "names or ModelInfo records, not int"),
]


@pytest.mark.parametrize(("method", "value", "said"), WRONG)
def test_what_a_method_gives_is_checked(method: str, value: object, said: str) -> None:
    """A wrong value is the failure of that attempt, and never half an answer."""

    async def gives(_self: object, *_arguments: object) -> object:
        return value

    cls = type("Wrong", (_Plain,), {method: gives})
    arguments = {"models": (), "count_tokens": ("x",)}.get(method, (["x", "y"],))
    with pytest.raises(MalformedResponseError, match=said):
        _with(_custom(cls), method, *arguments)


def test_a_method_that_raises_harms_its_own_call_only() -> None:
    """It is a crash of the provider's code, charged like any other."""

    class Raises(_Plain):
        async def embed(self, _request: EmbedRequest) -> object:
            raise KeyError("a bug")

    async def scenario(world: World) -> str:
        mine = _custom(Raises, cooldown=CooldownSettings(after_failures=2))
        async with world.open(Config(default=mine)) as llm:
            with pytest.raises(ProviderCrashedError, match="KeyError"):
                await llm.embed("x")
            return (await llm.generate("x")).text

    assert run(scenario).value == "hi"


def test_a_records_own_class_can_be_performed() -> None:
    """`perform` gives the result of the class that belongs to the operation."""

    async def scenario(world: World) -> object:
        async with world.open(Config(default=SIMULATED)) as llm:
            return await llm.perform(CountRequest(request=Request(messages="hello")))

    assert isinstance(run(scenario).value, TokenCount)
