"""G10: retries have one owner, a cap per call, and a budget per runtime."""

from contextlib import suppress

import pytest
import trio

from trio_llm import (
    AllProvidersFailed,
    BreakerSettings,
    Config,
    Fallback,
    LoadBalance,
    Provider,
    ProviderUnavailableError,
    Race,
    RateLimitError,
    Retry,
    ServerError,
)
from trio_llm.policy import RetryBudget
from trio_llm.testing import (
    Answers,
    Fails,
    RateLimits,
    ScriptedProvider,
    World,
    explore,
    run,
    seeds,
)

EAGER = Retry(attempts=50, base_delay=0.1, max_delay=0.1)


def _failing(name: str, script: ScriptedProvider, retry: Retry = EAGER) -> Provider:
    return Provider("custom", name, cls=script, retry=retry)


def test_a_call_never_makes_more_attempts_than_its_cap_however_deep_the_tree() -> None:
    """Retries, racers and further members together stay within `max_attempts`."""

    async def scenario(world: World) -> None:
        scripts = [ScriptedProvider(Fails(ServerError)) for _ in range(4)]
        a, b, c, d = (_failing(name, s) for name, s in zip("abcd", scripts, strict=True))
        tree = Fallback([Race([a, b]), LoadBalance([c]), d])
        cap = world.rng.randint(1, 12)
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi", max_attempts=cap)
        assert sum(script.started for script in scripts) == cap
        assert len(caught.value.attempts) == cap

    explore(scenario, seeds=seeds(1000, share=50))


def test_the_configured_cap_holds_where_the_call_names_none() -> None:
    """`Config.max_attempts` is the cap of every call without one of its own."""

    async def scenario(world: World) -> int:
        script = ScriptedProvider(Fails(ServerError))
        config = Config(default=_failing("a", script), max_attempts=3)
        async with world.open(config) as llm:
            with pytest.raises(ServerError):
                await llm.generate("hi")
        return script.started

    assert run(scenario).value == 3


def test_a_call_whose_attempts_are_spent_says_so_of_members_never_tried() -> None:
    """A member that may not be tried any more appears with the code attempts_spent."""

    async def scenario(world: World) -> None:
        first, second = ScriptedProvider(Fails(ServerError)), ScriptedProvider(Answers())
        tree = Fallback([_failing("a", first), _failing("b", second)])
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi", max_attempts=1)
        errors = caught.value.errors
        assert [type(error) for error in errors] == [ServerError, ProviderUnavailableError]
        assert errors[1].code == "attempts_spent"
        assert second.started == 0

    run(scenario)


def test_retries_of_a_runtime_stay_within_its_budget() -> None:
    """Many failing callers make at most the saved, timed and earned retries together."""

    async def scenario(world: World) -> None:
        script = ScriptedProvider(Fails(ServerError))
        calls = 400
        provider = Provider(
            "custom",
            "a",
            cls=script,
            max_concurrency=calls,
            retry=Retry(attempts=10, base_delay=1.0, max_delay=1.0),
        )

        async def caller() -> None:
            with pytest.raises(ServerError):
                await llm.generate("hi")

        async with world.open(Config(default=provider)) as llm:
            started = trio.current_time()
            async with trio.open_nursery() as nursery:
                for _ in range(calls):
                    nursery.start_soon(caller)
            seconds = trio.current_time() - started
        assert script.started <= calls + 100 + 0.2 * calls + 10 * seconds + 1

    explore(scenario, seeds=seeds(100, share=25, least=4))


def test_a_wait_beyond_the_callers_deadline_is_not_waited_for() -> None:
    """A Retry-After that the caller cannot wait for gives the error at once."""

    async def scenario(world: World) -> None:
        limited = RateLimitError("slow down", retry_after=60.0)
        provider = _failing("a", ScriptedProvider(Fails(limited)), Retry(attempts=3))
        async with world.open(Config(default=provider)) as llm:
            with trio.fail_after(10.0), pytest.raises(RateLimitError):
                await llm.generate("hi")
            assert trio.current_time() == 0.0

    run(scenario)


def test_a_retry_waits_as_long_as_the_provider_asked() -> None:
    """Retry-After is kept to the letter between two attempts on one provider."""

    async def scenario(world: World) -> None:
        steps = (Fails(RateLimitError("slow down", retry_after=7.0)), Answers("at last"))
        provider = _failing("a", ScriptedProvider(steps), Retry(attempts=1))
        async with world.open(Config(default=provider)) as llm:
            reply = await llm.generate("hi")
        assert (reply.text, reply.latency) == ("at last", 7.0)
        assert [attempt.number for attempt in reply.attempts] == [1, 2]

    run(scenario)


def test_the_budget_keeps_at_most_ten_seconds_of_retries() -> None:
    """A long quiet time does not save up an unbounded burst of retries."""
    budget = RetryBudget(share=0.2, per_second=1.0)
    assert sum(budget.spend(0.0) for _ in range(100)) == 10
    assert sum(budget.spend(1e6) for _ in range(100)) == 10
    for _ in range(5):
        budget.earn()
    assert budget.spend(1e6)
    assert not budget.spend(1e6)


def test_who_may_attempt_under_a_cap_is_the_first_declared() -> None:
    """With fewer attempts than racers the first declared race, on every schedule."""

    async def scenario(world: World) -> tuple[str, ...]:
        scripts = {name: ScriptedProvider(Answers(after=1.0)) for name in "abcd"}
        a, b, c, d = (Provider("custom", name, cls=script) for name, script in scripts.items())
        tree = Race([a, LoadBalance([b]), Fallback([c]), d])
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hi", max_attempts=2)).provider == "a"
        return tuple(name for name, script in scripts.items() if script.started)

    outcomes = explore(scenario, seeds=seeds(1000, share=50))
    assert {outcome.value for outcome in outcomes} == {("a", "b")}


def test_an_attempt_that_is_not_made_can_be_made_elsewhere() -> None:
    """A call that waited in line in vain still has the attempt for the next member."""

    async def scenario(world: World) -> None:
        cooling = ScriptedProvider([RateLimits(10.0, after=1.0)])
        busy = ScriptedProvider([Answers(after=2.0), Answers("at last")])
        a, b = (
            Provider("custom", name, cls=script, max_concurrency=1)
            for name, script in (("a", cooling), ("b", busy))
        )
        async with world.open(Config(default=Fallback([a, b]))) as llm:

            async def hold(name: str) -> None:
                with suppress(RateLimitError):
                    await llm.provider(name).generate("hold the place")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(hold, "a")
                nursery.start_soon(hold, "b")
                await trio.sleep(0.5)
                reply = await llm.generate("hi", max_attempts=1)
        assert (reply.text, reply.provider, len(reply.attempts)) == ("at last", "b", 1)
        assert cooling.started == 1

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_wait_longer_than_the_longest_pause_passes_the_call_on() -> None:
    """A Retry-After of an hour does not hold a call that another member can answer."""

    async def scenario(world: World) -> None:
        limited = ScriptedProvider(RateLimits(3600.0, after=1.0))
        tree = Fallback(
            [
                _failing("limited", limited, Retry(attempts=2, max_delay=8.0)),
                _failing("spare", ScriptedProvider(Answers())),
            ]
        )
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hi")).provider == "spare"
        assert trio.current_time() == 1.0
        assert limited.started == 1

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_retry_does_not_break_the_rest_that_its_own_failure_began() -> None:
    """A 429 without Retry-After starts a rest, and the same call waits it out too."""

    async def scenario(world: World) -> float:
        script = ScriptedProvider((RateLimits(retry_after=None), Answers("rested")))
        provider = Provider(
            "custom",
            "a",
            cls=script,
            retry=Retry(attempts=1, base_delay=0.1),
            breaker=BreakerSettings(jitter=0.0),
        )
        async with world.open(Config(default=provider)) as llm:
            return (await llm.generate("hi")).latency

    assert run(scenario).value == 5.0
