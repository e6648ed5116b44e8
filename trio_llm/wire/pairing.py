"""Tool calls and their results: each needs the other, and most providers say where.

OpenAI, Anthropic, Gemini, Cohere, Mistral and DeepSeek answer 400 to a call that has
no result in the next turn, and to a result that has no call before it.
"""

from collections import Counter
from typing import Any

from trio_llm.chat import Request, ToolCall, ToolResult
from trio_llm.wire.refusal import placed_parts, unsupported


def check_calls(request: Request) -> None:
    """See that every tool call has its result in the turn after it, and every result its call.

    A turn is a run of messages from one side: an assistant's, or a user's together with
    those of tools; a system message belongs to neither. Calls in the last turn, after
    which there is none, are let through.

    Raises:
        UnsupportedError: A call has no result, or a result no call; the message names it.
    """
    calls: list[tuple[str, ToolCall]] = []
    results: list[tuple[str, ToolResult]] = []
    asked = True
    for index, message in enumerate(request.messages):
        if message.role == "system":
            continue
        if message.role == "assistant" and asked:
            _check_pairs(calls, results)
            calls, results = [], []
        asked = message.role != "assistant"
        for place, part in placed_parts(index, message):
            if isinstance(part, ToolCall):
                calls.append((place, part))
            elif isinstance(part, ToolResult):
                results.append((place, part))
    if asked:
        _check_pairs(calls, results)


def _check_pairs(calls: list[tuple[str, ToolCall]], results: list[tuple[str, ToolResult]]) -> None:
    waiting = Counter(call.id for _, call in calls)
    for place, result in results:
        if not waiting[result.call_id]:
            raise unsupported(
                place,
                result,
                f"no call right before it has the identifier {_shown(result.call_id)} and "
                "awaits a result: put the call back, or leave the result out",
                "tool result without its call",
            )
        waiting[result.call_id] -= 1
    for place, call in calls:
        if waiting[call.id]:
            raise unsupported(
                place,
                call,
                f"{_shown(call.name)} (identifier {_shown(call.id)}) has none in the turn after "
                "it: add a ToolResult, which may say that the call was broken off, or leave the "
                "call out",
                "tool call without its result",
            )


def _shown(text: str) -> str:
    return repr(text[:100])


def results_first(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the results of a turn right behind its calls, before what was said meanwhile."""
    written: list[dict[str, Any]] = []
    behind: int | None = None
    for message in messages:
        if message["role"] == "assistant":
            behind = len(written) + 1
        if message["role"] == "tool" and behind is not None:
            written.insert(behind, message)
            behind += 1
        else:
            written.append(message)
    return written
