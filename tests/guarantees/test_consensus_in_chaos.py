"""Balancers that choose leave nothing behind, whatever their members do.

Weighted races, quality races with judges and consensus with embedders stand in random
trees, whose providers answer, stall, fail, break off, crash and send garbage. One caller
after the other asks, patiently or not, plain or streaming. Each has one outcome; when it
has, nothing of its call runs or occupies a place, and its attempts are within the cap.
"""

import random
from collections import Counter
from typing import Any

import attrs
import trio

from tests.guarantees.choosing_scenes import score_in
from tests.guarantees.scenes import Cast, assert_idle, by_attempt, kinds
from tests.guarantees.test_one_outcome import STEPS
from trio_llm import (
    Config,
    Consensus,
    CooldownSettings,
    EmbedRequest,
    Fallback,
    Finished,
    LLMError,
    Provider,
    Race,
    Reply,
    Request,
    Restart,
    Retry,
    Runtime,
    Simulation,
    Timeouts,
)
from trio_llm.config.schema import Member
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Clings, Embeds, ScriptedProvider, Step, World, explore, seeds

CALLS = 6
BRIEF: tuple[Step, ...] = tuple(
    step for step in STEPS if not (isinstance(step, Clings) and step.seconds > 1.0)
)


async def _slow_score(request: Request, completion: Any) -> float:
    await trio.sleep(0.5)
    return score_in(request, completion)


def _raising_score(_request: object, completion: Any) -> float:
    return 1 / len(completion.message.tool_calls)


def _provider(rng: random.Random, cast: Cast, seed: int, name: str) -> Provider:
    return cast.provider(
        name,
        by_attempt(seed, name, [Answers("so"), Answers("so", 0.5), *rng.choices(BRIEF, k=4)]),
        max_concurrency=rng.randint(1, 2),
        mailbox=rng.randint(1, 3),
        timeouts=Timeouts(first_token=3.0, idle=1.5, total=6.0),
        retry=Retry(attempts=rng.randrange(2)),
        cooldown=CooldownSettings(initial=0.5, maximum=2.0, after_failures=rng.randint(1, 3)),
    )


def _grow(rng: random.Random, cast: Cast, seed: int, depth: int, name: str = "n") -> Member:
    if depth == 0 or (name != "n" and rng.random() < 0.5):
        return _provider(rng, cast, seed, name)
    members = tuple(
        _grow(rng, cast, seed, depth - 1, f"{name}{index}") for index in range(rng.randint(2, 4))
    )
    timeout = rng.choice((None, 1.0, 2.5))
    grace = rng.choice((0.0, 0.25, 1.0))
    kind = rng.randrange(6)
    if kind == 0:
        return Race(members, strategy="weighted", grace_period=grace, timeout=timeout, name=name)
    if kind in {1, 2}:
        aid: dict[str, Any] = rng.choice(
            ({"judge": "judge"}, {"scorer": _slow_score}, {"scorer": _raising_score}, {})
        )
        return Race(
            members, strategy="quality", grace_period=grace, timeout=timeout, name=name, **aid
        )
    if kind == 3:
        return Fallback(members, name=name, on_interrupt=rng.choice(("fail", "restart", "resume")))
    settings: dict[str, Any] = rng.choice(
        ({}, {"strategy": "similarity"}, {"strategy": "embedding", "embedder": "vectors"})
    )
    quorum = rng.choice((None, None, 1, len(members)))
    return Consensus(members, timeout=timeout, quorum=quorum, name=name, **settings)


def _config(world: World, cast: Cast) -> Config:
    rng = world.rng
    vectors = ScriptedProvider(_embedding(world.seed), {EmbedRequest})
    cast.scripts["vectors"] = vectors
    return Config(
        {
            "judge": _provider(rng, cast, world.seed, "judge"),
            "vectors": Provider(
                "custom", cls=vectors, models=("m",), embedding_model="m", max_concurrency=2
            ),
            "spare": Provider("simulated", simulation=Simulation(latency=0.5)),
        },
        default=_grow(rng, cast, world.seed, rng.randint(1, 3)),
        restart=Restart(max_restarts=100, window=3.0, backoff=0.25),
        max_attempts=rng.choice((3, 8, 40)),
    )


def _embedding(seed: int) -> Any:
    steps: tuple[Any, ...] = (Embeds(2), Embeds(2, after=0.5), *BRIEF[5:9], BRIEF[13])
    choose = by_attempt(seed, "vectors", steps)

    def script(work: Work) -> Step:
        return choose(work)

    return script


@attrs.define(eq=False)
class _Caller:
    """Asks in random ways, and counts how each call ended."""

    rng: random.Random
    llm: Runtime
    outcomes: Counter[str] = attrs.field(factory=Counter[str])

    async def ask(self) -> Reply | LLMError | None:
        """Ask once."""
        rng = self.rng
        patience = rng.choice((0.25, 0.5, 1.0, 2.5, float("inf"), float("inf")))
        streaming, read = rng.random() < 0.5, rng.choice((0, 1000, 1000))
        outcome: Reply | LLMError | None = None
        with trio.move_on_after(patience) as scope:
            try:
                if streaming:
                    outcome = await self._stream(read)
                else:
                    outcome = await self.llm.generate("hello")
                    self.outcomes["reply"] += 1
            except LLMError as error:
                outcome = error
                self.outcomes["error"] += 1
        if scope.cancelled_caught:
            self.outcomes["cancelled"] += 1
        return outcome

    async def _stream(self, read: int) -> Reply | None:
        async with self.llm.stream("hello") as stream:
            async for event in stream:
                if isinstance(event, Finished):
                    self.outcomes["reply"] += 1
                    return event.reply
                read -= 1
                if read < 0:
                    break
        self.outcomes["left"] += 1
        return None


async def _chaos(world: World) -> Counter[str]:
    cast = Cast()
    config = _config(world, cast)
    before = trio.lowlevel.current_statistics().tasks_living
    async with world.open(config) as llm:
        caller = _Caller(world.rng, llm)
        for number in range(1, CALLS + 1):
            started = cast.started
            outcome = await caller.ask()
            assert cast.running == 0
            assert_idle(cast, llm)
            assert cast.started - started <= config.max_attempts
            if outcome is not None:
                assert len(outcome.attempts) <= config.max_attempts
            assert caller.outcomes.total() == number
            await trio.sleep(world.rng.choice((0.0, 0.5, 3.0)))
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert len(kinds(world.log, "RequestFinished")) == CALLS
    assert llm.statistics().overruns == 0
    caller.outcomes.update(
        entry.kind
        for entry in world.log
        if entry.kind in {"RaceScored", "AdviceMissing", "VoteCast", "ConsensusReached"}
    )
    return caller.outcomes


def test_every_call_ends_once_and_leaves_nothing() -> None:
    """In any chaos, and whatever the caller does."""
    total: Counter[str] = Counter()
    for outcome in explore(_chaos, seeds=seeds(1500, share=30)):
        total.update(outcome.value)
    assert min(total[kind] for kind in ("reply", "error", "cancelled", "left")) > 20, total
    told = ("RaceScored", "AdviceMissing", "VoteCast", "ConsensusReached")
    assert min(total[kind] for kind in told) > 20, total


def test_the_same_seed_gives_the_same_chaos() -> None:
    """A chaos replayed from its seed is the same to the last event."""
    for seed in range(5):
        first, second = explore(_chaos, seeds=[seed, seed])
        assert first.log == second.log
