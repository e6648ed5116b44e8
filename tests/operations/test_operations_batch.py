"""Batch: bounded, lazy, every prompt an outcome, nothing left behind."""

import math
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
import trio

from tests.guarantees.scenes import steps_later
from tests.operations.operations_stage import CancelBefore, Stage
from trio_llm import (
    Config,
    ConfigError,
    Fallback,
    InvalidRequestError,
    LLMError,
    Message,
    Reply,
    Request,
    Runtime,
    ServerError,
)
from trio_llm.operations.batch import WINDOW
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, Stalls, Step, World, explore, run, seeds
from trio_llm.testing.script import Script


def _echo(work: Work) -> Step:
    """Answer after as many seconds as the prompt says, or fail."""
    word, _, seconds = work.conversation.messages[-1].text.partition(" ")
    return Fails(after=float(seconds)) if word == "fail" else Answers(word, after=float(seconds))


def _words(outcome: Reply | LLMError) -> str:
    return outcome.text if isinstance(outcome, Reply) else type(outcome).__name__


def _batched(prompts: Any, script: Script = _echo, **options: Any) -> list[tuple[int, str]]:
    async def scenario(world: World) -> list[tuple[int, str]]:
        stage = Stage()
        async with world.open(Config(default=stage.provider("a", script))) as llm:
            async with llm.batch(prompts, **options) as results:
                found = [(index, _words(outcome)) async for index, outcome in results]
            stage.assert_idle(llm)
        return found

    return run(scenario).value


def test_outcomes_come_as_they_finish() -> None:
    """The quick ones first, each with the position of its prompt."""
    prompts = ["a 3", "b 1", "fail 2"]
    assert _batched(prompts) == [(1, "b"), (2, "ServerError"), (0, "a")]


def test_ordered_outcomes_come_in_the_order_of_the_prompts() -> None:
    """A quick one waits for the slow one before it."""
    prompts = ["a 3", "b 1", "fail 2"]
    assert _batched(prompts, ordered=True) == [(0, "a"), (1, "b"), (2, "ServerError")]


def test_no_prompts_are_no_outcomes() -> None:
    """An empty iterable ends at once."""
    assert _batched([]) == []
    assert _batched(iter(())) == []


def test_no_more_than_the_limit_run_at_once() -> None:
    """The limit is reached and never passed, at any seed, in either order."""

    async def scenario(world: World) -> None:
        stage = Stage()
        ordered = world.rng.random() < 0.5
        prompts = [f"p{n} {world.rng.choice((0.5, 1, 2))}" for n in range(40)]
        tree = stage.provider("a", _echo)
        async with (
            world.open(Config(default=tree)) as llm,
            llm.batch(iter(prompts), limit=5, ordered=ordered) as results,
        ):
            found = [(index, _words(outcome)) async for index, outcome in results]
        assert sorted(found) == [(n, f"p{n}") for n in range(40)]
        assert stage.scripts["a"].most_running == 5
        assert not ordered or found == sorted(found)

    explore(scenario, seeds=seeds(500))


def test_the_calls_are_numbered_in_the_order_of_the_prompts() -> None:
    """What is random in a call does not depend on the scheduler."""

    async def scenario(world: World) -> list[str]:
        asked: dict[int, str] = {}

        def script(work: Work) -> Step:
            asked[work.call] = work.conversation.messages[-1].text
            return Answers(after=1.0)

        tree = Stage().provider("a", script)
        async with (
            world.open(Config(default=tree)) as llm,
            llm.batch([str(n) for n in range(20)], limit=7) as results,
        ):
            async for _ in results:
                pass
        return [asked[call] for call in sorted(asked)]

    outcomes = explore(scenario, seeds=seeds(200))
    assert all(outcome.value == [str(n) for n in range(20)] for outcome in outcomes)


class _Counted:
    """Prompts that count how many of them were read."""

    def __init__(self, total: float = math.inf) -> None:
        self.total = total
        self.read = 0
        self.closed = False

    def plain(self) -> Iterator[str]:
        """Give them one by one."""
        try:
            while self.read < self.total:
                self.read += 1
                yield "p 1"
        finally:
            self.closed = True

    async def slow(self) -> AsyncIterator[str]:
        """Give one each second."""
        try:
            while self.read < self.total:
                await trio.sleep(1.0)
                self.read += 1
                yield "p 1"
        finally:
            self.closed = True
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("ordered", [False, True])
def test_a_slow_consumer_slows_the_reading(ordered: bool) -> None:
    """Of endless prompts only a window is read while nobody takes the outcomes."""

    async def scenario(world: World) -> None:
        prompts = _Counted()
        async with (
            world.open(Config(default=Stage().provider("a", _echo))) as llm,
            llm.batch(prompts.plain(), limit=3, ordered=ordered) as results,
        ):
            await trio.sleep(0.5)
            assert prompts.read == 3
            await trio.sleep(100.0)
            assert prompts.read == WINDOW * 3
            await anext(results)
            await trio.sleep(100.0)
            assert prompts.read == WINDOW * 3 + 1
        assert prompts.closed

    run(scenario)


def test_in_order_a_stalled_prompt_stops_the_reading() -> None:
    """The outcomes that wait behind it are bounded."""

    async def scenario(world: World) -> None:
        prompts = _Counted()

        def script(work: Work) -> Step:
            return Stalls() if work.call == 1 else Answers(after=1.0)

        async with (
            world.open(Config(default=Stage().provider("a", script))) as llm,
            llm.batch(prompts.plain(), limit=4, ordered=True) as results,
        ):
            with trio.move_on_after(50.0) as scope:
                await anext(results)
            assert scope.cancelled_caught
            assert prompts.read == WINDOW * 4

    run(scenario)


def test_prompts_may_come_from_an_async_iterable() -> None:
    """They are asked as they come, and the generator is closed."""

    async def scenario(world: World) -> None:
        prompts = _Counted(5)
        async with (
            world.open(Config(default=Stage().provider("a", _echo))) as llm,
            llm.batch(prompts.slow()) as results,
        ):
            times = [(index, trio.current_time()) async for index, _ in results]
        assert times == [(n, n + 2.0) for n in range(5)]
        assert prompts.closed

    run(scenario)


def test_leaving_early_cancels_the_rest() -> None:
    """At any seed: when the block has been left nothing runs, and no time has passed."""

    async def scenario(world: World) -> None:
        stage = Stage()
        prompts = _Counted()
        source: Any = prompts.slow() if world.rng.random() < 0.5 else prompts.plain()
        tree = Fallback([stage.provider("b", Fails(after=0.5)), stage.provider("a", _echo)])
        async with world.open(Config(default=tree)) as llm:
            async with llm.batch(source, limit=4) as results:
                async for _ in results:
                    break
                left = trio.current_time()
            assert trio.current_time() <= steps_later(left)
            stage.assert_idle(llm)
            assert prompts.closed
            with pytest.raises(StopAsyncIteration):
                await anext(results)

    explore(scenario, seeds=seeds(500))


def test_an_exception_of_the_body_leaves_unwrapped() -> None:
    """The rest is cancelled, and the exception is the caller's own."""

    async def spoil(llm: Runtime) -> None:
        async with llm.batch(_Counted().plain()) as results:
            async for _ in results:
                raise KeyError("mine")

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(Config(default=stage.provider("a", _echo))) as llm:
            with pytest.raises(KeyError, match="mine"):
                await spoil(llm)
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(200))


@pytest.mark.parametrize("ordered", [False, True])
def test_an_exception_of_the_prompts_comes_after_what_was_read(ordered: bool) -> None:
    """Outcomes of the prompts before it are given, then it is raised as it is."""

    def prompts() -> Iterator[str]:
        yield "a 2"
        yield "b 1"
        raise OSError("the file is gone")

    async def collect(llm: Runtime, found: list[str]) -> None:
        async with llm.batch(prompts(), ordered=ordered) as results:
            async for _, outcome in results:
                found.append(_words(outcome))

    async def scenario(world: World) -> list[str]:
        found: list[str] = []
        stage = Stage()
        async with world.open(Config(default=stage.provider("a", _echo))) as llm:
            with pytest.raises(OSError, match="the file is gone"):
                await collect(llm, found)
            stage.assert_idle(llm)
        return found

    for outcome in explore(scenario, seeds=seeds(100)):
        assert outcome.value == (["a", "b"] if ordered else ["b", "a"])


def test_a_bad_prompt_is_the_outcome_of_its_index() -> None:
    """The others are not harmed."""
    prompts: list[Any] = ["a 1", "", 5, [Message("user", "b 2")], Request(messages="c 3")]
    assert _batched(prompts, ordered=True) == [
        (0, "a"),
        (1, "InvalidRequestError"),
        (2, "InvalidRequestError"),
        (3, "b"),
        (4, "c"),
    ]


@pytest.mark.parametrize(
    ("prompts", "options", "said"),
    [
        ("a 1", {}, "prompts must be several prompts, not str"),
        (Message("user", "a 1"), {}, "prompts must be several prompts, not Message"),
        (5, {}, "prompts must be several prompts, not int"),
        ([], {"limit": 0}, "limit must be an integer of at least 1, not 0"),
        ([], {"limit": 2.5}, "limit must be an integer of at least 1"),
        ([], {"temperatur": 1}, 'no option named "temperatur"'),
        ([], {"temperature": -1}, "temperature must be at least 0"),
    ],
)
def test_bad_arguments_are_refused_at_the_door(
    prompts: Iterable[str], options: dict[str, Any], said: str
) -> None:
    """A mistake in the call is raised once, not for every prompt."""
    with pytest.raises(InvalidRequestError, match=said):
        _batched(prompts, **options)


def test_a_preferred_provider_that_nobody_knows_is_refused_at_the_door() -> None:
    """It is a mistake of the call too."""
    with pytest.raises(ConfigError, match='prefer: no provider named "b"'):
        _batched(["a 1"], prefer="b")


def test_outcomes_keep_what_a_call_has() -> None:
    """A reply has its attempts, and an error too."""

    async def scenario(world: World) -> None:
        async with (
            world.open(Config(default=Stage().provider("a", _echo))) as llm,
            llm.batch(["a 1", "fail 2"], ordered=True, tags={"who": "me"}) as results,
        ):
            outcomes = [outcome async for _, outcome in results]
        assert [len(outcome.attempts) for outcome in outcomes] == [1, 1]
        assert isinstance(outcomes[1], ServerError)
        kinds = [entry.kind for entry in world.log]
        assert kinds.count("RequestFinished") == 2

    run(scenario)


def _cancelled_at(step: int, schedule: int, *, ordered: bool) -> int:
    stage = Stage()

    async def scenario(world: World) -> int:
        prompts = _Counted(4)
        source: Any = prompts.slow() if schedule % 2 else prompts.plain()
        async with world.open(Config(default=stage.provider("a", _echo))) as llm:
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            taken = 0
            trio.lowlevel.add_instrument(instrument)
            with scope:
                async with llm.batch(source, limit=2, ordered=ordered) as results:
                    async for _ in results:
                        taken += 1
            trio.lowlevel.remove_instrument(instrument)
            stage.assert_idle(llm)
            assert scope.cancelled_caught or taken == 4
            assert {status.failures for status in llm.status()} == {0}
            assert (await llm.generate("still 0")).text == "still"
            return instrument.steps

    return run(scenario, schedule=schedule).value


def test_a_batch_leaves_nothing_behind_wherever_it_is_cancelled() -> None:
    """It is cancelled before each of its task steps, under several schedules."""
    for schedule in range(4):
        for ordered in (False, True):
            whole = _cancelled_at(-1, schedule, ordered=ordered)
            assert whole > 20
            for step in range(whole):
                _cancelled_at(step, schedule, ordered=ordered)


def test_several_tasks_may_share_the_outcomes() -> None:
    """Each outcome goes to one of them, all see the end, and none is forgotten."""

    async def scenario(world: World) -> None:
        found: list[int] = []
        tree = Stage().provider("a", _echo)
        prompts = [f"p {world.rng.choice((0, 0.5, 1))}" for _ in range(9)]
        async with (
            world.open(Config(default=tree)) as llm,
            llm.batch(prompts, limit=2) as results,
            trio.open_nursery() as nursery,
        ):

            async def take() -> None:
                async for index, _ in results:
                    found.append(index)

            for _ in range(3):
                nursery.start_soon(take)
        assert sorted(found) == list(range(9))

    explore(scenario, seeds=seeds(200))


class _Unreadable(list[Message]):
    """A conversation that raises when it is looked at."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def __iter__(self) -> Iterator[Message]:
        raise self.error


def test_a_prompt_that_cannot_be_read_ends_the_batch_like_a_broken_iterable() -> None:
    """What was read before it is given, then its exception is raised, and nothing hangs."""

    async def collect(llm: Runtime, found: list[str]) -> None:
        async with llm.batch(["a 1", _Unreadable(OSError("gone")), "b 1"]) as results:
            async for _, outcome in results:
                found.append(_words(outcome))

    async def scenario(world: World) -> None:
        stage = Stage()
        found: list[str] = []
        async with world.open(Config(default=stage.provider("a", _echo))) as llm:
            with pytest.raises(OSError, match="gone"):
                await collect(llm, found)
            stage.assert_idle(llm)
        assert found == ["a"]

    explore(scenario, seeds=seeds(100))


def test_a_prompt_that_is_refused_without_a_word_is_named_by_the_class() -> None:
    """An empty `ValueError` is still the outcome of its index, with something to read."""

    async def scenario(world: World) -> None:
        async with (
            world.open(Config(default=Stage().provider("a", _echo))) as llm,
            llm.batch([_Unreadable(ValueError()), "a 1"], ordered=True) as results,
        ):
            outcomes = [outcome async for _, outcome in results]
        assert isinstance(outcomes[0], InvalidRequestError)
        assert str(outcomes[0]) == "ValueError"
        assert isinstance(outcomes[1], Reply)

    run(scenario)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_prompts_that_fail_while_they_are_closed_are_not_silent(asynchronous: bool) -> None:
    """Leaving early closes them; what that raises leaves the block, as from any ``with``."""

    def plain() -> Iterator[str]:
        try:
            while True:
                yield "p 1"
        finally:
            raise OSError("the file would not close")

    async def slow() -> AsyncIterator[str]:
        try:
            while True:
                await trio.lowlevel.checkpoint()
                yield "p 1"
        finally:
            raise OSError("the file would not close")

    async def leave(llm: Runtime) -> None:
        async with llm.batch(slow() if asynchronous else plain(), limit=2) as results:
            async for _ in results:
                break

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(Config(default=stage.provider("a", _echo))) as llm:
            with pytest.raises(OSError, match="would not close"):
                await leave(llm)
            stage.assert_idle(llm)

    explore(scenario, seeds=seeds(100))
