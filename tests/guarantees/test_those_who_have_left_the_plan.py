"""Who has left the plan serves what is under way, and is one provider with its successor.

Balancers that drain may still ask it. It no longer probes of its own accord, and it rests
when its successor was told to. What was said of a key holds for that key, whichever
number or name it has now. Who sees a record of a reload sees the new plan.
"""

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.breaker_scenes import gate_of
from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    AllProvidersFailed,
    Config,
    CooldownSettings,
    Fallback,
    HealthCheck,
    Provider,
    ProviderUnavailableError,
    RateLimit,
    RateLimitError,
    Reply,
    Retry,
    Runtime,
    events,
    open_runtime,
)
from trio_llm.providers.gate import Gate
from trio_llm.retirement import MOST_REMEMBERED
from trio_llm.testing import Answers, Fails, RateLimits, World, explore, run, seeds
from trio_llm.testing.upstream import Behaviour, MemoryUpstream, Served
from trio_llm.testing.upstream.record import digest

KEYS = {"KEY_A": "k-aaaaaaaaaaaa", "KEY_B": "k-bbbbbbbbbbbb", "KEY_C": "k-cccccccccccc"}
LIMITED = Behaviour(status=429, headers={"retry-after": "30"}, message="too many requests")


def test_only_the_successor_probes() -> None:
    """A provider that a draining balancer still holds probes no more; the new one does."""

    async def scenario(world: World) -> None:
        cast = Cast()
        slow = cast.provider("slow", Answers(after=100.0))
        probed = cast.provider(
            "a", Answers(after=1.0), health_check=HealthCheck(interval=10.0, jitter=0.0)
        )
        async with world.open(Config(default=Fallback((slow, probed), name="f"))) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, "hello")
                await trio.sleep(15.0)
                await llm.reload(Config(default=attrs.evolve(probed, mailbox=7)))
                await trio.sleep(80.0)
            assert cast.scripts["a"].opened == 2
        started = [entry.time for entry in kinds(world.log, "ProbeStarted")]
        assert started == [10.0, *[25.0 + 11.0 * number for number in range(7)]]

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize(
    "changes",
    [{"mailbox": 7}, {"cooldown": CooldownSettings(initial=1.0)}],
    ids=["same rules", "other rules"],
)
def test_an_old_call_heeds_what_the_successor_was_told(changes: dict[str, Any]) -> None:
    """A fallback of the old plan does not go to a member whose successor rests."""

    async def scenario(world: World) -> None:
        cast = Cast()
        failing = cast.provider("failing", Fails(after=10.0))
        member = cast.provider("a", (RateLimits(50.0), Answers()))
        failed: list[AllProvidersFailed] = []

        async def ask(llm: Runtime) -> None:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hello")
            failed.append(caught.value)

        async with world.open(Config(default=Fallback((failing, member), name="f"))) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, llm)
                await trio.sleep(1.0)
                await llm.reload(Config(default=attrs.evolve(member, **changes)))
                with pytest.raises(RateLimitError):
                    await llm.generate("hello")
            _, refused = failed[0].errors
            assert isinstance(refused, ProviderUnavailableError)
            assert (refused.code, refused.retry_after) == ("cooling", 41.0)
            assert cast.scripts["a"].started == 1

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_rest_belongs_to_its_key_whatever_number_that_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keys that are taken out, put in another order, or left alone keep their rests."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    limited = digest(f"Bearer {KEYS['KEY_B']}".encode())

    def answer(served: Served) -> Behaviour:
        return LIMITED if served.headers["authorization"] == limited else Behaviour()

    async def scenario(world: World) -> None:
        upstream = MemoryUpstream(answer)

        def lab(keys: Sequence[str]) -> Config:
            address, several = upstream.base_url("openai_chat"), len(keys) > 1
            return Config(
                default=Provider(
                    "openai_compatible",
                    "lab",
                    base_url=address,
                    model="m",
                    api_key_envs=keys if several else (),
                    api_key_env=None if several else keys[0],
                )
            )

        async with world.open(lab(list(KEYS)), transport=upstream) as llm:
            for _ in range(2):
                await llm.generate("hello")
            for keys, resting in (
                (("KEY_B", "KEY_C"), "lab-1"),
                (("KEY_C", "KEY_B"), "lab-2"),
                (("KEY_B",), "lab"),
                (("KEY_A", "KEY_C", "KEY_B"), "lab-3"),
            ):
                await trio.sleep(1.0)
                await llm.reload(lab(keys))
                rests = {each.name: each.cooldown_remaining for each in llm.status()}
                assert {name for name, rest in rests.items() if rest} == {resting}
                assert rests[resting] == 30.0 - trio.current_time()
            await trio.sleep(30.0)
            await llm.provider("lab-2").generate("hello")
            with pytest.raises(RateLimitError):
                await llm.provider("lab-3").generate("hello")
        # Records name it as it is named now.
        named = [entry.actor for entry in kinds(world.log, "CooldownStarted")]
        assert (named[0], named[-1]) == ("lab-2", "lab-3")

    run(scenario)


def test_a_rate_limit_is_kept_when_only_what_it_does_has_changed() -> None:
    """Whether calls wait or fall on, what has been used counts after a reload, too."""

    async def scenario(world: World) -> None:
        limit = RateLimit(requests_per_minute=1)
        provider = Cast().provider("a", Answers(), rate_limit=limit)
        async with world.open(Config(default=provider)) as llm:
            await llm.generate("hello")
            fall_on = attrs.evolve(limit, on_limit="fall_on")
            await llm.reload(Config(default=attrs.evolve(provider, rate_limit=fall_on)))
            with pytest.raises(ProviderUnavailableError, match="rate_limited"):
                await llm.generate("hello")

    run(scenario)


def test_who_sees_a_record_of_a_reload_sees_the_new_plan() -> None:
    """An observer may ask for status and statistics at any record, the first of all."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = cast.provider("a", RateLimits(100.0))
        other = cast.provider("b", Answers())
        seen: list[tuple[str, str, int]] = []
        async with world.open(Config(default=Fallback((provider, other), name="f"))) as llm:
            await llm.generate("hello")

            def look(event: events.Event) -> None:
                llm.statistics()
                seen.append((event.kind, llm.name, llm.generation))

            llm.subscribe(look)
            changed = attrs.evolve(provider, cooldown=CooldownSettings(initial=1.0))
            await llm.reload(Config(default=Fallback((changed, other), name="g")))
            shown = [kind for kind, *_ in seen]
            assert shown.index("BreakerChanged") < shown.index("ConfigReloaded")
            assert {(name, number) for _, name, number in seen} == {("g", 2)}

    run(scenario)


def test_nothing_is_kept_of_those_who_have_ended() -> None:
    """However often the plan changes, an actor that has an heir and has ended is gone."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Answers())
        past: list[weakref.ref[Gate]] = []
        async with world.open(Config(default=provider)) as llm:
            for number in range(1, 6):
                past.append(weakref.ref(gate_of(llm)))
                await llm.generate("hello")
                rules = CooldownSettings(initial=float(number))
                await llm.reload(Config(default=attrs.evolve(provider, cooldown=rules)))
                await trio.sleep(1.0)
            gc.collect()
            assert [gate() for gate in past[:-1]] == [None] * 4

    run(scenario)


def test_nothing_is_kept_of_the_first_configuration() -> None:
    """The objects of the user's own that were in it are free when another one runs."""

    class Own:
        async def generate(self, _request: object) -> str:
            await trio.lowlevel.checkpoint()
            return "mine"

    async def scenario(_world: World) -> None:
        own = Own()
        first = weakref.ref(own)
        async with open_runtime(Config(default=Provider("custom", "a", cls=own))) as llm:
            del own
            assert (await llm.generate("hello")).text == "mine"
            assert first() is not None
            await llm.reload(Config(default=Cast().provider("b", Answers())))
            await trio.sleep(1.0)
            # A custom instance is remembered with the rests of its account, for one that comes
            # back; the next ones push it out.
            for number in range(MOST_REMEMBERED + 1):
                await llm.reload(Config(default=Cast().provider(f"c{number}", Answers())))
                await trio.sleep(1.0)
            gc.collect()
            assert first() is None

    run(scenario)


def test_a_probe_that_waits_its_turn_lets_others_try() -> None:
    """Of two that retry at a half-open provider neither waits for the other for ever."""

    async def scenario(world: World) -> None:
        cast = Cast()
        harmless = Fails(RateLimitError, after=40.0)  # see `errors` below
        provider = cast.provider(
            "a",
            lambda work: Answers() if work.number > 1 else Fails() if work.call == 1 else harmless,
            max_concurrency=2,
            retry=Retry(attempts=2, base_delay=60.0, max_delay=60.0),
            cooldown=CooldownSettings(initial=1.0, after_failures=1),
            errors={"RateLimitError": {"cools": False}},
        )
        replies: list[Reply] = []

        async def ask(llm: Runtime, delay: float) -> None:
            await trio.sleep(delay)
            replies.append(await llm.generate("hello"))

        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(ask, llm, 0.0)
            nursery.start_soon(ask, llm, 1.2)
        assert len(replies) == 2
        probes = [entry for entry in kinds(world.log, "AttemptStarted") if entry.time == 1.2]
        assert [field(entry, "number") for entry in probes] == [1]

    explore(scenario, seeds=seeds(1000, share=50))
