"""What arrives while a reply is being written."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from trio_llm.chat.reply import Reply


@attrs.frozen
class TextDelta:
    """A further piece of the answer."""

    text: str


@attrs.frozen
class ReasoningDelta:
    """A further piece of what the model thinks.

    Attributes:
        text: The readable piece; empty where there is only state.
        opaque: Provider state that ends this stretch of reasoning, as in `Reasoning`.
            Where the state belongs to the whole turn, or to a part that is no reasoning,
            it comes with the reply alone (`Finished.reply`).
        origin: Who made the state, as in `Reasoning`.
    """

    text: str
    opaque: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    origin: str | None = None


@attrs.frozen
class ToolCallDelta:
    """A further piece of a tool call.

    Attributes:
        index: Which call of the reply, from 0.
        id: Its identifier, in the first piece.
        name: The tool's name, in the first piece.
        arguments: A fragment of the arguments' JSON text; may be empty.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@attrs.frozen
class Finished:
    """The last event of a stream that ended well."""

    reply: Reply


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta
StreamEvent: TypeAlias = Delta | Finished
