"""The dialect of Google Gemini: generateContent and streamGenerateContent."""

from collections.abc import Mapping

from trio_llm.chat import Completion, Operation, Request
from trio_llm.errors import ProviderError
from trio_llm.wire.classify import classify
from trio_llm.wire.dialect import (
    Incoming,
    OperationCodec,
    Outgoing,
    StreamDecoder,
    StreamEncoder,
)
from trio_llm.wire.gemini.operations import OPERATIONS
from trio_llm.wire.gemini.parse import parse_request
from trio_llm.wire.gemini.replies import decode_reply
from trio_llm.wire.gemini.requests import encode_request
from trio_llm.wire.gemini.serve import GenerateEncoder, encode_error, encode_reply
from trio_llm.wire.gemini.streams import GenerateDecoder
from trio_llm.wire.quirks import PLAIN, Quirks

_ACCESS_TOKEN = "ya29."  # noqa: S105 - how Google's access tokens begin, not one of them


class Gemini:
    """generateContent, of the Gemini API and of Vertex.

    Left out, because the dialect lacks it: ``parallel_tool_calls``, ``user``,
    ``metadata``, the strictness of a tool and the name of an output schema. (Vertex
    has labels: ``extra={"gemini": {"labels": {...}}}``.) System messages move to the
    front; turns of one role that follow each other become one turn. ``reasoning`` is
    a level, or a number of tokens as a budget, or ``none``; it asks for the thoughts,
    too. For Gemini 2.5, which knows budgets only, a level becomes the provider's own
    figure for it. ``generationConfig``, ``toolConfig`` and ``tools`` in ``extra`` are
    added to those that are there.

    The base URL ends with the version (``https://generativelanguage.googleapis.com/v1beta``)
    or, on Vertex, with the location; a model there is ``publishers/google/models/...``.
    """

    name = "gemini"

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it."""
        return OPERATIONS

    def adapted(self, quirks: Quirks, /) -> "Gemini":
        """Give the same dialect as one provider speaks it."""
        return Gemini(quirks)

    def authenticate(self, key: str, /) -> dict[str, str]:
        """Give the headers that carry the key; an access token goes as a bearer."""
        if key.startswith(_ACCESS_TOKEN):
            return {"authorization": f"Bearer {key}"}
        return {self._quirks.key_header or "x-goog-api-key": key}

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
        return GenerateDecoder()

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, /, *, now: float
    ) -> ProviderError:
        """Turn an error response into the right class."""
        return classify(status, headers, body, now=now)

    def parse(self, path: str, body: bytes, /) -> Incoming:
        """Read a request on the server's side; the path names the model."""
        return parse_request(path, body)

    def encode_reply(self, completion: Completion, /) -> bytes:
        """Write a whole reply on the server's side."""
        return encode_reply(completion)

    def encoder(self, model: str, /) -> StreamEncoder:
        """Make an encoder for one streamed reply on the server's side."""
        return GenerateEncoder(model)

    def encode_error(self, status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        return encode_error(status, message, code)
