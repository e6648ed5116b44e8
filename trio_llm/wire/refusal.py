"""How a dialect refuses a part of a request that it cannot express."""

from collections.abc import Iterator

from trio_llm.chat import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Request,
    Text,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError, UnsupportedError

_NAMES = {
    Text: "text",
    Image: "an image",
    Audio: "audio",
    File: "a file",
    Reasoning: "reasoning",
    ToolCall: "a tool call",
    ToolResult: "a tool result",
}
_ALLOWED: dict[str, tuple[type, ...]] = {
    "system": (Text,),
    "user": (Text, Image, Audio, File, ToolResult),
    "assistant": (Text, Reasoning, ToolCall),
    "tool": (ToolResult,),
}


def placed_parts(index: int, message: Message) -> Iterator[tuple[str, Part]]:
    """Give the parts of ``messages[index]``, each with its place in words.

    Raises:
        InvalidRequestError: A part does not belong in a message of this role.
    """
    for number, part in enumerate(message.content):
        place = f"messages[{index}].content[{number}]"
        if not isinstance(part, _ALLOWED[message.role]):
            article = "an" if message.role == "assistant" else "a"
            raise InvalidRequestError(
                f"{place}: {article} {message.role} message cannot hold {_NAMES[type(part)]}"
            )
        yield place, part


def unsupported(
    place: str, part: Part, remedy: str = "leave it out", what: str | None = None
) -> UnsupportedError:
    """Make the error for a part that a dialect has no form for.

    Args:
        place: Where it stands, as `placed_parts` gives it.
        part: The part.
        remedy: What to do instead.
        what: What is not taken, in words; ``None`` means every part of that type.
    """
    what = what or _NAMES[type(part)].split(" ")[-1]
    return UnsupportedError(f"{place}: this provider's interface takes no {what}; {remedy}")


def named_tool(request: Request) -> str | None:
    """Give the tool that the request forces by name, if it forces one.

    Raises:
        InvalidRequestError: No such tool is offered, or a call is required and no tool is.
    """
    choice = request.tool_choice
    if choice in (None, "auto", "none"):
        return None
    if choice == "required":
        if not request.tools:
            raise InvalidRequestError('tool_choice: "required" needs tools')
        return None
    if all(tool.name != choice for tool in request.tools):
        raise InvalidRequestError(f"tool_choice: no tool named {choice!r} is offered")
    return choice
