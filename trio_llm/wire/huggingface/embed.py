"""Embeddings, which Hugging Face calls feature extraction."""

from typing import Any
from urllib.parse import quote

from trio_llm.chat import Embeddings, Operation, OperationResult
from trio_llm.errors import MalformedResponseError, UnsupportedError
from trio_llm.wire.dialect import Outgoing, ProgressDecoder
from trio_llm.wire.openai_chat.embed import as_embedding
from trio_llm.wire.openai_chat.replies import raise_failure
from trio_llm.wire.values import as_list, as_object, read_body, write_body
from trio_llm.wire.vectors import read_vectors


class FeatureCodec:
    """``POST /hf-inference/models/{model}/pipeline/feature-extraction``.

    The answer is a bare list of vectors: no usage, no model. The length of the
    vectors cannot be chosen.

    Source: the official client, ``huggingface_hub.InferenceClient.feature_extraction``.

    Args:
        dialect: The name under which its own fields are found.
    """

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request.

        Raises:
            UnsupportedError: A length of the vectors is asked for.
        """
        asked = as_embedding(operation)
        if asked.dimensions is not None:
            raise UnsupportedError(
                "dimensions: this provider's interface does not let one choose; leave them out"
            )
        body: dict[str, Any] = {"inputs": list(asked.texts)}
        body.update(asked.extra.get(self._dialect, {}))
        path = f"/hf-inference/models/{quote(model, safe='/')}/pipeline/feature-extraction"
        return Outgoing(path, write_body(body), from_root=True)

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the response.

        Raises:
            ProviderError: An error inside the 200, classified; or
                `MalformedResponseError`, also when there is not one vector for each text.
        """
        asked = as_embedding(operation)
        value = read_body(body)
        raise_failure(as_object(value), "embeddings")
        items = as_list(value)
        if not items:
            raise MalformedResponseError("the response has no vectors", phase="response")
        return Embeddings(vectors=read_vectors(items, asked), raw=value)

    def decoder(self, _operation: Operation, /) -> ProgressDecoder | None:
        """Give nothing: vectors come all at once."""
        return None
