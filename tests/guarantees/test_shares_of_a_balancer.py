"""A load balancer's shares are exact: round robin by turns, weighted by weight."""

import math
from collections import Counter
from contextlib import suppress

import pytest
import trio

from tests.guarantees.scenes import Cast, by_attempt
from trio_llm import (
    AllProvidersFailed,
    BreakerSettings,
    Config,
    CooldownSettings,
    LoadBalance,
    RateLimitError,
    Runtime,
)
from trio_llm.testing import (
    Answers,
    Fails,
    RateLimits,
    SendsGarbage,
    World,
    explore,
    run,
    seeds,
)


async def _served(llm: Runtime, calls: int) -> list[str]:
    return [(await llm.generate("hello")).provider for _ in range(calls)]


def test_round_robin_goes_by_turns() -> None:
    """Calls one after the other go to the members in declared order, again and again."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = tuple(cast.provider(name, Answers()) for name in "abc")
        async with world.open(Config(default=LoadBalance(members))) as llm:
            assert await _served(llm, 7) == list("abcabca")

    run(scenario)


def test_round_robin_stays_even_while_a_member_rests() -> None:
    """The members that can serve share the calls evenly while another one rests."""

    async def scenario(world: World) -> None:
        cast = Cast()
        resting = (RateLimits(100.0), Answers())
        members = [cast.provider(name, Answers()) for name in "abcd"]
        lame = world.rng.randrange(4)
        members[lame] = cast.provider("lame", resting)
        async with world.open(Config(default=LoadBalance(tuple(members)))) as llm:
            with pytest.raises(RateLimitError):
                await llm.provider("lame").generate("hello")
            assert sorted(Counter(await _served(llm, 12)).values()) == [4, 4, 4]
            await trio.sleep(100.0)
            assert sorted(Counter(await _served(llm, 12)).values()) == [3, 3, 3, 3]

    explore(scenario, seeds=seeds(1000, share=50))


def test_round_robin_is_fair_for_each_model() -> None:
    """Calls that alternate between models do not starve a member of either."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = (
            cast.provider("a", Answers(), models=("small",)),
            cast.provider("b", Answers(), models=("small",)),
            cast.provider("c", Answers(), models=("large",)),
        )
        async with world.open(Config(default=LoadBalance(members))) as llm:
            served: Counter[str] = Counter()
            for _ in range(6):
                served[(await llm.generate("hello", model="small")).provider] += 1
                served[(await llm.generate("hello", model="large")).provider] += 1
        assert served == {"a": 3, "b": 3, "c": 6}

    run(scenario)


def test_weighted_shares_are_exact() -> None:
    """Over any whole number of rounds each member has served its weight, never bunched."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = tuple(cast.provider(name, Answers()) for name in "abc")
        default = LoadBalance(members, strategy="weighted", weights={"a": 5, "b": 2, "c": 1})
        async with world.open(Config(default=default)) as llm:
            served = await _served(llm, 40)
        assert Counter(served) == {"a": 25, "b": 10, "c": 5}
        assert "".join(served[:8]) == "abaacaba"

    run(scenario)


def test_weighted_shares_hold_for_many_callers_and_random_failures() -> None:
    """At every moment each member has had its share to within one call, whatever became of it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = (Answers(after=0.1), Answers(after=1.0), Fails(after=0.5), SendsGarbage())
        tireless = CooldownSettings(after_failures=10**9)
        untripped = BreakerSettings(ratio=1.0, minimum_calls=10**6)
        members = tuple(
            cast.provider(
                name,
                by_attempt(world.seed, name, steps),
                cooldown=tireless,
                breaker=untripped,
                max_concurrency=100,
            )
            for name in "abc"
        )
        weights = {"a": 0.5, "b": 0.3, "c": 0.2}
        default = LoadBalance(members, strategy="weighted", weights=weights)

        async def caller() -> None:
            for _ in range(20):
                with suppress(AllProvidersFailed):
                    await llm.generate("hello")
                for name, script in cast.scripts.items():
                    assert abs(script.started - weights[name] * cast.started) <= 1.0
                await trio.sleep(world.rng.uniform(0.0, 1.0))

        async with world.open(Config(default=default)) as llm, trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(caller)
        assert [script.started for script in cast.scripts.values()] == [100, 60, 40]

    explore(scenario, seeds=seeds(1000, share=200))


def test_weights_hold_among_those_that_can_serve() -> None:
    """While one rests, the others share its calls by their weights, and it is owed nothing."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = (
            cast.provider("a", Answers()),
            cast.provider("b", [RateLimits(100.0), Answers()]),
            cast.provider("c", Answers()),
        )
        weights = {"a": 5, "b": 2, "c": 1}
        default = LoadBalance(members, strategy="weighted", weights=weights)
        async with world.open(Config(default=default)) as llm:
            with pytest.raises(RateLimitError):
                await llm.provider("b").generate("hello")
            assert Counter(await _served(llm, 60)) == {"a": 50, "c": 10}
            await trio.sleep(100.0)
            assert Counter(await _served(llm, 80)) == {"a": 50, "b": 20, "c": 10}

    run(scenario)


def test_chance_is_even() -> None:
    """Over many calls each of three members has had a third, to within four deviations."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = tuple(cast.provider(name, Answers()) for name in "abc")
        async with world.open(Config(default=LoadBalance(members, strategy="random"))) as llm:
            served = Counter(await _served(llm, 900))
        assert all(abs(count - 300) < 4 * math.sqrt(900 * 2 / 9) for count in served.values())

    explore(scenario, seeds=seeds(1000, share=500, least=2))


def test_callers_of_one_instant_are_spread_evenly() -> None:
    """Many callers in one instant leave no member with more than its turn."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = tuple(cast.provider(name, Answers(after=1.0)) for name in "abc")
        async with (
            world.open(Config(default=LoadBalance(members))) as llm,
            trio.open_nursery() as nursery,
        ):
            for _ in range(9):
                nursery.start_soon(llm.generate, "hello")
        assert {script.most_running for script in cast.scripts.values()} == {3}

    explore(scenario, seeds=seeds(1000, share=50))


def test_chance_is_keyed_by_the_call() -> None:
    """Random shares are the same for every schedule of one world, and differ by world."""

    async def scenario(world: World) -> list[str]:
        cast = Cast()
        members = tuple(cast.provider(name, Answers()) for name in "abc")
        async with world.open(Config(default=LoadBalance(members, strategy="random"))) as llm:
            return await _served(llm, 12)

    one = [run(scenario, seed=1, schedule=schedule).value for schedule in range(5)]
    assert all(served == one[0] for served in one)
    assert run(scenario, seed=2).value != one[0]
    assert set(one[0]) == {"a", "b", "c"}
