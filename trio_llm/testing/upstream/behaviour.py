"""What the simulated upstream does with a request, as data."""

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import attrs

from trio_llm.chat import FinishReason, ToolCall, Usage
from trio_llm.testing.upstream.record import Served


class Fault(enum.Enum):
    """What goes wrong. Those in the middle come after `Behaviour.fault_after` pieces."""

    CLOSE = "close"
    """The connection ends before the head of the response."""
    RESET = "reset"
    """The connection is reset before the head of the response."""
    SILENCE = "silence"
    """The request is read, and nothing ever comes."""
    NOT_HTTP = "not_http"
    """Bytes come that are not HTTP."""
    HUGE_HEADERS = "huge_headers"
    """The head of the response is larger than any client should accept."""
    EMPTY = "empty"
    """A success without a body; to a stream, one without events."""
    HTML = "html"
    """A success that is a page of HTML."""
    ENDLESS = "endless"
    """The body never ends."""
    STALL = "stall"
    """In the middle nothing more comes, and the connection stays open."""
    CUT = "cut"
    """In the middle the response ends well in HTTP, without a finish reason."""
    CLOSE_MIDWAY = "close_midway"
    """In the middle the connection ends."""
    RESET_MIDWAY = "reset_midway"
    """In the middle the connection is reset."""
    NO_TERMINATOR = "no_terminator"
    """All comes, the finish reason too, but not the stream's last frame."""
    MALFORMED = "malformed"
    """In the middle comes a frame that is not JSON; a plain body is cut in two."""
    ERROR_FRAME = "error_frame"
    """In the middle comes an error frame; a plain success has an error as its body."""
    INVALID_UTF8 = "invalid_utf8"
    """In the middle comes text that is not UTF-8."""


@attrs.frozen(kw_only=True)
class Behaviour:
    """How the upstream answers one request.

    Args:
        latency: Seconds from the request to the head of the response.
        first_token: Seconds from the head to the first piece of a stream.
        gap: Seconds between two pieces of a stream.
        chunks: The text of the answer, in the pieces of a stream.
        tool_calls: Tool calls, after the text.
        finish_reason: Why the answer ends.
        usage: Tokens to report; ``None`` reports none.
        status: The HTTP status; from 400 on the body is an error of the dialect.
        headers: Further headers of the response, such as ``retry-after``.
        message: The words of an error.
        code: The code of an error.
        body: The exact body, in place of one in the dialect.
        pieces: An exact streamed body, in place of one in the dialect.
        fault: What goes wrong.
        fault_after: How many pieces of text come before a fault in the middle.
        trickle: Whether each byte is sent by itself.
        keep_alive: Whether the connection stays after the response; if not, it
            says so in a header.
    """

    latency: float = 0.0
    first_token: float = 0.0
    gap: float = 0.0
    chunks: tuple[str, ...] = ("Hello", ", ", "world")
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    usage: Usage | None = attrs.field(factory=lambda: Usage(input_tokens=5, output_tokens=3))
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    message: str = "a simulated failure"
    code: str | None = None
    body: bytes | None = None
    pieces: tuple[bytes, ...] | None = None
    fault: Fault | None = None
    fault_after: int = 1
    trickle: bool = False
    keep_alive: bool = True


Script: TypeAlias = (
    Behaviour | Sequence[Behaviour] | Mapping[str, Behaviour] | Callable[[Served], Behaviour]
)
"""One behaviour for all requests; one for each in turn, the last for the rest; one by
the model's name, ``*`` for the others; or a function of the request."""


@attrs.frozen
class Timetable:
    """A script by the clock, for outages: what is done depends on when a request comes.

    Args:
        start: When it begins, on Trio's clock.
        rows: From which second after the start, and what is done from then on; the
            first row begins at 0.
    """

    start: float
    rows: tuple[tuple[float, Behaviour], ...]

    def __call__(self, served: Served) -> Behaviour:
        """Give the behaviour of the last row that has begun."""
        passed = served.received - self.start
        return [behaviour for begins, behaviour in self.rows if begins <= passed][-1]


def decide(script: Script, served: Served) -> Behaviour:
    """Give the behaviour for a request.

    Raises:
        LookupError: The script has none for it.
    """
    if isinstance(script, Behaviour):
        return script
    if callable(script):
        return script(served)
    if isinstance(script, Mapping):
        return script.get(served.model or "*") or script["*"]
    return script[min(served.ordinal, len(script)) - 1]
