"""After `open_runtime` nothing remains: no task, no place taken, no request unanswered.

The body is cancelled before the actors, so its ``finally`` blocks can still ask. What
was accepted is served until the drain deadline, and cut there.
"""

import signal
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Self

import attrs
import pytest
import trio
import trio.testing

from tests.guarantees.scenes import Cast, assert_idle, kinds
from trio_llm import (
    Completion,
    Config,
    Fallback,
    LLMError,
    Message,
    Provider,
    ProviderUnavailableError,
    Race,
    Restart,
    Runtime,
    open_runtime,
    run_runtime,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Clings, Crashes, Stalls, World, explore, run, seeds


@attrs.define
class Callers:
    """Asks from outside of the runtime's block, and keeps the outcomes."""

    outcomes: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])

    async def ask(self, llm: Runtime) -> None:
        """Ask once."""
        try:
            outcome = (await llm.generate("hello")).text
        except LLMError as error:
            outcome = type(error).__name__
        self.outcomes.append((trio.current_time(), outcome))


def _living() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def test_no_task_remains_whatever_was_under_way() -> None:
    """Leaving the block with calls, queues, retries and streams under way leaves no task."""

    async def scenario(world: World) -> None:
        rng, cast = world.rng, Cast()
        steps = (Answers(after=1.0), Stalls(), Stalls(pieces=1), Clings(3.0), Crashes(actor=True))
        members = tuple(
            cast.provider(name, rng.choices(steps, k=4), max_concurrency=1, mailbox=2)
            for name in ("a", "b", "c")
        )
        default = Race((Fallback(members[:2], name="f"), members[2]), name="r")
        before = _living()
        callers = Callers()
        async with trio.open_nursery() as nursery:
            async with world.open(
                Config(default=default, drain_deadline=rng.choice((0.0, 2.0)))
            ) as llm:
                for _ in range(6):
                    nursery.start_soon(callers.ask, llm)
                await trio.sleep(rng.choice((0.0, 0.5, 1.0)))
            assert cast.running == 0
        assert _living() == before
        assert_idle(cast, llm)
        assert len(callers.outcomes) == 6
        assert {status.state for status in llm.status()} == {"down"}

    explore(scenario, seeds=seeds(1000, share=50))


def test_calls_under_way_are_finished_within_the_drain_deadline() -> None:
    """What runs or waits in line when the body leaves is still served."""

    async def scenario(world: World) -> None:
        callers = Callers()
        provider = Cast().provider("a", Answers(after=1.0), max_concurrency=1)
        async with trio.open_nursery() as nursery:
            async with world.open(Config(default=Fallback((provider,)), drain_deadline=5.0)) as llm:
                for _ in range(3):
                    nursery.start_soon(callers.ask, llm)
                await trio.sleep(0.5)
            assert trio.current_time() == 3.0
        assert callers.outcomes == [(1.0, "ok"), (2.0, "ok"), (3.0, "ok")]

    explore(scenario, seeds=seeds(1000, share=50))


def test_calls_that_outlast_the_drain_deadline_are_cut_there() -> None:
    """At the drain deadline unfinished requests are answered with a typed error."""

    async def scenario(world: World) -> None:
        callers = Callers()
        provider = Cast().provider("a", Stalls(), max_concurrency=2)
        async with trio.open_nursery() as nursery:
            async with world.open(Config(default=provider, drain_deadline=4.0)) as llm:
                for _ in range(3):
                    nursery.start_soon(callers.ask, llm)
                await trio.sleep(0.5)
            assert trio.current_time() == 4.5
        assert callers.outcomes == [(4.5, "ProviderCrashedError")] * 3

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_draining_runtime_takes_nothing_new() -> None:
    """A call that comes while the runtime drains, or after it, is refused at once."""

    async def scenario(world: World) -> None:
        codes: list[str | None] = []

        async def late(llm: Runtime, after: float) -> None:
            await trio.sleep(after)
            with pytest.raises(ProviderUnavailableError) as caught:
                await llm.generate("hello")
            codes.append(caught.value.code)

        callers = Callers()
        config = Config(default=Cast().provider("a", Answers(after=3.0)))
        async with trio.open_nursery() as nursery, world.open(config) as llm:
            nursery.start_soon(callers.ask, llm)
            nursery.start_soon(late, llm, 2.0)
            nursery.start_soon(late, llm, 9.0)
            await trio.sleep(1.0)
        assert codes == ["draining", "down"]
        assert callers.outcomes == [(3.0, "ok")]

    explore(scenario, seeds=seeds(1000, share=50))


def test_the_body_is_cancelled_before_the_actors() -> None:
    """When the block is cancelled from outside, a ``finally`` in it can still ask."""

    async def scenario(world: World) -> None:
        cast = Cast()
        script = (Stalls(), Answers("last words", after=1.0))
        said = ""
        with trio.move_on_after(2.0) as scope:
            async with world.open(Config(default=Race((cast.provider("a", script),)))) as llm:
                try:
                    await llm.generate("hello")
                finally:
                    with trio.CancelScope(shield=True):
                        said = (await llm.generate("good-bye")).text
        assert scope.cancelled_caught
        assert said == "last words"
        assert trio.current_time() < 3.1

    explore(scenario, seeds=seeds(1000, share=50))


def test_actors_start_members_first_and_stop_balancers_first() -> None:
    """Members open before the balancers that ask them, and stop after them."""
    opened: list[str] = []
    closed: list[str] = []

    @attrs.define(eq=False)
    class Noted:
        name: str

        def resources(self) -> AbstractAsyncContextManager[None]:
            return self._life()

        @asynccontextmanager
        async def _life(self) -> AsyncGenerator[None, None]:
            opened.append(self.name)
            await trio.lowlevel.checkpoint()
            yield
            closed.append(self.name)

        async def answer(self, work: Work) -> Completion:
            await trio.lowlevel.checkpoint()
            return Completion(Message("assistant", work.model))

        async def generate(self, request: object) -> Completion:
            raise NotImplementedError(request)

    async def scenario(world: World) -> None:
        opened.clear()
        closed.clear()
        members = tuple(Provider("custom", name, cls=Noted(name)) for name in ("a", "b", "c"))
        inner = Race(members[:2], name="inner")
        async with world.open(Config(default=Fallback((inner, members[2]), name="outer"))):
            assert sorted(opened) == ["a", "b", "c"]
        stopped = [entry.actor for entry in kinds(world.log, "ActorDrained")]
        assert closed == opened[::-1]
        assert stopped.index("outer") < stopped.index("inner") < stopped.index("a")
        assert stopped.index("inner") < stopped.index("b")
        assert stopped.index("outer") < stopped.index("c")
        assert [name for name in stopped if name in closed] == closed

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_runtime_in_a_nursery_of_the_application_ends_when_cancelled() -> None:
    """`run_runtime` gives its runtime through ``nursery.start`` and leaves nothing behind."""

    async def scenario(_world: World) -> None:
        before = _living()
        async with trio.open_nursery() as nursery:
            config = Config(default=Cast().provider("a", Answers("yes")))
            llm: Runtime = await nursery.start(run_runtime, config)
            assert (await llm.generate("hello")).text == "yes"
            nursery.cancel_scope.cancel()
        assert _living() == before
        assert llm.status()[0].state == "down"

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_job_that_breaks_while_it_is_cut_breaks_nothing_else() -> None:
    """Crashes in the instant of the drain deadline stay inside: the block ends normally."""

    @attrs.define(eq=False)
    class Bursts:
        async def generate(self, _request: object) -> str:
            try:
                await trio.sleep_forever()
            except trio.Cancelled as cancelled:
                raise BaseExceptionGroup(
                    "on the way out", [ValueError("mine"), cancelled]
                ) from None
            raise AssertionError("unreachable")

    async def scenario(world: World) -> None:
        crashing = Cast().provider("a", [Crashes(5.0, actor=True), Stalls()])
        provider = world.rng.choice((crashing, Provider("custom", "b", cls=Bursts())))
        callers = Callers()
        config = Config(default=provider, drain_deadline=5.0)
        async with trio.open_nursery() as nursery, world.open(config) as llm:
            nursery.start_soon(callers.ask, llm)
            nursery.start_soon(callers.ask, llm)
            await trio.testing.wait_all_tasks_blocked()
        assert callers.outcomes == [(5.0, "ProviderCrashedError")] * 2
        assert kinds(world.log, "ActorDrained")

    explore(scenario, seeds=seeds(1000))


def test_an_actor_that_goes_down_leaves_the_application_running() -> None:
    """A provider that crashes too often stays down, refuses, and a fallback serves on."""

    async def scenario(world: World) -> None:
        cast = Cast()
        broken = cast.provider("a", Crashes(actor=True))
        default = Fallback((broken, cast.provider("b", Answers())))
        restart = Restart(max_restarts=2, window=60.0, backoff=0.5, max_backoff=0.5)
        async with world.open(Config(default=default, restart=restart)) as llm:
            for _ in range(6):
                assert (await llm.generate("hello")).provider == "b"
                await trio.sleep(1.0)
            with pytest.raises(ProviderUnavailableError) as caught:
                await llm.provider("a").generate("hello")
            assert caught.value.code == "down"
            assert (cast.scripts["a"].started, cast.scripts["a"].opened) == (3, 3)
        assert len(kinds(world.log, "ActorDown")) == 1
        assert len(kinds(world.log, "ActorRestarted")) == 2

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_provider_that_cannot_open_goes_down_and_the_rest_start() -> None:
    """A provider whose resources fail again and again is down; the runtime opens all the same."""

    class Unopenable:
        async def __aenter__(self) -> None:
            raise OSError("no such device")

        async def __aexit__(self, *_exc: object) -> None:
            raise AssertionError("never entered")

        async def generate(self, _request: object) -> str:
            raise AssertionError("never asked")

    async def scenario(world: World) -> None:
        good = Cast().provider("good", Answers())
        bad = Provider("custom", "bad", cls=Unopenable)
        async with world.open(Config(default=Fallback((bad, good)))) as llm:
            assert (await llm.generate("hello")).provider == "good"
            assert llm.provider("bad").status_of().state == "down"

    run(scenario)


def test_a_start_that_hangs_can_be_cancelled() -> None:
    """A caller's deadline ends a start whose provider takes too long to open."""

    class Slow:
        async def __aenter__(self) -> None:
            await trio.sleep(1000.0)

        async def __aexit__(self, *_exc: object) -> None:
            raise AssertionError("never entered")

        async def generate(self, _request: object) -> str:
            raise AssertionError("never asked")

    async def scenario(world: World) -> None:
        before = _living()
        members = (Cast().provider("good", Answers()), Provider("custom", "slow", cls=Slow))
        with trio.move_on_after(2.0) as scope:
            async with world.open(Config(default=Fallback(members))):
                raise AssertionError("never opened")
        assert scope.cancelled_caught
        assert trio.current_time() == 2.0
        assert _living() == before

    explore(scenario, seeds=seeds(1000, share=50))


async def test_open_runtime_outside_of_a_world(autojump_clock: object) -> None:
    """The block needs nothing from the test room: it opens, answers, and closes."""
    assert autojump_clock is not None
    async with open_runtime(Config(default=Cast().provider("a", Answers(after=1.0)))) as llm:
        assert (await llm.generate("hello")).text == "ok"
    with pytest.raises(ProviderUnavailableError):
        await llm.generate("hello")


def test_resources_that_fail_to_close_are_not_opened_again() -> None:
    """A provider whose clean-up raises at the end is reported, and stays stopped."""

    class Stuck:
        lives = 0

        async def __aenter__(self) -> Self:
            Stuck.lives += 1
            return self

        async def __aexit__(self, *_exc: object) -> None:
            raise OSError("cannot close")

        async def generate(self, _request: object) -> str:
            return "ok"

    async def scenario(world: World) -> None:
        Stuck.lives = 0
        async with world.open(Config(default=Provider("custom", "stuck", cls=Stuck))) as llm:
            assert (await llm.generate("hello")).text == "ok"
        assert Stuck.lives == 1
        assert [entry.kind for entry in world.log[-2:]] == ["ActorCrashed", "ActorDrained"]

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_hits_an_actor_leaves_the_block_unwrapped(
    interrupt: type[BaseException],
) -> None:
    """Ctrl-C ends the runtime as itself, in no group, whichever task it lands in."""

    async def hit(_request: object) -> str:
        await trio.sleep(1.0)
        raise interrupt

    provider = Provider("custom", "a", cls=SimpleNamespace(generate=hit))

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Fallback((provider,)))) as llm:
            await llm.generate("hello")

    with pytest.raises(interrupt):
        run(scenario)


@pytest.mark.parametrize("presses", [1, 2, 3])
def test_ctrl_c_while_the_actors_drain_cuts_them(presses: int) -> None:
    """The first Ctrl-C leaves the block, which drains; a second one does not wait for that."""
    callers = Callers()
    ended: list[float] = []

    async def press() -> None:
        for _ in range(presses):
            await trio.sleep(1.0)
            signal.raise_signal(signal.SIGINT)

    async def scenario(world: World) -> None:
        config = Config(default=Fallback((Cast().provider("a", Stalls()),)), drain_deadline=30.0)
        async with trio.open_nursery() as nursery:
            try:
                async with world.open(config) as llm:
                    nursery.start_soon(callers.ask, llm)
                    trio.lowlevel.spawn_system_task(press)
                    await trio.sleep_forever()
            finally:
                ended.append(trio.current_time())

    with pytest.raises(BaseExceptionGroup) as caught:
        run(scenario)
    assert caught.group_contains(KeyboardInterrupt, depth=1)
    assert ended == [31.0 if presses == 1 else 2.0]
    assert [error for _, error in callers.outcomes] == ["ProviderCrashedError"]
