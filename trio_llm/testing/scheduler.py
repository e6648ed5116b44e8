"""Trio's scheduler under a seed: the one place with private names of Trio.

Trio runs the tasks of one pass in an order that is random between two choices.
With its switch for deterministic scheduling, the order is drawn from a seeded
generator over all permutations: one seed is one schedule, and many seeds explore
them all. A test guards that both names are still there and still mean this.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import trio._core._run as trio_run


@contextmanager
def seeded_scheduler(seed: int) -> Iterator[None]:
    """Make every `trio.run` inside the block schedule by this seed.

    Trio's own state is put back at the end. Not for use from several threads.
    """
    allowed = trio_run._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001
    generator: random.Random = trio_run._r  # noqa: SLF001
    state = generator.getstate()
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    generator.seed(seed)
    try:
        yield
    finally:
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = allowed  # noqa: SLF001
        generator.setstate(state)
