"""Listing models, and managing those of a local server."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import trio

from tests.operations.operations_stage import CancelBefore, Stage
from trio_llm import (
    AllProvidersFailed,
    AuthenticationError,
    Config,
    ConfigError,
    Fallback,
    InvalidRequestError,
    ListModels,
    MalformedResponseError,
    ModelInfo,
    ModelNotFoundError,
    Operation,
    Price,
    Provider,
    ProviderUnavailableError,
    PullProgress,
    Race,
    Runtime,
    ServerError,
)
from trio_llm.chat import DeleteModel, Done, PullModel, ShowModel
from trio_llm.ledger import Listing, NoPrices
from trio_llm.operations import models as listing
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, Lists, Pulls, Stalls, Step, World, explore, run, seeds

_ONE = ModelInfo(id="one", context_window=1000)
_TWO = ModelInfo(id="two")
_MANAGES: tuple[type[Operation], ...] = (ListModels, ShowModel, PullModel, DeleteModel)


def _tree(stage: Stage) -> Config:
    return Config(
        providers={
            "a": stage.provider("a", Lists((_ONE, _TWO), after=2.0), ListModels),
            "bad": stage.provider("bad", Fails(AuthenticationError, after=1.0), ListModels),
            "plain": stage.provider("plain", Answers(), model="its-own"),
            "off": Provider("simulated", enabled=False),
            "apart": stage.provider("apart", Lists((_TWO,), after=1.0), ListModels),
        },
        default=Fallback(("a", Race(("bad", "plain", "a"), name="pair")), name="all"),
    )


def test_every_enabled_provider_is_asked_at_once() -> None:
    """Each model says whose it is; one that fails is told, and loses no other."""

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(_tree(stage)) as llm:
            found = await llm.models()
            assert trio.current_time() == 2.0
            stage.assert_idle(llm)
        assert [(model.provider, model.id) for model in found] == [
            ("a", "one"),
            ("a", "two"),
            ("plain", "its-own"),
            ("apart", "two"),
        ]
        assert found[0].context_window == 1000
        assert (len(found), found[1:3]) == (4, found.models[1:3])
        assert list(found.errors) == ["bad"]
        assert isinstance(found.errors["bad"], AuthenticationError)

    explore(scenario, seeds=seeds(100))


def test_a_balancer_lists_what_is_under_it_and_a_name_chooses_another() -> None:
    """The runtime asks everybody, an endpoint its own, and `provider` whom it names."""

    async def scenario(world: World) -> list[set[str]]:
        async with world.open(_tree(Stage())) as llm:
            catalogues = [
                await llm.provider("pair").models(),
                await llm.models("pair"),
                await llm.models("apart"),
                await llm.provider("all").models(),
            ]
            with pytest.raises(ConfigError, match='provider: no provider named "nobody"'):
                await llm.models("nobody")
        return [{model.provider for model in catalogue} for catalogue in catalogues]

    assert run(scenario).value == [{"plain", "a"}, {"plain", "a"}, {"apart"}, {"a", "plain"}]


def test_one_provider_that_fails_raises_and_so_do_all() -> None:
    """The error of a single one is its own; of several it is the group."""

    async def scenario(world: World) -> None:
        stage = Stage()
        pair = Race([stage.provider(name, Fails(), ListModels) for name in ("a", "b")], name="pair")
        async with world.open(Config(default=pair)) as llm:
            with pytest.raises(ServerError):
                await llm.models("a")
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.models()
            assert [error.provider for error in caught.value.errors] == ["a", "b"]

    run(scenario)


class _Book:
    """Knows one model of one kind."""

    def find(self, kind: str, model: str) -> Listing | None:
        """Look it up."""
        if (kind, model) == ("openai", "gpt-4o-mini"):
            return Listing(Price(Decimal("0.15"), Decimal("0.6")), 128_000, "mini")
        return None


async def test_what_the_wire_does_not_say_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says stands; what nobody says stays unknown."""

    async def book() -> _Book:
        await trio.lowlevel.checkpoint()
        return _Book()

    monkeypatch.setattr(listing, "installed_book", book)
    said = Price(Decimal(1), Decimal(2))
    models = [
        ModelInfo(id="gpt-4o-mini", provider="o"),
        ModelInfo(id="gpt-4o-mini", provider="o", price=said, name="Mine"),
        ModelInfo(id="unknown", provider="o"),
        ModelInfo(id="gpt-4o-mini", provider="local"),
    ]
    found = await listing.completed(models, {"o": "openai", "local": "ollama"})
    assert [model.price and model.price.input for model in found] == [
        Decimal("0.15"),
        Decimal(1),
        None,
        None,
    ]
    assert [model.context_window for model in found] == [128_000, 128_000, None, None]
    assert [model.name for model in found] == ["mini", "Mine", None, None]


async def test_no_book_is_opened_when_it_could_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Local models have no price, and complete ones need none."""

    async def book() -> NoPrices:
        raise AssertionError("not needed")

    monkeypatch.setattr(listing, "installed_book", book)
    whole = ModelInfo(id="x", provider="o", context_window=1, price=Price(Decimal(1), Decimal(1)))
    local = ModelInfo(id="y", provider="local")
    kinds = {"o": "openai", "local": "ollama"}
    assert await listing.completed([whole, local], kinds) == (whole, local)


def _manages(work: Work) -> Step:
    class Manages:
        async def play(self, work: Work) -> Any:
            if work.model == "gone":
                raise ModelNotFoundError("model 'gone' not found", status=404)
            if isinstance(work.request, ShowModel):
                return await Lists((ModelInfo(id=work.model, size=7),)).play(work)
            return Done(status="success")

    return Pulls() if isinstance(work.request, PullModel) else Manages()


def _local(script: Any = _manages, **settings: Any) -> Provider:
    return Stage().provider("local", script, *_MANAGES, **settings)


def _with(llm_does: Callable[[Runtime], Any], tree: Any) -> Any:
    async def scenario(world: World) -> object:
        async with world.open(Config(default=tree)) as llm:
            return await llm_does(llm)

    return run(scenario).value


def test_one_model_can_be_shown_and_deleted() -> None:
    """The facts name the provider; a deletion says nothing, or why not."""

    async def manage(llm: Runtime) -> ModelInfo:
        with pytest.raises(ModelNotFoundError, match="'gone' not found"):
            await llm.delete_model("gone")
        await llm.delete_model("old")
        return await llm.show_model("llama3.2")

    info = _with(manage, _local())
    assert (info.id, info.provider, info.size) == ("llama3.2", "local", 7)


def test_a_pull_gives_its_progress_and_then_its_result() -> None:
    """Steps come as they happen; the result is there after the last."""

    async def pull(llm: Runtime) -> list[tuple[float, PullProgress]]:
        async with llm.pull_model("llama3.2") as pulling:
            assert pulling.provider == "local"
            with pytest.raises(RuntimeError, match="has not finished"):
                _ = pulling.result
            steps = [(trio.current_time(), step) async for step in pulling]
            assert isinstance(pulling.result, Done)
            assert (pulling.result.status, pulling.result.model) == ("success", "llama3.2")
            assert [step async for step in pulling] == []
        return steps

    steps = _with(pull, _local())
    assert [(at, step.completed, step.total) for at, step in steps] == [
        (1.0, 100, 300),
        (2.0, 200, 300),
        (3.0, 300, 300),
    ]


def test_a_pull_that_is_left_early_ends() -> None:
    """Leaving the block cancels it, in the same instant."""

    async def scenario(world: World) -> None:
        stage = Stage()
        local = stage.provider("local", Pulls(steps=100), *_MANAGES)
        async with world.open(Config(default=local)) as llm:
            async with llm.pull_model("big") as pulling:
                await anext(pulling)
            assert trio.current_time() == 1.0
            stage.assert_idle(llm)
        finished = [entry for entry in world.log if entry.kind == "RequestFinished"]
        assert [dict(entry.fields)["outcome"] for entry in finished] == ["cancelled"]

    explore(scenario, seeds=seeds(200))


def test_a_pull_that_breaks_raises_the_servers_own_error() -> None:
    """There is no partial text to keep, so the class of the error says what happened."""
    missing = Pulls(steps=1, error=ModelNotFoundError("pull model manifest: not found"))

    async def pull(llm: Runtime) -> None:
        async with llm.pull_model("gone") as pulling:
            with pytest.raises(ModelNotFoundError, match="manifest") as caught:
                async for _ in pulling:
                    pass
            assert [attempt.error for attempt in caught.value.attempts] == ["ModelNotFoundError"]

    _with(pull, _local(missing))


def test_a_pull_that_cannot_begin_raises_at_the_door() -> None:
    """A provider that manages no models says so when the block is entered."""

    async def pull(llm: Runtime) -> None:
        with pytest.raises(ProviderUnavailableError, match="does not offer pulling of models"):
            async with llm.pull_model("x"):
                raise AssertionError("never entered")

    _with(pull, Stage().provider("a", Answers()))


def test_models_are_managed_at_one_provider_only() -> None:
    """A balancer's members keep their models apart; a name must be one."""

    async def manage(llm: Runtime) -> None:
        for asking in (llm.show_model("m"), llm.delete_model("m")):
            with pytest.raises(InvalidRequestError, match="'default' is a balancer"):
                await asking
        with pytest.raises(InvalidRequestError, match="'default' is a balancer"):
            async with llm.pull_model("m"):
                raise AssertionError("never entered")
        with pytest.raises(InvalidRequestError, match="model must be the name of a model"):
            await llm.provider("local").show_model("")
        await llm.provider("local").delete_model("m")

    _with(manage, Race([_local()]))


def _pulled(step: int, schedule: int) -> int:
    stage = Stage()

    async def scenario(world: World) -> int:
        local = stage.provider("local", Pulls(), *_MANAGES)
        async with world.open(Config(default=local)) as llm:
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            done = False
            trio.lowlevel.add_instrument(instrument)
            with scope:
                async with llm.pull_model("m") as pulling:
                    async for _ in pulling:
                        pass
                    done = isinstance(pulling.result, Done)
            trio.lowlevel.remove_instrument(instrument)
            stage.assert_idle(llm)
            assert done or scope.cancelled_caught
            return instrument.steps

    return run(scenario, schedule=schedule).value


def test_a_pull_leaves_nothing_behind_wherever_it_is_cancelled() -> None:
    """It is cancelled before each of its task steps."""
    for schedule in range(4):
        whole = _pulled(-1, schedule)
        assert whole > 5
        for step in range(whole):
            _pulled(step, schedule)


def test_a_stalled_list_is_left_with_its_caller() -> None:
    """The caller's deadline ends the question to every provider."""

    async def scenario(world: World) -> None:
        stage = Stage()
        tree = Race([stage.provider(name, Stalls(), ListModels) for name in "ab"])
        async with world.open(Config(default=tree)) as llm:
            with trio.move_on_after(4.0) as scope:
                await llm.models()
            assert scope.cancelled_caught
            stage.assert_idle(llm)

    run(scenario)


@pytest.mark.parametrize("operation", [ShowModel, PullModel, DeleteModel])
def test_the_record_is_refused_at_a_balancer_too(operation: Any) -> None:
    """A race would delete the model everywhere, and call one of them the winner."""
    stage = Stage()

    async def scenario(world: World) -> None:
        tree = Race([stage.provider(name, Pulls(), *_MANAGES) for name in "ab"])
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(InvalidRequestError, match="'default' is a balancer"):
                await llm.perform(operation(model="m"))

    run(scenario)
    assert (stage.scripts["a"].started, stage.scripts["b"].started) == (0, 0)


@pytest.mark.parametrize("models", [(), (_ONE, _TWO)])
def test_details_of_no_model_or_of_two_are_no_answer(models: tuple[ModelInfo, ...]) -> None:
    """One was asked about; the provider has failed, and says so by its class."""

    async def scenario(world: World) -> None:
        local = Stage().provider("local", Lists(models), ShowModel)
        async with world.open(Config(default=local)) as llm:
            with pytest.raises(MalformedResponseError, match=f"details of {len(models)} models"):
                await llm.show_model("one")

    run(scenario)
