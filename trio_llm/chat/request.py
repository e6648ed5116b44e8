"""What a caller asks for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from trio_llm.chat.capability import Capability
from trio_llm.chat.messages import Image, Message, ToolCall


def _to_stop(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _to_messages(value: str | Message | Sequence[Message]) -> tuple[Message, ...]:
    if isinstance(value, str):
        return (Message("user", value),)
    if isinstance(value, Message):
        return (value,)
    return tuple(value)


def _check_messages(_request: object, _attribute: object, messages: tuple[Message, ...]) -> None:
    for index, message in enumerate(messages):
        if not isinstance(message, Message):  # pyright: ignore[reportUnnecessaryIsInstance]
            msg = f"messages[{index}] must be a Message, not {type(message).__name__}"
            raise TypeError(msg)
    if not any(
        any(getattr(part, "text", part) for part in message.content) for message in messages
    ):
        msg = "the prompt is empty: give at least one message with content"
        raise ValueError(msg)


@attrs.frozen
class Tool:
    """A function that the model may call.

    Args:
        name: Its name.
        description: What it does, for the model.
        parameters: A JSON schema of an object.
        strict: Ask the provider to hold the model to the schema, where it can.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = attrs.field(
        factory=lambda: {"type": "object", "properties": {}}
    )
    strict: bool | None = None


_at_least_one = attrs.validators.optional(
    attrs.validators.and_(attrs.validators.instance_of(int), attrs.validators.ge(1))
)
_not_negative = attrs.validators.optional(
    attrs.validators.and_(attrs.validators.instance_of((int, float)), attrs.validators.ge(0))
)


@attrs.frozen(kw_only=True)
class Request:
    """A prompt and how to answer it, in no provider's dialect.

    Args:
        messages: The conversation; a string means one user message.
        model: Which model; ``None`` means the provider's own. At a balancer:
            a member's name, ``provider/model``, or a model that members serve.
        max_tokens: Upper limit on output tokens.
        temperature: Sampling temperature, 0 or more.
        top_p: Nucleus sampling, 0 to 1.
        stop: Strings at which the model stops.
        seed: Sampling seed, where the provider has one.
        tools: Functions that the model may call.
        tool_choice: ``auto``, ``none``, ``required``, or a tool's name.
        parallel_tool_calls: Whether several calls in one turn are allowed.
        reasoning: Reasoning effort, in the provider's words (``low``, ``high``, ...).
        user: An opaque identifier of the end user.
        metadata: Passed to providers that store it.
        prefer: The provider or balancer that a fallback tries first.
        extra: Further fields by dialect name, merged into the request body as
            they are.
        tags: Labels for events and accounting; never sent.
    """

    messages: tuple[Message, ...] = attrs.field(converter=_to_messages, validator=_check_messages)
    model: str | None = None
    max_tokens: int | None = attrs.field(default=None, validator=_at_least_one)
    temperature: float | None = attrs.field(default=None, validator=_not_negative)
    top_p: float | None = attrs.field(default=None, validator=_not_negative)
    stop: tuple[str, ...] = attrs.field(default=(), converter=_to_stop)
    seed: int | None = None
    tools: tuple[Tool, ...] = attrs.field(default=(), converter=tuple[Tool, ...])
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    reasoning: str | None = None
    user: str | None = None
    metadata: Mapping[str, str] = attrs.field(factory=dict[str, str])
    prefer: str | None = None
    extra: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict[str, Mapping[str, Any]])
    tags: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def needs(self) -> frozenset[Capability]:
        """The capabilities that a provider must have to serve this request."""
        needed = {Capability.CHAT}
        if self.tools or any(
            isinstance(part, ToolCall) for message in self.messages for part in message.content
        ):
            needed.add(Capability.TOOLS)
        if any(isinstance(part, Image) for message in self.messages for part in message.content):
            needed.add(Capability.VISION)
        return frozenset(needed)
