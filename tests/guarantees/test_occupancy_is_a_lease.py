"""Occupancy is a lease: taken with the selection, given back whatever happens.

A provider never runs more than `max_concurrency` requests, those who wait are served in
the order in which they came, and no cancel, crash or restart leaks a place.
"""

import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle, by_attempt, kinds
from trio_llm import (
    Config,
    CooldownSettings,
    Fallback,
    LLMError,
    LoadBalance,
    ProviderUnavailableError,
    Race,
    Restart,
    Runtime,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Crashes, Fails, Stalls, Step, World, explore, run, seeds

NEVER_RESTS = CooldownSettings(after_failures=1_000_000)


async def _ask(llm: Runtime, *, streaming: bool) -> None:
    try:
        if streaming:
            async with llm.stream("hello") as stream:
                async for _event in stream:
                    pass
        else:
            await llm.generate("hello")
    except LLMError:
        pass


def test_places_are_never_overbooked_and_never_leak() -> None:
    """Cancels, crashes and restarts at random times neither overbook nor leak a place."""

    async def scenario(world: World) -> None:
        rng, cast = world.rng, Cast()
        steps = (
            Answers(after=1.0),
            Answers(after=0.5, pieces=4, gap=0.25),
            Fails(after=0.5),
            Crashes(after=0.75),
            Crashes(after=1.0, actor=True),
        )
        places = rng.randint(1, 3)
        drawn = by_attempt(world.seed, "a", steps)
        calm = False

        def script(work: Work) -> Step:
            return Stalls() if calm else drawn(work)

        provider = cast.provider(
            "a",
            script,
            max_concurrency=places,
            mailbox=20,
            cooldown=NEVER_RESTS,
        )
        restart = Restart(max_restarts=1000, backoff=0.25, max_backoff=0.25)

        async def caller(llm: Runtime) -> None:
            await trio.sleep(rng.choice((0.0, 0.5, 1.0)))
            with trio.move_on_after(rng.choice((0.25, 1.0, 1.5, float("inf")))):
                await _ask(llm, streaming=rng.random() < 0.5)

        async with world.open(Config(default=provider, restart=restart)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(12):
                    nursery.start_soon(caller, llm)
            assert cast.scripts["a"].most_running <= places
            await trio.sleep(1.0)
            assert_idle(cast, llm)
            calm = True
            async with trio.open_nursery() as nursery:
                for _ in range(places):
                    nursery.start_soon(llm.generate, "all places are there again")
                await trio.sleep(1.0)
                assert cast.scripts["a"].running == places
                nursery.cancel_scope.cancel()

    explore(scenario, seeds=seeds(1000, share=50))


def test_those_in_line_are_served_in_order() -> None:
    """Requests that wait for a place are served in the order in which they came."""

    async def scenario(world: World) -> None:
        served: list[str] = []

        def script(work: Work) -> Answers:
            served.append(work.conversation.messages[0].text)
            return Answers(after=1.0)

        provider = Cast().provider("a", script, max_concurrency=2, mailbox=20)
        names = [f"{index}" for index in range(8)]
        gone = set(world.rng.sample(names[2:], 3))

        async with world.open(Config(default=provider)) as llm:

            async def caller(name: str) -> None:
                with trio.move_on_after(0.5 if name in gone else 100.0):
                    await llm.generate(name)

            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(caller, name)
                    await trio.sleep(1 / 16)
        assert served == [name for name in names if name not in gone]

    explore(scenario, seeds=seeds(1000))


def test_one_in_line_can_be_cancelled_in_the_same_instant() -> None:
    """A request that waits in line leaves it the moment its caller is cancelled."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = cast.provider("a", Stalls(), max_concurrency=1)
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(llm.generate, "holds the place")
            await trio.sleep(1.0)
            with trio.move_on_after(0.5):
                await _ask(llm, streaming=world.rng.random() < 0.5)
            assert trio.current_time() == 1.5
            assert llm.status()[0].queued == 0
            assert cast.started == 1
            nursery.cancel_scope.cancel()

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_cooldown_sends_those_in_line_away() -> None:
    """When a provider begins to rest, everybody in its line is refused in that instant."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = cast.provider(
            "a",
            Fails(after=1.0),
            max_concurrency=1,
            cooldown=CooldownSettings(initial=60.0, after_failures=1),
        )
        async with world.open(Config(default=a)) as llm:
            codes: list[tuple[float, str | None]] = []

            async def caller() -> None:
                try:
                    await llm.generate("hello")
                except LLMError as error:
                    codes.append((trio.current_time(), getattr(error, "code", None)))

            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(caller)
            assert codes.count((1.0, "cooling")) == 4
            assert codes.count((1.0, None)) == 1

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("kind", [Fallback, LoadBalance, Race])
def test_a_balancer_queues_only_when_every_member_is_busy(
    kind: type[Fallback | LoadBalance | Race],
) -> None:
    """While one member has a free place nobody waits; then the calls wait in line."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = tuple(
            cast.provider(name, Answers(after=1.0), max_concurrency=1, mailbox=1)
            for name in ("a", "b", "c")
        )
        async with world.open(Config(default=kind(members))) as llm:
            busy = world.rng.sample(("a", "b", "c"), world.rng.randint(1, 3))
            async with trio.open_nursery() as nursery:
                for name in busy:
                    nursery.start_soon(llm.provider(name).generate, "holds the place")
                await trio.sleep(0.25)
                reply = await llm.generate("hello")
            if len(busy) < 3:
                assert reply.provider not in busy
                assert 1.25 <= trio.current_time() < 1.3
            else:
                assert 2.0 <= trio.current_time() < 2.1
            assert_idle(cast, llm)
            assert all(script.most_running <= 1 for script in cast.scripts.values())

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_full_line_is_refused_at_once() -> None:
    """A request beyond the places and the line is refused without any time passing."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = cast.provider("a", Answers(after=1.0), max_concurrency=1, mailbox=2)
        async with world.open(Config(default=provider)) as llm:
            refused: list[tuple[float, str | None, int]] = []

            async def caller() -> None:
                try:
                    await llm.generate("hello")
                except ProviderUnavailableError as error:
                    refused.append((trio.current_time(), error.code, len(error.attempts)))

            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(caller)
            assert refused == [(0.0, "mailbox_full", 0)] * 2
            assert cast.started == 3

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("kind", [Fallback, LoadBalance])
def test_a_full_member_is_passed_over_in_the_same_instant(
    kind: type[Fallback | LoadBalance],
) -> None:
    """A balancer that meets a full line takes the next member in the same tick."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = cast.provider("a", Answers(after=8.0), max_concurrency=1, mailbox=1)
        b = cast.provider("b", Answers(after=1.0), max_concurrency=1, mailbox=1)
        async with world.open(Config(default=kind((a, b)))) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(llm.provider("a").generate, "fills it")
                await trio.sleep(0.5)
                assert (await llm.generate("hello")).provider == "b"
                assert trio.current_time() == 1.5
                nursery.start_soon(llm.provider("b").generate, "holds the place")
                await trio.sleep(0.25)
                assert (await llm.generate("hello")).provider == "b"
                assert trio.current_time() == 3.5
            assert not kinds(world.log, "AttemptFailed")

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_place_survives_neither_crash_nor_restart() -> None:
    """After a crash of the actor with every place taken, all places are free again."""

    async def scenario(world: World) -> None:
        cast = Cast()
        script = (Crashes(after=1.0, actor=True), Stalls(), Answers())
        provider = cast.provider("a", script, max_concurrency=2, mailbox=5)
        async with world.open(Config(default=provider)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(_ask_quietly, llm)
                await trio.sleep(5.0)
                assert_idle(cast, llm)
            assert (await llm.generate("hello")).text == "ok"
            assert cast.scripts["a"].opened == 2

    async def _ask_quietly(llm: Runtime) -> None:
        await _ask(llm, streaming=False)

    run(scenario)
