"""The monitor: it probes everybody on an interval, and shows outages and their ends."""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
import trio

from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    Config,
    ConfigError,
    CooldownSettings,
    Fallback,
    HealthCheck,
    InvalidRequestError,
    LLMError,
    LoadBalance,
    Runtime,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Crashes,
    Entry,
    Fails,
    Stalls,
    Step,
    World,
    explore,
    run,
    seeds,
)


def _probes(log: Sequence[Entry], name: str = "a") -> list[tuple[float, bool]]:
    return [
        (entry.time, field(entry, "healthy"))
        for entry in kinds(log, "ProbeFinished")
        if entry.actor == name
    ]


def test_a_monitor_probes_everybody_on_its_interval() -> None:
    """The first round is at once; it goes on for ever, and follows a reload."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a, b, c = (cast.provider(name, Answers(after=0.25)) for name in "abc")
        async with world.open(Config(default=Fallback((a, LoadBalance((b,)))))) as llm:
            async with trio.open_nursery() as nursery:
                await nursery.start(llm.monitor, 20.0)
                assert trio.current_time() == 0.0
                await trio.sleep(30.0)
                await llm.reload(Config(default=Fallback((a, c))))
                await trio.sleep(30.0)
                nursery.cancel_scope.cancel()
            assert {name: len(_probes(world.log, name)) for name in "abc"} == {
                "a": 3,
                "b": 2,
                "c": 1,
            }
            rounds = [math.floor(at / 20.0) for at, _ in _probes(world.log)]
            assert rounds == [0, 1, 2]
            assert all(at % 20.0 <= 2.25 for at, _ in _probes(world.log))

    run(scenario)


def test_a_monitor_shows_an_outage_and_its_end() -> None:
    """Without any caller the provider is found down, and found up again."""

    async def scenario(world: World) -> None:
        def script(_work: Work) -> Step:
            return Fails() if 50.0 <= trio.current_time() < 200.0 else Answers()

        settings = CooldownSettings(initial=5.0, maximum=20.0, after_failures=2)
        provider = Cast().provider("a", script, cooldown=settings)
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            await nursery.start(llm.monitor, 10.0)
            await trio.sleep(300.0)
            nursery.cancel_scope.cancel()
        (recovered,) = kinds(world.log, "ProviderRecovered")
        assert 200.0 <= recovered.time <= 231.0
        first_open = kinds(world.log, "BreakerChanged")[0]
        assert 50.0 <= first_open.time <= 72.0

    run(scenario)


def test_a_monitor_can_be_told_whom_to_watch() -> None:
    """By provider, or by a balancer for all below it; an unknown name is said at once."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a, b, c = (cast.provider(name, Answers()) for name in "abc")
        inner = LoadBalance((b, c), name="inner")
        async with world.open(Config(default=Fallback((a, inner)))) as llm:
            with trio.move_on_after(5.0):
                await llm.monitor(20.0, names=["inner", "b"])
            assert [len(_probes(world.log, name)) for name in "abc"] == [0, 1, 1]
            with pytest.raises(ConfigError, match='no provider named "x"'):
                await llm.monitor(20.0, names=["x"])
            for interval in (0.0, -1.0, math.inf, math.nan, True):
                with pytest.raises(InvalidRequestError, match="interval must be"):
                    await llm.monitor(interval)

    run(scenario)


def test_probes_are_never_two_and_never_traffic() -> None:
    """Whatever checks, monitors, callers, crashes and cancels do together."""
    steps: tuple[Step, ...] = (
        Answers(after=0.5),
        Answers(after=1.5),
        Fails(after=0.5),
        Stalls(),
        Crashes(after=0.5),
        Crashes(after=0.75, actor=True),
    )

    async def scenario(world: World) -> None:
        rng, cast = world.rng, Cast()
        probing = calls = 0

        class _Drawn:
            """Counts the probes inside, and draws what becomes of this attempt."""

            async def play(self, work: Work) -> Any:
                nonlocal probing, calls
                step = rng.choice(steps)
                if work.call:
                    calls += 1
                    return await step.play(work)
                probing += 1
                assert probing == 1
                try:
                    return await step.play(work)
                finally:
                    probing -= 1

        provider = cast.provider(
            "a",
            _Drawn(),
            max_concurrency=rng.randint(1, 2),
            health_check=HealthCheck(interval=1.0, jitter=0.5, timeout=2.0),
            cooldown=CooldownSettings(initial=0.5, maximum=1.0, after_failures=rng.randint(1, 2)),
        )

        async def checker(llm: Runtime) -> None:
            for _ in range(3):
                await trio.sleep(rng.randrange(8) / 4)
                with trio.move_on_after(rng.choice((0.25, 1.0, 3.0))):
                    await llm.check()

        async def caller(llm: Runtime) -> None:
            for _ in range(3):
                await trio.sleep(rng.randrange(8) / 4)
                with trio.move_on_after(rng.choice((0.25, 1.0, 3.0))):
                    with suppress(LLMError):
                        await llm.generate("hello")

        async with world.open(Config(default=provider)) as llm:
            async with trio.open_nursery() as watching:
                await watching.start(llm.monitor, 0.75)
                async with trio.open_nursery() as nursery:
                    for _ in range(3):
                        nursery.start_soon(checker, llm)
                        nursery.start_soon(caller, llm)
                watching.cancel_scope.cancel()
            counts = llm.statistics().calls
            assert counts.attempts == calls
            assert counts.probes == len(kinds(world.log, "ProbeStarted"))
        assert len(kinds(world.log, "ProbeStarted")) == len(kinds(world.log, "ProbeFinished"))
        assert cast.running == 0

    explore(scenario, seeds=seeds(1000, share=50))
