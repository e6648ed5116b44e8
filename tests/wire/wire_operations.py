"""Operations of a dialect, asked and answered in one line of a test."""

import json
from typing import Any

from trio_llm.chat import Embeddings, EmbedRequest, ModelInfo, ModelList, Operation, OperationResult
from trio_llm.wire import DIALECTS, PLAIN, Outgoing, Quirks


def asked(
    operation: Operation, *, model: str = "m", quirks: Quirks = PLAIN, dialect: str = "openai_chat"
) -> Outgoing:
    """Write an operation."""
    codec = DIALECTS[dialect].adapted(quirks).operations[type(operation)]
    return codec.encode(operation, model=model)


def answered(
    operation: Operation, body: Any, *, quirks: Quirks = PLAIN, dialect: str = "openai_chat"
) -> OperationResult:
    """Read what answers an operation."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    codec = DIALECTS[dialect].adapted(quirks).operations[type(operation)]
    assert codec.decoder(operation) is None
    return codec.decode(content, operation)


def embedded(
    body: Any,
    texts: int = 1,
    *,
    quirks: Quirks = PLAIN,
    dialect: str = "openai_chat",
    dimensions: int | None = None,
) -> Embeddings:
    """Read vectors for so many texts."""
    asked_for = EmbedRequest(texts=["x"] * texts, dimensions=dimensions)
    result = answered(asked_for, body, quirks=quirks, dialect=dialect)
    assert isinstance(result, Embeddings)
    return result


def listed(operation: Operation, body: Any, **options: Any) -> tuple[ModelInfo, ...]:
    """Read a list of models."""
    result = answered(operation, body, **options)
    assert isinstance(result, ModelList)
    return result.models
