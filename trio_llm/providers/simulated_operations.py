"""The operations of the simulated provider: deterministic, and good enough to try things.

- A vector is a bag of words: each word of the text, in lower case, adds a direction
  that is drawn from the word itself, and the sum is scaled to length 1. Texts that
  share words are more alike than texts that do not.
- A text is flagged when it holds a word of `FLAGGED`, by the category of that word.
- Tokens are counted the way in which the provider bills them, so the count is exact.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from trio_llm.chat import (
    Capability,
    CountRequest,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelInfo,
    ModelList,
    ModerateRequest,
    Moderation,
    Operation,
    OperationResult,
    Request,
    TokenCount,
    Usage,
    Verdict,
)
from trio_llm.errors import InvalidRequestError

DIMENSIONS: Final = 64
"""The length of a vector, unless the request asks for another."""

LETTERS: Final = 4
"""How many letters count as a token."""

FLAGGED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "violence": ("kill", "attack", "bomb", "weapon"),
        "hate": ("hate",),
        "self_harm": ("suicide",),
    }
)
"""The words at which the simulated moderation objects, by category."""

OFFERED: Final[frozenset[type[Operation]]] = frozenset(
    {EmbedRequest, ModerateRequest, CountRequest, ListModels}
)

_WORD: Final = re.compile(r"\w+")
_LONGEST: Final = 4096
_ABILITIES: Final = frozenset(
    {
        Capability.CHAT,
        Capability.TEXT_GENERATION,
        Capability.EMBEDDING,
        Capability.MODERATION,
        Capability.STRUCTURED_OUTPUT,
    }
)


def tokens_of(texts: Iterable[str]) -> int:
    """Count tokens, at least one."""
    return max(1, sum(len(text) for text in texts) // LETTERS)


def request_tokens(request: Request) -> int:
    """Count the input tokens of a request."""
    return tokens_of(message.text for message in request.messages)


def perform(operation: Operation, model: str) -> OperationResult:
    """Do one operation.

    Raises:
        InvalidRequestError: It is none that is offered.
    """
    if isinstance(operation, EmbedRequest):
        length = operation.dimensions or DIMENSIONS
        if length > _LONGEST:
            raise InvalidRequestError(
                f"dimensions: this provider gives at most {_LONGEST}, not {length}"
            )
        return Embeddings(
            vectors=tuple(vector_of(text, length) for text in operation.texts),
            usage=Usage(tokens_of(operation.texts)),
            model=model,
        )
    if isinstance(operation, ModerateRequest):
        return Moderation(
            verdicts=tuple(_judge(text) for text in operation.texts),
            usage=Usage(tokens_of(operation.texts)),
            model=model,
        )
    if isinstance(operation, CountRequest):
        return TokenCount(tokens=request_tokens(operation.request), exact=True, model=model)
    if isinstance(operation, ListModels):
        return ModelList(models=(ModelInfo(id=model or "simulated", capabilities=_ABILITIES),))
    raise InvalidRequestError(f"this provider does not offer {operation.what}")


def vector_of(text: str, length: int) -> tuple[float, ...]:
    """Give the vector of a text, of length 1."""
    total = [0.0] * length
    for word in _words(text) or [text]:
        for index, value in enumerate(_direction(word, length)):
            total[index] += value
    norm = math.sqrt(sum(value * value for value in total)) or 1.0
    return tuple(value / norm for value in total)


def _words(text: str) -> Sequence[str]:
    return _WORD.findall(text.lower())


def _direction(word: str, length: int) -> list[float]:
    """Draw one number in -1 to 1 for each dimension from the hash of a word."""
    seed = hashlib.shake_128(word.encode(errors="replace")).digest(2 * length)
    return [
        (int.from_bytes(seed[2 * index : 2 * index + 2], "big") + 0.5) / 32768 - 1.0
        for index in range(length)
    ]


def _judge(text: str) -> Verdict:
    words = frozenset(_words(text))
    categories = {name: not words.isdisjoint(listed) for name, listed in FLAGGED.items()}
    return Verdict(
        any(categories.values()),
        categories,
        {name: 0.99 if applies else 0.01 for name, applies in categories.items()},
    )
