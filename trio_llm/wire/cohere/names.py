"""The names that several sides of this dialect share."""

from typing import Final

from trio_llm.chat import FinishReason

DIALECT: Final = "cohere"

TOOL_PLAN: Final = "tool_plan"
"""The field, of a message and of `Reasoning.opaque`, that holds the words before the calls."""

FINISH: Final[dict[str, FinishReason]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
"""Finish reasons, in this library's words; the two that begin with ``ERROR_`` are from the
first version of the interface. ``ERROR`` and ``TIMEOUT`` are no reasons but failures."""

FINISH_REASON: Final[dict[FinishReason, str]] = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "ERROR_TOXIC",
    "unknown": "COMPLETE",
}
