"""The dialect of Cohere's second version: ``/v2/chat`` and ``/v2/embed``."""

from collections.abc import Mapping

from trio_llm.chat import Completion, Operation, Request
from trio_llm.errors import ProviderError
from trio_llm.wire.classify import classify
from trio_llm.wire.cohere.operations import OPERATIONS
from trio_llm.wire.cohere.parse import parse_request
from trio_llm.wire.cohere.replies import decode_reply
from trio_llm.wire.cohere.requests import encode_request
from trio_llm.wire.cohere.serve import EventEncoder, encode_error, encode_reply
from trio_llm.wire.cohere.streams import ChatDecoder
from trio_llm.wire.dialect import (
    Incoming,
    OperationCodec,
    Outgoing,
    StreamDecoder,
    StreamEncoder,
)
from trio_llm.wire.quirks import PLAIN, Quirks


class Cohere:
    """Cohere's chat, embeddings and models.

    Left out, because the dialect lacks it: ``user``, ``metadata``,
    ``parallel_tool_calls``. A tool that is forced by name is offered alone and
    demanded. ``strict_tools`` is said where every offered tool asks for it.
    ``reasoning`` is ``none``, a budget in tokens, or any other word to think
    without one. ``output`` beside tools is refused, as the provider refuses it.
    ``is_error`` of a tool result becomes words. What the model says before its
    calls (``tool_plan``) is a `Reasoning` part, and goes back to this dialect
    alone; citations are not read. A reply names no model. The base URL is the
    bare host: the paths begin with ``/v2`` and ``/v1``.
    """

    name = "cohere"

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it."""
        return OPERATIONS

    def adapted(self, quirks: Quirks, /) -> "Cohere":
        """Give the same dialect as one provider speaks it."""
        return Cohere(quirks)

    def authenticate(self, key: str, /) -> dict[str, str]:
        """Give the headers that carry the key."""
        return {"authorization": f"Bearer {key}"}

    def encode(
        self, request: Request, /, *, model: str, stream: bool, max_tokens: int | None = None
    ) -> Outgoing:
        """Write a request."""
        return encode_request(request, model=model, stream=stream, max_tokens=max_tokens)

    def decode(self, body: bytes, /) -> Completion:
        """Read a whole response of status 200."""
        return decode_reply(body)

    def decoder(self) -> StreamDecoder:
        """Make a decoder for one streamed response of status 200."""
        return ChatDecoder()

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, /, *, now: float
    ) -> ProviderError:
        """Turn an error response into the right class."""
        return classify(status, headers, body, now=now)

    def parse(self, path: str, body: bytes, /) -> Incoming:
        """Read a request on the server's side; the path says nothing about it."""
        del path
        return parse_request(body)

    def encode_reply(self, completion: Completion, /) -> bytes:
        """Write a whole reply on the server's side."""
        return encode_reply(completion)

    def encoder(self, model: str, /) -> StreamEncoder:
        """Make an encoder for one streamed reply on the server's side; no model is named in it."""
        del model
        return EventEncoder()

    def encode_error(self, status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        return encode_error(status, message, code)
