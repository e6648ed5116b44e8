"""What else can be asked in OpenAI's form: embeddings, moderation, models."""

from collections.abc import Mapping
from types import MappingProxyType

from trio_llm.chat import EmbedRequest, ListModels, ModerateRequest, Operation, ShowModel
from trio_llm.wire.dialect import OperationCodec
from trio_llm.wire.openai_chat.embed import EmbedCodec
from trio_llm.wire.openai_chat.models import ModelsCodec
from trio_llm.wire.openai_chat.moderate import ModerateCodec
from trio_llm.wire.openai_chat.names import DIALECT
from trio_llm.wire.quirks import PLAIN, Quirks


def openai_operations(
    quirks: Quirks = PLAIN, dialect: str = DIALECT
) -> Mapping[type[Operation], OperationCodec]:
    """Give the operations as one provider speaks them.

    Args:
        quirks: In what the provider differs.
        dialect: The name under which its own fields are found in `Operation.extra`.
    """
    models = ModelsCodec(quirks)
    return MappingProxyType(
        {
            EmbedRequest: EmbedCodec(quirks, dialect),
            ModerateRequest: ModerateCodec(quirks, dialect),
            ListModels: models,
            ShowModel: models,
        }
    )
