"""The names that several sides of this dialect share."""

from trio_llm.chat import FinishReason

DIALECT = "anthropic"
VERSION = "2023-06-01"
WITHOUT_SAMPLING = "2026-10-21"
"""From this version on ``temperature`` and ``top_p`` are refused, whatever their value."""

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Stop reasons, in this library's words.

``pause_turn`` (a tool of the provider's own takes long; the turn goes on when it
is sent back) and others are unknown to it.
"""

STOP_REASON: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "unknown": "end_turn",
}
