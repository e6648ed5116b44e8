"""The names that several sides of this dialect share."""

from trio_llm.chat import FinishReason

DIALECT = "openai_responses"

ENCRYPTED = "reasoning.encrypted_content"
"""What to ask for so that reasoning can be sent back to a server that keeps nothing."""

INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
}
"""Reasons why a response is incomplete, in this library's words."""

INCOMPLETE_REASON: dict[FinishReason, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
"""The same, the other way round."""
