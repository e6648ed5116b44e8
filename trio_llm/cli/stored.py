"""Where a configuration keeps its books, and how a command reads them.

That takes neither an actor nor the lock, so an agent may be at work meanwhile.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from trio_llm.config import Config
from trio_llm.errors import ConfigError
from trio_llm.events import EventStream
from trio_llm.ledger import Accounts, Journal
from trio_llm.policy.spending import Spending
from trio_llm.store import MemoryStore, SQLiteStore, Store

wall_clock: Callable[[], float] = time.time
"""What commands take for the time of day: seconds since the epoch."""


@attrs.frozen
class Place:
    """Where books are kept.

    Attributes:
        path: The file.
        time_zone: The IANA name of the time zone in which days begin.
        clock: Gives the seconds since the epoch.
    """

    path: Path
    time_zone: str = "UTC"
    clock: Callable[[], float] = attrs.field(factory=lambda: wall_clock)

    @property
    def begun(self) -> bool:
        """Whether there is anything to read."""
        return self.path.exists()

    def absence(self) -> str:
        """Say that there is nothing yet, and where it was looked for."""
        return f"{self.path.absolute()} is not there yet; the first runtime makes it"


def place_of(config: Config, source: Path | None, what: str) -> Place:
    """Give the place that a configuration names.

    Args:
        config: The configuration.
        source: Its file; ``None`` when the environment decided.
        what: What a store would keep, as in "usage is".

    Raises:
        ConfigError: It names none.
    """
    if config.store.path is not None:
        return Place(Path(config.store.path), config.time_zone)
    problem = f"{what} kept in memory, and gone with the runtime; "
    if source is None:
        remedy = "name a configuration with --config that has a path under [store]"
        raise ConfigError([problem + remedy], "environment")
    remedy = 'put path = "trio_llm.db" under [store] for a file on disk'
    raise ConfigError([problem + remedy], str(source))


@asynccontextmanager
async def reading(place: Place) -> AsyncGenerator[Accounts, None]:
    """Open the books for reading alone; there is nothing in those that have not been begun.

    Raises:
        StoreError: They cannot be read.
    """
    store: Store = SQLiteStore(place.path, read_only=True) if place.begun else MemoryStore()
    events = EventStream()
    async with store.opened():
        yield Accounts("", place.clock, events, Journal(store, events), Spending(()))
