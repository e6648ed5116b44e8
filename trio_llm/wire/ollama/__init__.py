"""The dialect of Ollama's own ``/api/chat``."""

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
from trio_llm.wire.ollama.operations import OPERATIONS
from trio_llm.wire.ollama.parse import parse_request
from trio_llm.wire.ollama.replies import ChatDecoder, decode_reply
from trio_llm.wire.ollama.requests import encode_request
from trio_llm.wire.ollama.serve import ChatEncoder, encode_error, encode_reply
from trio_llm.wire.quirks import PLAIN, Quirks


class Ollama:
    """Ollama's chat, streamed as one JSON object per line.

    Left out, because the dialect lacks it: ``user``, ``metadata``,
    ``parallel_tool_calls``, ``Tool.strict``, and all of `OutputSchema` but the
    schema. A ``tool_choice`` of ``none`` leaves the tools out; one that forces a call
    is refused, as are pictures by address, audio and files. ``is_error`` of a tool
    result becomes words. ``options`` in the request's extra fields are merged with
    those that are written here. Tool calls without an identifier get ``call_0``,
    ``call_1``, ... in the order of the reply.
    """

    name = "ollama"

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it: vectors, and the models that it has."""
        return OPERATIONS

    def adapted(self, quirks: Quirks, /) -> "Ollama":
        """Give the same dialect as one provider speaks it."""
        return Ollama(quirks)

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
        """Make an encoder for one streamed reply on the server's side."""
        return ChatEncoder(model)

    def encode_error(self, status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        return encode_error(status, message, code)
