"""A world in virtual time: run a scenario under a seed, or under many.

The clock jumps as soon as every task waits, so a scenario of hours takes
milliseconds; the order in which tasks run is drawn from the seed. The same seed
gives the same run, to the last event.
"""

import os
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs
import trio
from trio.testing import MockClock

from trio_llm.events import Event
from trio_llm.runtime import ConfigSource, Runtime, open_runtime
from trio_llm.testing.log import Entry, entry_of
from trio_llm.testing.scheduler import seeded_scheduler

if TYPE_CHECKING:
    from trio_llm.transport import TransportChoice

T = TypeVar("T")

END_OF_TIME = 1e9
"""Virtual seconds after which a scenario counts as hung."""

EPOCH = 1_800_000_000.0
"""What the wall clock of a world shows at its start."""


@attrs.define(eq=False)
class World:
    """What a scenario is given.

    Attributes:
        seed: The seed of this run.
        rng: Randomness for the scenario itself, from that seed.
        log: Everything that happened, in the order in which it did.
    """

    seed: int
    rng: random.Random
    log: list[Entry] = attrs.field(factory=list[Entry], init=False)

    @asynccontextmanager
    async def open(
        self, config: ConfigSource = None, *, transport: "TransportChoice" = None
    ) -> AsyncGenerator[Runtime, None]:
        """Open a runtime whose randomness, clock and events are this world's."""
        async with open_runtime(
            config,
            transport=transport,
            rng=random.Random(self.seed),  # noqa: S311 - a simulation
            wall_clock=self.wall_clock,
        ) as runtime:
            runtime.subscribe(self._observe)
            yield runtime

    def wall_clock(self) -> float:
        """Give the time of day in this world, in seconds since the epoch."""
        return EPOCH + trio.current_time()

    def note(self, actor: str, kind: str, **fields: object) -> None:
        """Add an entry of the scenario's own to the log."""
        self.log.append(Entry(trio.current_time(), actor, kind, tuple(sorted(fields.items()))))

    def _observe(self, event: Event) -> None:
        self.log.append(entry_of(event))


@attrs.frozen
class Outcome(Generic[T]):
    """What a run gave.

    Attributes:
        seed: Its seed.
        value: What the scenario returned.
        log: Everything that happened, in the order in which it did.
    """

    seed: int
    value: T
    log: tuple[Entry, ...]


class SeedFailed(AssertionError):  # noqa: N818 - it names the seed that failed
    """A scenario failed under a seed; `seed` replays it, and the cause is the failure."""

    def __init__(self, seed: int, cause: BaseException) -> None:
        super().__init__(
            f"failed with seed {seed}: {type(cause).__name__}: {cause}\n"
            f"replay it with: run(scenario, seed={seed})"
        )
        self.seed = seed


Scenario = Callable[[World], Awaitable[T]]


def run(scenario: Scenario[T], *, seed: int = 0, schedule: int | None = None) -> Outcome[T]:
    """Run a scenario once, in virtual time, from a seed.

    Args:
        scenario: An async function of a `World`.
        seed: Seeds the world, its runtimes and, unless `schedule` is given, the
            scheduler.
        schedule: Seeds the scheduler alone, to see one world under many schedules.

    Raises:
        TimeoutError: Nothing happens any more: the scenario is deadlocked.
    """
    world = World(seed, random.Random(seed))  # noqa: S311 - a simulation

    async def main() -> T:
        with trio.move_on_after(END_OF_TIME) as scope:
            return await scenario(world)
        if scope.cancelled_caught:
            raise TimeoutError("deadlock: every task waits, and no timer is set")
        raise AssertionError("unreachable")

    with seeded_scheduler(seed if schedule is None else schedule):
        value = trio.run(main, clock=MockClock(autojump_threshold=0))
    return Outcome(seed, value, tuple(world.log))


def explore(scenario: Scenario[T], *, seeds: Iterable[int]) -> list[Outcome[T]]:
    """Run a scenario under many seeds.

    Raises:
        SeedFailed: It failed under one; the message names the seed.
    """
    outcomes: list[Outcome[T]] = []
    for seed in seeds:
        try:
            outcomes.append(run(scenario, seed=seed))
        except Exception as error:
            raise SeedFailed(seed, error) from error
    return outcomes


def seeds(full: int, *, share: int = 20, least: int = 10) -> range:
    """Give the seeds to explore: all of them, or a fixed slice for everyday runs.

    ``TRIO_LLM_SEEDS=full`` in the environment asks for all, a number for that many.

    Args:
        full: How many there are in all.
        share: The slice is ``full / share``,
        least: and no less than this.
    """
    wish = os.environ.get("TRIO_LLM_SEEDS", "")
    if wish == "full":
        return range(full)
    if wish.isdigit():
        return range(int(wish))
    return range(min(full, max(least, full // share)))
