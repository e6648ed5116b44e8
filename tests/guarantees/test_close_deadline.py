"""Clean-up is bounded by `close_deadline`, and what outlasts it is named and counted.

A loser that shields itself from cancellation holds the reply back no longer than that.
A reply that was decided before the caller's deadline is not lost to a deadline that
passes during this clean-up.
"""

import trio

from tests.guarantees.scenes import Cast, field, kinds, steps_later
from trio_llm import (
    AttemptOutcome,
    Config,
    Fallback,
    LoadBalance,
    Provider,
    Race,
    Runtime,
    open_runtime,
)
from trio_llm.config.schema import Member
from trio_llm.events import CleanupOverran, Event
from trio_llm.testing import Answers, Clings, Stalls, World, explore, run, seeds


async def _ask(llm: Runtime, *, streaming: bool) -> str:
    if not streaming:
        return (await llm.generate("hello")).text
    async with llm.stream("hello") as stream:
        text = "".join([piece async for piece in stream.text()])
        assert stream.reply.text == text
        return text


def _nest(race: Race, depth: int) -> Member:
    member: Member = race
    for level in range(depth):
        wrap = (Fallback, LoadBalance, Race)[level % 3]
        member = wrap((member,), name=f"level{level}")
    return member


async def _beside_a_clinging_loser(world: World, seconds: float, patience: float) -> float:
    """Let a quick member beat a clinging one; give when the caller had its reply."""
    cast = Cast()
    race = Race(
        (
            cast.provider("quick", Answers("quick", after=0.25)),
            cast.provider("bad", Clings(seconds)),
        ),
        name="race",
    )
    config = Config(default=_nest(race, world.rng.randrange(4)), close_deadline=1.0)
    async with world.open(config) as llm:
        with trio.move_on_after(patience) as scope:
            assert await _ask(llm, streaming=world.rng.random() < 0.5) == "quick"
        assert not scope.cancelled_caught
        ended = trio.current_time()
        overran = kinds(world.log, "CleanupOverran")
        assert len(overran) == llm.statistics().overruns == cast.running
        assert all(entry.actor.endswith("race/bad") for entry in overran)
    assert cast.running == 0
    return ended


def test_a_loser_that_leaves_late_holds_the_reply_back_and_is_no_overrun() -> None:
    """A loser that leaves within the close deadline is awaited, and nothing is reported."""

    async def scenario(world: World) -> None:
        assert await _beside_a_clinging_loser(world, 0.75, 100.0) == 0.75
        assert not kinds(world.log, "CleanupOverran")

    explore(scenario, seeds=seeds(1000))


def test_a_loser_that_outlasts_the_close_deadline_is_named_and_counted_once() -> None:
    """The reply returns at the close deadline, and the overrun is reported exactly once."""

    async def scenario(world: World) -> None:
        ended = await _beside_a_clinging_loser(world, 30.0, 100.0)
        assert 1.25 <= ended <= steps_later(1.25)
        (overran,) = kinds(world.log, "CleanupOverran")
        assert field(overran, "reason").startswith("lost the race to 'quick'")

    explore(scenario, seeds=seeds(1000))


def test_a_reply_decided_before_the_deadline_is_let_through() -> None:
    """A deadline that passes while a loser is being cleaned up does not take the reply away."""

    async def scenario(world: World) -> None:
        await _beside_a_clinging_loser(world, 30.0, 0.5)

    explore(scenario, seeds=seeds(1000))


def test_the_caller_meets_its_deadline_at_its_next_checkpoint() -> None:
    """After a reply that was let through, the caller's scope cancels its next checkpoint."""

    async def scenario(world: World) -> None:
        with trio.move_on_after(0.5) as scope:
            await _beside_a_clinging_loser(world, 0.75, 100.0)
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught

    run(scenario)


def test_many_clinging_losers_share_one_close_deadline() -> None:
    """Several losers that outlast the close deadline cost it once, not once each."""

    async def scenario(world: World) -> None:
        cast = Cast()
        bad = [cast.provider(f"bad{index}", Clings(30.0)) for index in range(4)]
        race = Race((cast.provider("quick", Answers("quick", after=0.25)), *bad))
        async with world.open(Config(default=race, close_deadline=1.0)) as llm:
            streaming = world.rng.random() < 0.5
            assert await _ask(llm, streaming=streaming) == "quick"
            assert trio.current_time() <= steps_later(1.25)
            assert llm.statistics().overruns == 4

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_cancelled_caller_waits_no_longer_than_the_close_deadline() -> None:
    """A caller cancelled above a clinging provider is free after the close deadline."""

    async def scenario(world: World) -> None:
        cast = Cast()
        race = Race(
            (cast.provider("bad", Clings(30.0)), cast.provider("still", Stalls())), name="race"
        )
        depth = world.rng.randrange(4)
        async with world.open(Config(default=_nest(race, depth), close_deadline=1.0)) as llm:
            with trio.move_on_after(0.5) as scope:
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert scope.cancelled_caught
            assert 1.5 <= trio.current_time() <= steps_later(1.5)
            (overran,) = kinds(world.log, "CleanupOverran")
            assert overran.actor.endswith("race/bad")
            assert llm.statistics().overruns == 1
            assert cast.scripts["still"].running == 0

    explore(scenario, seeds=seeds(1000))


def test_a_place_stays_taken_while_its_overrunning_job_runs() -> None:
    """A job that outlasts its clean-up still occupies its place until it has left."""

    async def scenario(world: World) -> None:
        cast = Cast()
        bad = cast.provider("bad", Clings(5.0), max_concurrency=1)
        async with world.open(Config(default=bad, close_deadline=1.0)) as llm:
            with trio.move_on_after(0.5):
                await llm.generate("hello")
            assert llm.status()[0].occupied
            await trio.sleep_until(5.5)
            assert not llm.status()[0].occupied

    run(scenario)


def test_a_loser_that_finishes_while_it_leaves_is_discarded() -> None:
    """One attempt of a race succeeds; another that ends well too late is a discarded one."""

    class Shy:
        async def generate(self, _request: object) -> str:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.75)
            return "late"

    async def scenario(world: World) -> None:
        quick = Cast().provider("quick", Answers("quick", after=0.25))
        shy = _nest(Race((Provider("custom", "shy", cls=Shy()),)), world.rng.randrange(3))
        async with world.open(Config(default=Race((quick, shy)))) as llm:
            reply = await llm.generate("hello")
        assert {attempt.provider: attempt.outcome for attempt in reply.attempts} == {
            "quick": AttemptOutcome.SUCCEEDED,
            "shy": AttemptOutcome.DISCARDED,
        }

    explore(scenario, seeds=seeds(1000, share=50))


async def test_an_overrun_that_shows_after_the_caller_has_left_is_counted() -> None:
    """On a real clock a balancer may give up just after its caller; that is counted too."""
    overran: list[Event] = []
    members = [
        LoadBalance((Cast().provider(f"bad{index}", Clings(0.1)),), name=f"share{index}")
        for index in range(4)
    ]
    tree = Fallback((Race(members, name="race"),))

    def observe(event: Event) -> None:
        if isinstance(event, CleanupOverran):
            overran.append(event)

    async with open_runtime(Config(default=tree, close_deadline=0.01)) as llm:
        llm.subscribe(observe)
        for _ in range(5):
            with trio.move_on_after(0.01):
                await llm.generate("hello")
            await trio.sleep(0.15)
        assert len(overran) == llm.statistics().overruns == 20
