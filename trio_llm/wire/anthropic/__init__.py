"""The dialect of Anthropic's Messages."""

from collections.abc import Mapping

from trio_llm.chat import Completion, Operation, Request
from trio_llm.errors import ProviderError
from trio_llm.wire.anthropic.names import VERSION
from trio_llm.wire.anthropic.operations import operations_of
from trio_llm.wire.anthropic.parse import parse_request
from trio_llm.wire.anthropic.replies import decode_reply
from trio_llm.wire.anthropic.requests import encode_request
from trio_llm.wire.anthropic.serve import MessageEncoder, encode_error, encode_reply
from trio_llm.wire.anthropic.streams import MessageDecoder
from trio_llm.wire.classify import classify
from trio_llm.wire.dialect import (
    Incoming,
    OperationCodec,
    Outgoing,
    StreamDecoder,
    StreamEncoder,
)
from trio_llm.wire.quirks import PLAIN, Quirks


class Anthropic:
    """Messages, of the version 2023-06-01 or of the one that the quirks name.

    From version 2026-10-21 on, ``temperature`` and ``top_p`` are refused here, as
    the provider would refuse them even at their defaults; reasoning, documents and
    the shape of an answer are told alike in both. The key goes into ``x-api-key``;
    a `Quirks.key_header` of ``authorization`` makes it a bearer key.

    Left out, because the dialect lacks it: ``seed``, ``metadata`` other than
    ``user``, and all of `OutputSchema` but the schema. Audio is refused; a file
    must be a PDF or a text. System messages move to the front, where all models
    take them;
    turns of one role that follow each other become one turn. Without a limit
    ``max_tokens`` is 4096. ``reasoning`` is an effort, or a number of tokens as a
    budget, or ``none``. Identifiers of tool calls that other providers made are
    mapped to the letters allowed here. The base URL ends with ``/v1``.
    """

    name = "anthropic"

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks
        self._version = quirks.version or VERSION
        self._operations = operations_of(self._version)

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it: counting of tokens, and models."""
        return self._operations

    def adapted(self, quirks: Quirks, /) -> "Anthropic":
        """Give the same dialect as one provider speaks it."""
        return Anthropic(quirks)

    def authenticate(self, key: str, /) -> dict[str, str]:
        """Give the headers that carry the key."""
        header = self._quirks.key_header or "x-api-key"
        if header.lower() == "authorization":
            return {"authorization": f"Bearer {key}"}
        return {header: key}

    def encode(
        self, request: Request, /, *, model: str, stream: bool, max_tokens: int | None = None
    ) -> Outgoing:
        """Write a request."""
        return encode_request(
            request, model=model, stream=stream, max_tokens=max_tokens, version=self._version
        )

    def decode(self, body: bytes, /) -> Completion:
        """Read a whole response of status 200."""
        return decode_reply(body)

    def decoder(self) -> StreamDecoder:
        """Make a decoder for one streamed response of status 200."""
        return MessageDecoder()

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
        """Make an encoder for one streamed reply on the server's side."""
        return MessageEncoder(model)

    def encode_error(self, status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        return encode_error(status, message, code)
