"""Messages and the parts they are made of, the same for every provider."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import attrs

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]

_ROLES = ("system", "user", "assistant", "tool")


@attrs.frozen
class Text:
    """A run of plain text."""

    text: str = attrs.field(validator=attrs.validators.instance_of(str))


@attrs.frozen
class Image:
    """A picture, by its address or by its bytes: exactly one of the two.

    Args:
        url: An ``https:`` address that the provider fetches itself.
        content: The encoded picture; needs ``media_type``.
        media_type: For example ``image/png``.
    """

    url: str | None = None
    content: bytes | None = attrs.field(default=None, repr=False)
    media_type: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.content is None):
            msg = "an Image takes either url= or content=, not both and not neither"
            raise ValueError(msg)
        if self.content is not None and self.media_type is None:
            msg = 'an Image with content= needs media_type=, for example "image/png"'
            raise ValueError(msg)


@attrs.frozen
class Reasoning:
    """What a model thought before it answered.

    Attributes:
        text: The readable part; may be empty.
        opaque: Provider state (signatures, encrypted content) that must go back
            unchanged, and only to the dialect that made it.
        origin: The name of that dialect.
    """

    text: str = ""
    opaque: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    origin: str | None = None


@attrs.frozen
class ToolCall:
    """A model's wish to call a tool.

    Attributes:
        id: The identifier that the matching `ToolResult` repeats.
        name: The tool's name.
        arguments: The arguments as an object; empty when `raw` is no JSON object.
        raw: The arguments as the model wrote them, when they came as text.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    raw: str | None = None

    @classmethod
    def parse(cls, call_id: str, name: str, text: str) -> "ToolCall":
        """Make a call from arguments that arrived as JSON text.

        Models do write broken JSON; the text is then kept in `raw` and
        `is_valid` is false, so that the caller can ask the model to repair it.
        """
        arguments: Any = {}
        if text.strip():
            try:
                arguments = json.loads(text)
            except (ValueError, RecursionError):
                arguments = None
        if not isinstance(arguments, dict):
            return cls(call_id, name, {}, text)
        return cls(call_id, name, arguments, text)  # pyright: ignore[reportUnknownArgumentType]

    @property
    def is_valid(self) -> bool:
        """Whether the arguments were a JSON object."""
        if self.raw is None or not self.raw.strip() or self.arguments:
            return True
        try:
            return isinstance(json.loads(self.raw), dict)
        except (ValueError, RecursionError):
            return False


@attrs.frozen
class ToolResult:
    """What a tool answered, sent back in a message of role ``tool``.

    Attributes:
        call_id: The `ToolCall.id` that this answers.
        content: The answer as text (JSON by custom).
        is_error: Whether the tool failed; providers without such a flag are
            told in the text.
        name: The tool's name; some providers need it.
    """

    call_id: str
    content: str
    is_error: bool = False
    name: str | None = None


Part: TypeAlias = Text | Image | Reasoning | ToolCall | ToolResult

_PARTS = (Text, Image, Reasoning, ToolCall, ToolResult)


def _to_parts(content: "str | Part | Iterable[str | Part]") -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    if isinstance(content, _PARTS):
        return (content,)
    try:
        items: tuple[Any, ...] = tuple(content)
    except TypeError:
        msg = f"message content must be a string or parts, not {type(content).__name__}"
        raise TypeError(msg) from None
    parts: list[Part] = []
    for index, item in enumerate(items):
        if isinstance(item, str):
            parts.append(Text(item))
        elif isinstance(item, _PARTS):
            parts.append(item)
        else:
            msg = f"content[{index}] must be a string or a part, not {type(item).__name__}"
            raise TypeError(msg)
    return tuple(parts)


def _check_role(_message: object, _attribute: object, role: str) -> None:
    if role not in _ROLES:
        msg = f"role must be one of {', '.join(_ROLES)}, not {role!r}"
        raise ValueError(msg)


@attrs.frozen
class Message:
    """One turn of a conversation.

    Args:
        role: Who speaks: ``system``, ``user``, ``assistant`` or ``tool``.
        content: A string, a part, or a sequence of both.
    """

    role: Role = attrs.field(validator=_check_role)
    content: tuple[Part, ...] = attrs.field(converter=_to_parts)

    @property
    def text(self) -> str:
        """All its text parts joined."""
        return "".join([part.text for part in self.content if type(part) is Text])

    @property
    def reasoning(self) -> str:
        """All its readable reasoning joined."""
        return "".join([part.text for part in self.content if type(part) is Reasoning])

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in it, in order."""
        return tuple([part for part in self.content if type(part) is ToolCall])
