"""In which order a load balance tries its members, and what it makes of those that cannot."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle, by_attempt
from trio_llm import (
    AllProvidersFailed,
    Config,
    CooldownSettings,
    LLMError,
    LoadBalance,
    ModerateRequest,
    PriceSettings,
    Provider,
    RateLimitError,
    Runtime,
)
from trio_llm.config.schema import LOAD_BALANCE_STRATEGIES
from trio_llm.testing import (
    Answers,
    Crashes,
    Fails,
    Judges,
    RateLimits,
    ScriptedProvider,
    Stalls,
    Step,
    World,
    explore,
    run,
    seeds,
)

STRATEGIES = tuple(word for word in LOAD_BALANCE_STRATEGIES if word != "custom")


async def _served(llm: Runtime, calls: int, pause: float = 0.0) -> list[str]:
    served: list[str] = []
    for _ in range(calls):
        served.append((await llm.generate("hi")).provider)
        await trio.sleep(pause)
    return served


def _balance(strategy: str, *members: Provider) -> Config:
    weights = {str(member.name): 1.0 for member in members} if strategy == "weighted" else {}
    return Config(default=LoadBalance(members, strategy=strategy, weights=weights))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_members_that_cannot_take_a_call_are_skipped(strategy: str) -> None:
    """One that cools and one that is full get no call and cost no error."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("cooling", RateLimits(1000.0)),
            cast.provider("full", Stalls(), max_concurrency=1),
            cast.provider("well", Answers(after=0.1)),
        ]
        world.rng.shuffle(members)
        async with (
            world.open(_balance(strategy, *members)) as llm,
            trio.open_nursery() as nursery,
        ):
            with pytest.raises(RateLimitError):
                await llm.provider("cooling").generate("hi")
            nursery.start_soon(llm.provider("full").generate, "hi")
            await trio.sleep(1.0)
            assert set(await _served(llm, 20)) == {"well"}
            nursery.cancel_scope.cancel()
        assert cast.scripts["cooling"].started == cast.scripts["full"].started == 1

    explore(scenario, seeds=seeds(200, share=50, least=4))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_that_is_down_is_skipped(strategy: str) -> None:
    """A provider whose actor crashes for good drops out, and the others serve."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("down", Crashes(actor=True)),
            cast.provider("well", Answers(after=0.1)),
        ]
        async with world.open(_balance(strategy, *members)) as llm:
            while llm.status()[0].state != "down":
                with pytest.raises(LLMError):
                    await llm.provider("down").generate("hi")
                await trio.sleep(1.0)
            assert set(await _served(llm, 10)) == {"well"}

    run(scenario)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nobody_starves(strategy: str) -> None:
    """Over an hour in which all are alike, every member is asked, in every order but by cost."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider(name, by_attempt(world.seed, name, [Answers(after=t) for t in (1, 2, 9)]))
            for name in "abcd"
        ]
        async with world.open(_balance(strategy, *members)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(_served, llm, 40, 60.0)
            assert_idle(cast, llm)
        calls = [script.started for script in cast.scripts.values()]
        assert sum(calls) == 120
        if strategy != "least_cost":  # equals are asked in declared order there
            assert min(calls) >= 3

    explore(scenario, seeds=seeds(100, share=50, least=2))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_in_chaos_nothing_is_left_and_the_healthy_one_answers(strategy: str) -> None:
    """Flaky members fail their own calls only; whatever is cancelled leaves nothing behind."""
    steps: tuple[Step, ...] = (
        *[Answers(after=0.1)] * 3,
        Answers(after=2.0),
        Fails(after=0.5),
        RateLimits(1.0),
        Stalls(),
        Crashes(after=0.5),
        Crashes(after=0.5, actor=True),
    )

    async def scenario(world: World) -> int:
        cast, answered = Cast(), 0
        members = [
            cast.provider(
                name,
                by_attempt(world.seed, name, steps),
                max_concurrency=world.rng.choice((1, 4)),
                mailbox=4,
            )
            for name in "abc"
        ]
        members.append(cast.provider("well", Answers(after=0.2)))

        async def caller() -> None:
            nonlocal answered
            await trio.sleep(world.rng.uniform(0.0, 10.0))
            with trio.move_on_after(world.rng.choice((0.3, 2.0, 20.0))):
                try:
                    await llm.generate("hi")
                    answered += 1
                except LLMError:
                    pass

        async with world.open(_balance(strategy, *members)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(30):
                    nursery.start_soon(caller)
            assert_idle(cast, llm)
            await llm.provider("well").generate("hi")
        return answered

    outcomes = explore(scenario, seeds=seeds(200, share=50, least=4))
    assert sum(outcome.value for outcome in outcomes) > 5 * len(outcomes)


@pytest.mark.parametrize("strategy", ["random", "least_latency", "adaptive"])
def test_what_is_drawn_is_keyed_by_the_call(strategy: str) -> None:
    """One world gives one order under every schedule, and another world another."""

    async def scenario(world: World) -> list[str]:
        cast = Cast()
        members = [cast.provider(name, Answers()) for name in "abc"]
        async with world.open(_balance(strategy, *members)) as llm:
            return await _served(llm, 12)

    one = [run(scenario, seed=1, schedule=schedule).value for schedule in range(5)]
    assert all(served == one[0] for served in one)
    assert run(scenario, seed=2).value != one[0]


def test_least_busy_goes_by_the_share_of_the_places() -> None:
    """A member with three times the places gets three times the calls at once."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("large", Answers(after=1.0), max_concurrency=9),
            cast.provider("small", Answers(after=1.0), max_concurrency=3),
        ]
        async with (
            world.open(_balance("least_busy", *members)) as llm,
            trio.open_nursery() as nursery,
        ):
            for _ in range(8):
                nursery.start_soon(llm.generate, "hi")
        assert [script.most_running for script in cast.scripts.values()] == [6, 2]

    explore(scenario, seeds=seeds(1000, share=50))


def test_least_busy_goes_by_turns_among_equals() -> None:
    """Idle members are asked one after the other."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers()) for name in "abc"]
        async with world.open(_balance("least_busy", *members)) as llm:
            assert await _served(llm, 7) == list("abcabca")

    run(scenario)


def test_least_latency_prefers_the_fast_and_forgives_the_slow() -> None:
    """The slowest is left alone while it is known to be slow, and tried again later."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("slow", [Answers(after=5.0), Answers(after=0.1)]),
            cast.provider("fast", Answers(after=0.1)),
            cast.provider("quick", Answers(after=0.2)),
        ]
        async with world.open(_balance("least_latency", *members)) as llm:
            await _served(llm, 10)  # each is tried while nothing is known of it
            assert cast.scripts["slow"].started == 1
            served = Counter(await _served(llm, 100, 0.1))
            assert served["slow"] == 0
            assert min(served["fast"], served["quick"]) > 10
            await trio.sleep(600.0)
            assert Counter(await _served(llm, 30))["slow"] > 3

    explore(scenario, seeds=seeds(1000, share=100))


def test_least_cost_goes_by_what_the_request_costs() -> None:
    """Cheap input is best for a long prompt, cheap output for a long answer."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("reader", Answers(), price=PriceSettings(0.1, 20.0)),
            cast.provider("writer", Answers(), price=PriceSettings(10.0, 0.5)),
            cast.provider("unknown", Answers()),
        ]
        async with world.open(_balance("least_cost", *members)) as llm:
            short = await llm.generate("word", max_tokens=1000)
            long = await llm.generate("word " * 5000, max_tokens=10)
            assert (long.provider, short.provider) == ("reader", "writer")

    run(scenario)


def test_least_cost_asks_one_without_a_price_last() -> None:
    """What may cost anything is asked when no other member can take the call."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("unknown", Answers()),
            cast.provider("dear", [RateLimits(60.0), Answers()], price=PriceSettings(9.0, 9.0)),
        ]
        async with world.open(_balance("least_cost", *members)) as llm:
            with pytest.raises(AllProvidersFailed):
                await llm.generate("hi")
            assert await _served(llm, 2) == ["unknown", "unknown"]
            await trio.sleep(60.0)
            assert await _served(llm, 2) == ["dear", "dear"]

    run(scenario)


def test_adaptive_leaves_one_that_fails_and_finds_it_again() -> None:
    """Calls go where they succeed; now and then the other is tried, and comes back when well."""

    async def scenario(world: World) -> None:
        cast = Cast()

        def flaky(_work: object) -> Step:
            return Answers(after=0.05) if trio.current_time() >= 1000 else Fails(after=0.05)

        members = [
            cast.provider("flaky", flaky, cooldown=CooldownSettings(after_failures=10**9)),
            cast.provider("steady", Answers(after=0.5)),
        ]

        async def ask(calls: int) -> Counter[str]:
            asked: Counter[str] = Counter()
            for _ in range(calls):
                before = cast.scripts["flaky"].started
                with suppress(AllProvidersFailed):
                    await llm.generate("hi")
                asked["flaky" if cast.scripts["flaky"].started > before else "steady"] += 1
                await trio.sleep(0.1)
            return asked

        async with world.open(_balance("adaptive", *members)) as llm:
            await ask(20)
            assert (await ask(200))["flaky"] < 40
            await trio.sleep(1000.0)
            await ask(1000)
            assert (await ask(200))["flaky"] > 160

    explore(scenario, seeds=seeds(200, share=200, least=1))


def test_adaptive_weighs_cost_too() -> None:
    """Of two that are alike in all else the cheaper one gets nearly every call."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("dear", Answers(after=0.5), price=PriceSettings(500.0, 500.0)),
            cast.provider("cheap", Answers(after=0.5), price=PriceSettings(1.0, 1.0)),
        ]
        async with world.open(_balance("adaptive", *members)) as llm:
            await _served(llm, 10)
            assert Counter(await _served(llm, 100))["cheap"] > 80

    explore(scenario, seeds=seeds(200, share=100, least=2))


def test_operations_go_by_every_order() -> None:
    """What is no conversation has no tokens to be estimated, and is spread all the same."""

    async def scenario(world: World) -> None:
        for strategy in STRATEGIES:
            scripts = {name: ScriptedProvider(Judges(), [ModerateRequest]) for name in "ab"}
            members = [Provider("custom", name, cls=scripts[name]) for name in "ab"]
            async with world.open(_balance(strategy, *members)) as llm:
                for _ in range(4):
                    await llm.moderate("fine")
            assert sum(script.started for script in scripts.values()) == 4

    run(scenario)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_preferred_member_goes_before_the_order(strategy: str) -> None:
    """`prefer` holds at every load balance while that member can take the call."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers(after=0.1)) for name in "abc"]
        async with world.open(_balance(strategy, *members)) as llm:
            providers = [(await llm.generate("hi", prefer="b")).provider for _ in range(6)]
        assert providers == ["b"] * 6

    run(scenario)


def _errors(make: Callable[[Cast], list[Provider]], strategy: str) -> list[str]:
    async def scenario(world: World) -> list[str]:
        cast = Cast()
        members = make(cast)
        async with world.open(_balance(strategy, *members)) as llm:
            for member in members:
                with pytest.raises(RateLimitError):
                    await llm.provider(str(member.name)).generate("hi")
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi")
        return [str(error.provider) for error in caught.value.errors]

    return run(scenario).value


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_refusal_is_in_the_error_in_declared_order(strategy: str) -> None:
    """When nobody can take the call, the error says why of each of them."""
    errors = _errors(lambda cast: [cast.provider(n, RateLimits(90.0)) for n in "abc"], strategy)
    assert errors == ["a", "b", "c"]
