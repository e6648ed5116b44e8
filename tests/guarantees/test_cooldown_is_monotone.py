"""A cooldown never shortens, and nothing forgets it: no restart, no success, no new failure.

A Retry-After becomes an absolute instant the moment it arrives.
"""

from contextlib import suppress

import pytest
import trio

from tests.guarantees.scenes import Cast, by_attempt, field, kinds
from trio_llm import (
    BreakerSettings,
    Config,
    CooldownSettings,
    Fallback,
    HealthCheck,
    LLMError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    Restart,
    Runtime,
)
from trio_llm.testing import (
    Answers,
    Crashes,
    Fails,
    RateLimits,
    Step,
    World,
    explore,
    run,
    seeds,
)
from trio_llm.testing.world import EPOCH

EXACT = BreakerSettings(jitter=0.0)


async def _fail(llm: Runtime) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await llm.generate("hello")
    return caught.value


def test_the_end_of_a_rest_only_ever_moves_later() -> None:
    """Under random failures, successes and crashes the end of the rest never moves back."""
    steps: tuple[Step, ...] = (
        Answers(after=0.5),
        Answers(after=3.0),
        Fails(after=0.5),
        Fails(after=2.0),
        RateLimits(0.25, after=0.25),
        RateLimits(20.0, after=1.0),
        RateLimits(None, after=0.5),
        Crashes(after=1.0, actor=True),
    )

    async def scenario(world: World) -> None:
        cast = Cast()
        settings = CooldownSettings(
            initial=1.0, maximum=16.0, after_failures=world.rng.randint(1, 3)
        )
        provider = cast.provider("a", by_attempt(world.seed, "a", steps), cooldown=settings)
        restart = Restart(max_restarts=1000, backoff=0.25, max_backoff=0.25)

        async def caller(llm: Runtime) -> None:
            for _ in range(6):
                await trio.sleep(world.rng.choice((0.0, 0.5, 4.0)))
                try:
                    await llm.generate("hello")
                except LLMError:
                    continue

        async def watch(llm: Runtime) -> None:
            latest = 0.0
            while True:
                until = llm.status()[0].cooldown_until
                assert until is None or until >= latest
                assert until is not None or world.wall_clock() >= latest
                latest = until or latest
                await trio.sleep(1 / 8)

        config = Config(default=provider, restart=restart)
        async with world.open(config) as llm, trio.open_nursery() as watching:
            watching.start_soon(watch, llm)
            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(caller, llm)
            watching.cancel_scope.cancel()
        ends = [field(entry, "until") for entry in kinds(world.log, "CooldownStarted")]
        assert ends == sorted(ends)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_resting_provider_is_not_asked() -> None:
    """A call to a resting provider is refused at once, says how long, and makes no attempt."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(Config(default=cast.provider("a", RateLimits(30.0)))) as llm:
            await _fail(llm)
            await trio.sleep(10.0)
            error = await _fail(llm)
            assert isinstance(error, ProviderUnavailableError)
            assert (error.code, error.retry_after) == ("cooling", 20.0)
            assert cast.started == 1
            await trio.sleep(20.0)
            assert isinstance(await _fail(llm), RateLimitError)

    run(scenario)


def test_a_retry_after_is_an_absolute_instant() -> None:
    """The rest ends so many seconds after the refusal arrived, whatever happens in between."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", [RateLimits(100.0, after=2.0), Answers()])
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            for _ in range(5):
                await trio.sleep(7.0)
                assert llm.status()[0].cooldown_until == EPOCH + 102.0
            await trio.sleep_until(102.0)
            assert (await llm.generate("hello")).text == "ok"

    run(scenario)


def test_a_restart_does_not_forget_the_rest() -> None:
    """A provider that rests when its actor crashes still rests after the restart."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = cast.provider("a", [Crashes(after=2.0, actor=True), RateLimits(60.0, after=1.0)])
        async with world.open(Config(default=provider)) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_fail, llm)
                nursery.start_soon(_fail, llm)
            await trio.sleep(5.0)
            status = llm.status()[0]
            assert (cast.scripts["a"].opened, status.restarts) == (2, 1)
            assert status.state == "cooling"
            assert status.cooldown_until == EPOCH + 61.0

    run(scenario)


def test_each_rest_in_a_row_is_twice_as_long_up_to_the_maximum() -> None:
    """Rests double with every failure that ends one, and a success starts over."""

    async def scenario(world: World) -> None:
        script: list[Step] = [*[Fails()] * 5, Answers(), Fails()]
        settings = CooldownSettings(initial=1.0, maximum=6.0, after_failures=1)
        provider = Cast().provider("a", script, cooldown=settings, breaker=EXACT)
        async with world.open(Config(default=provider)) as llm:
            rests: list[float] = []
            for step in script:
                if isinstance(step, Fails):
                    await _fail(llm)
                    rests.append(llm.status()[0].cooldown_remaining)
                else:
                    await llm.generate("hello")
                await trio.sleep(llm.status()[0].cooldown_remaining)
            assert rests == [1.0, 2.0, 4.0, 6.0, 6.0, 1.0]

    run(scenario)


def test_failures_of_requests_under_way_do_not_escalate() -> None:
    """Many requests that fail together start one rest, and the next one is not longer for it."""

    async def scenario(world: World) -> None:
        settings = CooldownSettings(initial=1.0, maximum=64.0, after_failures=2)
        provider = Cast().provider("a", Fails(after=0.5), cooldown=settings, breaker=EXACT)
        async with world.open(Config(default=provider)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(_fail, llm)
            assert llm.status()[0].cooldown_remaining == 1.0
            await trio.sleep(1.0)
            await _fail(llm)
            assert llm.status()[0].cooldown_remaining == 2.0

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_fallback_passes_a_resting_member_over_and_comes_back() -> None:
    """While the first member rests the second serves; after the rest the first does again."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = cast.provider("a", [RateLimits(10.0), Answers()])
        async with world.open(Config(default=Fallback((a, cast.provider("b", Answers()))))) as llm:
            served: list[str] = []
            for _ in range(4):
                served.append((await llm.generate("hello")).provider)
                await trio.sleep(5.0)
            assert served == ["b", "b", "a", "a"]

    run(scenario)


def test_a_rest_of_no_length_sends_nobody_away() -> None:
    """With ``initial=0`` there is no rest: who waits in line gets the place in turn."""

    async def scenario(world: World) -> None:
        cast = Cast()
        none = CooldownSettings(initial=0.0, after_failures=1)
        script = (Fails(after=1.0), Answers(after=1.0))
        provider = cast.provider("a", script, max_concurrency=1, cooldown=none)
        async with world.open(Config(default=provider)) as llm:
            outcomes: list[str] = []

            async def caller() -> None:
                try:
                    outcomes.append((await llm.generate("hello")).text)
                except LLMError as error:
                    outcomes.append(type(error).__name__)

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(caller)
        assert outcomes == ["ServerError", "ok", "ok"]
        assert not kinds(world.log, "CooldownStarted")

    explore(scenario, seeds=seeds(1000, share=50))


def test_no_check_and_no_monitor_ends_a_rest_earlier() -> None:
    """Whatever is probed meanwhile, a rest ends when it was to end, or later."""
    steps: tuple[Step, ...] = (
        Answers(after=0.25),
        Fails(after=0.25),
        RateLimits(5.0),
        RateLimits(None),
        Fails(QuotaExceededError),
        Crashes(after=0.5, actor=True),
    )

    async def scenario(world: World) -> None:
        rng = world.rng
        provider = Cast().provider(
            "a",
            lambda _work: rng.choice(steps),
            cooldown=CooldownSettings(initial=1.0, maximum=4.0, after_failures=1),
            breaker=BreakerSettings(quota_rest=3.0),
            health_check=HealthCheck(interval=0.5),
        )
        restart = Restart(max_restarts=1000, backoff=0.25, max_backoff=0.25)

        async def watch(llm: Runtime) -> None:
            latest = 0.0
            while True:
                until = llm.status()[0].cooldown_until
                assert until is not None or world.wall_clock() >= latest
                assert until is None or until >= latest
                latest = until or latest
                await trio.sleep(1 / 16)

        async def check(llm: Runtime) -> None:
            while True:
                await trio.sleep(rng.random())
                with trio.move_on_after(rng.choice((0.1, 1.0))):
                    await llm.check()

        async def caller(llm: Runtime) -> None:
            for _ in range(8):
                await trio.sleep(rng.choice((0.0, 0.5, 2.0)))
                with suppress(LLMError):
                    await llm.generate("hello")

        config = Config(default=provider, restart=restart)
        async with world.open(config) as llm, trio.open_nursery() as nursery:
            await nursery.start(llm.monitor, 0.75)
            nursery.start_soon(watch, llm)
            nursery.start_soon(check, llm)
            await caller(llm)
            nursery.cancel_scope.cancel()
        assert kinds(world.log, "CooldownStarted")

    explore(scenario, seeds=seeds(1000, share=50))
