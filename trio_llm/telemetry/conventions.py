"""The words of OpenTelemetry's semantic conventions for generative AI.

They are those of release 0.1.0 of github.com/open-telemetry/semantic-conventions-genai
(docs/gen-ai/client-inference.md, client-embeddings.md, gen-ai-metrics.md and
gen-ai-input-messages.json), which came after the pages at opentelemetry.io/docs/specs/semconv
up to 1.41: the metrics of inference have names of their own there
(``gen_ai.client.inference.*`` in place of ``gen_ai.client.operation.duration`` and
``gen_ai.client.token.usage``), and ``cache_creation`` is called ``cache_write``. All of them
are in development still. What the conventions have no word for stands under ``trio_llm.``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOKEN_MODALITY: Final = "gen_ai.token.modality"  # noqa: S105 - not that kind of token
ERROR_TYPE: Final = "error.type"
HTTP_STATUS: Final = "http.response.status_code"

# Our own.
CALL: Final = "trio_llm.call.number"
ENDPOINT: Final = "trio_llm.endpoint"
PATH: Final = "trio_llm.path"
MEMBER: Final = "trio_llm.provider"
NUMBER: Final = "trio_llm.attempt.number"
HEDGED: Final = "trio_llm.attempt.hedged"
FALLBACK: Final = "trio_llm.attempt.fallback"
ATTEMPTS: Final = "trio_llm.attempts"
OUTCOME: Final = "trio_llm.outcome"
CANCEL_REASON: Final = "trio_llm.cancel.reason"
COST: Final = "trio_llm.cost.dollars"
CERTAINTY: Final = "trio_llm.cost.certainty"
CALL_COST: Final = "trio_llm.call.cost.dollars"
CALL_CERTAINTY: Final = "trio_llm.call.cost.certainty"
INPUT_TEXTS: Final = "trio_llm.input.texts"

_OPERATIONS: Final[Mapping[str, str]] = MappingProxyType({"embed": "embeddings"})
"""Operations that the conventions call otherwise; those they do not know keep their name."""

_PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai_responses": "openai",
        "gemini": "gcp.gemini",
        "azure": "azure.ai.openai",
        "mistral": "mistral_ai",
        "xai": "x_ai",
        "bedrock": "aws.bedrock",
    }
)
"""Kinds of provider that the conventions call otherwise.

``openai``, ``anthropic``, ``cohere``, ``groq``, ``deepseek`` and ``perplexity`` are theirs,
too; the others have no name there and keep ours.
"""


def operation_name(operation: str) -> str:
    """Give the conventions' word for an operation."""
    return _OPERATIONS.get(operation, operation)


def provider_name(kind: str) -> str:
    """Give the conventions' word for a kind of provider."""
    return _PROVIDERS.get(kind, kind) or "unknown"
