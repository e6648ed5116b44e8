"""Messages and the parts they are made of, the same for every provider."""

import json
import mimetypes
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]

_ROLES = ("system", "user", "assistant", "tool")


# What the tables of some systems lack, or hold under an older name.
_MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".m4a": "audio/mp4",
    ".webp": "image/webp",
    ".md": "text/markdown",
}


def _media_type(path: str | os.PathLike[str], family: str | None = None) -> str:
    suffix = Path(path).suffix.lower()
    found = _MEDIA_TYPES.get(suffix) or mimetypes.guess_type(Path(path).name)[0]
    if found is None or (family is not None and not found.startswith(f"{family}/")):
        wanted = f"{family} file" if family else "known type of file"
        msg = f"{Path(path).name!r} does not end like a {wanted}: give content= and media_type="
        raise ValueError(msg)
    return found


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

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Image":
        """Read a picture from disk; its name tells the media type.

        Raises:
            OSError: It cannot be read.
            ValueError: The name does not end like a picture's.
        """
        return cls(content=Path(path).read_bytes(), media_type=_media_type(path, "image"))


@attrs.frozen
class Audio:
    """A recording, by its bytes.

    Args:
        content: The encoded recording.
        media_type: For example ``audio/wav`` or ``audio/mpeg``.
    """

    content: bytes = attrs.field(repr=False, validator=attrs.validators.instance_of(bytes))
    media_type: str = "audio/wav"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "Audio":
        """Read a recording from disk; its name tells the media type.

        Raises:
            OSError: It cannot be read.
            ValueError: The name does not end like a recording's.
        """
        return cls(Path(path).read_bytes(), _media_type(path, "audio"))


@attrs.frozen
class File:
    """A document, by its address or by its bytes: exactly one of the two.

    Args:
        url: An ``https:`` address that the provider fetches itself.
        content: The document; needs ``media_type``.
        media_type: For example ``application/pdf``.
        name: The name of the file, for the model.
    """

    url: str | None = None
    content: bytes | None = attrs.field(default=None, repr=False)
    media_type: str | None = None
    name: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.content is None):
            msg = "a File takes either url= or content=, not both and not neither"
            raise ValueError(msg)
        if self.content is not None and self.media_type is None:
            msg = 'a File with content= needs media_type=, for example "application/pdf"'
            raise ValueError(msg)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "File":
        """Read a document from disk; its name tells the media type.

        Raises:
            OSError: It cannot be read.
            ValueError: The name does not end like that of a known type.
        """
        return cls(
            content=Path(path).read_bytes(), media_type=_media_type(path), name=Path(path).name
        )


@attrs.frozen
class Reasoning:
    """What a model thought before it answered.

    Attributes:
        text: The readable part; may be empty.
        opaque: Provider state (signatures, encrypted content) that must go back
            unchanged, and only to the server that made it.
        origin: Who made the state: ``dialect@host``, or the name of a dialect for any
            of its servers.
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

    Most providers want one for every call, in the turn right after it, and none without
    a call: a conversation that lacks one is refused with `UnsupportedError` where it
    would be. A call that was broken off has a result that says so.

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


Part: TypeAlias = Text | Image | Audio | File | Reasoning | ToolCall | ToolResult

_PARTS = (Text, Image, Audio, File, Reasoning, ToolCall, ToolResult)


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
