"""Every operation keeps the promises of a call, whatever happens around it.

Random trees of tiny actors are asked for embeddings, verdicts, counts, lists, comparisons,
batches, typed answers and tool loops by many callers at once, while jobs and actors crash,
restart and go down, callers are cancelled or leave early, and the runtime is shut down.
"""

from collections import Counter

import trio

from tests.guarantees.operations_chaos import Callers, grow
from tests.guarantees.scenes import Cast, assert_idle, field, kinds
from trio_llm import Config, Restart, Runtime
from trio_llm.testing import World, explore, seeds

CALLERS = 12


async def _chaos(world: World) -> Counter[str]:
    rng = world.rng
    cast = Cast()
    config = Config(
        default=grow(rng, cast, world.seed, rng.randint(0, 3)),
        drain_deadline=rng.choice((0.0, 0.5, 4.0)),
        restart=Restart(max_restarts=rng.randrange(4), window=3.0, backoff=0.25),
    )
    before = trio.lowlevel.current_statistics().tasks_living
    callers = Callers(rng)
    opened: Runtime
    async with trio.open_nursery() as nursery:
        async with world.open(config) as llm:
            opened = llm
            names = [status.name for status in llm.status()]
            for _ in range(CALLERS):
                name = rng.choice(names)
                nursery.start_soon(callers.one, llm if rng.random() < 0.6 else llm.provider(name))
            await trio.sleep(rng.choice((0.5, 2.0, 60.0, 60.0)))
        assert cast.running == 0, "the actors have ended"
    assert trio.lowlevel.current_statistics().tasks_living == before
    assert_idle(cast, opened)
    assert callers.tools_running == 0
    assert callers.outcomes.total() == CALLERS, callers.outcomes
    for statistics in opened.statistics().nodes.values():
        assert statistics.requests == (
            statistics.succeeded + statistics.failed + statistics.cancelled
        )
    began, ended = kinds(world.log, "RequestStarted"), kinds(world.log, "RequestFinished")
    calls = [field(entry, "call") for entry in ended]
    assert sorted(calls) == sorted(field(entry, "call") for entry in began)
    assert len(set(calls)) == len(calls), "each call is recorded once"
    left = sum(
        len(kinds(world.log, kind))
        for kind in ("AttemptSucceeded", "AttemptFailed", "AttemptCancelled")
    )
    assert left == len(kinds(world.log, "AttemptStarted")), "each attempt ends once"
    attempts = sum(node.attempts for node in opened.statistics().nodes.values())
    assert attempts == left
    for name, script in cast.scripts.items():
        assert script.most_running <= 4, name
    return callers.outcomes


def test_every_operation_has_exactly_one_outcome_in_any_chaos() -> None:
    """Each operation ends once, in order and whole, and leaves nothing behind."""
    total: Counter[str] = Counter()
    for outcome in explore(_chaos, seeds=seeds(1000, share=50)):
        total.update(outcome.value)
    assert min(total.values()) > 5, total
    assert len(total) == 11, total


def test_the_same_seed_gives_the_same_operations() -> None:
    """A chaos of operations replayed from its seed is the same to the last event."""
    for seed in range(3):
        first, second = explore(_chaos, seeds=[seed, seed])
        assert first.log == second.log
        assert first.value == second.value
