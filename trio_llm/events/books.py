"""What budgets, cache, store and configuration did."""

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from trio_llm.events.record import Event

if TYPE_CHECKING:
    from trio_llm.chat import Cost


@attrs.frozen
class BudgetAlert(Event):
    """A budget was used up to a share of its limit.

    Attributes:
        budget: Its name.
        account: Whose it is, where each has its own; empty otherwise.
        threshold: The share of the limit that was reached.
        spent: US dollars spent in the period.
        limit: Its limit in US dollars.
    """

    budget: str
    account: str
    threshold: float
    spent: Decimal
    limit: Decimal


@attrs.frozen
class BudgetExceeded(Event):
    """A budget has no room for an attempt, which is refused, passed on, or made with a warning.

    Attributes:
        budget: Its name.
        account: Whose it is, where each has its own; empty otherwise.
        how: ``refuse``, ``fall_on`` or ``warn``.
        expected: US dollars that the attempt may cost; ``None`` where that is not known.
        spent: US dollars spent in the period, and set aside.
        limit: Its limit in US dollars.
    """

    budget: str
    account: str
    how: str
    expected: Decimal | None
    spent: Decimal
    limit: Decimal


@attrs.frozen
class CacheHit(Event):
    """An answer was given from the cache; `age` is in seconds, `stale` past its time."""

    age: float
    stale: bool = False


@attrs.frozen
class CacheMissed(Event):
    """The cache had no answer."""


@attrs.frozen
class CacheStored(Event):
    """An answer was kept, in so many bytes; so many others had to go."""

    size: int
    evicted: int


@attrs.frozen
class FlightJoined(Event):
    """A caller shares the call of another who asked the same; `waiters` share it now."""

    waiters: int


@attrs.frozen
class StoreFailed(Event):
    """The store did not take something; `pending` changes wait to be written."""

    error: str
    pending: int


@attrs.frozen
class StoreRecovered(Event):
    """Attempts that were under way when an earlier process ended were booked, by estimate."""

    charges: int
    cost: "Cost"


@attrs.frozen
class HistorySetAside(Event):
    """The performance file could not be read; it was renamed, and the history begins anew."""

    file: str
    reason: str


@attrs.frozen
class ConfigReloaded(Event):
    """Another configuration runs from now on; providers and balancers by name."""

    generation: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@attrs.frozen
class Degraded(Event):
    """A caller got a ``stale`` reply, or the ``default`` one, in place of an error."""

    how: str
    error: str
