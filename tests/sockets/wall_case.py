"""The words in which the wall of faults is written: what is played, met, and given."""

import enum

import attrs

from tests.sockets.socket_scenes import KINDS
from trio_llm import ProviderError
from trio_llm.testing.upstream import Behaviour, ServedOutcome

NOW = 1_800_000_000.0
"""The wall clock of every runtime here: 2027-01-15T08:00:00Z."""

WAIT = 30.0
"""Seconds that the bad member asks for, where it asks, and the limit of its silence."""

HEALTHY = "All is well"
"""What the healthy member answers."""

PARTIAL = "Hello, "
"""What the bad member has written when it breaks in mid-stream."""

ALL = tuple(KINDS)

ANY_STATUS = -1
"""Where it is the dialect's affair whether an error inside a 200 states a status."""


class Server(enum.Enum):
    """In what state the bad member's server is."""

    UP = "up"
    DOWN = "down"
    """Nobody listens."""
    FULL = "full"
    """Its queue of connections is full: dialling only waits."""


class Gets(enum.Enum):
    """What the caller gets."""

    OTHERS = "the healthy member's answer"
    ERROR = "the error itself"
    ANSWER = "its answer"


@attrs.frozen
class Met:
    """What one attempt at the bad member comes to.

    Attributes:
        error: The class of its error; ``None`` for a success.
        phase: Where it failed.
        status: The HTTP status on record, or `ANY_STATUS`.
        seen: How the upstream saw the request end; ``None`` if it saw none.
    """

    error: type[ProviderError] | None
    phase: str = "response"
    status: int | None = None
    seen: ServedOutcome | None = ServedOutcome.COMPLETED


@attrs.frozen(kw_only=True)
class Case:
    """One brick: a fault of the first member of a fallback whose second is healthy.

    Attributes:
        name: Its name among the tests.
        fault: What goes wrong, as the table says it.
        script: What the bad member's server does.
        plain: What a plain attempt meets.
        stream: What a streamed attempt meets, where that differs.
        gets: What the caller gets, either way.
        charged: Whether the failure counts against the member's health.
        rest: Seconds for which the member is left alone after a single failure.
        asked: Whether the member itself named them; if not, chance may prolong them.
        breaker: The state of its breaker then.
        passes: Seconds that pass before the fault shows.
        patience: The member's limit to the first token, in seconds.
        server: In what state its server is.
        dialects: The dialects in which it makes sense.
    """

    name: str
    fault: str
    script: Behaviour = attrs.field(factory=Behaviour)
    plain: Met
    stream: Met | None = None
    gets: Gets = Gets.OTHERS
    charged: bool = False
    rest: float = 0.0
    asked: bool = True
    breaker: str = "closed"
    passes: float = 0.0
    patience: float = WAIT
    server: Server = Server.UP
    dialects: tuple[str, ...] = ALL

    def met(self, *, stream: bool) -> Met:
        """Give what an attempt meets."""
        return self.stream if stream and self.stream is not None else self.plain


@attrs.frozen
class Break:
    """One brick of the wall's other half: a stream that breaks after it has begun.

    Attributes:
        name: Its name among the tests.
        fault: What goes wrong, as the table says it.
        script: What the bad member's server does.
        error: The class of the attempt's error, the cause of what the caller sees.
        seen: How the upstream saw the request end.
        passes: Seconds that pass before the fault shows.
    """

    name: str
    fault: str
    script: Behaviour
    error: type[ProviderError]
    seen: ServedOutcome = ServedOutcome.COMPLETED
    passes: float = 0.0
