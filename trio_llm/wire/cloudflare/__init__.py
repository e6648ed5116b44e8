"""The dialect of Cloudflare's own ``/ai/run``, beside its OpenAI-compatible one."""

from collections.abc import Mapping

from trio_llm.chat import Completion, Operation, Request
from trio_llm.errors import ProviderError
from trio_llm.wire.classify import classify
from trio_llm.wire.cloudflare.names import DIALECT
from trio_llm.wire.cloudflare.operations import RUN_OPERATIONS
from trio_llm.wire.cloudflare.parse import parse_run
from trio_llm.wire.cloudflare.replies import decode_reply
from trio_llm.wire.cloudflare.requests import encode_request
from trio_llm.wire.cloudflare.serve import encode_error, encode_run
from trio_llm.wire.cloudflare.streams import RunDecoder
from trio_llm.wire.dialect import (
    Incoming,
    OperationCodec,
    Outgoing,
    StreamDecoder,
    StreamEncoder,
)
from trio_llm.wire.openai_chat.serve import ChunkEncoder
from trio_llm.wire.quirks import PLAIN, Quirks


class CloudflareRun:
    """Models by their path, results in an envelope.

    Requests are written as in OpenAI's form. Replies are read in both of the
    forms that its models give: a bare ``response``, which names no finish reason,
    and OpenAI's own. The base URL ends in ``/accounts/{account}/ai``.

    Args:
        quirks: In what the provider differs.
    """

    name = DIALECT

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        self._quirks = quirks

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it."""
        return RUN_OPERATIONS

    def adapted(self, quirks: Quirks, /) -> "CloudflareRun":
        """Give the same dialect as one provider speaks it."""
        return CloudflareRun(quirks)

    def authenticate(self, key: str, /) -> dict[str, str]:
        """Give the headers that carry the key."""
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
        return RunDecoder()

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, /, *, now: float
    ) -> ProviderError:
        """Turn an error response into the right class."""
        return classify(status, headers, body, now=now)

    def parse(self, path: str, body: bytes, /) -> Incoming:
        """Read a request on the server's side."""
        return parse_run(path, body)

    def encode_reply(self, completion: Completion, /) -> bytes:
        """Write a whole reply on the server's side."""
        return encode_run(completion)

    def encoder(self, model: str, /) -> StreamEncoder:
        """Make an encoder for one streamed reply on the server's side."""
        return ChunkEncoder(model, DIALECT)

    def encode_error(self, _status: int, message: str, /, *, code: str | None = None) -> bytes:
        """Write an error body on the server's side."""
        return encode_error(message, code)
