"""The parts of a model's turn, as they stand on the wire and in the vocabulary.

A signature must go back on the very part that it came with. A thought keeps its
own; that of any other part is a `Reasoning` without text right before it, and a
part of a kind that the vocabulary lacks is one that holds it whole. So a turn that
is written back is the turn that was read.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from trio_llm.chat import Part, Reasoning, Text, ToolCall
from trio_llm.wire.arguments import sent_arguments
from trio_llm.wire.gemini.names import (
    DIALECT,
    NEXT_SIGNATURE,
    NO_SIGNATURE,
    PART,
    THOUGHT_SIGNATURE,
)
from trio_llm.wire.values import as_name, as_object, as_text, rewrite

_TEXT_FIELDS = {"text", "thought", "thoughtSignature"}


def read_part(fields: dict[str, Any], new_id: Callable[[], str]) -> tuple[Part, ...]:
    """Read one part of a model's turn: none, one, or a signature and its part.

    Args:
        fields: The part.
        new_id: Makes the identifier of a call that has none.

    Raises:
        ValueError: It is a call without a name, or a piece of one.
        MalformedResponseError: A call's arguments are nested beyond all measure.
    """
    signature = as_name(fields.get("thoughtSignature"))
    if signature == NO_SIGNATURE:
        signature = None
    if "functionCall" in fields:
        call = _read_call(as_object(fields["functionCall"]), new_id)
        return (call,) if signature is None else (_signature_of_next(signature), call)
    text = fields.get("text")
    if type(text) is not str or not (text or fields.keys() <= _TEXT_FIELDS):
        return (Reasoning("", {PART: fields}, DIALECT),) if fields else ()
    if fields.get("thought") is True:
        return _read_thought(text, signature)
    return _read_text(text, signature)


def write_parts(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    """Write the parts of a model's turn; reasoning of other origin is left out."""
    signature: str | None = None
    for part in parts:
        fields: dict[str, Any] | None = None
        if isinstance(part, Text):
            if part.text:
                fields = {"text": part.text}
        elif isinstance(part, ToolCall):
            fields = write_call(part, part.id)
        elif isinstance(part, Reasoning):
            following = _next_signature(part)
            if following is None:
                fields = write_reasoning(part)
            if signature is not None and (following is not None or fields is not None):
                # Its part has gone: it stands alone, as the provider itself lets it.
                yield _alone(signature)
                signature = None
            signature = following or signature
        if fields is not None:
            if signature is not None:
                fields["thoughtSignature"] = signature
                signature = None
            yield fields
    if signature is not None:
        yield _alone(signature)


def write_reasoning(part: Reasoning) -> dict[str, Any] | None:
    """Write a thought, or the part that a `Reasoning` holds whole.

    Returns:
        ``None`` for what this dialect did not make.
    """
    if part.origin != DIALECT:
        return None
    opaque = part.opaque or {}
    if PART in opaque:
        return dict(as_object(opaque[PART])) or None
    fields: dict[str, Any] = {"text": part.text, "thought": True}
    if THOUGHT_SIGNATURE in opaque:
        fields["thoughtSignature"] = opaque[THOUGHT_SIGNATURE]
    return fields if part.text or len(fields) > 2 else None


def write_call(call: ToolCall, call_id: str) -> dict[str, Any]:
    """Write a call under an identifier."""
    return {"functionCall": {"id": call_id, "name": call.name, "args": dict(sent_arguments(call))}}


def _next_signature(part: Reasoning) -> str | None:
    """Give the signature that belongs to the part after this one, if it holds one."""
    if part.origin != DIALECT or part.opaque is None:
        return None
    return as_name(part.opaque.get(NEXT_SIGNATURE))


def _alone(signature: str) -> dict[str, Any]:
    return {"text": "", "thoughtSignature": signature}


def _signature_of_next(signature: str) -> Reasoning:
    return Reasoning("", {NEXT_SIGNATURE: signature}, DIALECT)


def _read_thought(text: str, signature: str | None) -> tuple[Part, ...]:
    if signature is not None:
        return (Reasoning(text, {THOUGHT_SIGNATURE: signature}, DIALECT),)
    return (Reasoning(text, None, DIALECT),) if text else ()


def _read_text(text: str, signature: str | None) -> tuple[Part, ...]:
    if signature is None:
        return (Text(text),) if text else ()
    if not text:
        return (Reasoning("", {PART: _alone(signature)}, DIALECT),)
    return (_signature_of_next(signature), Text(text))


def _read_call(call: dict[str, Any], new_id: Callable[[], str]) -> ToolCall:
    name = as_text(call.get("name"))
    if not name or "partialArgs" in call:
        raise ValueError("a function call has no name, or comes in pieces")
    call_id = as_name(call.get("id")) or new_id()
    arguments = call.get("args")
    if arguments is None or type(arguments) is dict:
        return ToolCall(call_id, name, as_object(arguments))
    text = arguments if type(arguments) is str else rewrite(arguments)
    return ToolCall.parse(call_id, name, text)
