"""The cache of a runtime: what is given again, to whom, for how long, and what never is."""

from typing import Any

import pytest
import trio

from tests.operations.cache_stage import asked, caching, read
from tests.operations.operations_stage import Stage
from trio_llm import (
    CacheSettings,
    Completion,
    Config,
    CooldownSettings,
    Fallback,
    Message,
    PriceSettings,
    Provider,
    Race,
    Request,
    ServerError,
    Text,
    Usage,
)
from trio_llm.chat import NOTHING
from trio_llm.testing import Answers, Fails, Stalls, World, run

PRICED = PriceSettings(1.0, 2.0)


def test_a_hit_is_marked_and_costs_nothing() -> None:
    """It has the answer, its age and a latency of its own; nobody is asked."""

    async def scenario(world: World) -> None:
        stage = Stage()
        members = (stage.provider("a", Answers("fine", after=1.0), price=PRICED),)
        async with world.open(caching(Fallback(members, name="f"))) as llm:
            first = await llm.generate("hello")
            assert (first.cached, first.cost) == (None, llm.statistics().cost)
            await trio.sleep(10.0)
            spent = llm.statistics().cost
            hit = await llm.generate("hello")
            assert (hit.text, hit.cached, hit.cost, hit.attempts) == ("fine", "hit", NOTHING, ())
            assert (hit.latency, hit.time_to_first_token, hit.raw) == (0.0, None, None)
            assert hit.metadata == {**first.metadata, "cache_age": 10.0}
            assert (hit.provider, hit.model, hit.usage) == ("a", first.model, Usage(1, 1))
            assert (asked(stage), llm.statistics().cost) == (1, spent)
            counts = llm.cache.statistics()
            assert (counts.hits, counts.misses, counts.stores, counts.entries) == (1, 1, 1, 1)
        told = [(e.kind, dict(e.fields)["call"]) for e in world.log if "Attempt" not in e.kind]
        assert told[:7] == [
            ("RequestStarted", 1),
            ("CacheMissed", 1),
            ("RequestFinished", 1),
            ("CacheStored", 1),
            ("RequestStarted", 2),
            ("CacheHit", 2),
            ("RequestFinished", 2),
        ]
        last = next(e for e in reversed(world.log) if e.kind == "RequestFinished")
        facts = dict(last.fields)
        assert (facts["outcome"], facts["cost"], facts["usage"]) == ("succeeded", NOTHING, None)

    run(scenario)


def test_a_hit_meets_a_checkpoint() -> None:
    """A caller in a loop of hits can be cancelled, and lets others run."""

    async def scenario(world: World) -> None:
        async with world.open(caching(Stage().provider("a", Answers()))) as llm:
            await llm.generate("hello")
            with trio.CancelScope() as scope:
                scope.cancel(reason="the test says so")
                await llm.generate("hello")
            assert scope.cancelled_caught
        outcomes = [dict(e.fields)["outcome"] for e in world.log if e.kind == "RequestFinished"]
        assert outcomes == ["succeeded", "cancelled"]

    run(scenario)


def test_time_to_live_and_limits_are_those_of_the_settings() -> None:
    """To the instant, and by the least recent use."""

    async def scenario(world: World) -> None:
        stage = Stage()
        async with world.open(caching(stage.provider("a", Answers()), entries=2)) as llm:
            await llm.generate("hello")
            await trio.sleep(60.0)
            assert (await llm.generate("hello")).cached == "hit"
            await trio.sleep(0.01)
            assert (await llm.generate("hello")).cached is None
            for prompt in ("two", "hello", "three"):
                await llm.generate(prompt)
            assert (await llm.generate("hello")).cached == "hit"
            assert (await llm.generate("two")).cached is None
            assert llm.cache.statistics().evictions == 2

    run(scenario)


@pytest.mark.parametrize(
    ("mode", "call", "then", "hit"),
    [
        ("off", None, None, False),
        ("off", True, True, True),
        ("off", "write_only", "read_only", True),
        ("off", "on", None, False),
        ("on", False, None, False),
        ("on", None, False, False),
        ("on", "read_only", None, False),
        ("on", None, "write_only", False),
        ("read_only", None, None, False),
        ("read_only", "on", None, True),
        ("write_only", None, "read_only", True),
        ("write_only", None, None, False),
    ],
)
def test_a_call_says_whether_it_reads_and_keeps(mode: str, call: Any, then: Any, hit: bool) -> None:
    """Plain and streamed alike: the first call keeps or does not, the second finds or does not."""

    async def scenario(world: World) -> None:
        config = caching(Stage().provider("a", Answers()), mode=mode)
        async with world.open(config) as llm:
            await llm.generate("hello", cache=call)
            again = await llm.generate("hello", cache=then)
            assert (again.cached == "hit") == hit
            await read(llm, "streamed", cache=call)
            _, reply = await read(llm, "streamed", cache=then)
            assert (reply.cached == "hit") == hit

    run(scenario)


@pytest.mark.parametrize(
    "completion",
    [
        Completion(Message("assistant", "cut"), "length"),
        Completion(Message("assistant", "cut"), "content_filter"),
        Completion(Message("assistant", "cut"), "unknown"),
    ],
    ids=lambda completion: completion.finish_reason,
)
def test_what_is_not_whole_is_never_given_again(completion: Completion) -> None:
    """An answer that was cut or filtered, or of which nobody knows, is asked for anew."""

    class Cutting:
        async def generate(self, _request: Request) -> Completion:
            return completion

    async def scenario(world: World) -> None:
        async with world.open(caching(Provider("custom", "a", cls=Cutting()))) as llm:
            for _ in range(2):
                assert (await llm.generate("hello")).cached is None
                _, reply = await read(llm)
                assert reply.cached is None
            assert llm.cache.statistics().stores == 0

    run(scenario)


def test_errors_are_never_kept() -> None:
    """What failed is asked again, and what then succeeds is kept."""

    async def scenario(world: World) -> None:
        sturdy = CooldownSettings(after_failures=100)
        script = (Fails(), Fails(), Answers("at last"))
        config = caching(Stage().provider("a", script, cooldown=sturdy))
        async with world.open(config) as llm:
            for _ in range(2):
                with pytest.raises(ServerError):
                    await llm.generate("hello")
            assert (await llm.generate("hello")).cached is None
            assert (await llm.generate("hello")).cached == "hit"

    run(scenario)


def test_two_users_never_share_and_neither_do_two_endpoints() -> None:
    """What was answered to one user, or by one provider, is given to no other."""

    async def scenario(world: World) -> None:
        stage = Stage()
        members = tuple(stage.provider(name, Answers(name)) for name in "ab")
        async with world.open(caching(Fallback(members, name="f"))) as llm:
            await llm.generate("hello", user="one")
            assert (await llm.generate("hello", user="two")).cached is None
            assert (await llm.generate("hello")).cached is None
            assert (await llm.generate("hello", user="one")).cached == "hit"
            assert (await llm.provider("b").generate("hello", user="one")).text == "b"
            assert (await llm.provider("b").generate("hello", user="one")).cached == "hit"
            assert (await llm.provider("f").generate("hello", user="one")).cached == "hit"
            preferred = await llm.generate("hello", prefer="b", user="one")
            assert (preferred.text, preferred.cached) == ("b", None)
            assert (await llm.generate("hello", prefer="b", user="one")).cached == "hit"

    run(scenario)


def test_whatever_is_asked_and_answered_the_cache_raises_nothing() -> None:
    """Odd text, deep nesting and parts of all kinds: at worst there is no hit."""
    odd = ["\ud800", "\x00", "𝄞" * 50, "a" * 10_000, "\u202e", " "]

    class Echo:
        async def generate(self, request: Request) -> Completion:
            return Completion(Message("assistant", [Text(request.messages[-1].text)]))

    async def scenario(world: World) -> None:
        nested: dict[str, Any] = {}
        for _ in range(5_000):
            nested = {"a": nested}
        async with world.open(caching(Provider("custom", "a", cls=Echo()))) as llm:
            for text in odd:
                for round_ in range(2):
                    reply = await llm.generate(text, user=text, stop=text)
                    assert (reply.text, reply.cached) == (text, "hit" if round_ else None)
            for _ in range(2):
                assert (await llm.generate("deep", extra={"ollama": nested})).cached is None

    run(scenario)


def test_with_the_cache_off_nothing_is_looked_up() -> None:
    """The default: no event, no count, no second look at the request."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Stage().provider("a", Answers()))) as llm:
            for _ in range(2):
                assert (await llm.generate("hello")).cached is None
                assert (await read(llm))[1].cached is None
            assert llm.cache.statistics().misses == llm.cache.statistics().stores == 0
        assert not [e for e in world.log if e.kind.startswith("Cache")]
        assert CacheSettings().mode == "off"

    run(scenario)


def test_a_race_is_kept_as_its_winner_and_asked_no_more() -> None:
    """A balancer's answer is one answer; on a hit not even its members are asked."""

    async def scenario(world: World) -> None:
        stage = Stage()
        members = (stage.provider("a", Stalls()), stage.provider("b", Answers("b", after=1.0)))
        async with world.open(caching(Race(members, name="r"))) as llm:
            await llm.generate("hello")
            hit = await llm.generate("hello")
            assert (hit.provider, hit.metadata["racing_winner"]) == ("b", "b")
            assert asked(stage) == 2

    run(scenario)
