"""What is kept outlives a reload, and with a store on disk the runtime; who is asked counts."""

from typing import Any

import attrs
import pytest
import trio

from tests.operations.cache_stage import ON, caching
from tests.operations.operations_stage import Stage
from trio_llm import (
    Config,
    ConfigError,
    Fallback,
    PriceSettings,
)
from trio_llm.config import StoreSettings
from trio_llm.testing import Answers, World, explore, run, seeds

PRICED = PriceSettings(1.0, 2.0)


def test_a_reload_that_changes_who_is_asked_changes_the_keys() -> None:
    """The old answers are not found under the new plan, and are again under the old one."""

    async def scenario(world: World) -> None:
        stage = Stage()
        provider = stage.provider("a", Answers(), model="m")
        one = caching(Fallback((provider,), name="f"))
        other = caching(Fallback((attrs.evolve(provider, model="n"),), name="f"))
        tuned = caching(Fallback((attrs.evolve(provider, max_concurrency=3),), name="f"))
        async with world.open(one) as llm:
            await llm.generate("hello")
            await llm.reload(tuned)
            assert (await llm.generate("hello")).cached == "hit"
            await llm.reload(other)
            assert (await llm.generate("hello")).cached is None
            assert (await llm.generate("hello")).cached == "hit"
            await llm.reload(one)
            assert (await llm.generate("hello")).cached == "hit"
            assert llm.cache.statistics().entries == 2

    run(scenario)


def test_a_reload_changes_the_settings_in_place() -> None:
    """Mode, time and limits hold at once; what is kept stays, and is found when it may be."""

    async def scenario(world: World) -> None:
        stage = Stage()
        member = stage.provider("a", Answers())

        def having(**settings: Any) -> Config:
            return Config(default=member, cache=attrs.evolve(ON, **settings))

        async with world.open(having()) as llm:
            await llm.generate("hello")
            await llm.reload(Config(default=member))
            assert (await llm.generate("hello")).cached is None
            await llm.reload(having(mode="read_only"))
            assert (await llm.generate("hello")).cached == "hit"
            await trio.sleep(30.0)
            await llm.reload(having(ttl=20.0))
            assert (await llm.generate("hello")).cached is None
            await llm.reload(having(entries=1))
            await llm.generate("another")
            assert llm.cache.statistics().entries == 1
            assert await llm.cache.clear() == 1
            assert (await llm.generate("another")).cached is None
            assert "CacheStatistics" in repr(llm.cache)

    run(scenario)


def test_a_reload_while_an_answer_is_looked_for_asks_the_new_plan() -> None:
    """The answer of the new plan is kept under its own key."""

    async def scenario(world: World) -> None:
        stage = Stage()
        old = stage.provider("a", Answers("old"), model="m")
        new = attrs.evolve(stage.provider("a", Answers("new"), model="n"))
        async with world.open(caching(old)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(llm.reload, caching(new))
            reply = await llm.generate("hello")
            await trio.sleep(1.0)
            assert (await llm.generate("hello")).text == "new"
            if reply.text == "old":
                await llm.reload(caching(old))
                assert (await llm.generate("hello")).cached == "hit"

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_name_that_is_gone_while_an_answer_is_looked_for_is_an_error_of_the_call() -> None:
    """It is recorded like any other."""

    async def scenario(world: World) -> None:
        stage = Stage()
        a, b = (stage.provider(name, Answers(name)) for name in "ab")
        both = Config({"a": a, "b": b}, default="a", cache=ON)
        async with world.open(both) as llm:
            endpoint = llm.provider("b")
            await llm.reload(Config({"a": a}, cache=ON))
            with pytest.raises(ConfigError):
                await endpoint.generate("hello")
            with pytest.raises(ConfigError):
                async with endpoint.stream("hello"):
                    raise AssertionError("never entered")
            with pytest.raises(ConfigError):
                await llm.generate("hello", prefer="b")

    run(scenario)


def test_persistent_answers_are_there_for_the_next_runtime(tmp_path: Any) -> None:
    """With a store on disk they outlive the runtime; fleeting ones do not."""

    async def scenario(world: World) -> None:
        for persistent in (True, False):
            stage = Stage()
            path = str(tmp_path / f"{persistent}.db")
            config = attrs.evolve(
                caching(stage.provider("a", Answers("kept")), persistent=persistent),
                store=StoreSettings(path),
            )
            for number in range(2):
                async with world.open(config) as llm:
                    assert llm.cache.statistics().entries == number * persistent
                    reply = await llm.generate("hello")
                    assert reply.text == "kept"
                    assert (reply.cached == "hit") == (persistent and number == 1)
                    assert llm.cache.statistics().entries == 1

    run(scenario)
