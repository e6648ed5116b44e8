"""Health is charged only for faults of the provider.

An invalid request or a refused content never cools a provider, and neither does a
caller's cancellation or a lost race.
"""

import pytest
import trio

from tests.guarantees.scenes import Cast
from trio_llm import (
    AuthenticationError,
    Config,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    CooldownSettings,
    InvalidRequestError,
    LLMError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderCrashedError,
    ProviderError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    QuotaExceededError,
    Race,
    RateLimitError,
    Runtime,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.testing import Answers, Crashes, Fails, Stalls, World, explore, run, seeds

CHARGED: tuple[type[ProviderError], ...] = (
    OverloadedError,
    ServerError,
    ProviderTimeoutError,
    ConnectionFailedError,
    MalformedResponseError,
    StreamInterruptedError,
    ProviderCrashedError,
    AuthenticationError,
    PermissionDeniedError,
)
COOLING_AT_ONCE: tuple[type[ProviderError], ...] = (RateLimitError, QuotaExceededError)
NEUTRAL: tuple[type[ProviderError], ...] = (
    ModelNotFoundError,
    ProviderUnavailableError,
    InvalidRequestError,
    ContextLengthError,
    ContentFilterError,
)
TWO_STRIKES = CooldownSettings(initial=10.0, after_failures=2)


async def _fail(llm: Runtime, *, streaming: bool = False) -> None:
    with pytest.raises(LLMError):
        await _ask(llm, streaming=streaming)


async def _ask(llm: Runtime, *, streaming: bool) -> None:
    if not streaming:
        await llm.generate("hello")
        return
    async with llm.stream("hello") as stream:
        async for _event in stream:
            pass


@pytest.mark.parametrize("error", CHARGED)
def test_a_fault_of_the_provider_is_charged(error: type[ProviderError]) -> None:
    """Faults of the provider in a row, as many as configured, make it rest."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Fails(error), cooldown=TWO_STRIKES)
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm, streaming=world.seed % 2 == 0)
            assert llm.status()[0].failures == 1
            assert llm.status()[0].state == "ready"
            await _fail(llm, streaming=world.seed % 2 == 1)
            assert llm.status()[0].state == "cooling"
            assert llm.status()[0].cooldown_remaining == 10.0

    explore(scenario, seeds=range(2))


@pytest.mark.parametrize("error", COOLING_AT_ONCE)
def test_a_limit_reached_cools_at_once(error: type[ProviderError]) -> None:
    """A rate limit or an empty account makes the provider rest after a single failure."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Fails(error), cooldown=TWO_STRIKES)
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            assert llm.status()[0].cooldown_remaining == 10.0

    run(scenario)


@pytest.mark.parametrize("error", NEUTRAL)
def test_a_fault_of_the_request_is_not_charged(error: type[ProviderError]) -> None:
    """However often a request was at fault, the provider stays ready."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Fails(error), cooldown=TWO_STRIKES)
        async with world.open(Config(default=provider)) as llm:
            for count in range(6):
                await _fail(llm, streaming=count % 2 == 0)
            assert llm.status()[0].failures == 0
            assert llm.status()[0].state == "ready"

    run(scenario)


def test_the_table_is_complete() -> None:
    """Every provider error of the library is charged, cooling or neutral here."""
    known = {*CHARGED, *COOLING_AT_ONCE, *NEUTRAL}
    assert {cls for cls in ProviderError.__subclasses__() if "trio_llm" in cls.__module__} <= {
        *known,
        *(sub for cls in known for sub in cls.__subclasses__()),
    }


def test_a_callers_cancel_is_neutral() -> None:
    """Cancelled calls change neither the failures nor the rest, before or after a failure."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", [Fails(), Stalls()], cooldown=TWO_STRIKES)
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            for _ in range(5):
                with trio.move_on_after(world.rng.choice((0.0, 0.5))):
                    await llm.generate("hello")
            assert llm.status()[0].failures == 1
            assert llm.status()[0].state == "ready"
            statistics = llm.statistics().calls
            assert (statistics.failed, statistics.cancelled) == (1, 5)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_lost_race_is_neutral() -> None:
    """Losing a race, or being beaten in the winner's own instant, charges nobody."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = (
            cast.provider("a", Answers(after=1.0), cooldown=TWO_STRIKES),
            cast.provider("b", Answers(after=1.0, passes=2), cooldown=TWO_STRIKES),
            cast.provider("c", Stalls(), cooldown=TWO_STRIKES),
        )
        async with world.open(Config(default=Race(members))) as llm:
            for _ in range(4):
                await llm.generate("hello")
            assert {status.failures for status in llm.status()} == {0}

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_success_forgets_the_failures_before_it() -> None:
    """Only failures in a row count."""

    async def scenario(world: World) -> None:
        script = (Fails(), Answers(), Fails(), Answers())
        provider = Cast().provider("a", script, cooldown=TWO_STRIKES)
        async with world.open(Config(default=provider)) as llm:
            for _ in range(2):
                await _fail(llm)
                await llm.generate("hello")
            assert llm.status()[0].failures == 0
            assert llm.status()[0].cooldown_remaining == 0.0

    run(scenario)


def test_a_crashing_actor_charges_the_job_that_broke_it_only() -> None:
    """The other jobs of a crashed actor are answered, and do not count as its failures."""

    async def scenario(world: World) -> None:
        script = (Crashes(after=1.0, actor=True), Stalls())
        provider = Cast().provider("a", script)
        async with world.open(Config(default=provider)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(_fail, llm)
            assert llm.status()[0].failures == 1

    run(scenario)
