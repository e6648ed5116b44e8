"""The arguments of a tool call, as they go back in a conversation."""

from collections.abc import Mapping
from typing import Any, Final

from trio_llm.chat import ToolCall
from trio_llm.wire.values import write_text

INVALID: Final = "INVALID_JSON"
"""The key under which arguments go back that are no JSON object."""


def sent_arguments(call: ToolCall) -> Mapping[str, Any]:
    """Give the arguments of a call as an object, whatever the model wrote.

    Models write broken JSON, and a server that reads it again refuses the whole
    conversation: llama.cpp with HTTP 500, others with 400. So that the model can still
    see what it wrote, the text becomes the value of one key, as Anthropic's guide to
    streaming tools advises ("Handling invalid JSON in tool responses").
    """
    return call.arguments if call.is_valid else {INVALID: call.raw}


def sent_text(call: ToolCall) -> str:
    """Give the arguments as text: as the model wrote them, if that is a JSON object."""
    if call.raw is not None and call.raw.strip() and call.is_valid:
        return call.raw
    return write_text(dict(sent_arguments(call)))
