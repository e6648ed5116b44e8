"""A reload changes nothing for a provider's breaker: there is one rest, one probe, one budget.

With the same rules the actor that leaves and the one that comes go by the same breaker;
with other rules the new one takes over what the old one knows, and what that learns yet.
"""

from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.breaker_scenes import assert_nothing_leaked
from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    BreakerSettings,
    Config,
    CooldownSettings,
    LLMError,
    Provider,
    ProviderUnavailableError,
    RateLimit,
    Runtime,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Fails, RateLimits, Step, World, explore, run, seeds

REST = CooldownSettings(initial=10.0, after_failures=1)
EXACT = BreakerSettings(jitter=0.0)


def _provider(cast: Cast, *steps: Step, **settings: Any) -> Provider:
    settings = {"cooldown": REST, "breaker": EXACT, **settings}
    return cast.provider("a", steps, **settings)


async def _fail(llm: Runtime) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await llm.generate("hello")
    return caught.value


def test_the_probe_of_the_old_actor_is_the_probe_of_the_new_one() -> None:
    """While it runs the new one lets nobody in; whoever waits begins when it succeeds."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _provider(cast, Fails(), Answers(after=4.0), Answers(after=1.0))
        ends: list[float] = []

        async def caller(llm: Runtime) -> None:
            await llm.generate("hello")
            ends.append(trio.current_time())

        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            await trio.sleep(10.0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(caller, llm)
                nursery.start_soon(caller, llm)  # in line at the old one
                await trio.sleep(1.0)
                for number in (7, 8):
                    await llm.reload(Config(default=attrs.evolve(provider, mailbox=number)))
                nursery.start_soon(caller, llm)  # in line at the new one
                await trio.sleep(1.0)
                assert (cast.running, llm.status()[0].state) == (1, "probing")
            assert ends == [14.0, 15.0, 15.0]
            assert llm.status()[0].breaker == "closed"
            assert_nothing_leaked(llm)
        changes = [field(entry, "new") for entry in kinds(world.log, "BreakerChanged")]
        assert changes == ["open", "half_open", "closed"]

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("rules", ["the same", "others"])
def test_what_an_old_call_learns_sends_the_line_of_the_new_one_away(rules: str) -> None:
    """A rest that reaches the actor that leaves begins at its successor in the same instant."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _provider(cast, RateLimits(50.0, after=3.0), Answers(after=9.0))
        changed = attrs.evolve(provider, max_concurrency=1)
        if rules == "others":
            changed = attrs.evolve(changed, cooldown=attrs.evolve(REST, initial=20.0))
        refused: list[tuple[float, str | None]] = []

        async def caller(llm: Runtime) -> None:
            try:
                await llm.generate("hello")
            except ProviderUnavailableError as error:
                refused.append((trio.current_time(), error.code))

        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(_fail, llm)
            await trio.sleep(1.0)
            await llm.reload(Config(default=changed))
            for _ in range(3):
                nursery.start_soon(caller, llm)
            await trio.sleep(3.0)
            assert refused == [(3.0, "cooling")] * 2
            assert llm.status()[0].cooldown_remaining == 49.0
        rests = [field(entry, "until") for entry in kinds(world.log, "CooldownStarted")]
        assert rests == [53.0]

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_provider_that_comes_back_with_other_rules_must_still_prove_itself() -> None:
    """The rest and the need of a probe go over to one whose cooldown is configured anew."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _provider(cast, Fails(), Answers(after=2.0))
        changed = attrs.evolve(provider, cooldown=attrs.evolve(REST, initial=99.0))
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            await llm.reload(Config(default=changed))
            assert llm.status()[0].cooldown_remaining == 10.0
            await trio.sleep(10.0)
            assert llm.status()[0].state == "probing"
            await llm.generate("hello")
            assert llm.status()[0].breaker == "closed"

    run(scenario)


def test_unchanged_rate_limits_stay_one_bucket() -> None:
    """Reloads do not let through more than the limit; other limits begin anew."""

    async def scenario(world: World) -> None:
        began: list[float] = []

        def script(_work: Work) -> Step:
            began.append(trio.current_time())
            return Answers(after=1.0)

        limit = RateLimit(requests_per_minute=10.0)
        provider = Cast().provider("a", script, rate_limit=limit)
        async with world.open(Config(default=provider)) as llm:
            for number in range(4):
                await llm.generate("hello")
                await llm.reload(Config(default=attrs.evolve(provider, mailbox=5 + number)))
            assert began == pytest.approx([0.0, 6.0, 12.0, 18.0])
            wider = attrs.evolve(provider, rate_limit=RateLimit(requests_per_minute=60.0))
            await llm.reload(Config(default=wider))
            await llm.generate("hello")
            assert began[-1] == pytest.approx(19.0)

    run(scenario)
