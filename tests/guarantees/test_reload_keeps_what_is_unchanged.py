"""What a reload does not change lives on: life, cooldown, counts. What it changes starts anew.

A cooldown is never forgotten: a provider with other settings at the same account keeps
it, also what its old calls are told after the change, and also when it had been taken
out in between. Another key, or another address, starts fresh.
"""

from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.reload_stage import living
from tests.guarantees.scenes import Cast, assert_idle, field, kinds
from trio_llm import (
    Config,
    ConnectionFailedError,
    CooldownSettings,
    Fallback,
    LoadBalance,
    Provider,
    ProviderUnavailableError,
    Race,
    RateLimitError,
    Restart,
    Runtime,
    ServerError,
    open_runtime,
)
from trio_llm.testing import (
    Answers,
    Crashes,
    Fails,
    RateLimits,
    ScriptedProvider,
    World,
    explore,
    run,
    seeds,
)

RESTS = (RateLimits(100.0), Answers())


def _cooldown(llm: Runtime, name: str) -> float:
    return llm.provider(name).status_of().cooldown_remaining


async def _limited(llm: Runtime, name: str) -> None:
    with pytest.raises(RateLimitError):
        await llm.provider(name).generate("hello")


def test_an_unchanged_provider_keeps_its_life_its_cooldown_and_its_counts() -> None:
    """Ten reloads around a provider do not open it again, nor shorten its rest."""

    async def scenario(world: World) -> None:
        cast = Cast()
        kept = cast.provider("kept", RESTS)
        async with world.open(Config(default=Fallback((kept,), name="f"))) as llm:
            await _limited(llm, "kept")
            for number in range(10):
                other = cast.provider(f"other-{number}", Answers())
                report = await llm.reload(Config(default=Race((kept, other), name="f")))
                assert "kept" in report.kept
                assert _cooldown(llm, "kept") == 100.0 - trio.current_time()
                await trio.sleep(1.0)
            assert cast.scripts["kept"].opened == 1
            counts = llm.statistics().nodes["kept"]
            assert (counts.requests, counts.failed, counts.attempts) == (1, 1, 1)
            with pytest.raises(ProviderUnavailableError, match="cooling"):
                await llm.provider("kept").generate("hello")
            await trio.sleep(100.0)
            await llm.provider("kept").generate("hello")
        assert [entry.actor for entry in kinds(world.log, "ActorDrained")].count("kept") == 1

    explore(scenario, seeds=seeds(1000, share=50))


def test_other_settings_keep_the_cooldown_and_the_counts() -> None:
    """A provider whose settings change gets a new actor, and rests on as long as the old one."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = cast.provider("a", RESTS)
        async with world.open(Config(default=provider)) as llm:
            await _limited(llm, "a")
            await trio.sleep(10.0)
            report = await llm.reload(Config(default=attrs.evolve(provider, max_concurrency=3)))
            assert report.changed == ("a",)
            assert cast.scripts["a"].opened == 2
            (status,) = llm.status()
            assert (status.cooldown_remaining, status.max_concurrency) == (90.0, 3)
            assert llm.statistics().nodes["a"].requests == 1
            assert llm.statistics().retired == {}

    explore(scenario, seeds=seeds(1000, share=50))


def test_what_an_old_call_is_told_after_the_change_holds_for_its_successor() -> None:
    """A rate limit that reaches the old actor while it drains cools the new one, too."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = cast.provider("a", (RateLimits(50.0, after=2.0), Answers()))
        between = (attrs.evolve(provider, mailbox=7), cast.provider("b", Answers()))

        async with world.open(Config(default=provider)) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_limited, llm, "a")
                await trio.sleep(1.0)
                await llm.reload(Config(default=world.rng.choice(between)))
                await llm.reload(Config(default=attrs.evolve(provider, mailbox=8)))
                assert _cooldown(llm, "a") == 0.0
            assert trio.current_time() == 2.0
            assert _cooldown(llm, "a") == 50.0

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_rest_outlasts_the_time_for_which_its_provider_was_taken_out() -> None:
    """A provider that was removed and comes back is still in its rest, however often."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider, other = cast.provider("a", RESTS), cast.provider("b", Answers())
        async with world.open(Config(default=Fallback((provider, other), name="f"))) as llm:
            await _limited(llm, "a")
            for number in range(1, 4):
                await llm.reload(Config(default=other))
                await trio.sleep(10.0)
                report = await llm.reload(Config(default=Fallback((provider, other), name="f")))
                assert "a" in report.added
                assert _cooldown(llm, "a") == 100.0 - 10.0 * number
            assert llm.statistics().retired["a"].attempts == 1

    explore(scenario, seeds=seeds(1000, share=50))


async def _refused(llm: Runtime) -> None:
    with pytest.raises(ConnectionFailedError):  # nobody listens there
        await llm.generate("hello")


async def test_another_key_or_address_starts_fresh() -> None:
    """What one account was told does not hold for another; the counts go on by name."""

    def at(**settings: Any) -> Config:
        settings = {"base_url": "http://127.0.0.1:9/v1", "api_key": "one-key", **settings}
        touchy = CooldownSettings(initial=100.0, after_failures=1)
        return Config(
            default=Provider("openai_compatible", "a", model="m", cooldown=touchy, **settings)
        )

    async with open_runtime(at()) as llm:
        await _refused(llm)
        assert _cooldown(llm, "a") > 0
        assert (await llm.reload(at())).kept == ("a",)
        assert (await llm.reload(at(mailbox=3))).changed == ("a",)
        assert _cooldown(llm, "a") > 0
        assert (await llm.reload(at(api_key="another-key"))).changed == ("a",)
        assert _cooldown(llm, "a") == 0
        await _refused(llm)
        assert _cooldown(llm, "a") > 0
        assert (await llm.reload(at(base_url="http://127.0.0.2:9/v1"))).changed == ("a",)
        assert _cooldown(llm, "a") == 0
        assert llm.statistics().nodes["a"].attempts == 2


def test_a_provider_that_is_down_is_started_anew() -> None:
    """A reload is the way out for one that has crashed too often, even if nothing changed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        crashes = (Crashes(actor=True), Crashes(actor=True), Answers())
        config = Config(
            default=Fallback(
                (cast.provider("a", crashes), cast.provider("b", Answers())), name="f"
            ),
            restart=Restart(max_restarts=1, backoff=0.5),
        )
        async with world.open(config) as llm:
            for _ in range(2):
                assert (await llm.generate("hello")).provider == "b"
                await trio.sleep(1.0)
            assert llm.provider("a").status_of().state == "down"
            report = await llm.reload(config)
            assert (report.changed, report.kept) == (("a", "f"), ("b",))
            assert (await llm.generate("hello")).provider == "a"
            assert llm.statistics().nodes["a"].requests == 3
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_provider_that_restarts_meanwhile_is_kept_or_ends() -> None:
    """In the pause before its next life an actor is taken over, or ends at once if removed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        broken = cast.provider("a", (Crashes(actor=True), Answers()))
        good = cast.provider("b", Answers())
        restart = Restart(max_restarts=3, backoff=10.0, max_backoff=10.0)
        both = Config(default=Fallback((broken, good), name="f"), restart=restart)
        async with world.open(both) as llm:
            tasks = living()
            assert (await llm.generate("hello")).provider == "b"
            assert llm.provider("a").status_of().state == "restarting"
            assert (await llm.reload(both)).kept == ("a", "b", "f")
            if world.rng.random() < 0.5:
                await trio.sleep(10.0)
                assert (await llm.generate("hello")).provider == "a"
                assert cast.scripts["a"].opened == 2
            else:
                await llm.reload(Config(default=Fallback((good,), name="f"), restart=restart))
                await trio.testing.wait_all_tasks_blocked()
                assert living() == tasks - 1
                assert trio.current_time() < 1.0

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_balancer_lives_on_exactly_when_all_below_it_do() -> None:
    """In a nested tree a change of one leaf renews the balancers over it, and no other."""

    async def scenario(world: World) -> None:
        cast = Cast()
        leaves = {name: cast.provider(name, Answers(name)) for name in "abcd"}

        def tree() -> Config:
            left = Race((leaves["a"], leaves["b"]), name="left")
            right = LoadBalance((leaves["c"], leaves["d"]), name="right")
            return Config(default=Fallback((left, right), name="top"))

        async with world.open(tree()) as llm:
            await llm.generate("hello")
            assert len((await llm.reload(tree())).kept) == 7
            leaves["d"] = attrs.evolve(leaves["d"], mailbox=9)
            report = await llm.reload(tree())
            assert sorted(report.changed) == ["d", "right", "top"]
            assert sorted(report.kept) == ["a", "b", "c", "left"]
            await llm.generate("hello")
            counts = llm.statistics().nodes
            assert (counts["top"].requests, counts["left"].requests) == (2, 2)
            assert [cast.scripts[name].opened for name in "abcd"] == [1, 1, 1, 2]

    explore(scenario, seeds=seeds(1000, share=50))


def test_another_kind_under_an_old_name_counts_from_nothing() -> None:
    """The counts of what had the name before stand under `Statistics.retired`."""

    async def scenario(world: World) -> None:
        cast = Cast()
        one = cast.provider("a", Answers())
        async with world.open(Config(default=Fallback((one,), name="f"))) as llm:
            await llm.generate("hello")
            await llm.reload(Config(default=Race((Provider("simulated", "a"),), name="f")))
            await llm.generate("hello")
            found = llm.statistics()
            assert (found.nodes["a"].requests, found.nodes["f"].requests) == (1, 1)
            assert (found.retired["a"].requests, found.retired["f"].requests) == (1, 1)

    run(scenario)


def test_another_instance_is_another_provider() -> None:
    """A custom provider is the same only while its object is."""

    async def scenario(world: World) -> None:
        first, second = ScriptedProvider(Answers("first")), ScriptedProvider(Answers("second"))
        async with world.open(Config(default=Provider("custom", "a", cls=first))) as llm:
            assert (await llm.reload(Config(default=Provider("custom", "a", cls=first)))).kept
            assert (await llm.reload(Config(default=Provider("custom", "a", cls=second)))).changed
            assert (await llm.generate("hello")).text == "second"
            assert (first.opened, second.opened) == (1, 1)
        reloads = kinds(world.log, "ConfigReloaded")
        assert [field(entry, "changed") for entry in reloads] == [(), ("a",)]
        assert [field(entry, "generation") for entry in reloads] == [2, 3]

    run(scenario)


async def _fails(llm: Runtime) -> None:
    with pytest.raises(ServerError):
        await llm.generate("hello")


def test_failures_of_the_provider_are_inherited_with_the_rest() -> None:
    """Two failures before a change of settings and one after it are three in a row."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Fails(), cooldown=CooldownSettings(after_failures=3))
        async with world.open(Config(default=provider)) as llm:
            for _ in range(2):
                await _fails(llm)
            await llm.reload(Config(default=attrs.evolve(provider, mailbox=5)))
            assert _cooldown(llm, "a") == 0.0
            await _fails(llm)
            assert _cooldown(llm, "a") > 0.0

    run(scenario)
