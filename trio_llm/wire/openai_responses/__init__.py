"""The dialect of OpenAI's ``/responses``."""

from collections.abc import Mapping

from trio_llm.chat import Completion, CountRequest, Operation, Request
from trio_llm.errors import ProviderError
from trio_llm.wire.classify import classify
from trio_llm.wire.dialect import (
    Incoming,
    OperationCodec,
    Outgoing,
    StreamDecoder,
    StreamEncoder,
)
from trio_llm.wire.openai_chat.operations import openai_operations
from trio_llm.wire.openai_responses.counting import InputTokens
from trio_llm.wire.openai_responses.names import DIALECT
from trio_llm.wire.openai_responses.parse import parse_request
from trio_llm.wire.openai_responses.replies import decode_reply
from trio_llm.wire.openai_responses.requests import encode_request
from trio_llm.wire.openai_responses.serve import EventEncoder, encode_error, encode_reply
from trio_llm.wire.openai_responses.streams import ResponseDecoder
from trio_llm.wire.quirks import PLAIN, Quirks


class OpenAIResponses:
    """Responses, without anything stored at the provider.

    ``store`` is false, so that a conversation is whole in every request; reasoning
    is asked for in encrypted form and sent back as it came. Whoever wants it stored
    says so in ``extra={"openai_responses": {"store": True}}``.

    Refused with an `UnsupportedError` that names the part: ``stop``, which the
    dialect lacks and without which the answer is another one; audio. Left out:
    ``seed``, which it lacks too; the name of a file that is given by its address;
    reasoning at the end of a turn, which the provider refuses. ``is_error`` of a
    tool result becomes words. A tool without ``strict`` is sent as one that is not,
    as the provider's own default is the other. ``user`` is ``safety_identifier``.
    The base URL ends before ``/responses``.

    Args:
        quirks: In what the provider differs: its version, the header of its key, the
            word for a required choice, whether effort is told, what it does not take.
    """

    name = DIALECT

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks
        self._operations: Mapping[type[Operation], OperationCodec] = {
            **openai_operations(quirks, DIALECT),
            CountRequest: InputTokens(quirks),
        }

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it."""
        return self._operations

    def adapted(self, quirks: Quirks, /) -> "OpenAIResponses":
        """Give the same dialect as one provider speaks it."""
        return OpenAIResponses(quirks)

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
            request, model=model, stream=stream, max_tokens=max_tokens, quirks=self._quirks
        )

    def decode(self, body: bytes, /) -> Completion:
        """Read a whole response of status 200."""
        return decode_reply(body)

    def decoder(self) -> StreamDecoder:
        """Make a decoder for one streamed response of status 200."""
        return ResponseDecoder()

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
        return EventEncoder(model)

    def encode_error(self, status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        return encode_error(status, message, code)
