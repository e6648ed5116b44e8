"""The names that several sides of this dialect share.

Source: the types of google-genai 3.4 and
https://ai.google.dev/api/generate-content#FinishReason.
"""

from trio_llm.chat import FinishReason
from trio_llm.errors import InvalidRequestError, ProviderError, ServerError

DIALECT = "gemini"

FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
"""Finish reasons, in this library's words; ``OTHER`` and new ones are unknown to it."""

FAILED: dict[str, type[ProviderError]] = {
    "MALFORMED_FUNCTION_CALL": ServerError,
    "UNEXPECTED_TOOL_CALL": ServerError,
    "MALFORMED_RESPONSE": ServerError,
    "MISSING_THOUGHT_SIGNATURE": InvalidRequestError,
}
"""Finish reasons that say that there is no answer.

The first three are a slip of the model, which another attempt mends: hence a
`ServerError`, which is tried again.
"""

FINISH_NUMBERS = (
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
)
"""Finish reasons by number, as a server gives them that was asked for ``enum-encoding=int``."""

FINISH_REASON: dict[FinishReason, str] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "content_filter": "SAFETY",
    "unknown": "OTHER",
}

THOUGHT_SIGNATURE = "thoughtSignature"
"""The key in `Reasoning.opaque` for the signature of the thought itself."""
NEXT_SIGNATURE = "nextSignature"
"""The key for the signature of the part that comes right after the `Reasoning`."""
PART = "part"
"""The key for a whole part of a kind that the vocabulary lacks."""

NO_SIGNATURE = "skip_thought_signature_validator"
"""What stands for the signature of a call that another provider's model made.

Source: https://ai.google.dev/gemini-api/docs/thought-signatures (questions and answers).
"""

ROLE = {"user": "user", "tool": "user", "assistant": "model"}

TASK_TYPE = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
"""What vectors are for, in the provider's words."""
