"""The circuit breaker of a provider: it opens, lets one request try, and closes again."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    AuthenticationError,
    BreakerSettings,
    Config,
    CooldownSettings,
    Fallback,
    InvalidRequestError,
    LLMError,
    Provider,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitError,
    Retry,
    Runtime,
    ServerError,
    TokenCount,
)
from trio_llm.chat import AnyResult
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Crashes, Fails, RateLimits, Stalls, Step, World, run
from trio_llm.testing.upstream import Behaviour, MemoryUpstream

ONE_STRIKE = CooldownSettings(initial=10.0, maximum=40.0, after_failures=1)
EXACT = BreakerSettings(jitter=0.0, quota_rest=100.0, authentication_rest=50.0)


def _touchy(cast: Cast, name: str, *steps: Step, **settings: Any) -> Provider:
    """Give a provider that rests after one failure, for exactly ten seconds."""
    settings = {"cooldown": ONE_STRIKE, "breaker": EXACT, **settings}
    return cast.provider(name, steps, **settings)


def _state(llm: Runtime, name: str = "a") -> tuple[str, str]:
    status = llm.provider(name).status_of()
    return status.state, status.breaker


async def _fail(llm: Runtime, name: str = "a") -> LLMError:
    with pytest.raises(LLMError) as caught:
        await llm.provider(name).generate("hello")
    return caught.value


def _changes(world: World) -> list[tuple[float, str, str]]:
    return [
        (entry.time, field(entry, "old"), field(entry, "new"))
        for entry in kinds(world.log, "BreakerChanged")
    ]


class _Outcomes:
    """What became of several callers, in the order in which they ended."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, str]] = []

    def caller(self, llm: Runtime, name: str = "a") -> Callable[[], Awaitable[None]]:
        """Give a caller that notes its end: the answer, or the code or class of the error."""

        async def call() -> None:
            try:
                end = (await llm.provider(name).generate("hello")).text
            except ProviderUnavailableError as error:
                end = error.code or ""
            except LLMError as error:
                end = type(error).__name__
            self.ends.append((trio.current_time(), end))

        return call


def test_it_opens_tries_and_closes_and_says_so() -> None:
    """Each change is an event; after the rest one success makes all as usual again."""

    async def scenario(world: World) -> None:
        provider = _touchy(Cast(), "a", Fails(after=1.0), Answers(after=2.0))
        async with world.open(Config(default=provider)) as llm:
            assert _state(llm) == ("ready", "closed")
            await _fail(llm)
            assert _state(llm) == ("cooling", "open")
            assert llm.status()[0].retry_after == 10.0
            await trio.sleep(10.0)
            assert _state(llm) == ("probing", "half_open")
            await llm.generate("hello")
            assert _state(llm) == ("ready", "closed")
        assert _changes(world) == [
            (1.0, "closed", "open"),
            (11.0, "open", "half_open"),
            (13.0, "half_open", "closed"),
        ]
        (recovered,) = kinds(world.log, "ProviderRecovered")
        assert field(recovered, "after_seconds") == 12.0
        (rest,) = kinds(world.log, "CooldownStarted")
        assert field(rest, "until") == 11.0

    run(scenario)


def test_while_half_open_exactly_one_request_is_inside() -> None:
    """The others stand in line, and begin in the instant in which the probe succeeds."""

    async def scenario(world: World) -> None:
        cast, outcomes = Cast(), _Outcomes()
        provider = _touchy(cast, "a", Fails(), Answers(after=3.0))
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            await trio.sleep(10.0)
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(outcomes.caller(llm))
                await trio.sleep(1.0)
                status = llm.status()[0]
                assert (cast.running, status.in_flight, status.queued) == (1, 1, 4)
                assert (status.state, status.occupied) == ("probing", False)
                await trio.sleep(2.5)
                assert cast.running == 4
        assert outcomes.ends == [(13.0, "ok")] + [(16.0, "ok")] * 4

    run(scenario)


def test_a_probe_that_fails_sends_the_line_away() -> None:
    """Whoever waited for it is refused in that instant, and the next rest is twice as long."""

    async def scenario(world: World) -> None:
        outcomes = _Outcomes()
        provider = _touchy(Cast(), "a", Fails(), Fails(after=3.0))
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            await trio.sleep(10.0)
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(outcomes.caller(llm))
            assert sorted(outcomes.ends) == [
                (13.0, "ServerError"),
                (13.0, "cooling"),
                (13.0, "cooling"),
            ]
            assert llm.status()[0].cooldown_remaining == 20.0
            assert _state(llm) == ("cooling", "open")

    run(scenario)


@pytest.mark.parametrize("left", ["cancelled", "crashed", "neutral"])
def test_a_probe_that_says_nothing_passes_to_the_first_in_line(left: str) -> None:
    """A cancelled probe decides nothing: the next request is the probe. A crash is a failure."""

    async def scenario(world: World) -> None:
        cast, outcomes = Cast(), _Outcomes()
        second: dict[str, Step] = {
            "cancelled": Stalls(),
            "crashed": Crashes(after=1.0),
            "neutral": Fails(InvalidRequestError, after=1.0),
        }
        provider = _touchy(cast, "a", Fails(), second[left], Answers(after=1.0))
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            await trio.sleep(10.0)
            async with trio.open_nursery() as nursery:

                async def probe() -> None:
                    with trio.move_on_after(1.0 if left == "cancelled" else 5.0):
                        await outcomes.caller(llm)()

                nursery.start_soon(probe)
                await trio.sleep(0.5)
                for _ in range(2):
                    nursery.start_soon(outcomes.caller(llm))
                await trio.sleep(1.0)
                assert cast.running == (0 if left == "crashed" else 1)
            ends = [end for end in outcomes.ends if end[1] != "InvalidRequestError"]
            if left == "crashed":
                assert sorted(ends) == [
                    (11.0, "ProviderCrashedError"),
                    (11.0, "cooling"),
                    (11.0, "cooling"),
                ]
            else:
                assert ends == [(12.0, "ok"), (13.0, "ok")]

    run(scenario)


def test_a_crash_of_the_actor_gives_the_probe_back() -> None:
    """The next life begins with a probe that is free, or rests, and never hangs."""

    async def scenario(world: World) -> None:
        provider = _touchy(
            Cast(), "a", Fails(), Stalls(), Crashes(after=1.0, actor=True), Answers(after=1.0)
        )
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            await trio.sleep(10.0)
            with trio.move_on_after(1.0):
                await llm.generate("stalls")
            assert type(await _fail(llm)).__name__ == "ProviderCrashedError"
            assert _state(llm)[1] == "open"
            await trio.sleep(30.0)
            assert (await llm.generate("hello")).text == "ok"
            assert _state(llm) == ("ready", "closed")

    run(scenario)


def test_a_balancer_passes_a_provider_over_that_is_being_tried() -> None:
    """It does not wait for the probe while another member can answer."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = _touchy(cast, "a", Fails(), Answers(after=5.0))
        tree = Fallback((a, cast.provider("b", Answers(after=1.0))))
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hello")).provider == "b"
            await trio.sleep(10.0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.provider("a").generate, "the probe")
                await trio.sleep(1.0)
                reply = await llm.generate("hello")
                assert (reply.provider, reply.latency) == ("b", 1.0)

    run(scenario)


def test_a_balancer_waits_for_the_probe_when_nobody_else_can_answer() -> None:
    """Its call stands in the line of the member, and is answered after the probe."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = _touchy(cast, "a", Fails(), Answers(after=5.0), Answers(after=1.0))
        b = _touchy(cast, "b", RateLimits(1000.0))
        async with world.open(Config(default=Fallback((a, b)))) as llm:
            await _fail(llm)
            await _fail(llm, "b")
            await trio.sleep(10.0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.provider("a").generate, "the probe")
                await trio.sleep(1.0)
                reply = await llm.generate("hello")
                assert (reply.provider, reply.latency) == ("a", 5.0)

    run(scenario)


def test_requests_that_began_before_the_rest_decide_nothing() -> None:
    """A straggler neither closes the breaker, nor blocks the probe, nor opens it again."""

    async def scenario(world: World) -> None:
        cast, outcomes = Cast(), _Outcomes()
        provider = _touchy(
            cast, "a", Answers(after=15.0), Fails(after=20.0), Fails(), Answers(after=7.0)
        )
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(outcomes.caller(llm))
            await trio.sleep(0.25)
            nursery.start_soon(outcomes.caller(llm))
            await trio.sleep(0.25)
            await _fail(llm)
            await trio.sleep_until(14.0)
            nursery.start_soon(outcomes.caller(llm))
            await trio.sleep(0.5)
            assert cast.running == 3
            await trio.sleep_until(16.0)
            assert _state(llm) == ("probing", "half_open")
            await trio.sleep_until(20.5)
            assert _state(llm) == ("probing", "half_open")
            await trio.sleep_until(21.5)
            assert _state(llm) == ("ready", "closed")
        assert [end for _, end in outcomes.ends] == ["ok", "ServerError", "ok"]

    run(scenario)


def test_a_used_up_quota_rests_long_and_must_be_proved_again() -> None:
    """One failure is enough; the rest is the configured one, doubled if it was too short."""

    async def scenario(world: World) -> None:
        provider = _touchy(
            Cast(), "a", Fails(QuotaExceededError), Fails(QuotaExceededError), Answers()
        )
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            assert _state(llm) == ("cooling", "quota_exhausted")
            assert llm.status()[0].cooldown_remaining == 100.0
            refused = await _fail(llm)
            assert "quota is used up" in str(refused)
            await trio.sleep(100.0)
            assert _state(llm) == ("probing", "half_open")
            await _fail(llm)
            assert llm.status()[0].cooldown_remaining == 200.0
            await trio.sleep(200.0)
            await llm.generate("hello")
            assert _state(llm) == ("ready", "closed")

    run(scenario)


def test_a_rate_limit_needs_no_proof() -> None:
    """A provider that asked for a pause worked; after it, all may ask again at once."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _touchy(cast, "a", RateLimits(5.0), Answers(after=1.0))
        async with world.open(Config(default=provider)) as llm:
            assert isinstance(await _fail(llm), RateLimitError)
            assert _state(llm) == ("cooling", "throttled")
            await trio.sleep(5.0)
            assert _state(llm) == ("ready", "closed")
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(llm.generate, "hello")
                await trio.sleep(0.5)
                assert cast.running == 3

    run(scenario)


def _served(upstream: MemoryUpstream, **settings: Any) -> Provider:
    """Give a provider over the real wire, in this process."""
    return Provider(
        "openai_compatible",
        "a",
        base_url=upstream.base_url("openai_chat"),
        model="m",
        breaker=EXACT,
        **settings,
    )


def test_a_key_that_is_refused_rests_at_once() -> None:
    """A key that does not change will be refused again; after its rest one request tries."""

    async def scenario(world: World) -> None:
        upstream = MemoryUpstream((Behaviour(status=401), Behaviour()))
        provider = _served(upstream, api_key="sk-refused-for-now")
        async with world.open(Config(default=provider), transport=upstream) as llm:
            assert isinstance(await _fail(llm), AuthenticationError)
            assert _state(llm) == ("cooling", "authentication_dead")
            assert llm.status()[0].cooldown_remaining == 50.0
            assert "its key was not accepted" in str(await _fail(llm))
            await trio.sleep(50.0)
            await llm.generate("hello")
            assert _state(llm) == ("ready", "closed")
            assert len(upstream.served) == 2

    run(scenario)


def test_a_key_that_is_given_anew_for_each_attempt_may_be_good_the_next_time() -> None:
    """With a callable key a refusal is a failure like any other."""

    async def scenario(world: World) -> None:
        upstream = MemoryUpstream((Behaviour(status=401), Behaviour()))

        async def key() -> str:
            return "sk-another-each-time"

        provider = _served(upstream, api_key=key)
        async with world.open(Config(default=provider), transport=upstream) as llm:
            await _fail(llm)
            assert (_state(llm), llm.status()[0].failures) == (("ready", "closed"), 1)
            await llm.generate("hello")

    run(scenario)


def test_a_share_of_failures_opens_it_too() -> None:
    """Failures that are never three in a row open it when they are too many of all."""

    async def scenario(world: World) -> None:
        steps = [Fails() if number % 2 else Answers() for number in range(100)]
        settings = BreakerSettings(jitter=0.0, minimum_calls=10, ratio=0.5)
        provider = Cast().provider("a", steps, breaker=settings)
        async with world.open(Config(default=provider)) as llm:
            for number in range(10):
                assert _state(llm) == ("ready", "closed"), number
                if number % 2:
                    assert isinstance(await _fail(llm), ServerError)
                else:
                    await llm.generate("hello")
            assert _state(llm) == ("cooling", "open")

    run(scenario)


def test_a_count_that_asked_nobody_proves_nothing() -> None:
    """An estimate of tokens as the probe leaves the breaker half open, and the probe free."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _touchy(cast, "a", Fails(), Answers())
        async with world.open(Config(default=provider)) as llm:
            await _fail(llm)
            await trio.sleep(10.0)
            count: TokenCount = await llm.count_tokens("hello")
            assert not count.exact
            assert _state(llm) == ("probing", "half_open")
            await llm.generate("hello")
            assert _state(llm) == ("ready", "closed")

    run(scenario)


def test_a_retry_keeps_to_the_rest_and_becomes_the_probe() -> None:
    """The call whose failure opened the breaker waits with all others, and may be the one."""

    async def scenario(world: World) -> None:
        provider = _touchy(Cast(), "a", Fails(), Answers("back"), retry=Retry(attempts=1))
        async with world.open(Config(default=provider)) as llm:
            reply = await llm.generate("hello")
            assert (reply.text, reply.latency) == ("back", 10.0)
            assert [attempt.number for attempt in reply.attempts] == [1, 2]
            assert llm.statistics().calls.retries == 1
        assert [change[1:] for change in _changes(world)] == [
            ("closed", "open"),
            ("open", "half_open"),
            ("half_open", "closed"),
        ]

    run(scenario)


def test_retries_of_several_calls_wait_for_the_one_that_tries() -> None:
    """Of those that want to try again one does; the rest follow when it succeeds."""

    async def scenario(world: World) -> None:
        cast, outcomes = Cast(), _Outcomes()
        steps = (*(Fails(after=1.0),) * 4, Answers(after=2.0))
        provider = _touchy(cast, "a", *steps, retry=Retry(attempts=1, base_delay=0.0))
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(outcomes.caller(llm))
            await trio.sleep_until(12.0)
            assert cast.running == 1
            await trio.sleep_until(14.0)
            assert cast.running == 3
        assert outcomes.ends == [(13.0, "ok")] + [(15.0, "ok")] * 3

    run(scenario)


def test_a_retry_that_must_wait_too_long_is_not_made() -> None:
    """A rest that ends after the caller's deadline, or lasts minutes, gives the error at once."""

    async def scenario(world: World) -> None:
        cast = Cast()
        provider = _touchy(cast, "a", Fails(), retry=Retry(attempts=1))
        quota = _touchy(cast, "b", Fails(QuotaExceededError), retry=Retry(attempts=1))
        async with world.open(Config({"a": provider, "b": quota}, default="a")) as llm:
            with trio.fail_after(9.0):
                assert isinstance(await _fail(llm), ServerError)
            assert isinstance(await _fail(llm, "b"), QuotaExceededError)
            assert trio.current_time() == 0.0

    run(scenario)


def test_each_class_of_error_has_its_own_rule_of_retries() -> None:
    """The row of the class says how often and after what pause; the others go by the usual."""

    async def scenario(world: World) -> None:
        cast = Cast()
        rules = Retry(
            attempts=0,
            errors={"ServerError": {"attempts": 2, "base_delay": 0.0}, "RateLimitError": {}},
        )
        a = cast.provider("a", [Fails(), Fails(), Answers("third")], retry=rules)
        b = cast.provider("b", [RateLimits(1.0), Answers()], retry=rules)
        async with world.open(Config({"a": a, "b": b}, default="a")) as llm:
            assert (await llm.generate("hello")).text == "third"
            assert trio.current_time() == 0.0
            assert isinstance(await _fail(llm, "b"), RateLimitError)

    run(scenario)


class _Counts:
    """A step that remembers how many others ran when it began."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.beside: list[int] = []

    async def play(self, work: Work) -> AnyResult:
        """Count, then answer."""
        self.beside.append(self.cast.running - 1)
        return await Answers(after=1.0).play(work)


def test_a_retry_of_the_probe_is_still_the_probe() -> None:
    """A failure that says nothing of the provider does not let another one in between."""

    async def scenario(world: World) -> None:
        cast, outcomes = Cast(), _Outcomes()
        counts = _Counts(cast)
        rows: dict[str, Any] = {"InvalidRequestError": {"retries": True}}
        provider = _touchy(
            cast,
            "a",
            Fails(),
            Fails(InvalidRequestError, after=1.0),
            counts,
            retry=Retry(attempts=1, base_delay=8.0),
            errors=rows,
        )
        async with world.open(Config(default=provider)) as llm:
            with trio.fail_after(0.5):  # so that it is not made again
                await _fail(llm)
            await trio.sleep_until(10.0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(outcomes.caller(llm))
                await trio.sleep(0.5)
                nursery.start_soon(outcomes.caller(llm))
            assert counts.beside == [0, 0]

    run(scenario)


def test_a_probe_that_is_tried_again_lets_those_go_first_who_wait_for_it() -> None:
    """It gives the probe to the first of them, so that neither waits for the other for ever."""

    async def scenario(world: World) -> None:
        cast, outcomes = Cast(), _Outcomes()
        rows: dict[str, Any] = {"InvalidRequestError": {"retries": True}}
        provider = _touchy(
            cast,
            "a",
            *(Fails(), Fails()),  # both callers, who try again after the rest
            Fails(InvalidRequestError, after=1.0),  # the first of them, as the probe
            Answers(after=1.0),
            retry=Retry(attempts=2, base_delay=0.0),
            errors=rows,
        )
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(outcomes.caller(llm))
        assert outcomes.ends == [(12.0, "ok"), (13.0, "ok")]

    run(scenario)
