"""Health is charged only for faults of the provider.

An invalid request or a refused content never cools a provider, and neither does a
caller's cancellation or a lost race.
"""

from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast
from trio_llm import (
    AllProvidersFailed,
    AuthenticationError,
    BreakerSettings,
    Config,
    ConnectionFailedError,
    ContentFilterError,
    ContextLengthError,
    CooldownSettings,
    Fallback,
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
    Retry,
    Runtime,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.policy.blame import CONFIGURABLE, row_of
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
EXACT = BreakerSettings(jitter=0.0, quota_rest=500.0)


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
        provider = Cast().provider("a", Fails(error), cooldown=TWO_STRIKES, breaker=EXACT)
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
        provider = Cast().provider("a", Fails(error), cooldown=TWO_STRIKES, breaker=EXACT)
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            rest = 500.0 if error is QuotaExceededError else 10.0
            assert llm.status()[0].cooldown_remaining == rest

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


def _own(name: str, **words: bool) -> dict[str, Any]:
    """Give the setting that changes one row."""
    return {"errors": {name: words}}


@pytest.mark.parametrize("name", list(CONFIGURABLE))
def test_each_provider_can_have_rows_of_its_own(name: str) -> None:
    """Every class can be made to charge, or not, at one provider and not at its neighbour."""

    async def scenario(world: World) -> None:
        cast, row = Cast(), row_of(name)
        error = CONFIGURABLE[name]
        turned = cast.provider(
            "a",
            Fails(error),
            cooldown=TWO_STRIKES,
            **_own(name, charges=not row.charges, cools=False),
        )
        plain = cast.provider("b", Fails(error), cooldown=TWO_STRIKES)
        async with world.open(Config({"a": turned, "b": plain}, default="a")) as llm:
            for provider in ("a", "b"):
                with pytest.raises(error):
                    await llm.provider(provider).generate("hello")
            failures = {status.name: status.failures for status in llm.status()}
            assert failures == {"a": int(not row.charges), "b": int(row.charges)}

    run(scenario)


@pytest.mark.parametrize("name", list(CONFIGURABLE))
def test_balancers_see_the_rows_of_the_provider_that_failed(name: str) -> None:
    """Whether a call falls through is decided by the member's own row, however deep it is."""

    async def scenario(world: World) -> None:
        for falls in (True, False):
            cast = Cast()
            member = cast.provider(
                "a", Fails(CONFIGURABLE[name]), **_own(name, falls_through=falls)
            )
            inner = Fallback((member, cast.provider("b", Answers("inner"))), name="inner")
            outer = Fallback((inner, cast.provider("c", Answers("outer"))), name="outer")
            async with world.open(Config(default=outer)) as llm:
                if falls:
                    assert (await llm.generate("hello")).text == "inner"
                    continue
                with pytest.raises(CONFIGURABLE[name]) as caught:
                    await llm.generate("hello")
                assert caught.value.provider == "a"
                assert cast.scripts["b"].started == cast.scripts["c"].started == 0

    run(scenario)


@pytest.mark.parametrize("name", list(CONFIGURABLE))
def test_retries_follow_the_rows_of_the_provider(name: str) -> None:
    """A class can be retried at one provider, or not, against the general table."""

    async def scenario(world: World) -> None:
        for retries in (True, False):
            cast = Cast()
            member = cast.provider(
                "a",
                [Fails(CONFIGURABLE[name]), Answers("second")],
                retry=Retry(attempts=1),
                **_own(name, retries=retries, charges=False, cools=False),
            )
            async with world.open(Config(default=member)) as llm:
                if retries:
                    assert (await llm.generate("hello")).text == "second"
                else:
                    await _fail(llm)
            assert cast.scripts["a"].started == 1 + retries

    run(scenario)


def test_a_class_can_be_made_to_cool_at_once() -> None:
    """One failure is then enough for a rest, and for a rate limit it can be made not to be."""

    async def scenario(world: World) -> None:
        cast = Cast()
        quick = cast.provider("a", Fails(), cooldown=TWO_STRIKES, **_own("ServerError", cools=True))
        calm = cast.provider(
            "b",
            Fails(RateLimitError),
            cooldown=TWO_STRIKES,
            **_own("RateLimitError", cools=False),
        )
        async with world.open(Config({"a": quick, "b": calm}, default="a")) as llm:
            for provider in ("a", "b"):
                with pytest.raises(ProviderError):
                    await llm.provider(provider).generate("hello")
            states = {status.name: status.state for status in llm.status()}
            assert states == {"a": "cooling", "b": "ready"}

    run(scenario)


def test_the_own_rows_hold_for_a_crash_too() -> None:
    """Jobs that an actor takes with it when it crashes are judged by the same rows."""

    async def scenario(world: World) -> None:
        cast = Cast()
        script = (Crashes(after=1.0, actor=True), Stalls())
        member = cast.provider("a", script, **_own("ProviderCrashedError", falls_through=False))
        tree = Fallback((member, cast.provider("b", Answers())), name="tree")
        ends: list[type[BaseException]] = []

        async def caller() -> None:
            try:
                await llm.generate("hello")
            except LLMError as error:
                ends.append(type(error))

        async with world.open(Config(default=tree)) as llm, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(caller)
        assert ends == [ProviderCrashedError] * 3
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_an_error_that_is_raised_again_elsewhere_is_judged_anew() -> None:
    """What one provider's rows said of an error does not go with it to another provider."""

    async def scenario(world: World) -> None:
        cast = Cast()
        error = ContextLengthError("too long", provider="elsewhere")
        error.blame = attrs.evolve(row_of("ContextLengthError"), falls_through=True)
        member = cast.provider("a", Fails(error))
        tree = Fallback((member, cast.provider("b", Answers())), name="tree")
        async with world.open(Config(default=tree)) as llm:
            with pytest.raises(ContextLengthError):
                await llm.generate("hello")
        assert error.blame.falls_through

    run(scenario)


def test_a_whole_group_still_falls_through() -> None:
    """A nested balancer all of whose members failed is passed by, whatever their rows say."""

    async def scenario(world: World) -> None:
        cast = Cast()
        inner = Race((cast.provider("a", Fails()), cast.provider("b", Fails())), name="inner")
        outer = Fallback((inner, cast.provider("c", Fails())), name="outer")
        async with world.open(Config(default=outer)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hello")
        assert [error.provider for error in caught.value.errors] == ["a", "b", "c"]

    run(scenario)
