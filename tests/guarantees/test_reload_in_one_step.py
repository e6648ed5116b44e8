"""A reload swaps the plan in one step, and harms no call.

Every call ends in one outcome. One that began before the change finishes on the plan
on which it began, whomever that asks; one that begins after it finds the new plan.
What has left the plan ends as soon as nobody can ask it any more.
"""

import pytest
import trio

from tests.guarantees.reload_stage import Callers, Stage, living
from tests.guarantees.scenes import Cast, assert_idle, field, kinds
from trio_llm import Config, Fallback, LoadBalance, Race, Reply
from trio_llm.testing import Answers, Crashes, Cuts, Fails, Stalls, Step, World, explore, seeds

STEPS: tuple[Step, ...] = (
    Answers("yes", after=0.5, pieces=3, gap=0.25),
    Answers("yes", after=1.0, passes=2),
    Fails(after=0.5),
    Cuts(after=0.5, pieces=2, text="yes"),
    Stalls(),
    Crashes(after=0.5),
)
CRASHING: tuple[Step, ...] = (*STEPS, Crashes(after=1.0, actor=True))


@pytest.mark.parametrize("steps", [STEPS, CRASHING], ids=["jobs fail", "actors crash, too"])
def test_every_call_ends_in_one_outcome_whatever_is_reloaded(steps: tuple[Step, ...]) -> None:
    """Calls, streams, cancels and crashes in the middle of reloads end in one outcome each."""

    async def scenario(world: World) -> None:
        stage = Stage(world.rng, steps)
        callers = Callers(world.rng)
        before = living()
        async with world.open(stage.config()) as llm:
            around = living() - len(llm.status())
            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(callers.ask, llm, number)
                for _ in range(3):
                    await trio.sleep(world.rng.choice((0.0, 0.25, 0.5, 1.0)))
                    await llm.reload(stage.config())
            assert sorted(callers.outcomes) == list(range(10))
            assert not {"draining", "down"} & set(callers.refusals)
            await trio.sleep(5.0)  # a restart may be under way
            assert living() == around + len(llm.status())
            assert_idle(stage.cast, llm)
            assert llm.generation == 4
            left = kinds(world.log, "ActorDrained")
            if steps is STEPS:
                assert {field(entry, "unfinished") for entry in left} <= {0}
        assert living() == before

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_call_goes_on_to_members_that_the_new_plan_does_not_have() -> None:
    """A call in flight falls back to a provider that a reload has taken out meanwhile."""

    async def scenario(world: World) -> None:
        cast = Cast()
        first = cast.provider("first", Fails(after=1.0))
        second = cast.provider("second", Fails(after=1.0))
        third = cast.provider("third", Answers("third", after=1.0, pieces=2, gap=0.5))
        inner = LoadBalance((second,), name="inner")
        replies: list[Reply] = []

        async def call() -> None:
            replies.append(await llm.generate("hello"))

        async def stream() -> None:
            async with llm.stream("hello") as events:
                async for _ in events:
                    pass
                replies.append(events.reply)

        async with world.open(Config(default=Fallback((first, inner, third), name="f"))) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call)
                nursery.start_soon(stream)
                await trio.sleep(0.5)
                report = await llm.reload(Config(default=cast.provider("new", Answers("new"))))
                assert sorted(report.removed) == ["f", "first", "inner", "second", "third"]
                assert (await llm.generate("hello")).text == "new"
                assert [status.name for status in llm.status()] == ["new"]
            await trio.sleep(1.0)
            assert [reply.provider for reply in replies] == ["third", "third"]
            assert {attempt.path for reply in replies for attempt in reply.attempts} == {
                ("f", "first"),
                ("f", "inner", "second"),
                ("f", "third"),
            }
        drained = [entry.actor for entry in kinds(world.log, "ActorDrained")]
        assert drained.index("f") < drained.index("inner") < drained.index("second")
        assert sorted(drained[1:-1]) == ["first", "inner", "second", "third"]
        times = [entry.time for entry in kinds(world.log, "ActorDrained")]
        assert times[:-1] == [pytest.approx(3.5)] * 5

    explore(scenario, seeds=seeds(1000, share=40))


def test_what_has_left_ends_in_the_instant_in_which_its_last_call_does() -> None:
    """A removed provider, its actor and its balancers live exactly as long as a call needs them."""

    async def scenario(world: World) -> None:
        cast = Cast()
        slow = cast.provider("slow", Answers(after=3.0))
        quick = cast.provider("quick", Answers(after=1.0))
        spare = cast.provider("spare", Answers())
        async with world.open(Config(default=Race((slow, quick), name="r"))) as llm:
            idle = living()

            async def ask(name: str) -> None:
                await llm.provider(name).generate("hello")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, "slow")
                nursery.start_soon(ask, "r")
                await trio.sleep(0.5)
                await llm.reload(Config(default=Fallback((spare, quick), name="f")))
        times = {entry.actor: entry.time for entry in kinds(world.log, "ActorDrained")}
        assert times["r"] == pytest.approx(1.0)
        assert times["slow"] == 3.0
        assert idle > 0

    explore(scenario, seeds=seeds(1000, share=40))


def test_a_call_that_begins_after_the_change_finds_the_new_plan_alone() -> None:
    """From the step of the change on nobody reaches what has left the plan."""

    async def scenario(world: World) -> None:
        rng, cast = world.rng, Cast()
        old = Fallback((cast.provider("old", Answers("old", after=1.0)),), name="f")
        new = Fallback((cast.provider("new", Answers("new", after=1.0)),), name="f")
        changed: list[float] = []

        async def ask() -> None:
            await trio.sleep(rng.choice((0.0, 0.5, 1.0)))
            began_before = not changed
            reply = await llm.generate("hello")
            assert reply.text == ("old" if began_before else "new")

        async with world.open(Config(default=old)) as llm:
            llm.subscribe(
                lambda event: changed.append(event.time) if event.kind == "ConfigReloaded" else None
            )
            async with trio.open_nursery() as nursery:
                for _ in range(8):
                    nursery.start_soon(ask)
                await trio.sleep(0.5)
                await llm.reload(Config(default=new))

    explore(scenario, seeds=seeds(1000, share=50))
