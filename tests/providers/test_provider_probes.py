"""Probes: a provider is asked for its health alone, and nobody else notices."""

import itertools
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    BreakerSettings,
    Config,
    CooldownSettings,
    HealthCheck,
    InvalidRequestError,
    ListModels,
    LLMError,
    Provider,
    ProviderTimeoutError,
    Race,
    RateLimit,
    Runtime,
)
from trio_llm.chat import UNKNOWN
from trio_llm.providers.backend import Work
from trio_llm.testing import (
    Answers,
    Clings,
    Crashes,
    Entry,
    Fails,
    Lists,
    RateLimits,
    ScriptedProvider,
    Stalls,
    Step,
    World,
    run,
)
from trio_llm.testing.upstream import Behaviour, MemoryUpstream

EVERY_TEN = HealthCheck(interval=10.0, jitter=0.0, timeout=2.0)
REST = CooldownSettings(initial=15.0, after_failures=1)
EXACT = BreakerSettings(jitter=0.0)


def _probed(cast: Cast, script: Any, **settings: Any) -> Provider:
    settings = {"health_check": EVERY_TEN, "cooldown": REST, "breaker": EXACT, **settings}
    return cast.provider("a", script, **settings)


def _probes(log: Sequence[Entry], name: str = "a") -> list[tuple[float, bool]]:
    return [
        (entry.time, field(entry, "healthy"))
        for entry in kinds(log, "ProbeFinished")
        if entry.actor == name
    ]


async def _fail(llm: Runtime) -> None:
    with pytest.raises(LLMError):
        await llm.generate("hello")


def test_a_probe_asks_for_one_token_and_counts_as_no_traffic() -> None:
    """It stands in the count of probes and in two events, and nowhere else."""

    async def scenario(world: World) -> None:
        asked: list[Work] = []

        def script(work: Work) -> Step:
            asked.append(work)
            return Answers(after=0.5)

        async with world.open(Config(default=_probed(Cast(), script))) as llm:
            untouched = llm.statistics().calls
            await trio.sleep(35.0)
            counts, status = llm.statistics().calls, llm.status()[0]
            assert counts == attrs.evolve(untouched, probes=3, cost=UNKNOWN)
            assert (status.last_used, status.latency, status.success_rate) == (None, None, None)
            assert llm.statistics().distribution == {}
        request = asked[0].conversation
        assert (request.messages[0].text, request.max_tokens) == ("ping", 1)
        assert len({(work.call, work.number) for work in asked}) == 3
        assert _probes(world.log) == [(10.5, True), (21.0, True), (31.5, True)]
        assert {entry.kind for entry in world.log} == {
            "ProbeStarted",
            "ProbeFinished",
            "ActorDrained",
        }

    run(scenario)


def test_there_is_no_probe_while_callers_are_answered() -> None:
    """Passive first: real traffic that succeeds says enough, real traffic that fails does not."""

    async def scenario(world: World) -> None:
        def script(work: Work) -> Step:
            failing = work.call and trio.current_time() > 31.0
            return Fails(InvalidRequestError) if failing else Answers()

        async with world.open(Config(default=_probed(Cast(), script))) as llm:
            for _ in range(5):
                await trio.sleep(6.0)
                await llm.generate("hello")
            assert _probes(world.log) == []
            for _ in range(4):
                await trio.sleep(6.0)
                await _fail(llm)
            assert _probes(world.log) == [(40.0, True), (50.0, True)]

    run(scenario)


def test_a_probe_brings_a_provider_back() -> None:
    """Not during the rest; after it the next probe closes the breaker, without a caller."""

    async def scenario(world: World) -> None:
        provider = _probed(Cast(), [Fails(), Fails(), Answers()])
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)  # rests until 15
            await trio.sleep(19.0)
            assert llm.status()[0].state == "probing"
            await trio.sleep(2.0)  # the probe at 20 fails: rests for 30 s
            assert llm.status()[0].cooldown_remaining == 29.0
            await trio.sleep(30.0)
            assert llm.status()[0].state == "ready"
        assert _probes(world.log) == [(20.0, False), (50.0, True)]
        (recovered,) = kinds(world.log, "ProviderRecovered")
        assert (recovered.time, field(recovered, "after_seconds")) == (50.0, 50.0)

    run(scenario)


def test_a_probe_that_takes_too_long_is_a_failure() -> None:
    """The limit of the health check holds for it, and not those of the provider."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=_probed(Cast(), Stalls()))) as llm:
            await trio.sleep(13.0)
            assert llm.status()[0].state == "cooling"
        (finished,) = kinds(world.log, "ProbeFinished")
        assert (finished.time, field(finished, "error")) == (12.0, ProviderTimeoutError.__name__)

    run(scenario)


def test_a_probe_without_a_place_is_left_out() -> None:
    """With every place taken, or the rate limit reached, it does not even wait."""

    async def scenario(world: World) -> None:
        full = _probed(Cast(), Stalls(), max_concurrency=1)
        async with world.open(Config(default=full)) as llm:
            with trio.move_on_after(25.0):
                await llm.generate("holds the place")
            assert llm.statistics().calls.probes == 0
            await trio.sleep(7.0)
            assert llm.statistics().calls.probes == 1
        limit = RateLimit(requests_per_minute=2.0)
        async with world.open(Config(default=_probed(Cast(), Answers(), rate_limit=limit))) as llm:
            await trio.sleep(65.0)
            assert llm.statistics().calls.probes == 2  # one in thirty seconds

    run(scenario)


def test_the_list_of_models_can_be_asked_for_instead() -> None:
    """It costs nothing; a provider that has none is asked for a token all the same."""

    async def scenario(world: World) -> None:
        check = attrs.evolve(EVERY_TEN, call="models")
        asked: list[type] = []

        def script(work: Work) -> Step:
            asked.append(type(work.request))
            return Lists() if isinstance(work.request, ListModels) else Answers()

        a = Provider("custom", "a", cls=ScriptedProvider(script, {ListModels}), health_check=check)
        b = Provider("custom", "b", cls=ScriptedProvider(script), health_check=check)
        async with world.open(Config(default=Race((a, b)))):
            await trio.sleep(11.0)
        assert {each.__name__ for each in asked} == {"ListModels", "Request"}

    run(scenario)


def test_intervals_differ_by_chance_and_by_seed() -> None:
    """Probes of several providers do not come together, and a seed replays them."""

    async def scenario(world: World) -> list[tuple[str, float]]:
        cast = Cast()
        check = HealthCheck(interval=10.0, jitter=0.5)
        members = [cast.provider(name, Answers(), health_check=check) for name in "abc"]
        async with world.open(Config(default=Race(members))):
            await trio.sleep(100.0)
        return [(entry.actor, entry.time) for entry in kinds(world.log, "ProbeStarted")]

    first, again, other = (run(scenario, seed=seed).value for seed in (1, 1, 2))
    assert first == again != other
    for name in "abc":
        times = [0.0, *(time for actor, time in first if actor == name)]
        pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert all(5.0 <= pause <= 15.0 for pause in pauses)
        assert len(set(pauses)) == len(pauses)
    assert len({time for _, time in first}) == len(first)


def test_a_check_shares_the_probe_that_runs() -> None:
    """Two checks, a monitor and the interval's own probe never ask twice at once."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _probed(cast, Answers(after=1.5))
        found: list[tuple[float, bool, float]] = []
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:

            async def check() -> None:
                health = await llm.check()
                found.append((trio.current_time(), health.healthy, health.latency))

            await trio.sleep(10.5)  # the interval's own probe runs
            for _ in range(2):
                nursery.start_soon(check)
            await trio.sleep(3.0)
            for _ in range(3):
                nursery.start_soon(check)
            await trio.sleep(2.0)
            assert cast.scripts["a"].most_running == 1
            nursery.cancel_scope.cancel()
        assert found == [(11.5, True, 1.5)] * 2 + [(15.0, True, 1.5)] * 3
        assert len(_probes(world.log)) == 2

    run(scenario)


def test_a_shared_check_goes_on_until_the_last_has_left() -> None:
    """A caller that is cancelled does not take it from another; the last one takes it along."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(Config(default=cast.provider("a", Stalls()))) as llm:

            async def check(patience: float) -> None:
                with trio.move_on_after(patience):
                    await llm.check()
                assert trio.current_time() == patience

            async with trio.open_nursery() as nursery:
                for patience in (1.0, 2.0, 3.0):
                    nursery.start_soon(check, patience)
                await trio.sleep(2.5)
                assert cast.running == 1
            assert cast.running == 0
            assert llm.status()[0].in_flight == 0
            assert llm.status()[0].failures == 0
        assert [at for at, _ in _probes(world.log)] == [3.0]

    run(scenario)


def test_a_check_that_does_not_leave_is_named_and_counted() -> None:
    """Its caller waits for it for `close_deadline`, and no longer."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Clings(20.0))
        async with world.open(Config(default=provider, close_deadline=2.0)) as llm:
            with trio.move_on_after(1.0):
                await llm.check()
            assert trio.current_time() == 3.0
            assert llm.statistics().overruns == 1
        assert len(kinds(world.log, "CleanupOverran")) == 1

    run(scenario)


def test_a_check_waits_for_a_place_and_a_resting_provider_says_no() -> None:
    """As any caller it stands in line; during a rest the answer is known without asking."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = (Answers(after=2.0), Answers(after=1.0), RateLimits(30.0))
        async with world.open(Config(default=cast.provider("a", steps, max_concurrency=1))) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, "holds the place")
                await trio.sleep(1.0)
                health = await llm.check()
                assert (health.healthy, health.latency) == (True, 1.0)
                assert trio.current_time() == 3.0
            await _fail(llm)
            resting = await llm.check()
            assert (resting.healthy, resting.latency, cast.started) == (False, 0.0, 3)
            assert "cooling down" in str(resting.error)

    run(scenario)


def test_a_check_finds_out_that_a_key_is_good_again() -> None:
    """A provider whose key was refused can be asked by hand before its rest is over."""

    async def scenario(world: World) -> None:
        upstream = MemoryUpstream((Behaviour(status=401), Behaviour(status=401), Behaviour()))
        provider = Provider(
            "openai_compatible",
            "a",
            base_url=upstream.base_url("openai_chat"),
            model="m",
            api_key="sk-refused-for-now",
            breaker=BreakerSettings(jitter=0.0, authentication_rest=300.0),
        )
        async with world.open(Config(default=provider), transport=upstream) as llm:
            await _fail(llm)
            await trio.sleep(100.0)
            refused = await llm.check()
            assert (refused.healthy, type(refused.error).__name__) == (False, "AuthenticationError")
            assert llm.status()[0].cooldown_remaining == 200.0
            assert llm.status()[0].breaker == "authentication_dead"
            accepted = await llm.check()
            assert (accepted.healthy, accepted.model) == (True, "m")
            assert (llm.status()[0].state, llm.status()[0].breaker) == ("ready", "closed")
            await llm.generate("hello")
        assert len(kinds(world.log, "ProviderRecovered")) == 1

    run(scenario)


@pytest.mark.parametrize("step", [Crashes(after=1.0), Crashes(after=1.0, actor=True)])
def test_a_probe_that_crashes_is_a_failure_and_nothing_worse(step: Crashes) -> None:
    """A bug in the provider's code harms the probe; one that breaks the actor restarts it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(Config(default=_probed(cast, [step, Answers()]))) as llm:
            await trio.sleep(12.0)
            status = llm.status()[0]
            assert (status.state, status.restarts) == ("cooling", int(step.actor))
            assert (status.in_flight, status.failures) == (0, 1)
            await trio.sleep(40.0)
            assert llm.status()[0].state == "ready"
            assert (await llm.generate("hello")).text == "ok"

    run(scenario)


def test_nobody_waits_for_a_probe_when_the_runtime_closes() -> None:
    """Leaving the block ends it at once, and a reload that drops the provider likewise."""

    async def scenario(world: World) -> None:
        cast = Cast()
        slow = attrs.evolve(EVERY_TEN, timeout=1000.0)
        provider = _probed(cast, Stalls(), health_check=slow)
        async with world.open(Config(default=provider)) as llm:
            await trio.sleep(15.0)
            assert cast.running == 1
            await llm.reload(Config(default=cast.provider("b", Answers())))
            await trio.sleep(1.0)
            assert cast.running == 0
            await llm.reload(Config(default=provider))
            await trio.sleep(15.0)
            assert cast.running == 1
        assert trio.current_time() == 31.0
        assert cast.running == 0

    run(scenario)


def test_a_check_of_a_provider_that_is_gone_says_so() -> None:
    """After the block the answer is no, at once."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Cast().provider("a", Answers()))) as llm:
            pass
        health = await llm.check()
        assert (health.healthy, getattr(health.error, "code", "")) == (False, "down")

    run(scenario)
