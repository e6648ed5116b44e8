"""The dialect of OpenAI's ``/chat/completions``, which most providers speak."""

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
from trio_llm.wire.openai_chat.names import DIALECT
from trio_llm.wire.openai_chat.operations import openai_operations
from trio_llm.wire.openai_chat.parse import parse_request
from trio_llm.wire.openai_chat.replies import decode_reply
from trio_llm.wire.openai_chat.requests import encode_request
from trio_llm.wire.openai_chat.serve import ChunkEncoder, encode_error, encode_reply
from trio_llm.wire.openai_chat.streams import ChunkDecoder
from trio_llm.wire.quirks import PLAIN, Quirks


class OpenAIChat:
    """Chat completions, tolerant of what the compatible servers make of them.

    Sent: every field of a `Request`, under the names of the provider's `Quirks`; what
    they call unsupported is left out, and so is a seed where there is none.
    ``metadata`` goes as it is, which OpenAI itself accepts only together with
    ``store``. Reasoning is sent back where its `Reasoning.opaque` says in which field
    and the provider takes that field back. ``is_error`` of a tool result becomes
    words. A file by its address is refused, and so is audio in other forms than WAV
    and MP3. The base URL ends before ``/chat/completions``.

    Args:
        quirks: In what the provider differs.
    """

    name = DIALECT

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks
        self._operations = openai_operations(quirks, self.name)

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it."""
        return self._operations

    def adapted(self, quirks: Quirks, /) -> "OpenAIChat":
        """Give the same dialect as one provider speaks it."""
        return type(self)(quirks)

    def authenticate(self, key: str, /) -> dict[str, str]:
        """Give the headers that carry the key."""
        if self._quirks.key_header is not None:
            return {self._quirks.key_header: key}
        return {"authorization": f"Bearer {key}"}

    def encode(
        self, request: Request, /, *, model: str, stream: bool, max_tokens: int | None = None
    ) -> Outgoing:
        """Write a request."""
        return encode_request(
            request,
            model=model,
            stream=stream,
            max_tokens=max_tokens,
            quirks=self._quirks,
            dialect=self.name,
        )

    def decode(self, body: bytes, /) -> Completion:
        """Read a whole response of status 200."""
        return decode_reply(body, self.name)

    def decoder(self) -> StreamDecoder:
        """Make a decoder for one streamed response of status 200."""
        return ChunkDecoder(self.name)

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, /, *, now: float
    ) -> ProviderError:
        """Turn an error response into the right class."""
        return classify(status, headers, body, now=now)

    def parse(self, path: str, body: bytes, /) -> Incoming:
        """Read a request on the server's side."""
        return parse_request(path, body, self.name)

    def encode_reply(self, completion: Completion, /) -> bytes:
        """Write a whole reply on the server's side."""
        return encode_reply(completion, self.name)

    def encoder(self, model: str, /) -> StreamEncoder:
        """Make an encoder for one streamed reply on the server's side."""
        return ChunkEncoder(model, self.name)

    def encode_error(self, status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        return encode_error(status, message, code)
