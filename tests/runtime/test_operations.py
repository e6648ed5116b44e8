"""Status, statistics, check, events, and one provider by name."""

import logging

import pytest
import trio
import trio.testing

from trio_llm import (
    AllProvidersFailed,
    BreakerSettings,
    Config,
    CooldownSettings,
    Fallback,
    Provider,
    ProviderUnavailableError,
    Race,
    ServerError,
    Simulation,
    open_runtime,
    run_runtime,
)
from trio_llm.events import Event, RequestFinished
from trio_llm.providers.catalogue import KINDS
from trio_llm.testing import Answers, Fails, ScriptedProvider, Stalls, World, run
from trio_llm.testing.script import Script
from trio_llm.testing.world import EPOCH


def _scripted(name: str, script: Script, after_failures: int = 3) -> Provider:
    return Provider(
        "custom",
        name,
        cls=ScriptedProvider(script),
        max_concurrency=2,
        cooldown=CooldownSettings(initial=10.0, after_failures=after_failures),
        breaker=BreakerSettings(jitter=0.0),
    )


def test_status_shows_every_actor_members_first() -> None:
    """Places, line, cooldown, failures and last use are those of the moment."""

    async def scenario(world: World) -> None:
        tree = Fallback([_scripted("bad", Fails(), 1), _scripted("good", Stalls())], name="both")
        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            await trio.sleep(5.0)
            for _ in range(3):
                nursery.start_soon(llm.generate, "hi")
            await trio.sleep(1.0)
            bad, good, both = llm.status()
            # The second was under way when the first began the rest: that is old news.
            assert (bad.name, bad.kind, bad.state, bad.failures) == ("bad", "custom", "cooling", 1)
            assert bad.breaker == "open"
            assert (bad.cooldown_remaining, bad.cooldown_until) == (9.0, EPOCH + 15.0)
            assert (good.state, good.occupied, good.in_flight, good.queued) == (
                "occupied",
                True,
                2,
                1,
            )
            assert (good.last_used, good.max_concurrency) == (EPOCH + 5.0, 2)
            assert (both.kind, both.in_flight, both.members) == ("fallback", 3, ("bad", "good"))
            nursery.cancel_scope.cancel()

    run(scenario)


def test_statistics_count_calls_attempts_wins_and_tokens() -> None:
    """The counts add up to what was asked, by node and for the default."""

    async def scenario(world: World) -> None:
        race = Race([_scripted("fast", Answers(after=1.0)), _scripted("slow", Answers(after=2.0))])
        async with world.open(Config(default=race)) as llm:
            for _ in range(4):
                await llm.generate("hi")
            counts = llm.statistics()
        assert (counts.calls.requests, counts.calls.succeeded) == (4, 4)
        assert counts.calls.success_rate == 1.0
        assert counts.calls.average_latency == pytest.approx(1.0)
        fast, slow = counts.nodes["fast"], counts.nodes["slow"]
        assert (fast.attempts, fast.wins, fast.output_tokens) == (4, 4, 4)
        assert (slow.attempts, slow.cancelled, slow.wins, slow.success_rate) == (4, 4, 0, None)
        assert counts.distribution == {"fast": 0.5, "slow": 0.5}

    run(scenario)


def test_check_asks_for_one_token_and_says_how_that_went() -> None:
    """Health is an answer, not an exception; the default is checked unless one is named."""

    async def scenario(world: World) -> None:
        tree = Fallback([_scripted("bad", Fails(after=2.0)), _scripted("good", Answers(after=1.0))])
        async with world.open(Config(default=tree)) as llm:
            healthy = await llm.check()
            assert (healthy.healthy, healthy.latency, healthy.model) == (True, 3.0, "good")
            sick = await llm.check("bad")
            assert (sick.healthy, sick.latency) == (False, 2.0)
            assert isinstance(sick.error, ServerError)

    run(scenario)


def test_a_check_that_is_refused_at_once_lets_others_run() -> None:
    """Whoever checks a balancer in a loop holds up nobody, also when no member can be asked."""

    async def scenario(world: World) -> None:
        tree = Fallback([_scripted("bad", Fails(), 1), _scripted("worse", Fails(), 1)], name="f")
        async with world.open(Config(default=tree)) as llm:
            assert not (await llm.check()).healthy
            with trio.testing.assert_checkpoints():
                assert not (await llm.check()).healthy

    run(scenario)


def test_an_observer_sees_everything_until_it_unsubscribes() -> None:
    """`subscribe` gives the way out, and others go on seeing."""

    async def scenario(world: World) -> None:
        seen: list[Event] = []
        async with world.open(Config(default=Provider("simulated", "s"))) as llm:
            unsubscribe = llm.subscribe(seen.append)
            await llm.generate("hi")
            unsubscribe()
            await llm.generate("hi")
        assert [event.call for event in seen if isinstance(event, RequestFinished)] == [1]
        assert [entry.kind for entry in world.log].count("RequestFinished") == 2

    run(scenario)


def test_one_provider_can_be_asked_by_name() -> None:
    """An endpoint has the same operations, and its errors are not grouped."""

    async def scenario(world: World) -> None:
        tree = Fallback([_scripted("bad", Fails()), _scripted("good", Answers("fine"))])
        async with world.open(Config(default=tree)) as llm:
            bad = llm.provider("bad")
            assert bad.name == "bad"
            with pytest.raises(ServerError):
                await bad.generate("hi")
            async with llm.provider("good").stream("hi") as answer:
                assert [piece async for piece in answer.text()] == ["fine"]

    run(scenario)


def test_a_stream_shows_who_answers_and_not_what_was_asked() -> None:
    """The repr of a stream, of a typed one and of a batch holds no word of the prompt."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=_scripted("good", Answers("[1]")))) as llm:
            async with llm.stream("a private word") as stream:
                assert repr(stream) == "<ReplyStream of 'good', open>"
                async for _event in stream:
                    assert "private" not in repr(stream)
            assert repr(stream) == "<ReplyStream of 'good', ended>"
            async with llm.stream_as(list[int], "a private word") as parts:
                async for _part in parts:
                    pass
            assert "good" in repr(parts)
            assert "private" not in repr(parts)
            async with llm.batch(["a private word"]) as results:
                assert "private" not in repr(results)

    run(scenario)


def test_a_runtime_that_has_closed_refuses_at_once() -> None:
    """After the block nothing is served, and nothing hangs."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Provider("simulated", "s"))) as llm:
            pass
        with pytest.raises(ProviderUnavailableError, match="its actor is down"):
            await llm.generate("hi")

    run(scenario)


def test_a_simulated_provider_fails_as_often_as_it_is_told() -> None:
    """The failure rate is a share of attempts, drawn from the seed, and replayed by it."""

    async def scenario(world: World) -> list[bool]:
        shaky = Provider(
            "simulated",
            "shaky",
            simulation=Simulation(failure_rate=0.3, fail_with="OverloadedError", jitter=0.5),
            cooldown=CooldownSettings(after_failures=10_000),
        )
        async with world.open(Config(default=Race([shaky]))) as llm:
            ends: list[bool] = []
            for _ in range(400):
                try:
                    await llm.generate("hi")
                except AllProvidersFailed as error:
                    ends.append(error.errors[0].message != "a simulated failure")
                else:
                    ends.append(True)
        return ends

    first, again = run(scenario, seed=5).value, run(scenario, seed=5).value
    assert first == again
    assert 0.2 < first.count(False) / len(first) < 0.4


async def test_without_a_key_simulated_providers_answer_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """`open_runtime()` works on a bare machine, and does not pretend."""
    for kind in KINDS.values():
        for name in kind.variables:
            monkeypatch.delenv(name, raising=False)
    with caplog.at_level(logging.WARNING, logger="trio_llm"):
        async with open_runtime() as llm:
            assert llm.config.simulated
    assert "simulated providers answer" in caplog.text


async def test_an_application_that_owns_the_nursery_starts_the_runtime_in_it() -> None:
    """`nursery.start(run_runtime, config)` gives the runtime, and cancelling ends it."""
    async with trio.open_nursery() as nursery:
        simulated = Provider("simulated", "s", simulation=Simulation(latency=0.0, gap=0.0))
        llm = await nursery.start(run_runtime, Config(default=simulated))
        assert (await llm.generate("hi")).provider == "s"
        nursery.cancel_scope.cancel()
    assert llm.status()[0].state == "down"
