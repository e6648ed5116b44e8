"""Conversations, as the client writes them."""

from collections.abc import Iterable, Iterator
from typing import Any

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
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.gemini.media import write_media
from trio_llm.wire.gemini.names import NO_SIGNATURE, ROLE
from trio_llm.wire.gemini.turns import write_parts
from trio_llm.wire.refusal import placed_parts, unsupported


class _Calls:
    """The calls of a conversation: an identifier for each that no other has, and its name.

    Those that were made up for a reply without any may repeat from turn to turn.
    """

    def __init__(self) -> None:
        self._current: dict[str, tuple[str, str]] = {}
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}

    def renamed(self, call: ToolCall) -> ToolCall:
        """Give the call under the identifier that goes on the wire."""
        plain = call_id = call.id or "call"
        number = self._numbers.get(plain, 1)
        while call_id in self._used:
            number += 1
            call_id = f"{plain}_{number}"
        self._numbers[plain] = number
        self._used.add(call_id)
        self._current[call.id] = call_id, call.name
        if call_id == call.id:
            return call
        return ToolCall(call_id, call.name, call.arguments, call.raw)

    def answered(self, result: ToolResult) -> tuple[str, str | None]:
        """Give the identifier and the name of the latest call that a result answers."""
        call_id, name = self._current.get(result.call_id, (result.call_id, None))
        return call_id, name or result.name


def write_contents(
    request: Request, *, needs_signature: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Write the system parts and the turns of a conversation.

    Args:
        request: Whose conversation.
        needs_signature: Whether the model refuses a call that has no signature.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    calls = _Calls()
    for index, message in enumerate(request.messages):
        if message.role == "assistant":
            parts = list(write_parts(_answer(index, message, calls)))
            if needs_signature:
                _sign(parts)
        else:
            parts = list(_asked(index, message, calls))
        if message.role == "system":
            system.extend(parts)
            continue
        role = ROLE[message.role]
        if not parts:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"].extend(parts)
        else:
            turns.append({"role": role, "parts": parts})
    if not turns:
        raise InvalidRequestError("messages: this dialect needs a user message with content")
    for turn in turns:
        if turn["role"] == "user":
            # Stable: results come first, the rest keeps its order.
            turn["parts"].sort(key=_is_not_result)
    return system, turns


def _is_not_result(part: dict[str, Any]) -> bool:
    return "functionResponse" not in part


def _sign(parts: Iterable[dict[str, Any]]) -> None:
    """Mark the first call of a turn, the one that must be signed, if it is not."""
    for part in parts:
        if "functionCall" in part:
            part.setdefault("thoughtSignature", NO_SIGNATURE)
            return


def _answer(index: int, message: Message, calls: _Calls) -> Iterator[Part]:
    for _, part in placed_parts(index, message):
        yield calls.renamed(part) if isinstance(part, ToolCall) else part


def _asked(index: int, message: Message, calls: _Calls) -> Iterator[dict[str, Any]]:
    for place, part in placed_parts(index, message):
        match part:
            case Text(text):
                if text:
                    yield {"text": text}
            case Image() | Audio() | File():
                yield write_media(part, place)
            case ToolResult():
                yield {"functionResponse": _result(part, place, calls)}
            case Reasoning() | ToolCall():
                raise unsupported(place, part)


def _result(part: ToolResult, place: str, calls: _Calls) -> dict[str, Any]:
    call_id, name = calls.answered(part)
    if name is None:
        raise InvalidRequestError(
            f"{place}: the tool's name is needed here, and no call before it has the "
            f"identifier {part.call_id[:100]!r}; give ToolResult(name=...)"
        )
    # The keys that the provider documents for what went well and what did not.
    response = {"error" if part.is_error else "output": part.content}
    return {"id": call_id, "name": name, "response": response}
