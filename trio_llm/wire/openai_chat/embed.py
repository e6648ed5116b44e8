"""Embeddings, in OpenAI's form and in those of the servers that come close to it."""

from typing import Any

from trio_llm.chat import Embeddings, EmbedRequest, Operation, OperationResult, Usage
from trio_llm.errors import MalformedResponseError, UnsupportedError
from trio_llm.wire.dialect import Outgoing, ProgressDecoder
from trio_llm.wire.openai_chat.charged import charged_of
from trio_llm.wire.openai_chat.names import DIALECT
from trio_llm.wire.openai_chat.replies import raise_failure
from trio_llm.wire.openai_chat.requests import with_version
from trio_llm.wire.quirks import PLAIN, Quirks
from trio_llm.wire.values import as_count, as_list, as_name, as_object, read_body, write_body
from trio_llm.wire.vectors import floats, in_order, read_vectors, signed_bytes


class EmbedCodec:
    """``POST /embeddings``.

    Read: numbers and base64, in the order of ``index``; also llama.cpp's own form
    without ``data``, the bare list of vectors of a text-embeddings server, and
    Cloudflare's envelope.

    Args:
        quirks: In what the provider differs.
        dialect: The name under which its own fields are found.
    """

    def __init__(self, quirks: Quirks = PLAIN, dialect: str = DIALECT) -> None:
        self._quirks = quirks
        self._dialect = dialect

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request.

        Raises:
            InvalidRequestError: The length of vectors cannot be chosen here.
        """
        asked = as_embedding(operation)
        quirks = self._quirks
        body: dict[str, Any] = {"model": model, "input": list(asked.texts)}
        if asked.dimensions is not None:
            body[dimensions_field(quirks)] = asked.dimensions
        if quirks.encoding is not None:
            body["encoding_format"] = quirks.encoding
        if quirks.purposes:
            words = dict(quirks.purposes)
            body["input_type"] = words.get(asked.purpose or "", quirks.purposes[0][1])
        if asked.user is not None and "user" not in quirks.unsupported:
            body["user"] = asked.user
        body.update(asked.extra.get(self._dialect, {}))
        return Outgoing(with_version("/embeddings", quirks), write_body(body))

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the response.

        Raises:
            ProviderError: An error inside the 200, classified; or
                `MalformedResponseError`, also when there is not one vector for each text.
        """
        asked = as_embedding(operation)
        value = read_body(body)
        reply = as_object(value)
        if "data" in as_object(reply.get("result")):
            reply = as_object(reply["result"])
        raise_failure(reply, "data")
        items = as_list(value if type(value) is list else reply.get("data"))
        if not items:
            raise MalformedResponseError("the response has no vectors", phase="response")
        entries = [as_object(item) for item in items]
        if any(entries):
            items = [entry.get("embedding") for entry in in_order(entries)]
        unpack = signed_bytes if self._quirks.encoding == "base64_int8" else floats
        return Embeddings(
            vectors=read_vectors(items, asked, unpack),
            usage=embedding_usage(reply.get("usage")),
            model=as_name(reply.get("model")),
            raw=value,
            charged=charged_of(reply.get("usage"), bare=self._quirks.bare_cost),
        )

    def decoder(self, _operation: Operation, /) -> ProgressDecoder | None:
        """Give nothing: vectors come all at once."""
        return None


def as_embedding(operation: Operation) -> EmbedRequest:
    """Give the operation, which must be one.

    Raises:
        TypeError: It is another.
    """
    if not isinstance(operation, EmbedRequest):
        msg = f"expected an EmbedRequest, not {type(operation).__name__}"
        raise TypeError(msg)
    return operation


def dimensions_field(quirks: Quirks) -> str:
    """Give the name of the length of vectors.

    Raises:
        UnsupportedError: It cannot be chosen at this provider.
    """
    if quirks.dimensions_field is None:
        raise UnsupportedError(
            "dimensions: this provider's interface does not let one choose; leave them out"
        )
    return quirks.dimensions_field


def embedding_usage(value: Any) -> Usage | None:
    """Read the tokens; some state only the total, which is all input here."""
    usage = as_object(value)
    if usage.get("prompt_tokens") is None and usage.get("total_tokens") is None:
        return None
    prompt = as_count(usage.get("prompt_tokens")) or as_count(usage.get("total_tokens"))
    return Usage(input_tokens=prompt)
