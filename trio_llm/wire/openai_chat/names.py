"""The names that several sides of this dialect share."""

from trio_llm.chat import FinishReason

DIALECT = "openai_chat"

FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
"""Finish reasons on record, in this library's words."""

FAILED_FINISH = {
    "error": "the provider ended the reply with an error",
    "insufficient_system_resource": "the provider ran out of resources; it is overloaded",
}
"""Finish reasons that mean a failure (OpenRouter, DeepSeek)."""

CARRIED_FIELDS = ("reasoning_details", "extra_content")
"""Fields of an assistant's message that must come back unchanged (OpenRouter, Gemini)."""

REPLAYED_FIELDS = (*CARRIED_FIELDS, "reasoning_content")

CALLS = "tool_calls"
"""The key of `Reasoning.opaque` under which, by identifier, single calls have such fields."""

CALL_FIELDS = ("extra_content",)
"""Fields of a single tool call that must come back with it (Gemini's signatures)."""
