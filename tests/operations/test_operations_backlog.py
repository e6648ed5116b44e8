"""An operation that asks more at once than there is room for loses nothing."""

from collections import Counter
from collections.abc import Callable

import pytest
import trio

from tests.guarantees.scenes import steps_later
from tests.operations.operations_stage import CancelBefore, Stage
from trio_llm import (
    Config,
    EmbedRequest,
    Fallback,
    LLMError,
    LoadBalance,
    Race,
    Reply,
)
from trio_llm.config.schema import Member
from trio_llm.operations.backlog import found_no_room
from trio_llm.testing import Answers, Embeds, Stalls, Step, World, explore, run, seeds


def _alone(stage: Stage, step: Step) -> Member:
    return stage.provider(
        "a", step, EmbedRequest, embedding_model="small", max_concurrency=1, mailbox=1
    )


def _below(kind: Callable[..., Member]) -> Callable[[Stage, Step], Member]:
    def tree(stage: Stage, step: Step) -> Member:
        return kind((_alone(stage, step),), name="top", mailbox=1)

    return tree


TREES = (_alone, _below(Race), _below(Fallback), _below(LoadBalance))


@pytest.mark.parametrize("tree", TREES)
def test_a_batch_beyond_all_places_and_lines_asks_everything(
    tree: Callable[[Stage, Step], Member],
) -> None:
    """Twelve prompts, eight at once, one place and one in line: twelve replies."""

    async def scenario(world: World) -> None:
        stage = Stage()
        ordered = world.rng.random() < 0.5
        async with world.open(Config(default=tree(stage, Answers(after=1.0)))) as llm:
            prompts = [str(number) for number in range(12)]
            async with llm.batch(prompts, limit=8, ordered=ordered) as results:
                found = {index: outcome async for index, outcome in results}
            assert trio.current_time() == pytest.approx(12.0)
            assert all(isinstance(outcome, Reply) for outcome in found.values())
            assert (len(found), stage.scripts["a"].started) == (12, 12)
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(200))


@pytest.mark.parametrize("tree", TREES)
def test_an_embedding_of_more_parts_than_there_is_room_for_is_whole(
    tree: Callable[[Stage, Step], Member],
) -> None:
    """Eight parts, four at once, one place and one in line."""

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(Config(default=tree(stage, Embeds(after=1.0)))) as llm:
            found = await llm.embed(["x" * (1 + n % 3) for n in range(1000)])
            assert [vector[0] for vector in found] == [1 + n % 3 for n in range(1000)]
            assert len(found.attempts) == stage.scripts["a"].started == 8
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(200))


@pytest.mark.parametrize("tree", TREES)
def test_lines_full_of_other_calls_are_an_error_at_once(
    tree: Callable[[Stage, Step], Member],
) -> None:
    """Where no call of the batch itself could make room, nothing is waited for."""

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(Config(default=tree(stage, Stalls()))) as llm:
            async with trio.open_nursery() as others:
                for _ in range(2):
                    others.start_soon(llm.generate, "endless")
                await trio.sleep(1.0)
                async with llm.batch(["x"] * 5, limit=3) as results:
                    outcomes = [outcome async for _, outcome in results]
                with pytest.raises(LLMError):
                    await llm.embed(["x"] * 1000)
                assert trio.current_time() <= steps_later(1.0)
                assert stage.scripts["a"].started == 1
                others.cancel_scope.cancel()
            assert len(outcomes) == 5
            for outcome in outcomes:
                assert isinstance(outcome, LLMError)
                assert found_no_room(outcome)
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(200))


def test_batches_that_share_a_place_all_get_through_or_are_told() -> None:
    """Several batches at one tiny provider: every prompt has one outcome, and nothing hangs."""

    async def scenario(world: World) -> None:
        stage = Stage()
        outcomes: Counter[str] = Counter()
        tree = world.rng.choice(TREES)(stage, Answers(after=1.0))

        async def one() -> None:
            limit = world.rng.randint(1, 6)
            with trio.move_on_after(world.rng.choice((2.5, 1e6, 1e6))) as scope:
                async with llm.batch(["x"] * 10, limit=limit) as results:
                    found = [outcome async for _, outcome in results]
                assert len(found) == 10
                assert all(isinstance(o, Reply) or found_no_room(o) for o in found)
            outcomes["cancelled" if scope.cancelled_caught else "through"] += 1

        async with world.open(Config(default=tree)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(one)
            stage.assert_idle(llm)
        assert outcomes.total() == 3

    explore(scenario, seeds=seeds(400, share=20))


def _cancelled_at(step: int, schedule: int) -> int:
    stage = Stage()

    async def scenario(world: World) -> int:
        tree = TREES[schedule % len(TREES)](stage, Answers(after=1.0))
        async with world.open(Config(default=tree)) as llm:
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            taken = 0
            trio.lowlevel.add_instrument(instrument)
            with scope:
                async with llm.batch(["x"] * 4, limit=4) as results:
                    async for _, outcome in results:
                        assert isinstance(outcome, Reply)
                        taken += 1
            trio.lowlevel.remove_instrument(instrument)
            stage.assert_idle(llm)
            assert scope.cancelled_caught or taken == 4
            assert (await llm.generate("hi")).text == "ok"
            return instrument.steps

    return run(scenario, schedule=schedule).value


def test_a_batch_that_waits_for_room_can_be_cancelled_at_every_step() -> None:
    """Nothing is left behind, wherever it is cancelled."""
    for schedule in seeds(40, least=2):
        whole = _cancelled_at(-1, schedule)
        assert whole > 10
        for step in range(whole):
            _cancelled_at(step, schedule)
