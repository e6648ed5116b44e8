"""What a caller asks for."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, cast

import attrs

from trio_llm.chat.capability import Capability
from trio_llm.chat.messages import Audio, File, Image, Message, ToolCall
from trio_llm.chat.schema import OutputSchema
from trio_llm.chat.stream import OnInterrupt

T = TypeVar("T")


def _to_stop(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    _demand_several("stop", value, "a string or several")
    return tuple(value)


def _demand_several(name: str, value: object, wanted: str) -> None:
    if not isinstance(value, Iterable):
        msg = f"{name} must be {wanted}, not {type(value).__name__}"
        raise TypeError(msg)


def _to_messages(value: str | Message | Sequence[Message]) -> tuple[Message, ...]:
    if isinstance(value, str):
        return (Message("user", value),)
    if isinstance(value, Message):
        return (value,)
    _demand_several("the prompt", value, "a string, a Message or several")
    return tuple(value)


def _check_messages(_request: object, _attribute: object, messages: tuple[Any, ...]) -> None:
    empty = True
    for index, message in enumerate(messages):
        if not isinstance(message, Message):
            msg = f"messages[{index}] must be a Message, not {type(message).__name__}"
            raise TypeError(msg)
        for part in message.content:
            empty = empty and not getattr(part, "text", part)
    if empty:
        msg = "the prompt is empty: give at least one message with content"
        raise ValueError(msg)


def _check_range(
    name: str,
    value: object,
    types: type | tuple[type, ...],
    least: int,
    most: float = math.inf,
) -> None:
    if isinstance(value, bool) or not isinstance(value, types):
        wanted = "an integer" if types is int else "a number"
        msg = f"{name} must be {wanted}, not {type(value).__name__}"
        raise TypeError(msg)
    if not value >= least:  # type: ignore[operator]
        msg = f"{name} must be at least {least}, not {value}"
        raise ValueError(msg)
    if value == math.inf:
        msg = f"{name} must be a finite number, not inf"
        raise ValueError(msg)
    if value > most:  # type: ignore[operator]
        msg = f"{name} must be at most {most:g}, not {value}"
        raise ValueError(msg)


@attrs.frozen
class Tool:
    """A function that the model may call.

    Args:
        name: Its name.
        description: What it does, for the model.
        parameters: A JSON schema of an object.
        strict: Ask the provider to hold the model to the schema, where it can.
        function: What `Endpoint.run_tools` runs, called with the arguments as an
            object; what it gives is awaited if it can be. Never sent.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = attrs.field(
        factory=lambda: {"type": "object", "properties": {}}
    )
    strict: bool | None = None
    function: Callable[[Mapping[str, Any]], object] | None = attrs.field(
        default=None, eq=False, repr=False
    )

    @classmethod
    def from_function(
        cls,
        function: Callable[..., object],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
        thread: bool = False,
    ) -> "Tool":
        """Make a tool of a function with annotated arguments; it can be used as a decorator.

        The docstring says what the tool does, and its section ``Args`` what each
        argument is. What a model gives is checked against the annotations.

        Args:
            function: A function or method, synchronous or async.
            name: In place of the function's name.
            description: In place of what the docstring says.
            strict: As `Tool.strict`; the schema is then written in the strict form.
            thread: Run it in a worker thread. A synchronous function otherwise runs in
                the event loop, and must be quick. A thread cannot be cancelled: a call
                that is waits until the function has returned.

        Raises:
            TypeError: An argument has no type, or one that JSON cannot express.
        """
        from trio_llm.chat.toolbox import tool_from_function  # noqa: PLC0415 - it makes tools

        return tool_from_function(
            function, name=name, description=description, strict=strict, thread=thread
        )

    @classmethod
    def from_class(
        cls,
        arguments: type[T],
        function: Callable[[T], object] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
    ) -> "Tool":
        """Make a tool whose arguments are the fields of a class.

        Args:
            arguments: An attrs class, a dataclass or a typed dictionary.
            function: What to run, with an object of the class; synchronous or async.
            name: In place of the class's name.
            description: In place of what the docstring says.
            strict: As `Tool.strict`; the schema is then written in the strict form.

        Raises:
            TypeError: A field has a type that JSON cannot express.
        """
        from trio_llm.chat.toolbox import tool_from_class  # noqa: PLC0415 - it makes tools

        return tool_from_class(
            arguments, function, name=name, description=description, strict=strict
        )


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        msg = f"{name} must be a string, not {type(value).__name__}"
        raise TypeError(msg)


def _check_items(name: str, items: tuple[object, ...], cls: type, wanted: str) -> None:
    for index, item in enumerate(items):
        if not isinstance(item, cls):
            msg = f"{name}[{index}] must be {wanted}, not {type(item).__name__}"
            raise TypeError(msg)


def _check_table(name: str, value: object, cls: type, wanted: str) -> None:
    if not isinstance(value, Mapping):
        msg = f"{name} must be a mapping, not {type(value).__name__}"
        raise TypeError(msg)
    for key, entry in cast("Mapping[object, object]", value).items():
        _check_text(f"a key of {name}", key)
        if not isinstance(entry, cls):
            msg = f"{name}[{key!r}] must be {wanted}, not {type(entry).__name__}"
            raise TypeError(msg)


def _check_flags(request: "Request") -> None:
    for name in ("parallel_tool_calls", "continuation", "side_effects"):
        value = cast("object", getattr(request, name))
        if value is not None and not isinstance(value, bool):
            msg = f"{name} must be True or False, not {type(value).__name__}"
            raise TypeError(msg)


def _check_collections(request: "Request") -> None:
    _check_flags(request)
    if request.stop:
        _check_items("stop", request.stop, str, "a string")
    if request.tools:
        _check_items("tools", request.tools, Tool, "a Tool")
    if request.metadata is not _NOTHING:
        _check_table("metadata", request.metadata, str, "a string")
    if request.tags is not _NOTHING:
        _check_table("tags", request.tags, str, "a string")
    if request.extra is not _NOTHING:
        _check_table("extra", request.extra, Mapping, "a mapping of fields")


def _to_tools(value: "Iterable[Tool]") -> "tuple[Tool, ...]":
    _demand_several("tools", value, "several Tools")
    return tuple(value)


def _to_interrupt(value: OnInterrupt | str | None) -> OnInterrupt | None:
    if value is None or isinstance(value, OnInterrupt):
        return value
    try:
        return OnInterrupt(value)
    except ValueError:
        known = ", ".join(policy.value for policy in OnInterrupt)
        msg = f"on_interrupt must be one of {known}, not {value!r}"
        raise ValueError(msg) from None


CACHE_MODES = ("off", "on", "read_only", "write_only")


def _to_cache_mode(value: str | bool | None) -> str | None:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value in CACHE_MODES:
        return value
    msg = f"cache must be one of {', '.join(CACHE_MODES)}, not {value!r}"
    raise ValueError(msg)


_NOTHING: Mapping[str, Any] = MappingProxyType({})


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
        output: The JSON schema that the answer's text must fit.
        user: An opaque identifier of the end user.
        metadata: Passed to providers that store it.
        prefer: The provider or balancer that a fallback tries first.
        max_attempts: The most physical attempts that the call may make, retries
            and racers included; ``None`` means the configured number.
        on_interrupt: What happens when a stream breaks after it has begun (an
            `OnInterrupt`, or ``fail``, ``restart``, ``resume``); ``None`` means what the
            balancers are configured to do.
        continuation: Whether the last message is an answer that is to be gone on with, in
            place of a turn that is to be answered. Asked only of providers that can.
        side_effects: Whether answering twice would do harm; such a call is never hedged.
        cache: ``on``, ``off``, ``read_only`` or ``write_only`` (or true or false): whether
            the answer may come from the cache, and be kept there; ``None`` means what is
            configured.
        extra: Further fields by dialect name, merged into the request body as
            they are.
        tags: Labels for events and accounting; never sent.
    """

    messages: tuple[Message, ...] = attrs.field(converter=_to_messages, validator=_check_messages)
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = attrs.field(default=(), converter=_to_stop)
    seed: int | None = None
    tools: tuple[Tool, ...] = attrs.field(default=(), converter=_to_tools)
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    reasoning: str | None = None
    output: OutputSchema | None = None
    user: str | None = None
    metadata: Mapping[str, str] = _NOTHING
    prefer: str | None = None
    max_attempts: int | None = None
    on_interrupt: OnInterrupt | None = attrs.field(default=None, converter=_to_interrupt)
    continuation: bool = False
    side_effects: bool = False
    cache: str | None = attrs.field(default=None, converter=_to_cache_mode)
    extra: Mapping[str, Mapping[str, Any]] = _NOTHING
    tags: Mapping[str, str] = _NOTHING

    def __attrs_post_init__(self) -> None:
        if self.max_tokens is not None:
            _check_range("max_tokens", self.max_tokens, int, 1)
        if self.temperature is not None:
            _check_range("temperature", self.temperature, (int, float), 0)
        if self.top_p is not None:
            _check_range("top_p", self.top_p, (int, float), 0, 1)
        if self.seed is not None:
            _check_range("seed", self.seed, int, -(2**63))
        if self.max_attempts is not None:
            _check_range("max_attempts", self.max_attempts, int, 1)
        if self.model is not None:
            _check_text("model", self.model)
        if self.tool_choice is not None:
            _check_text("tool_choice", self.tool_choice)
        if self.reasoning is not None:
            _check_text("reasoning", self.reasoning)
        if self.user is not None:
            _check_text("user", self.user)
        if self.output is not None and not isinstance(cast("object", self.output), OutputSchema):
            msg = f"output must be an OutputSchema, not {type(self.output).__name__}"
            raise TypeError(msg)
        if self.prefer is not None:
            _check_text("prefer", self.prefer)
        _check_collections(self)

    @property
    def needs(self) -> frozenset[Capability]:
        """The capabilities that a provider must have to serve this request."""
        needed = {Capability.CHAT}
        kinds = {type(part) for message in self.messages for part in message.content}
        if self.tools or ToolCall in kinds:
            needed.add(Capability.TOOLS)
        if Image in kinds:
            needed.add(Capability.VISION)
        if Audio in kinds:
            needed.add(Capability.AUDIO_INPUT)
        if File in kinds:
            needed.add(Capability.FILE_INPUT)
        return frozenset(needed)
