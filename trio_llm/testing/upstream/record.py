"""What the simulated upstream saw of one request."""

import enum
import hashlib
from collections.abc import Iterable

import attrs
import trio

_SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie")
)


class ServedOutcome(enum.Enum):
    """How one request ended, as the upstream saw it."""

    COMPLETED = "completed"
    """The whole response was sent."""
    CLIENT_CLOSED = "client_closed"
    """The client ended or reset the connection before that."""
    FAULT = "fault"
    """The upstream broke it off, as its script says."""
    STOPPED = "stopped"
    """The upstream itself was stopped."""


@attrs.define(eq=False, kw_only=True)
class Served:
    """One request, and how it ended. Times are Trio's, in seconds.

    Attributes:
        ordinal: Which request of this upstream, from 1.
        connection: Which connection of this upstream, from 1.
        method: The HTTP method.
        path: The path with its query, without the dialect's prefix.
        headers: Names in lower case; keys are replaced by a digest.
        body: The whole body.
        dialect: The dialect asked, if the path names one.
        model: The model asked for, if the body is in that dialect.
        stream: Whether a stream was asked for.
        received: When the request had been read.
        finished: When it ended; ``None`` before that.
        outcome: How it ended; ``None`` before that.
    """

    ordinal: int
    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = attrs.field(repr=False)
    received: float
    dialect: str | None = None
    model: str | None = None
    stream: bool = False
    finished: float | None = None
    outcome: ServedOutcome | None = None
    _ended: trio.Event = attrs.field(factory=trio.Event, init=False, repr=False)

    def end(self, outcome: ServedOutcome) -> None:
        """Note how it ended; the first word stands."""
        if self.outcome is None:
            self.outcome = outcome
            self.finished = trio.current_time()
            self._ended.set()

    async def wait_finished(self) -> ServedOutcome:
        """Wait for the end; for a client that leaves, until its end is seen."""
        await self._ended.wait()
        assert self.outcome is not None  # noqa: S101 - `end` sets both
        return self.outcome


def redact(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give headers as text, with a digest in place of each key.

    Equal keys have equal digests, so that a test can tell which key was used.
    """
    return {
        (name := raw_name.decode("latin-1").lower()): (
            digest(value) if name in _SECRET_HEADERS else value.decode("latin-1")
        )
        for raw_name, value in headers
    }


def digest(value: bytes) -> str:
    """Give the stand-in for the value of a header that holds a key."""
    return "sha256:" + hashlib.sha256(value).hexdigest()[:12]
