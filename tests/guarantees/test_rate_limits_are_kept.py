"""No minute sees more requests or tokens than a provider's limits admit, and nobody overtakes.

Whoever cannot begin yet stands in line; what is booked for a call that is not sent is
given back; and whatever happens, nothing stays booked for ever.
"""

import random
from collections.abc import Sequence
from contextlib import suppress

import attrs
import pytest
import trio

from tests.guarantees.breaker_scenes import assert_nothing_leaked
from tests.guarantees.scenes import Cast, assert_idle
from tests.operations.operations_stage import CancelBefore
from trio_llm import (
    Config,
    CooldownSettings,
    LLMError,
    LoadBalance,
    Race,
    RateLimit,
    Restart,
    Retry,
    Runtime,
)
from trio_llm.chat import AnyResult, Completion, Message, Usage
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Crashes, Fails, Stalls, Step, World, explore, run, seeds

NEVER_RESTS = CooldownSettings(after_failures=1_000_000)
MINUTE = 60.0


def most_in_a_minute(at: Sequence[tuple[float, float]]) -> float:
    """Give the most that was used within any window of a minute; instants and amounts."""
    most = 0.0
    for start, _ in at:
        most = max(most, sum(used for when, used in at if start <= when < start + MINUTE - 1e-6))
    return most


async def _ask(llm: Runtime, text: str) -> None:
    with suppress(LLMError):
        await llm.generate(text)


def test_no_minute_sees_more_requests_than_the_limit_admits() -> None:
    """Under cancels, failures, retries and crashes; and nothing stays booked afterwards."""
    steps: tuple[Step, ...] = (
        Answers(after=1.0),
        Fails(after=0.5),
        Stalls(),
        Crashes(after=0.5),
        Crashes(after=0.5, actor=True),
    )

    async def scenario(world: World) -> float:
        rng, cast = world.rng, Cast()
        limit = rng.choice((6.0, 30.0, 120.0))
        began: list[tuple[float, float]] = []

        def script(_work: Work) -> Step:
            began.append((trio.current_time(), 1.0))
            return rng.choice(steps)

        provider = cast.provider(
            "a",
            script,
            max_concurrency=rng.randint(1, 8),
            mailbox=100,
            rate_limit=RateLimit(requests_per_minute=limit),
            retry=Retry(attempts=rng.randrange(3), base_delay=0.25),
            cooldown=NEVER_RESTS,
        )
        restart = Restart(max_restarts=1000, backoff=0.25, max_backoff=0.25)

        async def caller(llm: Runtime) -> None:
            for _ in range(3):
                await trio.sleep(rng.randrange(20) / 4)
                with trio.move_on_after(rng.choice((0.5, 5.0, 30.0, 90.0))):
                    await _ask(llm, "hello")

        async with world.open(Config(default=provider, restart=restart)) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(10):
                    nursery.start_soon(caller, llm)
            assert most_in_a_minute(began) <= limit + max(1.0, limit / 10.0)
            await trio.sleep(MINUTE)
            assert_idle(cast, llm)
            assert_nothing_leaked(llm)
            assert llm.status()[0].requests_available == max(1.0, limit / 10.0)
        return most_in_a_minute(began) / limit

    assert max(outcome.value for outcome in explore(scenario, seeds=seeds(1000, share=50))) > 0.9


def test_those_who_wait_for_the_limit_are_served_in_order() -> None:
    """First come, first served, whoever leaves the line; in a balancer too."""

    async def scenario(world: World) -> None:
        served: list[str] = []

        def script(work: Work) -> Step:
            served.append(work.conversation.messages[0].text)
            return Answers(after=world.rng.choice((0.0, 1.0, 30.0)))

        limit = RateLimit(requests_per_minute=world.rng.choice((6.0, 20.0)))
        provider = Cast().provider("a", script, rate_limit=limit, mailbox=50)
        names = [f"{number}" for number in range(10)]
        gone = set(world.rng.sample(names[2:], 3))
        default = world.rng.choice((provider, LoadBalance((provider,))))

        async with world.open(Config(default=default)) as llm:
            # Cancelled, and not by a deadline: one that is known is refused at once.
            scopes = {name: trio.CancelScope() for name in names}

            async def caller(name: str) -> None:
                with scopes[name]:
                    await llm.generate(name)

            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(caller, name)
                    await trio.sleep(1 / 16)
                for name in world.rng.sample(names, 10):
                    await trio.sleep(world.rng.choice((0.0, 3.0)))
                    if name in gone:
                        scopes[name].cancel()
        assert [name for name in served if name not in gone] == [
            name for name in names if name not in gone
        ]

    explore(scenario, seeds=seeds(1000, share=50))


@attrs.frozen
class _Uses:
    """Answers, and used so many tokens."""

    tokens: float
    after: float

    async def play(self, work: Work) -> AnyResult:
        """Wait, then answer."""
        await trio.sleep(self.after)
        usage = Usage(input_tokens=round(self.tokens), output_tokens=0)
        return Completion(Message("assistant", "ok"), "stop", usage=usage, model=work.model)


@pytest.mark.parametrize("error", [0.0, 0.5])
def test_no_minute_sees_more_tokens_than_the_limit_admits(error: float) -> None:
    """With good estimates never; with bad ones by no more than the estimates are wrong."""

    async def scenario(world: World) -> float:
        rng = world.rng
        limit = rng.choice((6_000.0, 60_000.0))
        used: list[tuple[float, float]] = []
        biggest = 0.0

        def script(work: Work) -> Step:
            nonlocal biggest
            # What the provider's actor estimates: four letters a token, four for the
            # message, and the limit on the output.
            estimate = len(work.conversation.messages[0].text) / 4 + 4 + 100
            tokens = estimate * rng.uniform(1.0 - error, 1.0 + error)
            used.append((trio.current_time(), round(tokens)))
            biggest = max(biggest, estimate)
            return _Uses(tokens, rng.choice((0.5, 3.0)))

        provider = Cast().provider(
            "a",
            script,
            max_concurrency=5,
            mailbox=100,
            rate_limit=RateLimit(tokens_per_minute=limit),
        )

        async def caller(llm: Runtime) -> None:
            for _ in range(4):
                await trio.sleep(rng.randrange(40) / 4)
                letters = rng.randrange(8, int(limit / 6))
                await llm.generate("x" * letters, max_tokens=100)

        async with world.open(Config(default=provider)) as llm, trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(caller, llm)
        # At most five run at once, so at most five estimates are wrong at the same time.
        allowed = limit + limit / 10.0 + 5 * error * biggest
        assert most_in_a_minute(used) <= allowed + len(used)
        return most_in_a_minute(used) / limit

    assert max(outcome.value for outcome in explore(scenario, seeds=seeds(1000, share=50))) > 0.8


def _cancelled_at(step: int, *, racing: bool, schedule: int) -> int:
    """Cancel a call that waits for the limit before a step; give how many it took."""
    cast = Cast()

    async def scenario(world: World) -> int:
        limit = RateLimit(requests_per_minute=10.0, tokens_per_minute=60_000.0)
        a = cast.provider("a", Answers(after=1.0), rate_limit=limit)
        b = cast.provider("b", Answers(after=2.0), rate_limit=limit)
        member = Race((a, b), name="race") if racing else a
        async with world.open(Config({"a": a, "b": b}, default=member)) as llm:
            await llm.generate("takes what there is")
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            trio.lowlevel.add_instrument(instrument)
            with scope:
                await llm.generate("waits")
            trio.lowlevel.remove_instrument(instrument)
            assert_idle(cast, llm)
            assert_nothing_leaked(llm)
            assert_nothing_leaked(llm, "b")
            asked = cast.scripts["a"].started
            # It has cost a request if it was sent, and nothing otherwise.
            await llm.provider("a").generate("the next one")
            assert trio.current_time() == pytest.approx(6.0 * asked + 1.0)
            await trio.sleep(MINUTE)
            status = llm.provider("a").status_of()
            assert (status.requests_available, status.tokens_available) == (1.0, 6_000.0)
        return instrument.steps

    return run(scenario, schedule=schedule).value


def test_a_call_that_is_cancelled_in_the_line_leaves_nothing_booked() -> None:
    """Before whatever step it is cancelled, the next call is served as if it had not been."""
    count = 0
    for seed in seeds(1000, share=100, least=10):
        racing = random.Random(seed).random() < 0.5
        whole = _cancelled_at(-1, racing=racing, schedule=seed)
        for step in range(whole):
            _cancelled_at(step, racing=racing, schedule=seed)
            count += 1
    assert count > 50
