"""The dialect of Hugging Face's router: OpenAI's chat, and embeddings of its own."""

from collections.abc import Mapping

from trio_llm.chat import EmbedRequest, ModerateRequest, Operation
from trio_llm.errors import ProviderError
from trio_llm.wire.dialect import OperationCodec
from trio_llm.wire.huggingface.embed import FeatureCodec
from trio_llm.wire.huggingface.loading import seconds_to_load
from trio_llm.wire.openai_chat import OpenAIChat
from trio_llm.wire.quirks import PLAIN, Quirks


class HuggingFace(OpenAIChat):
    """Chat and models as `OpenAIChat`; vectors from the router's own inference service.

    A model that is being loaded says how long that takes, which becomes the
    error's ``retry_after``. There is no moderation. Further fields and provider
    state are those of ``huggingface``, not of ``openai_chat``. The base URL ends
    before ``/chat/completions``; vectors are asked for beside its ``/v1``.

    Args:
        quirks: In what the provider differs.
    """

    name = "huggingface"

    def __init__(self, quirks: Quirks = PLAIN) -> None:
        super().__init__(quirks)
        known = {key: codec for key, codec in super().operations.items() if key != ModerateRequest}
        self._offered: Mapping[type[Operation], OperationCodec] = {
            **known,
            EmbedRequest: FeatureCodec(self.name),
        }

    @property
    def operations(self) -> Mapping[type[Operation], OperationCodec]:
        """What else can be asked in it."""
        return self._offered

    def classify(
        self, status: int, headers: Mapping[str, str], body: bytes, /, *, now: float
    ) -> ProviderError:
        """Turn an error response into the right class."""
        error = super().classify(status, headers, body, now=now)
        if status == 503 and error.retry_after is None:
            error.retry_after = seconds_to_load(body)
        return error
