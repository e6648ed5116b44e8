"""A reload leaves nothing behind: cancelled at any step, repeated, or met by the end.

A reload that is cancelled, refused or faulty has changed nothing at all. One that has
changed the plan leaves no task, once the last call of the old plan has ended; and when
the runtime is closed meanwhile, what still drains is cut at the drain deadline.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
import pytest
import trio
import trio.testing

from tests.guarantees.cancelling import CancelBefore
from tests.guarantees.reload_stage import Callers, Stage, living
from tests.guarantees.scenes import Cast, assert_idle, kinds
from trio_llm import (
    Completion,
    Config,
    ConfigError,
    Fallback,
    HealthCheck,
    LLMError,
    LoadBalance,
    Message,
    Provider,
    Race,
    ReloadReport,
    Runtime,
    RuntimeClosedError,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Clings, Crashes, Fails, Stalls, World, explore, run, seeds


@attrs.define(eq=False)
class Opening:
    """A backend that takes some steps and seconds to open and to close.

    Attributes:
        opened: How many lives have begun.
        closed: How many have ended.
    """

    seconds: float = 1.0
    opened: int = attrs.field(default=0, init=False)
    closed: int = attrs.field(default=0, init=False)

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open slowly."""
        return self._life()

    @asynccontextmanager
    async def _life(self) -> AsyncGenerator[None, None]:
        await trio.lowlevel.checkpoint()
        await trio.sleep(self.seconds)
        self.opened += 1
        try:
            yield
        finally:
            self.closed += 1
        await trio.sleep(self.seconds)

    async def answer(self, work: Work) -> Completion:
        """Answer with the model's name."""
        await trio.sleep(1.0)
        return Completion(Message("assistant", work.model))

    async def generate(self, request: object) -> Completion:
        """Be asked by `answer` alone."""
        raise NotImplementedError(request)


def _nested(names: str, backends: dict[str, Opening]) -> Config:
    members = [
        Provider("custom", name, cls=backends.setdefault(name, Opening()), max_concurrency=2)
        for name in names
    ]
    return Config(default=Fallback((Race(members[:2], name="r"), *members[2:]), name="f"))


def _cancelled_at(step: int, schedule: int) -> int:
    """Play one reload under calls, cancelled before a step; give how many steps it took."""

    async def scenario(world: World) -> int:
        backends: dict[str, Opening] = {}
        before = living()
        async with world.open(_nested("abc", backends)) as llm:
            idle, generation, nodes = living(), llm.generation, llm.status()
            outcomes: list[str] = []

            async def ask() -> None:
                outcomes.append((await llm.generate("hello")).text)

            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            report: ReloadReport | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                trio.lowlevel.add_instrument(instrument)
                with scope:
                    report = await llm.reload(_nested("adec", backends))
                trio.lowlevel.remove_instrument(instrument)
                assert (report is None) == scope.cancelled_caught
            assert outcomes == ["a"]
            await trio.sleep(10.0)
            if report is None:
                assert [status.name for status in llm.status()] == [node.name for node in nodes]
                assert (llm.generation, living()) == (generation, idle)
                assert not kinds(world.log, "ConfigReloaded")
                open_now = {"a", "b", "c"}
            else:
                assert llm.generation == generation + 1
                assert living() == idle + 1
                open_now = {"a", "c", "d", "e"}
            for name, backend in backends.items():
                assert backend.opened - backend.closed == (name in open_now), name
            assert backends["a"].opened == 1
            assert (await llm.generate("hello")).text == "a"
        assert living() == before
        assert all(backend.opened == backend.closed for backend in backends.values())
        return instrument.steps

    return run(scenario, schedule=schedule).value


def test_a_reload_can_be_cancelled_before_every_step() -> None:
    """Cancelled before any task step, a reload has changed all or nothing, and left no task."""
    steps = 0
    for schedule in seeds(1000, share=500, least=2):
        whole = _cancelled_at(-1, schedule)
        assert whole > 10
        for step in range(whole if schedule < 3 else 0):
            _cancelled_at(step, schedule)
            steps += 1
        for step in range(schedule % 7, whole if schedule >= 3 else 0, 7):
            _cancelled_at(step, schedule)
            steps += 1
    assert steps > 30


def test_fifty_reloads_leave_no_task_and_nothing_that_grows() -> None:
    """Reload after reload, under calls, the tasks and what is remembered stay as few."""

    async def scenario(world: World) -> None:
        stage = Stage(world.rng, (Answers("yes", after=0.5), Fails(after=0.5), Crashes()))
        callers = Callers(world.rng)
        before = living()
        async with world.open(stage.config()) as llm:
            around = living() - len(llm.status())
            async with trio.open_nursery() as nursery:
                for number in range(50):
                    nursery.start_soon(callers.ask, llm, number)
                    await llm.reload(stage.config())
                    await trio.sleep(0.25)
            await trio.sleep(1.0)
            assert living() == around + len(llm.status())
            assert_idle(stage.cast, llm)
            assert llm.generation == 51
            generations = llm._generations  # pyright: ignore[reportPrivateUsage]
            assert len(generations.supervisor._posts) == len(llm.status())  # pyright: ignore[reportPrivateUsage]
            kept = generations._retirement  # pyright: ignore[reportPrivateUsage]
            assert len(kept._leavers) <= 64  # pyright: ignore[reportPrivateUsage]
            found = llm.statistics()
            attempts = sum(
                node.attempts for node in (*found.nodes.values(), *found.retired.values())
            )
            assert attempts == stage.cast.started
            assert len(callers.outcomes) == 50
        assert living() == before

    explore(scenario, seeds=seeds(200, share=50, least=4))


def test_the_end_meets_reloads_and_what_they_have_retired() -> None:
    """Closing while reloads and drains are under way ends all of it, and every call."""

    async def scenario(world: World) -> None:
        rng = world.rng
        stage = Stage(rng, (Answers("yes", after=1.0), Stalls(), Clings(3.0), Crashes(actor=True)))
        callers = Callers(rng)
        refused: list[str] = []

        async def reload(llm: Runtime) -> None:
            await trio.sleep(rng.choice((0.0, 0.5, 1.0, 1.5)))
            try:
                await llm.reload(attrs.evolve(stage.config(), drain_deadline=2.0))
            except RuntimeClosedError as error:
                refused.append(str(error))

        before = living()
        async with trio.open_nursery() as nursery:
            config = attrs.evolve(stage.config(), drain_deadline=2.0)
            async with world.open(config) as llm:
                for number in range(8):
                    nursery.start_soon(callers.ask, llm, number)
                for _ in range(3):
                    nursery.start_soon(reload, llm)
                await trio.sleep(rng.choice((0.0, 0.5, 1.0)))
            assert stage.cast.running == 0
        assert living() == before
        assert len(callers.outcomes) == 8
        assert {status.state for status in llm.status()} == {"down"}
        assert llm.generation + len(refused) == 4

    explore(scenario, seeds=seeds(1000, share=50))


def test_the_end_meets_a_reload_that_opens_slowly() -> None:
    """A reload whose providers are still opening when the runtime closes is refused."""

    async def scenario(world: World) -> None:
        backends: dict[str, Opening] = {}
        refused: list[float] = []

        async def reload(llm: Runtime) -> None:
            with pytest.raises(RuntimeClosedError):
                await llm.reload(_nested("adec", backends))
            refused.append(trio.current_time())

        before = living()
        async with trio.open_nursery() as nursery:
            async with world.open(_nested("abc", backends)) as llm:
                began = trio.current_time()
                nursery.start_soon(reload, llm)
                await trio.sleep(world.rng.choice((0.0, 0.5, 1.0, 1.5)))
            assert all(backend.opened == backend.closed for backend in backends.values())
        assert (llm.generation, len(refused)) == (1, 1)
        assert refused[0] <= began + 10.0
        assert living() == before
        with pytest.raises(RuntimeClosedError):
            await llm.reload(_nested("abc", backends))

    explore(scenario, seeds=seeds(1000, share=50))


def test_what_drains_for_ever_is_cut_at_the_drain_deadline() -> None:
    """A call on a removed provider has no deadline until the runtime is closed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        outcomes: list[tuple[float, str]] = []

        async def ask(llm: Runtime) -> None:
            try:
                await llm.generate("hello")
            except LLMError as error:
                outcomes.append((trio.current_time(), type(error).__name__))

        async with trio.open_nursery() as nursery:
            stalling = Fallback((cast.provider("a", Stalls()),), name="f")
            async with world.open(Config(default=stalling, drain_deadline=1.0)) as llm:
                nursery.start_soon(ask, llm)
                await trio.sleep(1.0)
                new = Config(default=cast.provider("b", Answers()), drain_deadline=5.0)
                await llm.reload(new)
                await trio.sleep(50.0)
                assert cast.running == 1
            assert trio.current_time() == 56.0
        assert outcomes == [(56.0, "ProviderCrashedError")]

    explore(scenario, seeds=seeds(1000, share=50))


def test_probes_end_with_their_provider() -> None:
    """A provider that is removed while it probes itself ends at once, and probes no more."""

    async def scenario(world: World) -> None:
        cast = Cast()
        probed = cast.provider(
            "a", Answers(after=1.0), health_check=HealthCheck(interval=10.0, jitter=0.0)
        )
        other = cast.provider("b", Answers())
        async with world.open(Config(default=Fallback((probed, other), name="f"))) as llm:
            await trio.sleep(world.rng.choice((5.0, 10.5, 25.0)))
            await llm.reload(Config(default=other))
            await trio.testing.wait_all_tasks_blocked()
            left = {entry.actor for entry in kinds(world.log, "ActorDrained")}
            assert left == {"a", "f"}
            probes = cast.scripts["a"].started
            await trio.sleep(100.0)
            assert (cast.scripts["a"].started, cast.running) == (probes, 0)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_faulty_configuration_changes_nothing() -> None:
    """All its faults are listed, nobody is started or stopped, and calls go on."""

    async def scenario(world: World) -> None:
        cast = Cast()
        config = Config(default=Race((cast.provider("a", Answers(after=1.0)),), name="r"))
        faulty = Config(
            providers={"x": Provider("openai_compatible")},
            default=LoadBalance((cast.provider("b", Answers()), "nobody")),
            max_attempts=0,
        )
        async with world.open(config) as llm:
            tasks, status, before = living(), llm.status(), llm.statistics()
            with pytest.raises(ConfigError) as caught:
                await llm.reload(faulty)
            assert len(caught.value.faults) >= 3
            assert (living(), llm.status(), llm.statistics()) == (tasks, status, before)
            assert (llm.generation, llm.config) == (1, config)
            assert (await llm.generate("hello")).text == "ok"
        assert cast.scripts["b"].opened == 0
        assert not kinds(world.log, "ConfigReloaded")

    explore(scenario, seeds=seeds(1000, share=50))


def test_reloads_come_one_after_the_other() -> None:
    """Of several at once each sees what the one before has made."""

    async def scenario(world: World) -> None:
        backends: dict[str, Opening] = {}
        reports: list[ReloadReport] = []

        async def reload(names: str) -> None:
            reports.append(await llm.reload(_nested(names, backends)))

        async with world.open(_nested("ab", backends)) as llm:
            async with trio.open_nursery() as nursery:
                for names in ("bc", "cd", "de"):
                    nursery.start_soon(reload, names)
            assert [report.generation for report in reports] == [2, 3, 4]
            present = {"a", "b", "f", "r"}
            for report in reports:
                assert set(report.removed) <= present
                present = present - set(report.removed) | set(report.added)
                assert present == {*report.added, *report.changed, *report.kept}
            assert present == {status.name for status in llm.status()}

    explore(scenario, seeds=seeds(1000, share=50))
