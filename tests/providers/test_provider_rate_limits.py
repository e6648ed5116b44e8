"""The rate limits of a provider: who waits in line for them, who is refused, what is learnt."""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast, kinds
from trio_llm import (
    Config,
    ContextLengthError,
    Fallback,
    LLMError,
    Provider,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimit,
    Retry,
    Runtime,
    ServerError,
    Timeouts,
)
from trio_llm.chat import AnyResult, Completion, Message, RateWindow, Usage
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Cuts, Fails, Stalls, Step, World, run

TEN = RateLimit(requests_per_minute=10.0)
"""One at once, and then one every six seconds."""


@attrs.frozen
class Uses:
    """Answers, and says how many tokens that took."""

    tokens: int
    after: float = 0.0

    async def play(self, work: Work) -> AnyResult:
        """Wait, then answer."""
        await trio.sleep(self.after)
        usage = Usage(input_tokens=self.tokens, output_tokens=0)
        return Completion(Message("assistant", "ok"), "stop", usage=usage, model=work.model)


@attrs.frozen
class States:
    """Says what is left, as a server does in its headers, then plays another step."""

    windows: Sequence[RateWindow]
    then: Step

    async def play(self, work: Work) -> AnyResult:
        """State the windows."""
        assert work.observe is not None
        work.observe(self.windows)
        return await self.then.play(work)


async def _refused(llm: Runtime, **options: Any) -> ProviderUnavailableError:
    with pytest.raises(ProviderUnavailableError) as caught:
        await llm.generate("hello", **options)
    return caught.value


def _limited(cast: Cast, script: Step | Sequence[Step], limit: RateLimit, **rest: Any) -> Provider:
    return cast.provider("a", script, rate_limit=limit, **rest)


def test_calls_beyond_the_limit_wait_their_turn() -> None:
    """They begin one after the other, in the order in which they came, when the clock says so."""

    async def scenario(world: World) -> None:
        began: list[tuple[str, float]] = []

        def script(work: Work) -> Step:
            began.append((work.conversation.messages[0].text, trio.current_time()))
            return Answers(after=1.0)

        provider = Cast().provider("a", script, rate_limit=TEN)
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(llm.generate, f"{number}")
                await trio.sleep(0.125)
            status = llm.status()[0]
            assert (status.state, status.in_flight, status.queued) == ("ready", 1, 3)
            assert status.requests_available == pytest.approx(0.5 / 6)
            assert status.retry_after == pytest.approx(5.5)
        assert [name for name, _ in began] == ["0", "1", "2", "3"]
        assert [at for _, at in began] == pytest.approx([0.0, 6.0, 12.0, 18.0])

    run(scenario)


def test_a_wait_that_ends_too_late_is_not_begun() -> None:
    """Who cannot be served before the own deadline is told at once, and how long it would be."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(Config(default=_limited(cast, Answers(), TEN))) as llm:
            await llm.generate("takes what there is")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, "waits for 6 s")
                await trio.sleep(1.0)
                with trio.fail_after(10.0):
                    error = await _refused(llm)
                assert trio.current_time() == 1.0
                assert error.code == "rate_limited"
                assert error.retry_after == pytest.approx(11.0)
                with trio.fail_after(12.0):
                    await llm.generate("hello")
            assert cast.started == 3
            assert llm.status()[0].queued == 0

    run(scenario)


def test_a_provider_can_be_told_to_refuse_instead() -> None:
    """With ``fall_on`` a call beyond the limit is refused at once, in the line too."""

    async def scenario(world: World) -> None:
        cast = Cast()
        limit = attrs.evolve(TEN, on_limit="fall_on")
        provider = _limited(cast, Answers(after=1.0), limit, max_concurrency=1)
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            nursery.start_soon(llm.generate, "hello")
            await trio.sleep(0.5)
            error = await _refused(llm)  # it stood in line for the place
            assert (error.code, trio.current_time()) == ("rate_limited", 1.0)
            error = await _refused(llm)
            assert (error.code, trio.current_time()) == ("rate_limited", 1.0)
            assert error.retry_after == pytest.approx(5.0)

    run(scenario)


def test_a_balancer_goes_on_before_it_waits() -> None:
    """While another member can answer nobody waits for a limit; then the wait is worth it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        a = _limited(cast, Answers(), TEN)
        b = cast.provider("b", Answers(), rate_limit=TEN)
        async with world.open(Config(default=Fallback((a, b)))) as llm:
            who = [(await llm.generate("hello")).provider for _ in range(3)]
            assert who == ["a", "b", "a"]
            assert trio.current_time() == pytest.approx(6.0)

    run(scenario)


def test_tokens_are_reserved_by_estimate_and_settled_by_use() -> None:
    """What a call used less than estimated is free again when it ends, not before."""

    async def scenario(world: World) -> None:
        cast = Cast()
        limit = RateLimit(tokens_per_minute=6000.0)  # 600 at once, 100 a second
        script = [Uses(500, after=2.0), Uses(100, after=2.0)]
        async with world.open(Config(default=_limited(cast, script, limit))) as llm:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: llm.generate("x" * 1000, max_tokens=250))
                await trio.sleep(0.5)  # about 504 are booked
                assert llm.status()[0].tokens_available == pytest.approx(600 - 504 + 50)
                await trio.sleep(2.0)  # 500 were used, 250 came back
                assert llm.status()[0].tokens_available == pytest.approx(600 - 500 + 250)
                nursery.start_soon(lambda: llm.generate("x" * 2000, max_tokens=100))
                await trio.sleep(0.5)
                assert cast.running == 0  # about 604 are wanted, and that is all there is
                await trio.sleep(2.25)
                assert cast.running == 1
            # It waited until the bucket was full, for it wants more than that holds; 100 of
            # the 604 that were booked were used.
            assert llm.status()[0].tokens_available == pytest.approx(600.0)

    run(scenario)


@pytest.mark.parametrize(
    ("step", "used"),
    [
        (Fails(ServerError("refused", status=503)), 0.0),
        (Fails(ContextLengthError("too long", status=400)), 0.0),
        (Fails(ProviderTimeoutError("late", phase="idle")), 504.0),
        (Stalls(), 504.0),
    ],
)
def test_what_a_failed_attempt_used_is_what_is_known_of_it(step: Step, used: float) -> None:
    """A refusal used nothing; what was given up or cut may have used all of its estimate."""

    async def scenario(world: World) -> None:
        limit = RateLimit(tokens_per_minute=6000.0)
        async with world.open(Config(default=_limited(Cast(), [step], limit))) as llm:
            with trio.move_on_after(1.0):
                with suppress(LLMError):
                    await llm.generate("x" * 1000, max_tokens=250)
            passed = 100.0 * trio.current_time()
            free = min(600.0, 600.0 - used + passed)
            assert llm.status()[0].tokens_available == pytest.approx(free)

    run(scenario)


def test_a_stream_that_is_left_used_what_came() -> None:
    """The input, and the text so far; a stream that is cut likewise."""

    async def scenario(world: World) -> None:
        limit = RateLimit(tokens_per_minute=6000.0)
        script = (Answers("x" * 400, pieces=2, gap=100.0), Cuts(pieces=1, text="x" * 400))
        async with world.open(Config(default=_limited(Cast(), script, limit))) as llm:
            async with llm.stream("x" * 1000, max_tokens=250) as stream:
                await anext(aiter(stream))
            free = llm.status()[0].tokens_available
            assert free == pytest.approx(600.0 - 254.0 - 50.0)
            await trio.sleep(10.0)
            with suppress(LLMError):
                async with llm.stream("x" * 1000, max_tokens=250) as stream:
                    async for _ in stream:
                        pass
            assert llm.status()[0].tokens_available == pytest.approx(600.0 - 254.0 - 50.0)

    run(scenario)


def test_what_was_never_sent_is_given_back_whole() -> None:
    """A call that leaves the line, or is refused before it is sent, costs neither limit."""

    async def scenario(world: World) -> None:
        cast = Cast()
        limit = RateLimit(requests_per_minute=10.0, tokens_per_minute=6000.0)
        failed = Fails(ServerError("no connection", phase="connect"))
        provider = _limited(cast, [failed, Answers(after=3.0)], limit, max_concurrency=1)
        async with world.open(Config(default=provider)) as llm:
            with pytest.raises(ServerError):
                await llm.generate("hello")
            status = llm.status()[0]
            assert (status.requests_available, status.tokens_available) == (1.0, 600.0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, "holds the place")
                await trio.sleep(0.5)
                before = llm.status()[0].requests_available
                with trio.move_on_after(0.0):
                    await llm.generate("leaves the line")
                assert llm.status()[0].requests_available == before
            assert cast.started == 2

    run(scenario)


def test_a_retry_is_a_request_too() -> None:
    """It waits for the limit, within the caller's deadline, or is not made."""

    async def scenario(world: World) -> None:
        cast = Cast()
        retry = Retry(attempts=1, base_delay=0.0)
        provider = _limited(cast, [Fails(), Answers(), Fails()], TEN, retry=retry)
        async with world.open(Config(default=provider)) as llm:
            assert (await llm.generate("hello")).latency == pytest.approx(6.0)
            await trio.sleep(6.0)
            with trio.fail_after(5.0), pytest.raises(ServerError):
                await llm.generate("hello")
            assert trio.current_time() == pytest.approx(12.0)
            assert cast.started == 3

    run(scenario)


def test_retries_come_before_the_line() -> None:
    """Who holds a place and tries again came before those who wait for one."""

    async def scenario(world: World) -> None:
        began: list[str] = []

        def script(work: Work) -> Step:
            began.append(f"{work.conversation.messages[0].text}{work.number}")
            return Fails(after=1.0) if began == ["a1"] else Answers()

        retry = Retry(attempts=1, base_delay=0.0)
        provider = Cast().provider("a", script, rate_limit=TEN, retry=retry)
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for name in ("a", "b"):
                nursery.start_soon(llm.generate, name)
                await trio.sleep(0.25)
        assert began == ["a1", "a2", "b1"]

    run(scenario)


@pytest.mark.parametrize("good", [True, False])
def test_what_the_server_says_is_left_counts_without_any_configuration(good: bool) -> None:
    """Where it says that nothing is left, calls wait for its reset: a success says it as well."""

    async def scenario(world: World) -> None:
        nothing_left = [RateWindow("requests", 0.0, 100.0, 30.0)]
        plenty = [RateWindow("requests", 99.0, 100.0, 30.0)]
        first: Step = Answers() if good else Fails()
        script = (States(nothing_left, first), States(plenty, Answers()), Answers())
        async with world.open(Config(default=Cast().provider("a", script))) as llm:
            if good:
                await llm.generate("hello")
            else:
                with pytest.raises(ServerError):
                    await llm.generate("hello")
            status = llm.status()[0]
            assert (status.state, status.retry_after) == ("ready", 30.0)
            with trio.fail_after(20.0):
                error = await _refused(llm)
            assert (error.code, error.retry_after) == ("rate_limited", 30.0)
            assert (await llm.generate("hello")).latency == 30.0
            await llm.generate("hello")
            assert trio.current_time() == 30.0
        assert not kinds(world.log, "CooldownStarted")

    run(scenario)


def test_those_in_line_see_what_the_server_says() -> None:
    """A window that is used up refuses at once who would wait for it in vain."""

    async def scenario(world: World) -> None:
        nothing_left = [RateWindow("tokens", 0.0, None, 50.0)]
        ends: list[tuple[float, str]] = []

        @attrs.frozen
        class SaysIt:
            async def play(self, work: Work) -> AnyResult:
                await trio.sleep(1.0)
                return await States(nothing_left, Answers(after=1.0)).play(work)

        provider = Cast().provider("a", [SaysIt(), Answers()], max_concurrency=1)
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:

            async def caller(patience: float) -> None:
                with trio.move_on_after(patience):
                    try:
                        await llm.generate("hello")
                        ends.append((trio.current_time(), "ok"))
                    except ProviderUnavailableError as error:
                        ends.append((trio.current_time(), error.code or ""))

            for patience in (math.inf, 20.0, math.inf):
                nursery.start_soon(caller, patience)
                await trio.sleep(0.125)
        assert ends == [(1.0, "rate_limited"), (2.0, "ok"), (51.0, "ok")]

    run(scenario)


def test_what_the_server_says_can_be_left_aside() -> None:
    """Without ``learn`` only the configured limits count."""

    async def scenario(world: World) -> None:
        nothing_left = [RateWindow("requests", 0.0, 100.0, 30.0)]
        provider = _limited(Cast(), States(nothing_left, Answers()), RateLimit(learn=False))
        async with world.open(Config(default=provider)) as llm:
            for _ in range(3):
                await llm.generate("hello")
            assert trio.current_time() == 0.0

    run(scenario)


def test_a_timeout_of_the_provider_does_not_run_in_the_line() -> None:
    """The limits of time begin with the attempt, not with the wait for it."""

    async def scenario(world: World) -> None:
        timeouts = Timeouts(first_token=2.0, total=2.0)
        provider = _limited(Cast(), Answers(after=1.0), TEN, timeouts=timeouts)
        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(llm.generate, "hello")
        assert trio.current_time() == pytest.approx(13.0)

    run(scenario)
