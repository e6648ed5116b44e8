"""The place of a cancelled request stays taken for a while, where the configuration says so.

A local server goes on generating what nobody waits for; to send it the next request at
once would only make both slow. Nothing runs meanwhile, and no caller waits for it.
"""

import math

import pytest
import trio

from tests.guarantees.scenes import Cast
from trio_llm import Config, Fallback, LLMError, Race, Runtime
from trio_llm.chat import AnyResult
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, Stalls, Step, World, explore, run, seeds


async def _give_up(llm: Runtime, after: float = 1.0, name: str = "a") -> None:
    with trio.move_on_after(after) as scope:
        await llm.provider(name).generate("hello")
    assert scope.cancelled_caught


def _places(llm: Runtime) -> tuple[str, int, int]:
    status = llm.provider("a").status_of()
    return status.state, status.in_flight, status.held


def test_the_place_stays_taken_so_long_and_no_longer() -> None:
    """The caller has left at once; who comes next waits in line for the rest of the time."""

    async def scenario(world: World) -> None:
        provider = Cast().provider(
            "a", [Stalls(), Answers()], max_concurrency=1, hold_after_cancel=5.0
        )
        async with world.open(Config(default=provider)) as llm:
            await _give_up(llm)
            assert trio.current_time() == 1.0
            assert _places(llm) == ("occupied", 0, 1)
            reply = await llm.generate("hello")
            assert (reply.text, trio.current_time()) == ("ok", 6.0)
            assert _places(llm) == ("ready", 0, 0)

    run(scenario)


def test_a_balancer_asks_another_one_meanwhile() -> None:
    """A held place is a taken place: the member is busy."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = cast.provider("a", [Stalls(), Answers()], max_concurrency=1, hold_after_cancel=5.0)
        tree = Fallback((a, cast.provider("b", Answers())))
        async with world.open(Config(default=tree)) as llm:
            await _give_up(llm)
            assert (await llm.generate("hello")).provider == "b"
            await trio.sleep(5.0)
            assert (await llm.generate("hello")).provider == "a"

    run(scenario)


def test_only_an_attempt_that_was_cut_is_held() -> None:
    """Not one that ended by itself, nor a call that left the line before it began."""

    async def scenario(world: World) -> None:
        steps = (Answers(), Fails(), Answers(after=2.0))
        provider = Cast().provider("a", steps, max_concurrency=1, hold_after_cancel=5.0)
        async with world.open(Config(default=provider)) as llm:
            await llm.generate("hello")
            with pytest.raises(LLMError):
                await llm.generate("hello")
            assert _places(llm) == ("ready", 0, 0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, "holds the place")
                await trio.sleep(0.5)
                await _give_up(llm)
            assert _places(llm) == ("ready", 0, 0)

    run(scenario)


def test_losers_of_a_race_and_streams_that_are_left_are_held() -> None:
    """Whoever cuts the attempt, the server knows nothing of it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = cast.provider("a", Answers("long", after=2.0, pieces=4, gap=1.0), hold_after_cancel=5.0)
        race = Race((a, cast.provider("b", Answers(after=1.0))), name="race")
        async with world.open(Config(default=race)) as llm:
            await llm.generate("hello")
            assert _places(llm) == ("ready", 0, 1)
            async with llm.provider("a").stream("hello") as stream:
                await anext(aiter(stream))
            assert _places(llm) == ("ready", 0, 2)
            await trio.sleep(5.0)
            assert _places(llm) == ("ready", 0, 0)

    run(scenario)


def test_the_runtime_closes_at_once() -> None:
    """A held place keeps nobody: no task waits for it."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Stalls(), hold_after_cancel=1000.0)
        async with world.open(Config(default=provider)) as llm:
            await _give_up(llm)
        assert trio.current_time() == 1.0

    run(scenario)


def test_occupancy_is_exact_at_every_instant() -> None:
    """Under random cancels the places taken are those in use and those held, to the instant."""

    async def scenario(world: World) -> None:
        rng, cast = world.rng, Cast()
        hold, places = rng.choice((0.0, 0.5, 2.0)), rng.randint(1, 3)
        held: list[float] = []  # until when each one is
        inside = 0

        def script(_work: Work) -> Step:
            now = trio.current_time()
            assert inside + sum(until > now for until in held) < places
            return _Inside()

        class _Inside:
            async def play(self, work: Work) -> AnyResult:
                nonlocal inside
                inside += 1
                try:
                    return await Answers(after=1.0).play(work)
                except trio.Cancelled:
                    if hold:
                        held.append(trio.current_time() + hold)
                    raise
                finally:
                    inside -= 1

        provider = cast.provider(
            "a", script, max_concurrency=places, mailbox=20, hold_after_cancel=hold
        )

        async def caller(llm: Runtime) -> None:
            await trio.sleep(rng.randrange(8) / 4)
            with trio.move_on_after(rng.choice((0.25, 0.5, 1.5, math.inf))):
                await llm.generate("hello")

        async def watch(llm: Runtime) -> None:
            while True:
                await trio.sleep(1 / 16)
                now, status = trio.current_time(), llm.status()[0]
                if now * 4 % 1.0:  # between the instants in which something happens
                    taken = sum(until > now for until in held)
                    assert (status.in_flight, status.held) == (inside, taken)
                    assert status.occupied == (inside + taken >= places)

        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as watching:
            watching.start_soon(watch, llm)
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(caller, llm)
            await trio.sleep(hold + 0.125)
            status = llm.status()[0]
            assert (status.in_flight, status.held, status.queued) == (0, 0, 0)
            watching.cancel_scope.cancel()

    explore(scenario, seeds=seeds(1000, share=50))
