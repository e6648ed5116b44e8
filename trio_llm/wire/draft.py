"""A reply in the making: what the deltas of one stream have said so far."""

from collections.abc import Mapping
from typing import Any

from trio_llm.chat import (
    Delta,
    Message,
    Part,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)


class CallDraft:
    """One tool call in the making."""

    def __init__(self, index: int, call_id: str, name: str) -> None:
        self.index = index
        self.id = call_id
        self.name = name
        self.pieces: list[str] = []

    def finish(self) -> ToolCall:
        """Give the call with the arguments that have arrived."""
        return ToolCall.parse(self.id, self.name, "".join(self.pieces))


class Draft:
    """Text, reasoning and tool calls, in the order in which dialects state them."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.calls: list[CallDraft] = []

    @property
    def partial_text(self) -> str:
        """The text so far."""
        return "".join(self.text)

    def add_text(self, text: str, deltas: list[Delta]) -> None:
        """Take a piece of the answer."""
        self.text.append(text)
        deltas.append(TextDelta(text))

    def add_reasoning(self, text: str, deltas: list[Delta]) -> None:
        """Take a piece of reasoning."""
        self.reasoning.append(text)
        deltas.append(ReasoningDelta(text))

    def open_call(self, call_id: str | None, name: str, deltas: list[Delta]) -> CallDraft:
        """Begin a tool call; one without an identifier gets ``call_0``, ``call_1``, ..."""
        index = len(self.calls)
        call = CallDraft(index, call_id or f"call_{index}", name)
        self.calls.append(call)
        deltas.append(ToolCallDelta(index, call.id, name))
        return call

    def add_arguments(self, call: CallDraft, arguments: str, deltas: list[Delta]) -> None:
        """Take a piece of a call's arguments."""
        call.pieces.append(arguments)
        deltas.append(ToolCallDelta(call.index, arguments=arguments))

    def message(self, origin: str, opaque: Mapping[str, Any] | None = None) -> Message:
        """Give the whole turn: reasoning, text, tool calls."""
        parts: list[Part] = []
        if self.reasoning or opaque:
            parts.append(Reasoning("".join(self.reasoning), opaque, origin))
        if self.text:
            parts.append(Text("".join(self.text)))
        parts.extend([call.finish() for call in self.calls])
        return Message("assistant", parts)
