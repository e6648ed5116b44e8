"""What arrives while a reply is being written."""

import enum
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


class OnInterrupt(enum.Enum):
    """What happens when a stream breaks after it has begun."""

    FAIL = "fail"
    """The consumer gets the error, with the partial text. The default."""
    RESTART = "restart"
    """Another member answers from the start. While the consumer has been given nothing
    it does not notice; afterwards it gets a `Switched` event, and the text anew."""
    RESUME = "resume"
    """Another member goes on where the text broke off, after a `Switched` event. Only
    members whose interface can do that are asked, and only where neither tools nor a
    schema are in play."""


@attrs.frozen
class Switched:
    """The stream broke, and another provider goes on with it.

    Attributes:
        provider: Who goes on.
        model: The model that is asked there.
        failed: Who broke off.
        reason: Why, in words.
        policy: `OnInterrupt.RESTART`: all text so far is void, the answer begins anew.
            `OnInterrupt.RESUME`: the text so far stands, what follows continues it.
    """

    provider: str
    model: str
    failed: str
    reason: str
    policy: OnInterrupt


@attrs.frozen
class Finished:
    """The last event of a stream that ended well."""

    reply: Reply


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta
StreamEvent: TypeAlias = Delta | Switched | Finished
