"""Trio's scheduler under a seed: the one place with private names of Trio.

Trio runs the tasks of one pass in an order that is random between two choices.
With its switch for deterministic scheduling, the order is drawn from a seeded
generator over all permutations: one seed is one schedule, and many seeds explore
them all. A test guards that both names are still there and still mean this.
"""

import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import trio._core._run


@contextmanager
def seeded_scheduler(seed: int) -> Generator[None, None, None]:
    """Make every `trio.run` inside the block schedule by this seed.

    Trio's own state is put back at the end. Not for use from several threads.
    """
    scheduler: Any = trio._core._run  # noqa: SLF001
    allowed = scheduler._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001
    generator: random.Random = scheduler._r  # noqa: SLF001
    state = generator.getstate()
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    generator.seed(seed)
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # noqa: SLF001
        generator.setstate(state)
