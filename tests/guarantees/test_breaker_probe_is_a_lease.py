"""A half-open provider lets one request through, and whatever happens to it resolves it.

The probe is a lease: success, failure, a caller's cancel, a crash of the job or of the
actor, and a place in the line that is given up, all of them free it. So at no instant are
two probes inside, and none is lost, which would leave the provider shut for ever.
"""

import math
import random
from collections.abc import Callable
from typing import Any

import attrs
import trio

from tests.guarantees.breaker_scenes import assert_nothing_leaked, gate_of
from tests.guarantees.scenes import Cast, assert_idle, kinds
from tests.operations.operations_stage import CancelBefore
from trio_llm import (
    BreakerSettings,
    Config,
    CooldownSettings,
    Endpoint,
    Fallback,
    InvalidRequestError,
    LLMError,
    LoadBalance,
    Provider,
    Race,
    RateLimit,
    Restart,
    Retry,
    Runtime,
)
from trio_llm.chat import AnyResult
from trio_llm.config.schema import Member
from trio_llm.policy import BreakerState
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Crashes,
    Fails,
    RateLimits,
    Stalls,
    Step,
    World,
    explore,
    run,
    seeds,
)

STEPS: tuple[Step, ...] = (
    Answers(after=0.5),
    Answers(after=0.25, pieces=3, gap=0.25),
    Fails(after=0.25),
    Fails(after=0.5),
    Fails(InvalidRequestError, after=0.25),
    RateLimits(0.5, after=0.25),
    Stalls(),
    Crashes(after=0.25),
    Crashes(after=0.5, actor=True),
)
QUICK = CooldownSettings(initial=0.5, maximum=2.0, after_failures=1)


@attrs.define(eq=False)
class Inside:
    """Plays a drawn step, and demands that at most one of those inside is a probe."""

    draw: Callable[[Work], Step]
    llm: "Callable[[], Runtime]"
    probes: int = 0
    most: int = 0

    async def play(self, work: Work) -> AnyResult:
        """Count it among the probes if it begins while the breaker is half open."""
        breaker = gate_of(self.llm()).circuit.breaker
        probe = breaker.state(trio.current_time()) is BreakerState.HALF_OPEN
        assert breaker.remaining(trio.current_time()) == 0.0, "a resting provider was asked"
        self.probes += probe
        self.most = max(self.most, self.probes)
        assert self.probes <= 1
        try:
            return await self.draw(work).play(work)
        finally:
            self.probes -= probe


async def _ask(llm: Endpoint, *, streaming: bool) -> None:
    try:
        if not streaming:
            await llm.generate("hello")
            return
        async with llm.stream("hello") as stream:
            async for _event in stream:
                pass
    except LLMError:
        pass


def test_at_most_one_probe_at_any_instant_and_none_is_lost() -> None:
    """Under random outcomes, cancels and crashes; in the end the provider serves again."""

    async def scenario(world: World) -> int:
        rng, cast = world.rng, Cast()
        calm = False
        runtime: list[Runtime] = []

        def draw(_work: Work) -> Step:
            return Answers(after=0.25) if calm else rng.choice(STEPS)

        inside = Inside(draw, lambda: runtime[0])
        settings: dict[str, Any] = {}
        if rng.random() < 0.3:
            settings["rate_limit"] = RateLimit(requests_per_minute=240.0)
        if rng.random() < 0.3:
            settings["retry"] = Retry(attempts=2, base_delay=0.5)
        provider = cast.provider(
            "a",
            inside,
            max_concurrency=rng.randint(1, 4),
            mailbox=20,
            cooldown=attrs.evolve(QUICK, after_failures=rng.randint(1, 3)),
            **settings,
        )
        restart = Restart(max_restarts=1000, backoff=0.25, max_backoff=0.25)
        shape = rng.choice(("flat", "fallback", "balance"))
        member: Member = provider
        if shape == "fallback":
            member = Fallback((provider,), name="f")
        elif shape == "balance":
            member = LoadBalance((provider,), name="f")

        async def caller(llm: Runtime) -> None:
            for _ in range(3):
                await trio.sleep(rng.randrange(12) / 4)
                with trio.move_on_after(rng.choice((0.25, 0.5, 2.0, 10.0))):
                    await _ask(llm, streaming=rng.random() < 0.3)

        async with world.open(Config(default=member, restart=restart)) as llm:
            runtime.append(llm)
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(caller, llm)
            await trio.sleep(8.0)
            assert_idle(cast, llm)
            assert_nothing_leaked(llm)
            calm = True
            for _ in range(2):
                assert (await llm.generate("hello")).text == "ok"
            assert llm.provider("a").status_of().breaker == "closed"
            assert_nothing_leaked(llm)
        return inside.most

    assert any(outcome.value for outcome in explore(scenario, seeds=seeds(1000, share=50)))


def _single(cast: Cast, **settings: Any) -> Member:
    return _half_open(cast, **settings)


def _in_fallback(cast: Cast, **settings: Any) -> Member:
    return Fallback((_half_open(cast, **settings), cast.provider("b", Answers(after=2.0))))


def _in_race(cast: Cast, **settings: Any) -> Member:
    return Race((_half_open(cast, **settings), cast.provider("b", Answers(after=2.0))))


def _half_open(cast: Cast, **settings: Any) -> Provider:
    script = (Fails(), Answers(after=1.0, pieces=2, gap=0.5))
    exact = BreakerSettings(jitter=0.0)
    return cast.provider("a", script, cooldown=QUICK, breaker=exact, **settings)


async def _call(llm: Runtime, *, streaming: bool) -> None:
    if not streaming:
        await llm.generate("hello")
        return
    async with llm.stream("hello") as stream:
        async for _event in stream:
            pass


def _cancelled_at(
    shape: Callable[..., Member], step: int, *, streaming: bool, schedule: int, waits: bool
) -> int:
    """Cancel the probe, or the first in line behind it, before a step; give the steps taken."""
    cast = Cast()

    async def scenario(world: World) -> int:
        config = Config(default=shape(cast, max_concurrency=2))
        async with world.open(config) as llm, trio.open_nursery() as nursery:
            await _ask(llm.provider("a"), streaming=False)
            await trio.sleep(0.5)
            assert llm.provider("a").status_of().breaker == "half_open"
            if waits:
                nursery.start_soon(llm.provider("a").generate, "the probe")
                await trio.sleep(0.25)
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            trio.lowlevel.add_instrument(instrument)
            with scope:
                await _call(llm, streaming=streaming)
            trio.lowlevel.remove_instrument(instrument)
            # Whoever comes next is served: the probe was not lost.
            await llm.provider("a").generate("hello")
            status = llm.provider("a").status_of()
            assert (status.breaker, status.failures) == ("closed", 0)
            await trio.sleep(2.0)
            assert_idle(cast, llm)
            assert_nothing_leaked(llm)
        return instrument.steps

    return run(scenario, schedule=schedule).value


def test_a_probe_that_is_cancelled_before_any_step_is_free_again() -> None:
    """So is the place of one that waits in line behind it, in every shape."""
    count = 0
    for seed in seeds(1000, share=100, least=12):
        rng = random.Random(seed)
        shape = (_single, _in_fallback, _in_race)[seed % 3]
        streaming, waits = rng.random() < 0.5, rng.random() < 0.5
        whole = _cancelled_at(shape, -1, streaming=streaming, schedule=seed, waits=waits)
        for step in range(seed % 2, whole, 1 + (seed >= 12)):
            _cancelled_at(shape, step, streaming=streaming, schedule=seed, waits=waits)
            count += 1
    assert count > 50


def test_under_an_outage_one_call_in_each_window_reaches_the_provider() -> None:
    """Callers that never stop send a dead provider what its breaker lets through, no more."""

    async def scenario(world: World) -> None:
        cast, dead_until = Cast(), 400.0
        began: list[float] = []

        def script(_work: Work) -> Step:
            began.append(trio.current_time())
            down = 10.0 <= trio.current_time() < dead_until
            return Fails(after=1.0) if down else Answers(after=1.0)

        a = cast.provider("a", script, retry=Retry(attempts=2))
        tree = Fallback((a, cast.provider("b", Answers(after=1.0), max_concurrency=64)))
        served = {"a": 0, "b": 0}

        async def caller(llm: Runtime) -> None:
            while trio.current_time() < 800.0:
                served[(await llm.generate("hello")).provider] += 1
                await trio.sleep(world.rng.uniform(0.0, 6.0))

        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(caller, llm)
        rests = [entry.time for entry in kinds(world.log, "CooldownStarted")]
        (recovered,) = kinds(world.log, "ProviderRecovered")
        assert 5 <= len(rests) <= 9
        for start, end in zip(rests, [*rests[1:], recovered.time], strict=True):
            assert sum(start < at < end for at in began) == 1
        # It is back within one rest of the end of the outage, and serves everybody again.
        assert dead_until <= recovered.time <= dead_until + 300.0 * 1.1 + 3.0
        assert sum(at > recovered.time for at in began) > 30
        assert served["b"] > 200

    explore(scenario, seeds=seeds(300, share=150, least=2))


def test_nobody_starves_in_the_line() -> None:
    """However the breaker opens and closes, who waits is served, or told, in a bounded time."""

    async def scenario(world: World) -> None:
        rng = world.rng
        steps = (Answers(after=0.5), Answers(after=0.5), Fails(after=0.5))

        def script(_work: Work) -> Step:
            return rng.choice(steps)

        provider = Cast().provider(
            "a", script, max_concurrency=1, mailbox=100, cooldown=attrs.evolve(QUICK, maximum=0.5)
        )
        waits: list[float] = []

        async def caller(llm: Runtime) -> None:
            for _ in range(5):
                began = trio.current_time()
                await _ask(llm, streaming=False)
                waits.append(trio.current_time() - began)
                await trio.sleep(rng.randrange(4) / 4)

        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(caller, llm)
        assert len(waits) == 40
        assert max(waits) <= 8 * 0.5 + 1e-6 < math.inf

    explore(scenario, seeds=seeds(1000, share=50))
