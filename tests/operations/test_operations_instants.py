"""What several calls of one operation do in one instant does not depend on the scheduler."""

import random
from typing import Any

import pytest
import trio

from tests.guarantees.scenes import Leaf, Planned, draw, steps_later
from tests.operations.operations_stage import Stage
from tests.operations.tool_scenes import Calls, Ends, scripted
from trio_llm import (
    AuthenticationError,
    Config,
    CooldownSettings,
    Embeddings,
    EmbedRequest,
    Fallback,
    LLMError,
    LoadBalance,
    Race,
    Reply,
    ServerError,
    Tool,
)
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Clings,
    Embeds,
    Fails,
    Stalls,
    Step,
    World,
    canonical,
    run,
    seeds,
)


def _first_fails_last(work: Work) -> Step:
    """Fail two parts in one instant, the first after more steps of the scheduler."""
    if work.call == 1:
        return Fails(ServerError, after=1.0, passes=5)
    if work.call == 2:
        return Fails(AuthenticationError, after=1.0)
    return Stalls()


@pytest.mark.parametrize("height", [0, 1, 3])
def test_of_two_parts_that_fail_in_one_instant_the_first_is_raised(height: int) -> None:
    """At every schedule, below any number of balancers; the attempts of all parts are kept."""

    async def scenario(world: World) -> tuple[str, list[str]]:
        stage = Stage()
        tree: Member = stage.provider("a", _first_fails_last, EmbedRequest, embedding_model="small")
        for level in range(height):
            tree = LoadBalance((tree,), name=f"level{level}")
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises((ServerError, AuthenticationError, ExceptionGroup)) as caught:
                await llm.embed(["x"] * 500)
            assert trio.current_time() <= steps_later(1.0)
            stage.assert_idle(llm)
        error: Any = caught.value
        first = error.errors[0] if height else error
        return type(first).__name__, [attempt.outcome.value for attempt in error.attempts]

    expected = ("ServerError", ["failed", "failed", "cancelled", "cancelled"])
    for schedule in seeds(200):
        assert run(scenario, schedule=schedule).value == expected


def test_tools_that_fail_in_one_instant_are_raised_in_the_order_of_their_calls() -> None:
    """However many steps of the scheduler each takes on its way."""

    async def roundabout() -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        await trio.sleep(1.0)
        for _ in range(5):
            await trio.lowlevel.checkpoint()
        raise ValueError("roundabout")

    async def straight() -> None:
        await trio.sleep(1.0)
        raise KeyError("straight")

    tools = [Tool.from_function(roundabout), Tool.from_function(straight)]

    async def scenario(world: World) -> list[str]:
        _, config = scripted([Calls([("roundabout", "{}"), ("straight", "{}")])])
        async with world.open(config) as llm:
            with pytest.raises(ExceptionGroup, match="several tools failed") as caught:
                await llm.run_tools("Go.", tools=tools, on_error="raise")
        return [type(error).__name__ for error in caught.value.exceptions]

    for schedule in seeds(200):
        assert run(scenario, schedule=schedule).value == ["ValueError", "KeyError"]


def test_no_tool_begins_after_one_whose_error_is_raised() -> None:
    """Not even a synchronous one that stood in line for the place that became free."""
    begun: list[str] = []

    async def fail() -> None:
        await trio.sleep(1.0)
        raise LookupError("x")

    def count(name: str) -> None:
        begun.append(name)

    _, config = scripted([Calls([("fail", "{}"), ("count", '{"name": "a"}')])])
    tools = [Tool.from_function(fail), Tool.from_function(count)]

    async def scenario(world: World) -> list[str]:
        begun.clear()
        async with world.open(config) as llm:
            with pytest.raises(LookupError):
                await llm.run_tools("Go.", tools=tools, max_concurrency=1, on_error="raise")
        return begun

    # The one place goes to either; where the failing tool had it, the other never begins.
    values = {tuple(run(scenario, schedule=schedule).value) for schedule in seeds(200, least=20)}
    assert values == {(), ("a",)}


@pytest.mark.parametrize("embedding", [False, True])
def test_outcomes_that_are_known_survive_a_deadline_during_the_clean_up(embedding: bool) -> None:
    """What was decided is given; the caller meets its deadline at its own next checkpoint."""

    async def scenario(world: World) -> tuple[float, int]:
        stage = Stage()

        def quick(work: Work) -> Step:
            return Embeds(after=1.0) if isinstance(work.request, EmbedRequest) else Answers(after=1)

        members = [
            stage.provider(name, script, EmbedRequest, embedding_model="small")
            for name, script in (("quick", quick), ("slow", Clings(1.75)))
        ]
        tree = Fallback((Race(members, name="race"),))
        found: dict[str, Any] | Embeddings = {}
        until = 0.0
        async with world.open(Config(default=tree)) as llm:
            with trio.move_on_after(1.5) as scope:
                if embedding:
                    found = await llm.embed(["x"] * 300)
                else:
                    found = await llm.compare("hi", providers=["race", "quick"])
                    assert all(isinstance(outcome, Reply) for outcome in found.values())
                until = trio.current_time()
                await trio.sleep_forever()
            assert scope.cancelled_caught
            stage.assert_idle(llm)
        return until, len(found)

    for schedule in seeds(100):
        assert run(scenario, schedule=schedule).value == (1.75, 300 if embedding else 2)


@pytest.mark.parametrize("embedding", [False, True])
def test_a_deadline_in_the_instant_of_the_completion_wins(embedding: bool) -> None:
    """Over the whole operation as over a single call."""

    async def scenario(world: World) -> bool:
        stage = Stage()
        step: Step = Embeds(after=1.0) if embedding else Answers(after=1.0)
        tree = Race(
            [stage.provider(name, step, EmbedRequest, embedding_model="s") for name in "ab"]
        )
        async with world.open(Config(default=tree)) as llm:
            with trio.move_on_after(1.0) as scope:
                if embedding:
                    await llm.embed(["x"] * 300)
                else:
                    await llm.compare("hi")
            stage.assert_idle(llm)
        return scope.cancelled_caught

    assert all(run(scenario, schedule=schedule).value for schedule in seeds(200))


def test_one_answer_of_the_tool_loop_ends_it_in_the_instant_of_its_deadline() -> None:
    """The last round is a call like any other: its deadline beats its completion."""

    def nothing() -> None:
        return None

    async def scenario(world: World) -> bool:
        _, config = scripted([Calls([("nothing", "{}")]), Answers("done", after=2.0), Ends("?")])
        async with world.open(config) as llm:
            with trio.move_on_after(2.0) as scope:
                await llm.run_tools("Go.", tools=[Tool.from_function(nothing)])
        return scope.cancelled_caught

    assert all(run(scenario, schedule=schedule).value for schedule in seeds(100))


def _planted(planned: Planned, stage: Stage, seed: int) -> Member:
    """Turn a planned tree into members that embed or fail, by the number of the part."""
    if isinstance(planned, Leaf):
        leaf = planned

        def script(work: Work) -> Step:
            rng = random.Random(f"{seed}/{leaf.name}/{work.call}")
            if rng.random() < 0.8:
                return Embeds(after=rng.choice((0.5, 1.0, 1.5)))
            error = rng.choice((ServerError, AuthenticationError))
            return Fails(error, after=rng.choice((0.5, 1.0)), passes=rng.randrange(5))

        return stage.provider(
            leaf.name,
            script,
            EmbedRequest,
            embedding_model="small",
            cooldown=CooldownSettings(after_failures=1000),
        )
    members = tuple(_planted(member, stage, seed) for member in planned.members)
    if planned.kind == "race":
        return Race(members, name=planned.name)
    if planned.kind == "fallback":
        return Fallback(members, name=planned.name)
    return LoadBalance(members, name=planned.name, strategy="random")


def test_an_embedding_in_parts_does_not_depend_on_the_scheduler() -> None:
    """The result or the error, the attempts and the canonical log are the same at any schedule."""
    ends: set[str] = set()
    for seed in seeds(300):
        planned = draw(random.Random(seed), 2)

        async def scenario(world: World, planned: Planned = planned) -> tuple[str, Any, Any]:
            stage = Stage()
            outcome: Embeddings | LLMError
            async with world.open(Config(default=_planted(planned, stage, world.seed))) as llm:
                try:
                    outcome = await llm.embed(["x"] * 500)
                except LLMError as error:
                    outcome = error
                stage.assert_idle(llm)
            said = outcome.vectors if isinstance(outcome, Embeddings) else str(outcome)
            return type(outcome).__name__, said, outcome.attempts

        first, *others = [run(scenario, seed=seed, schedule=schedule) for schedule in range(4)]
        ends.add(first.value[0])
        for other in others:
            assert other.value == first.value
            assert canonical(other.log) == canonical(first.log)
    assert ends == {"Embeddings", "AllProvidersFailed"}
