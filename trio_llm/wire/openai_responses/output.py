"""A turn as output items, and a whole response, as the server's side writes them."""

from collections.abc import Iterable
from typing import Any

from trio_llm.chat import Completion, Part, Reasoning, Text, ToolCall, Usage
from trio_llm.wire.openai_responses.items import write_arguments
from trio_llm.wire.openai_responses.names import DIALECT, INCOMPLETE_REASON
from trio_llm.wire.openai_responses.reasoning import phase_of, write_reasoning

RESPONSE_ID = "resp_0"
_PREFIX = {"message": "msg", "function_call": "fc", "reasoning": "rs"}


def output_items(parts: Iterable[Part], status: str) -> list[dict[str, Any]]:
    """Write a turn as output items; a run of text is one message.

    Args:
        parts: The parts of the turn.
        status: The status of the items, ``completed`` or ``incomplete``.
    """
    items: list[dict[str, Any]] = []
    spoken: dict[str, Any] | None = None
    phase: str | None = None
    for part in parts:
        if isinstance(part, Text):
            if not part.text:
                continue
            if spoken is None:
                spoken = new_item("message", len(items), status, phase=phase)
                items.append(spoken)
            spoken["content"].append(text_block(part.text))
            continue
        spoken = phase = None
        if isinstance(part, ToolCall):
            named = {"call_id": part.id, "name": part.name, "arguments": write_arguments(part)}
            items.append(new_item("function_call", len(items), status, **named))
        elif isinstance(part, Reasoning):
            phase = phase_of(part)
            if phase is None and (part.text or (part.opaque and part.origin == DIALECT)):
                own = new_item("reasoning", len(items), status)
                items.append(own | write_reasoning(part))
    return items


def new_item(kind: str, place: int, status: str, **fields: Any) -> dict[str, Any]:
    """Write an item with nothing in it but `fields`; those that are ``None`` are left out.

    Args:
        kind: Its type.
        place: Its place in the output, from which it has its identifier.
        status: ``in_progress``, ``completed`` or ``incomplete``.
        fields: Further fields.
    """
    item: dict[str, Any] = {"type": kind, "id": f"{_PREFIX[kind]}_{place}"}
    if kind == "message":
        item |= {"status": status, "role": "assistant", "content": []}
    elif kind == "function_call":
        item |= {"status": status, "call_id": "", "name": "", "arguments": ""}
    else:
        item["summary"] = []
    return item | {name: value for name, value in fields.items() if value is not None}


def text_block(text: str) -> dict[str, Any]:
    """Write a block of text."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def status_of(completion: Completion) -> str:
    """Give the status that tells the finish reason."""
    return "incomplete" if completion.finish_reason in INCOMPLETE_REASON else "completed"


def write_response(
    *, response_id: str, model: str, status: str, output: list[dict[str, Any]]
) -> dict[str, Any]:
    """Write a response that has not ended, with every field that the SDK's type demands."""
    return {
        "id": response_id,
        "object": "response",
        "created_at": 0,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def ended_response(
    completion: Completion, *, response_id: str, model: str, output: list[dict[str, Any]]
) -> dict[str, Any]:
    """Write the response that a completion is."""
    response = write_response(
        response_id=response_id, model=model, status=status_of(completion), output=output
    )
    reason = INCOMPLETE_REASON.get(completion.finish_reason)
    if reason is not None:
        response["incomplete_details"] = {"reason": reason}
    if completion.usage is not None:
        response["usage"] = _usage(completion.usage)
    return response


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }
