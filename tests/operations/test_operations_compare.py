"""Compare: the same prompt to several providers, every outcome kept."""

from typing import Any

import pytest
import trio

from tests.operations.operations_stage import CancelBefore, Stage
from trio_llm import (
    AllProvidersFailed,
    Config,
    ConfigError,
    EmbedRequest,
    Fallback,
    InvalidRequestError,
    LoadBalance,
    Provider,
    Race,
    Reply,
    Runtime,
    ServerError,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Crashes,
    Embeds,
    Fails,
    Stalls,
    Step,
    World,
    explore,
    run,
    seeds,
)


def _config(stage: Stage) -> Config:
    return Config(
        providers={
            "a": stage.provider("a", Answers("from a", after=3.0)),
            "b": stage.provider("b", Fails(after=1.0)),
            "c": stage.provider("c", Answers("from c", after=2.0)),
            "off": Provider("simulated", enabled=False),
            "apart": stage.provider("apart", Answers("from apart", after=1.0)),
        },
        default=Fallback(
            ("a", Race(("b", "c"), name="pair"), LoadBalance(("a", "b"), name="again")),
            name="all",
        ),
    )


def test_everybody_is_asked_at_once_and_kept_in_declared_order() -> None:
    """Every enabled provider is asked, each once, and a failure harms no other."""

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(_config(stage)) as llm:
            found = await llm.compare("hi")
            assert trio.current_time() == 3.0
            stage.assert_idle(llm)
        assert list(found) == ["a", "b", "c", "apart"]
        assert isinstance(found["b"], ServerError)
        texts = {name: reply.text for name, reply in found.items() if isinstance(reply, Reply)}
        assert texts == {"a": "from a", "c": "from c", "apart": "from apart"}
        assert all(len(outcome.attempts) == 1 for outcome in found.values())

    explore(scenario, seeds=seeds(100))


def test_a_balancer_compares_those_under_it() -> None:
    """An endpoint asks its own, not the whole runtime."""

    async def scenario(world: World) -> tuple[list[str], list[str], list[str]]:
        async with world.open(_config(Stage())) as llm:
            under_all = await llm.provider("all").compare("hi")
            pair = await llm.provider("pair").compare("hi")
            return list(under_all), list(pair), list(await llm.provider("c").compare("hi"))

    assert run(scenario).value == (["a", "b", "c"], ["b", "c"], ["c"])


def test_those_who_are_named_are_asked_in_that_order() -> None:
    """A name may be a balancer's, whose failure is a group."""

    async def scenario(world: World) -> Any:
        stage = Stage()
        only = Race([stage.provider("bad", Fails())], name="race")
        tree = Fallback([only, stage.provider("good", Answers())])
        async with world.open(Config(default=tree)) as llm:
            return await llm.compare("hi", providers=("good", "race", "good"))

    found = run(scenario).value
    assert list(found) == ["good", "race"]
    assert isinstance(found["race"], AllProvidersFailed)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"providers": ["a", "cc"]}, ConfigError, r'providers\[1\]: no provider named "cc"'),
        ({"providers": ["off"]}, ConfigError, 'no provider named "off"'),
        ({"providers": []}, InvalidRequestError, "at least one name"),
        ({"providers": "a"}, InvalidRequestError, "a sequence of at least one name"),
        ({"prefer": "cc"}, ConfigError, 'prefer: no provider named "cc"'),
        ({"prompt": ""}, InvalidRequestError, "the prompt is empty"),
        ({"tempo": 1}, InvalidRequestError, 'no option named "tempo"'),
    ],
)
def test_bad_arguments_are_raised_and_nobody_is_asked(
    arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    """A mistake of the caller is no outcome of a provider."""
    stage = Stage()

    async def ask(llm: Runtime, options: dict[str, Any]) -> None:
        prompt: str = options.pop("prompt", "hi")
        await llm.compare(prompt, **options)

    async def scenario(world: World) -> None:
        async with world.open(_config(stage)) as llm:
            with pytest.raises(error, match=said):
                await ask(llm, dict(arguments))

    run(scenario)
    assert sum(script.started for script in stage.scripts.values()) == 0


def test_a_crash_harms_only_its_own_outcome() -> None:
    """Even the crash of an actor leaves the others their replies."""

    async def scenario(world: World) -> list[str]:
        stage = Stage()
        tree = Race(
            [
                stage.provider("a", Crashes(actor=True)),
                stage.provider("b", Crashes()),
                stage.provider("c", Answers(after=1.0)),
            ]
        )
        async with world.open(Config(default=tree)) as llm:
            found = await llm.compare("hi")
            return [type(outcome).__name__ for outcome in found.values()]

    expected = ["ProviderCrashedError", "ProviderCrashedError", "Reply"]
    assert all(outcome.value == expected for outcome in explore(scenario, seeds=seeds(50)))


def test_a_cancelled_comparison_ends_at_once() -> None:
    """The caller's deadline reaches everybody in the same instant."""

    async def scenario(world: World) -> None:
        stage = Stage()
        tree = Race([stage.provider(name, Stalls()) for name in "abc"])
        async with world.open(Config(default=tree)) as llm:
            with trio.move_on_after(2.5) as scope:
                await llm.compare("hi")
            assert scope.cancelled_caught
            assert trio.current_time() == 2.5
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(100))


def test_the_calls_are_numbered_in_declared_order() -> None:
    """What is random in a call does not depend on the scheduler."""

    async def scenario(world: World) -> dict[str, int]:
        calls: dict[str, int] = {}

        def script(work: Work) -> Step:
            calls[work.path[-1]] = work.call
            return Answers()

        tree = Race([Stage().provider(name, script) for name in "abcd"])
        async with world.open(Config(default=tree)) as llm:
            await llm.compare("hi")
        return calls

    expected = {"a": 1, "b": 2, "c": 3, "d": 4}
    assert all(outcome.value == expected for outcome in explore(scenario, seeds=seeds(200)))


def _cancelled_at(step: int, schedule: int, *, embedding: bool) -> int:
    """Play one comparison, or one embedding of many texts, cancelled before a step."""
    stage = Stage()

    async def scenario(world: World) -> int:
        def script(work: Work) -> Step:
            if isinstance(work.request, EmbedRequest):
                return Embeds(after=1.0)
            return Answers(after=1.0)

        tree = Race([stage.provider(name, script, EmbedRequest) for name in "ab"])
        async with world.open(Config(default=tree)) as llm:
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            done = False
            trio.lowlevel.add_instrument(instrument)
            with scope:
                if embedding:
                    done = len(await llm.embed(["x"] * 300)) == 300
                else:
                    done = len(await llm.compare("hi")) == 2
            trio.lowlevel.remove_instrument(instrument)
            stage.assert_idle(llm)
            assert done != scope.cancelled_caught
            assert {status.failures for status in llm.status()} == {0}
            assert (await llm.generate("hi")).text == "ok"
            return instrument.steps

    return run(scenario, schedule=schedule).value


@pytest.mark.parametrize("embedding", [False, True])
def test_nothing_is_left_behind_wherever_it_is_cancelled(embedding: bool) -> None:
    """A comparison, and an embedding in batches, are cancelled before each task step."""
    for schedule in range(4):
        whole = _cancelled_at(-1, schedule, embedding=embedding)
        assert whole > 10
        for step in range(whole):
            _cancelled_at(step, schedule, embedding=embedding)
