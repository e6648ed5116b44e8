"""What the actors of a runtime are given from outside."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from trio_llm.events import EventStream
from trio_llm.ledger import Accounts
from trio_llm.policy import RetryBudget

if TYPE_CHECKING:
    from trio_llm.transport import TransportChoice


@attrs.frozen
class Surroundings:
    """What the actors are given from outside.

    Attributes:
        events: Where records go.
        transport: In place of the providers' own connections.
        seed: What everything random is drawn from.
        wall_clock: Seconds since the epoch.
        retries: The retry budget of the runtime.
        accounts: Where every attempt is booked.
    """

    events: EventStream
    transport: "TransportChoice"
    seed: int
    wall_clock: Callable[[], float]
    retries: RetryBudget
    accounts: Accounts
