"""Reasoning items, which look the same in requests and in replies."""

from typing import Any

from trio_llm.chat import Reasoning
from trio_llm.wire.openai_responses.names import DIALECT
from trio_llm.wire.values import as_list, as_object, as_text

_NOT_KEPT = ("type", "status")
PARAGRAPH = "\n\n"
"""What stands between two blocks of reasoning; each is a paragraph or more."""


def text_of(item: dict[str, Any]) -> str:
    """Give the readable reasoning of an item: its summary, and its text where it is open."""
    blocks = [
        as_text(as_object(block).get("text"))
        for name in ("summary", "content")
        for block in as_list(item.get(name))
    ]
    return PARAGRAPH.join([block for block in blocks if block])


def opaque_of(item: dict[str, Any]) -> dict[str, Any] | None:
    """Give what must come back unchanged; ``None`` for an item of which nothing can be used.

    A bare identifier is refused by a server that keeps nothing.
    """
    if not item.get("encrypted_content") and not item.get("content"):
        return None
    return {name: value for name, value in item.items() if name not in _NOT_KEPT}


def write_reasoning(part: Reasoning) -> dict[str, Any]:
    """Write an item; one that another dialect made is told as a summary."""
    if part.origin == DIALECT and part.opaque:
        return {"type": "reasoning", "summary": [], **part.opaque}
    return {"type": "reasoning", "summary": [{"type": "summary_text", "text": part.text}]}


def phase_part(phase: str) -> Reasoning:
    """Make the part that carries the phase of the text after it.

    Newer models tell their comments from their final answer in this way, and
    answer worse when it is not sent back (the SDK's ``ResponseOutputMessage.phase``).
    """
    return Reasoning("", {"phase": phase}, DIALECT)


def phase_of(part: Reasoning) -> str | None:
    """Give the phase that a part carries, if it is such a part."""
    if part.origin != DIALECT or not part.opaque or list(part.opaque) != ["phase"]:
        return None
    return as_text(part.opaque["phase"]) or None
