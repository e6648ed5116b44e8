"""Embeddings: batches, order, one family, vectors of one length."""

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.guarantees.scenes import steps_later
from tests.operations.operations_stage import Stage
from trio_llm import (
    AllProvidersFailed,
    Config,
    CooldownSettings,
    EmbedRequest,
    Fallback,
    InvalidRequestError,
    LoadBalance,
    MalformedResponseError,
    ModerateRequest,
    ProviderUnavailableError,
    Race,
    ServerError,
    TokenCount,
    Usage,
)
from trio_llm.config.schema import Member
from trio_llm.operations.texts import AT_ONCE, BYTES_PER_TOKEN, cut
from trio_llm.providers.backend import Work
from trio_llm.providers.limits import BatchLimits
from trio_llm.testing import Embeds, Fails, Judges, Step, World, explore, run, seeds
from trio_llm.testing.script import Script


def _embedder(stage: Stage, name: str, script: Script, family: str = "small", **more: Any) -> Any:
    return stage.provider(name, script, EmbedRequest, embedding_model=family, **more)


def _embedded(tree: Member, texts: Any, **options: Any) -> Any:
    async def scenario(world: World) -> object:
        async with world.open(Config(default=tree)) as llm:
            return await llm.embed(texts, **options)

    return run(scenario).value


def test_one_text_gives_one_vector() -> None:
    """A string is one text; the result says who embedded, with what, and how long it took."""
    result = _embedded(_embedder(Stage(), "a", Embeds(after=2.0)), "four")
    assert (len(result), result[0], result.dimensions) == (1, (4.0, 0.0, 0.0, 0.0), 4)
    assert (result.provider, result.model, result.latency) == ("a", "small", 2.0)
    assert [attempt.provider for attempt in result.attempts] == ["a"]


def test_many_texts_go_in_batches_and_come_back_in_order() -> None:
    """300 texts become batches of 128, some at once; order, usage and attempts are whole."""
    stage = Stage()
    texts = ["x" * (1 + index % 7) for index in range(1000)]
    result = _embedded(_embedder(stage, "a", Embeds(after=1.0)), texts)
    assert [vector[0] for vector in result] == [len(text) for text in texts]
    assert result.usage == Usage(sum(map(len, texts)))
    assert stage.scripts["a"].started == len(result.attempts) == 8
    assert stage.scripts["a"].most_running == AT_ONCE
    assert result.latency == 2.0


@pytest.mark.parametrize(
    ("limits", "runs"),
    [
        (BatchLimits(2), [("aaa", "bbb"), ("ccc", "d")]),
        (BatchLimits(9, 2), [("aaa", "bbb"), ("ccc", "d")]),
        (BatchLimits(9, 1), [("aaa",), ("bbb",), ("ccc",), ("d",)]),
        (BatchLimits(9), [("aaa", "bbb", "ccc", "d")]),
    ],
)
def test_a_run_keeps_both_limits(limits: BatchLimits, runs: list[tuple[str, ...]]) -> None:
    """Texts are counted, and their tokens at three bytes each."""
    assert cut(["aaa", "bbb", "ccc", "d"], limits) == runs


def test_a_text_beyond_the_limit_stands_alone() -> None:
    """It is for the provider to refuse, and spoils no other."""
    assert cut(["a", "b" * 99, "c"], BatchLimits(9, 3)) == [("a",), ("b" * 99,), ("c",)]


@given(
    st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=40),
    st.integers(1, 9),
    st.none() | st.integers(1, 9),
)
def test_cutting_loses_nothing_and_keeps_the_limits(
    texts: list[str], most: int, tokens: int | None
) -> None:
    """The runs joined are the texts, and only a single text may be beyond the limit."""
    runs = cut(texts, BatchLimits(most, tokens))
    assert [text for run in runs for text in run] == texts
    for part in runs:
        size = sum(-(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN) for text in part)
        assert 1 <= len(part) <= most
        assert tokens is None or size <= tokens or len(part) == 1


def test_limits_of_several_members_are_the_smallest() -> None:
    """What one of them may have to take must fit all of them."""
    assert BatchLimits(10, 5).within(BatchLimits(3)) == BatchLimits(3, 5)
    assert BatchLimits(10).within(BatchLimits(30)) == BatchLimits(10)
    assert BatchLimits(10, 5).within(BatchLimits(30, 4)) == BatchLimits(10, 4)


def test_a_fallback_stays_inside_the_family() -> None:
    """A member whose model is of the same family, by another name, takes over."""
    stage = Stage()
    tree = Fallback(
        [
            _embedder(stage, "first", Fails(), "small"),
            _embedder(stage, "other", Embeds(), "large"),
            _embedder(stage, "same", Embeds(), "maker/Small:latest"),
        ]
    )
    result = _embedded(tree, ["a", "b"])
    assert result.provider == "same"
    assert stage.scripts["other"].started == 0


def test_a_fallback_to_another_family_is_refused_and_says_why() -> None:
    """Vectors of two families cannot be compared, so an error is better."""
    tree = Fallback(
        [
            _embedder(Stage(), "first", Fails(), "small"),
            _embedder(Stage(), "other", Embeds(), "large"),
        ]
    )
    with pytest.raises(AllProvidersFailed) as caught:
        _embedded(tree, "a")
    first, other = caught.value.errors
    assert isinstance(first, ServerError)
    assert isinstance(other, ProviderUnavailableError)
    assert other.code == "unsuitable"
    assert "embeds with large, whose vectors cannot stand beside those of small" in str(other)


def test_all_batches_of_a_call_are_of_one_family() -> None:
    """A load balance over two families uses one of them, for every batch, at any seed."""

    async def scenario(world: World) -> None:
        stage = Stage()
        tree = LoadBalance(
            [_embedder(stage, "a", Embeds(), "small"), _embedder(stage, "b", Embeds(), "large")],
            strategy="random",
        )
        async with world.open(Config(default=tree)) as llm:
            result = await llm.embed(["x"] * 1000)
            assert {attempt.model for attempt in result.attempts} == {"small"}
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(100))


def test_members_that_do_not_embed_are_passed_over() -> None:
    """The family is that of the first member that embeds."""
    stage = Stage()
    tree = Race([stage.provider("chat", Fails()), _embedder(stage, "b", Embeds(), "large")])
    assert _embedded(tree, "a").provider == "b"


def test_a_missing_vector_is_no_answer() -> None:
    """The attempt fails, is charged, and a fallback asks the next."""
    stage = Stage()
    bad = _embedder(stage, "bad", Embeds(missing=1), cooldown=CooldownSettings(after_failures=1))
    with pytest.raises(MalformedResponseError, match="1 vectors came for 2 texts"):
        _embedded(bad, ["a", "b"])
    tree = Fallback([bad, _embedder(stage, "good", Embeds())])
    assert _embedded(tree, ["a", "b"]).provider == "good"


def test_vectors_of_the_wrong_length_are_no_answer() -> None:
    """A provider that ignores `dimensions` has failed."""

    class Ignores:
        async def play(self, _work: Work) -> Any:
            asked = EmbedRequest(texts=("a",), model="m")
            return await Embeds(4).play(Work(asked, "m", 0, (), 1, None))

    with pytest.raises(MalformedResponseError, match="has 4 dimensions, and 8 were expected"):
        _embedded(_embedder(Stage(), "a", Ignores()), "x", dimensions=8)


def test_batches_with_vectors_of_two_lengths_are_refused() -> None:
    """Two batches that do not fit together make no result."""

    def script(work: Work) -> Step:
        return Embeds(4 if work.call == 1 else 5)

    with pytest.raises(MalformedResponseError, match=r"different lengths \(4, 5\)") as caught:
        _embedded(_embedder(Stage(), "a", script), ["x"] * 200)
    assert len(caught.value.attempts) == 2


def test_later_calls_of_a_balancer_give_vectors_of_the_first_length() -> None:
    """A member of the family that gives another length has not answered, in a later call, too."""
    stage = Stage()
    tree = Fallback(
        [
            _embedder(stage, "a", [Embeds(dimensions=4), Fails()]),
            _embedder(stage, "b", Embeds(dimensions=3)),
            _embedder(stage, "c", Embeds(dimensions=4)),
        ]
    )

    async def scenario(world: World) -> None:
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.embed("x")).dimensions == 4
            later = await llm.embed("x")
            assert (later.provider, later.dimensions) == ("c", 4)
            asked = await llm.embed("x", dimensions=3)
            assert (asked.provider, asked.dimensions) == ("b", 3)
            assert (await llm.provider("b").embed("x")).dimensions == 3

    run(scenario)


def test_first_calls_at_once_give_one_length() -> None:
    """Of two that begin before any length is known, the one that ends later is refused."""
    stage = Stage()
    tree = LoadBalance(
        [
            _embedder(stage, "a", Embeds(after=1.0, dimensions=4)),
            _embedder(stage, "b", Embeds(after=2.0, dimensions=3)),
        ]
    )

    async def scenario(world: World) -> None:
        lengths: list[int] = []
        refused: list[str] = []

        async def ask() -> None:
            try:
                lengths.append((await llm.embed("x")).dimensions)
            except MalformedResponseError as error:
                refused.append(error.message)

        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
        assert lengths == [4]
        assert [message.partition(";")[0] for message in refused] == [
            "vectors of one family came in different lengths (3, 4)"
        ]

    explore(scenario, seeds=seeds(100))


def test_a_result_of_another_kind_is_no_answer() -> None:
    """A backend that answers with something else has failed."""

    class Counts:
        async def play(self, _work: Work) -> TokenCount:
            return TokenCount(tokens=1, exact=True)

    with pytest.raises(MalformedResponseError, match="embeddings: the answer is TokenCount"):
        _embedded(_embedder(Stage(), "a", Counts()), "x")


def test_a_failed_batch_cancels_the_others_and_keeps_their_attempts() -> None:
    """The error of one batch is raised by itself, at once, and nothing runs on."""

    async def scenario(world: World) -> None:
        stage = Stage()

        def script(work: Work) -> Step:
            return Fails(after=2.0) if work.call == 3 else Embeds(after=1.0 + work.call)

        async with world.open(Config(default=_embedder(stage, "a", script))) as llm:
            with pytest.raises(ServerError) as caught:
                await llm.embed(["x"] * 1000)
            assert trio.current_time() <= steps_later(2.0)
            outcomes = [attempt.outcome.value for attempt in caught.value.attempts]
            assert outcomes[:4] == ["succeeded", "cancelled", "failed", "cancelled"]
            assert set(outcomes[4:]) <= {"cancelled"}
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(200))


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        ([], {}, "texts is empty"),
        (["a", ""], {}, r"texts\[1\] is empty"),
        (["a", 5], {}, r"texts\[1\] must be a string, not int"),
        (5, {}, "texts must be a string or strings, not int"),
        (b"ab", {}, "texts must be a string or strings, not bytes"),
        ("a", {"dimensions": 0}, "dimensions must be an integer of at least 1"),
        ("a", {"dimensions": True}, "dimensions must be an integer of at least 1"),
        ("a", {"purpose": "fun"}, "purpose must be one of query, document"),
        ("a", {"modle": "m"}, 'no option named "modle"; did you mean "model"'),
        ("a", {"model": 5}, "model must be a string"),
        ("a", {"max_attempts": 0}, "max_attempts must be at least 1"),
        ("a", {"extra": {"x": 1}}, "extra"),
    ],
)
def test_bad_arguments_are_named(texts: Any, options: dict[str, Any], said: str) -> None:
    """What cannot be asked is refused before anything is sent."""
    with pytest.raises(InvalidRequestError, match=said):
        _embedded(_embedder(Stage(), "a", Embeds()), texts, **options)


def test_nobody_who_embeds_is_an_error_that_says_so() -> None:
    """A provider without embeddings refuses, and so does a balancer of such."""
    with pytest.raises(ProviderUnavailableError, match="it does not offer embeddings"):
        _embedded(Stage().provider("a", Fails()), "x")
    with pytest.raises(AllProvidersFailed) as caught:
        _embedded(Race([Stage().provider("a", Fails())]), "x")
    assert "it does not offer embeddings" in str(caught.value)


def test_perform_fixes_the_family_too() -> None:
    """The record itself can be asked, by the same rules."""

    async def scenario(world: World) -> None:
        tree = Fallback(
            [
                _embedder(Stage(), "first", Fails(), "small"),
                _embedder(Stage(), "other", Embeds(), "large"),
            ]
        )
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.perform(EmbedRequest(texts="x"))
            assert "cannot stand beside" in str(caught.value)

    run(scenario)


def test_the_primary_of_a_fallback_names_the_family() -> None:
    """It is the one that is used first, wherever it is declared, unless another is preferred."""

    def tree() -> Fallback:
        first = _embedder(Stage(), "first", Embeds(), "small")
        return Fallback([first, _embedder(Stage(), "second", Embeds(), "large")], primary=1)

    assert _embedded(tree(), "a").provider == "second"
    assert _embedded(Race([tree()]), "a").model == "large"
    assert _embedded(tree(), "a", prefer="first").provider == "first"


@pytest.mark.parametrize("operation", [EmbedRequest, ModerateRequest])
@pytest.mark.parametrize("texts", [(), ("a", "")])
def test_a_record_without_texts_is_refused(operation: Any, texts: tuple[str, ...]) -> None:
    """As the methods refuse it: nothing could come back that means anything."""

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(Config(default=stage.provider("a", Judges(), operation))) as llm:
            with pytest.raises(InvalidRequestError, match="texts"):
                await llm.perform(operation(texts=texts))
        assert stage.scripts["a"].started == 0

    run(scenario)
