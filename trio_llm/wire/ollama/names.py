"""The names that several sides of this dialect share."""

from trio_llm.chat import FinishReason

DIALECT = "ollama"

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
"""Reasons for being done; ``load`` and ``unload`` answer nothing and are unknown."""
