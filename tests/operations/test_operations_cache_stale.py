"""Answers past their time, given where nobody can answer, and marked as such."""

import attrs
import pytest
import trio

from tests.operations.cache_stage import caching, read
from tests.operations.operations_stage import Stage
from trio_llm import (
    ContentFilterError,
    CooldownSettings,
    Degradation,
    Fallback,
    PriceSettings,
    Reply,
    TextDelta,
)
from trio_llm.testing import Answers, Fails, World, run

PRICED = PriceSettings(1.0, 2.0)


def test_stale_if_error_gives_what_is_past_its_time() -> None:
    """Only where another provider could have helped, for so long, marked, with what it cost."""

    async def scenario(world: World) -> None:
        stage = Stage()
        script = (Answers("once"), Fails(after=1.0))
        sturdy = CooldownSettings(after_failures=100)
        member = stage.provider("a", script, price=PRICED, cooldown=sturdy)
        config = caching(Fallback((member,), name="f"), stale_if_error=30.0)
        async with world.open(config) as llm:
            await llm.generate("hello")
            await trio.sleep(80.0)
            reply = await llm.generate("hello")
            assert (reply.text, reply.degraded, reply.cached) == ("once", "stale", "hit")
            assert (reply.metadata["cache_age"], reply.latency) == (81.0, 1.0)
            assert "scripted to fail" in reply.metadata["degraded_error"]
            assert len(reply.attempts) == 1
            assert reply.cost == reply.attempts[0].cost
            events, streamed = await read(llm)
            assert events == [TextDelta("once")]
            assert (streamed.degraded, len(streamed.attempts)) == ("stale", 1)
            async with llm.batch(["hello"]) as results:
                (outcome,) = [outcome async for _, outcome in results]
                assert isinstance(outcome, Reply)
                assert outcome.degraded == "stale"
            assert (await llm.provider("f").generate("hello")).degraded == "stale"
            await trio.sleep(6.1)
            with pytest.raises(Exception, match="all members"):
                await llm.generate("hello")
            counts = llm.cache.statistics()
            assert counts.stale_hits == llm.statistics().degraded == 4
        stale = [e for e in world.log if e.kind == "CacheHit"]
        assert [dict(e.fields)["stale"] for e in stale] == [True] * 4
        assert len([e for e in world.log if e.kind == "Degraded"]) == 4

    run(scenario)


def test_an_error_of_the_callers_own_is_never_stale() -> None:
    """What no other provider could have mended stands."""

    async def scenario(world: World) -> None:
        script = (Answers("once"), Fails(ContentFilterError))
        config = caching(Stage().provider("a", script), stale_if_error=600.0)
        async with world.open(config) as llm:
            await llm.generate("hello")
            await trio.sleep(61.0)
            with pytest.raises(ContentFilterError):
                await llm.generate("hello")
            assert llm.cache.statistics().stale_hits == 0

    run(scenario)


def test_a_stand_in_is_no_newer_for_having_been_given_from_the_cache() -> None:
    """Degradation remembers answers by when they were given, and its stand-ins cost nothing."""

    async def scenario(world: World) -> None:
        stage = Stage()
        script = (Answers("once"), Fails())
        sturdy = CooldownSettings(after_failures=100)
        member = stage.provider("a", script, price=PRICED, cooldown=sturdy)
        degradation = Degradation(stale=True, stale_for=100.0, reply="sorry")
        config = attrs.evolve(caching(member), degradation=degradation)
        async with world.open(config) as llm:
            await llm.generate("hello")
            await trio.sleep(50.0)
            assert (await llm.generate("hello")).cached == "hit"
            await trio.sleep(40.0)
            stand_in = await llm.generate("hello")
            assert (stand_in.text, stand_in.degraded) == ("once", "stale")
            assert stand_in.cost == stand_in.attempts[0].cost
            assert stand_in.metadata["degraded_age"] == 90.0
            await trio.sleep(20.0)
            assert (await llm.generate("hello")).text == "sorry"
            assert llm.cache.statistics().stores == 1

    run(scenario)
