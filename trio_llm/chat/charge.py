"""What one physical attempt was booked with, and what is set aside for one under way."""

from decimal import Decimal

import attrs

from trio_llm.chat.cost import Cost
from trio_llm.chat.reply import Usage


@attrs.frozen
class Subject:
    """Whose attempt it is: what accounts are kept by.

    Attributes:
        provider: The provider's name in the configuration.
        kind: Its kind, as in the catalogue.
        model: The model asked for.
        user: `Request.user`; empty without one.
        operation: What was asked for: ``chat``, ``embed``, ``moderate``, ``count_tokens``, ...
        tags: `Request.tags`, sorted by name.
    """

    provider: str
    kind: str
    model: str
    user: str = ""
    operation: str = "chat"
    tags: tuple[tuple[str, str], ...] = ()


@attrs.frozen
class Charge:
    """One physical attempt, as it is booked; each is booked once.

    Attributes:
        id: Its identifier, unique over all runs.
        time: When it ended, in seconds since the epoch.
        subject: Whose it is.
        call: The number of its call in the run.
        outcome: ``succeeded``, ``failed`` or ``cancelled``. A success that another one
            beat later is booked as the success that it was. ``lost`` is one that was under
            way when its process ended.
        usage: Tokens, as far as known.
        cost: What it cost; ``None`` where the price is not known.
        latency: Seconds from its start to its end.
    """

    id: str
    time: float
    subject: Subject
    call: int
    outcome: str
    usage: Usage | None
    cost: Cost | None
    latency: float = 0.0


@attrs.frozen
class Reservation:
    """What is set aside for an attempt that is about to begin.

    Attributes:
        id: That of the charge that will take its place.
        time: When it was made, in seconds since the epoch.
        subject: Whose it is.
        call: The number of the call in the run.
        estimate: US dollars that the attempt is expected to cost.
    """

    id: str
    time: float
    subject: Subject
    call: int
    estimate: Decimal
