"""What a dialect offers: the client's side of a wire format, and the server's.

A dialect is sans-IO: bytes in, values out. It knows no clock, no socket and no
provider name. What it refuses or cannot read it raises as a `ProviderError`
without `provider`; whoever owns the exchange adds that.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs

from trio_llm.chat import AnyEvent, Completion, Delta, Operation, OperationResult, Request
from trio_llm.errors import ProviderError
from trio_llm.wire.quirks import Quirks


@attrs.frozen
class Outgoing:
    """A request as it goes on the wire.

    Attributes:
        path: Appended to the provider's base URL, for example ``/chat/completions``.
        body: The JSON body.
        headers: Headers of the dialect itself (a version, for example); content
            type and authentication are not among them.
        method: The HTTP method.
        from_root: Whether `path` starts where the kind's own path does (``/v1``), not
            at the end of the base URL.
    """

    path: str
    body: bytes = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    method: str = "POST"
    from_root: bool = False


class StreamDecoder(Protocol):
    """Turns the bytes of one streamed response into deltas and a completion."""

    @property
    def finished(self) -> bool:
        """Whether the terminal marker has arrived, so that nothing more need be read."""
        ...

    def feed(self, data: bytes, /) -> list[Delta]:
        """Take the next bytes, split anywhere; give the deltas they complete.

        Deltas that came before an error in the same bytes are given first; the
        error is raised by the next call, and `finished` is true at once.

        Raises:
            ProviderError: An error frame inside the stream, classified; or
                `MalformedResponseError` for bytes that are none of this dialect.
        """
        ...

    def close(self) -> Completion:
        """Say that the input has ended; give the whole completion.

        Raises:
            StreamInterruptedError: No terminal marker and no finish reason came,
                so the reply may be cut; it carries the partial text.
            MalformedResponseError: There was nothing at all, or no stream.
        """
        ...


class StreamEncoder(Protocol):
    """The server's side of one streamed response."""

    def start(self) -> bytes:
        """Give the bytes before the first delta."""
        ...

    def delta(self, delta: Delta, /) -> bytes:
        """Give the bytes of one delta."""
        ...

    def finish(self, completion: Completion, /) -> bytes:
        """Give the finish reason, the usage and the terminal marker."""
        ...

    def fail(self, message: str, /) -> bytes:
        """Give an error frame in the middle of the stream."""
        ...


@attrs.frozen
class Incoming:
    """A request as the server's side read it."""

    request: Request
    model: str
    stream: bool


class ProgressDecoder(Protocol):
    """Turns the bytes of a streamed operation into events and its result."""

    @property
    def finished(self) -> bool:
        """Whether nothing more need be read."""
        ...

    def feed(self, data: bytes, /) -> Sequence[AnyEvent]:
        """Take the next bytes, split anywhere; give the events they complete.

        Raises:
            ProviderError: An error inside the stream, classified.
        """
        ...

    def close(self) -> OperationResult:
        """Say that the input has ended; give the result.

        Raises:
            StreamInterruptedError: It was cut.
            MalformedResponseError: There was nothing, or no stream.
        """
        ...


class OperationCodec(Protocol):
    """How one dialect asks for one operation."""

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request.

        Args:
            operation: What is asked.
            model: The model to name; empty for an operation that needs none.

        Raises:
            InvalidRequestError: The dialect cannot express a part of it.
        """
        ...

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read a whole response of status 200.

        Raises:
            ProviderError: An error inside the 200, classified; or
                `MalformedResponseError`, also when vectors or verdicts are missing.
        """
        ...

    def decoder(self, operation: Operation, /) -> ProgressDecoder | None:
        """Make a decoder for a streamed response; ``None`` where there are no events."""
        ...


class Dialect(Protocol):
    """One wire format, both sides of it."""

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it, besides a conversation."""
        ...

    def adapted(self, quirks: Quirks, /) -> "Dialect":
        """Give the same dialect as one provider speaks it."""
        ...

    @property
    def name(self) -> str:
        """The dialect's name, the key of `Request.extra` and of `Reasoning.origin`."""
        ...

    def authenticate(self, key: str, /) -> dict[str, str]:
        """Give the headers that carry the key."""
        ...

    def encode(
        self, request: Request, /, *, model: str, stream: bool, max_tokens: int | None = None
    ) -> Outgoing:
        """Write a request.

        Args:
            request: What the caller asks for.
            model: The model to name.
            stream: Whether to ask for a stream.
            max_tokens: The limit to send when the request has none (the request's
                own value is already capped by the caller).

        Raises:
            InvalidRequestError: The dialect cannot express a part of it; the
                message names the part.
        """
        ...

    def decode(self, body: bytes, /) -> Completion:
        """Read a whole response of status 200.

        Raises:
            ProviderError: An error inside the 200, classified; or
                `MalformedResponseError`.
        """
        ...

    def decoder(self) -> StreamDecoder:
        """Make a decoder for one streamed response of status 200."""
        ...

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, /, *, now: float
    ) -> ProviderError:
        """Turn an error response into the right class.

        Args:
            status: The HTTP status, not 2xx.
            headers: Response headers, names in lower case.
            body: The body, perhaps cut.
            now: Wall-clock time in seconds since the epoch, for HTTP dates.
        """
        ...

    def parse(self, path: str, body: bytes, /) -> Incoming:
        """Read a request on the server's side.

        Raises:
            InvalidRequestError: The body is not a request of this dialect.
        """
        ...

    def encode_reply(self, completion: Completion, /) -> bytes:
        """Write a whole reply on the server's side."""
        ...

    def encoder(self, model: str, /) -> StreamEncoder:
        """Make an encoder for one streamed reply on the server's side."""
        ...

    def encode_error(self, status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        ...
