"""Every call ends in exactly one of a reply, a typed error, or its caller's own cancellation.

Random trees of tiny actors (one or two places, one or two in line) are asked by many
callers at once, plain and streaming, while jobs and whole actors crash, restart and go
down, callers are cancelled or leave streams early, and the runtime is shut down in the
middle. Whatever happens: one outcome each, counted; nothing hangs; nothing remains.
"""

import random
from collections import Counter

import attrs
import trio

from tests.guarantees.scenes import Cast, assert_idle, by_attempt, field, kinds
from trio_llm import (
    AuthenticationError,
    Config,
    ContextLengthError,
    CooldownSettings,
    Endpoint,
    Fallback,
    Finished,
    LLMError,
    LoadBalance,
    OverloadedError,
    Race,
    Restart,
    Retry,
    Runtime,
    Timeouts,
)
from trio_llm.config.schema import Member
from trio_llm.testing import (
    Answers,
    CallsTool,
    Clings,
    Crashes,
    Cuts,
    Fails,
    RateLimits,
    SendsGarbage,
    Stalls,
    Step,
    World,
    explore,
    seeds,
)

CALLERS = 14

STEPS: tuple[Step, ...] = (
    Answers("at once"),
    Answers("soon", after=0.5, pieces=3, gap=0.25),
    Answers("later", after=2.0, pieces=2, gap=1.0),
    Answers("long", after=0.25, pieces=100, gap=0.0),
    CallsTool(arguments=("{", "}"), after=0.5),
    Fails(after=0.25),
    Fails(OverloadedError),
    Fails(AuthenticationError, after=0.5),
    Fails(ContextLengthError, after=0.25),
    RateLimits(2.0, after=0.25),
    RateLimits(None),
    SendsGarbage(after=0.5),
    Cuts(pieces=2, gap=0.25),
    Stalls(),
    Stalls(pieces=1),
    Crashes(after=0.5),
    Crashes(after=0.25, actor=True),
    Clings(0.5),
    Clings(3.0),
)


def _grow(rng: random.Random, cast: Cast, seed: int, depth: int, name: str = "n") -> Member:
    if depth == 0 or (name != "n" and rng.random() < 0.4):
        return cast.provider(
            name,
            by_attempt(seed, name, rng.choices(STEPS, k=5)),
            max_concurrency=rng.randint(1, 2),
            mailbox=rng.randint(1, 2),
            timeouts=Timeouts(first_token=3.0, idle=1.5, total=6.0),
            retry=Retry(attempts=rng.randrange(2)),
            cooldown=CooldownSettings(initial=0.5, maximum=2.0, after_failures=rng.randint(1, 3)),
        )
    members = tuple(
        _grow(rng, cast, seed, depth - 1, f"{name}{index}") for index in range(rng.randint(2, 3))
    )
    kind, room = rng.randrange(3), rng.randint(1, 3)
    if kind == 0:
        return Race(members, timeout=rng.choice((None, 1.0, 2.5)), name=name, mailbox=room)
    if kind == 1:
        return Fallback(members, max_retries=rng.choice((None, 1)), name=name, mailbox=room)
    strategy = rng.choice(("round_robin", "random"))
    return LoadBalance(members, strategy=strategy, name=name, mailbox=room)


@attrs.define(eq=False)
class _Callers:
    """Asks at random times and in random ways, and counts how each call ended."""

    rng: random.Random
    outcomes: Counter[str] = attrs.field(factory=Counter[str])

    async def one(self, target: Endpoint) -> None:
        rng = self.rng
        await trio.sleep(rng.choice((0.0, 0.0, 0.25, 0.5, 1.0, 2.0, 4.0)))
        patience = rng.choice((0.0, 0.25, 0.5, 1.0, 2.5, float("inf"), float("inf")))
        streaming, read = rng.random() < 0.5, rng.choice((0, 1, 2, 1000))
        pause = rng.choice((0.0, 0.0, 0.5))
        with trio.move_on_after(patience) as scope:
            try:
                if streaming:
                    await self._stream(target, read, pause)
                else:
                    assert (await target.generate("hello")).message is not None
                    self.outcomes["reply"] += 1
            except LLMError:
                self.outcomes["error"] += 1
        if scope.cancelled_caught:
            self.outcomes["cancelled"] += 1

    async def _stream(self, target: Endpoint, read: int, pause: float) -> None:
        async with target.stream("hello") as stream:
            async for event in stream:
                if isinstance(event, Finished):
                    assert stream.reply is event.reply
                    self.outcomes["reply"] += 1
                    return
                read -= 1
                if read < 0:
                    break
                await trio.sleep(pause)
        self.outcomes["left"] += 1


async def _chaos(world: World) -> Counter[str]:
    rng = world.rng
    cast = Cast()
    config = Config(
        default=_grow(rng, cast, world.seed, rng.randint(0, 3)),
        drain_deadline=rng.choice((0.0, 0.5, 4.0)),
        restart=Restart(max_restarts=rng.randrange(3), window=3.0, backoff=0.25),
    )
    before = trio.lowlevel.current_statistics().tasks_living
    callers = _Callers(rng)
    opened: Runtime
    async with trio.open_nursery() as nursery:
        async with world.open(config) as llm:
            opened = llm
            names = [status.name for status in llm.status()]
            for _ in range(CALLERS):
                name = rng.choice(names)
                nursery.start_soon(callers.one, llm if rng.random() < 0.6 else llm.provider(name))
            await trio.sleep(rng.choice((0.5, 1.0, 2.0, 5.0, 60.0)))
        assert cast.running == 0, "the actors have ended"
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert_idle(cast, opened)
    assert callers.outcomes.total() == CALLERS, callers.outcomes
    assert Counter(field(entry, "outcome") for entry in kinds(world.log, "RequestFinished")) == (
        Counter(
            succeeded=callers.outcomes["reply"],
            failed=callers.outcomes["error"],
            cancelled=callers.outcomes["cancelled"] + callers.outcomes["left"],
        )
    )
    for statistics in opened.statistics().nodes.values():
        assert statistics.requests == (
            statistics.succeeded + statistics.failed + statistics.cancelled
        )
    began, ended = kinds(world.log, "RequestStarted"), kinds(world.log, "RequestFinished")
    calls = [field(entry, "call") for entry in ended]
    assert sorted(calls) == sorted({field(entry, "call") for entry in began})
    assert len(kinds(world.log, "AttemptStarted")) == cast.started
    left = sum(
        len(kinds(world.log, kind))
        for kind in ("AttemptSucceeded", "AttemptFailed", "AttemptCancelled")
    )
    assert left == cast.started, "each attempt ends once"
    for name, script in cast.scripts.items():
        assert script.most_running <= 2, name
    return callers.outcomes


def test_every_call_has_exactly_one_outcome_in_any_chaos() -> None:
    """Every call in a chaos of crashes, overload, cancels and shutdown ends exactly once."""
    total: Counter[str] = Counter()
    for outcome in explore(_chaos, seeds=seeds(1000, share=12)):
        total.update(outcome.value)
    assert min(total[kind] for kind in ("reply", "error", "cancelled", "left")) > 30, total


def test_the_same_seed_gives_the_same_chaos() -> None:
    """A chaos replayed from its seed is the same to the last event."""
    for seed in range(3):
        first, second = explore(_chaos, seeds=[seed, seed])
        assert first.log == second.log
        assert first.value == second.value
