"""What the deltas of a stream come to, beside what its completion says."""

from collections import defaultdict
from collections.abc import Iterable

from trio_llm.chat import Delta, Message, ReasoningDelta, TextDelta

Whole = tuple[str, str, list[str | None]]
"""The text, the reasoning, and the arguments of each tool call."""


def joined(deltas: Iterable[Delta]) -> Whole:
    """Join the deltas of a stream."""
    text, reasoning = "", ""
    arguments: dict[int, str] = defaultdict(str)
    for delta in deltas:
        if isinstance(delta, TextDelta):
            text += delta.text
        elif isinstance(delta, ReasoningDelta):
            reasoning += delta.text
        else:
            arguments[delta.index] += delta.arguments
    return text, reasoning, [arguments[index] for index in sorted(arguments)]


def whole_of(message: Message) -> Whole:
    """Give the same of a message."""
    return message.text, message.reasoning, [call.raw for call in message.tool_calls]
