"""A reply that is there already, given as a stream."""

import json
from collections.abc import Iterator
from typing import Final

from trio_llm.chat import (
    Delta,
    Message,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)

PIECES: Final = 4
"""Into how many pieces a text is cut, if it is long enough."""

_LEAST: Final = 16
"""No piece but the last has fewer characters than this."""


def events_of(message: Message) -> list[Delta]:
    """Give the events of a stream that would have made a message.

    What a stream brings only with the reply (pictures, results of tools) is not among them.
    """
    events: list[Delta] = []
    calls = 0
    for part in message.content:
        if isinstance(part, Text):
            events += [TextDelta(piece) for piece in _pieces(part.text)]
        elif isinstance(part, Reasoning):
            events += _reasoning(part)
        elif isinstance(part, ToolCall):
            events += _call(part, calls)
            calls += 1
    return events


def _pieces(text: str) -> Iterator[str]:
    size = max(_LEAST, -(-len(text) // PIECES))
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _reasoning(part: Reasoning) -> list[Delta]:
    *first, last = [*_pieces(part.text)] or [""]
    return [
        *[ReasoningDelta(piece) for piece in first],
        ReasoningDelta(last, part.opaque, part.origin),
    ]


def _call(part: ToolCall, index: int) -> list[Delta]:
    arguments = json.dumps(dict(part.arguments)) if part.raw is None else part.raw
    return [
        ToolCallDelta(index, part.id, part.name),
        *[ToolCallDelta(index, arguments=piece) for piece in _pieces(arguments)],
    ]
