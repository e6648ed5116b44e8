"""Whole replies, as the client reads them, and the pieces that streams share with them."""

from typing import Any

from trio_llm.chat import Completion, FinishReason, Message, Part, Reasoning, Text, ToolCall, Usage
from trio_llm.errors import MalformedResponseError, OverloadedError, ServerError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.openai_chat.charged import charged_of
from trio_llm.wire.openai_chat.names import (
    CALL_FIELDS,
    CALLS,
    CARRIED_FIELDS,
    DIALECT,
    FAILED_FINISH,
    FINISH,
)
from trio_llm.wire.values import (
    as_count,
    as_list,
    as_name,
    as_object,
    as_text,
    read_body,
    rewrite,
)


def decode_reply(body: bytes, origin: str = DIALECT) -> Completion:
    """Read a whole response of status 200.

    Args:
        body: The body.
        origin: The dialect's name, for provider state that must come back to it.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    return completion_of(read_body(body), origin)


def raise_failure(reply: dict[str, Any], wanted: str) -> None:
    """Raise the error that a body of status 200 is in truth.

    Args:
        reply: The body.
        wanted: The field that a success has.

    Raises:
        ProviderError: It is one, classified.
    """
    failed = reply.get("error") or reply.get("object") == "error"
    if failed or (reply.get(wanted) is None and ("errors" in reply or "detail" in reply)):
        raise classify_frame(reply, phase="response")


def completion_of(value: Any, origin: str) -> Completion:
    """Read a decoded reply.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    reply = as_object(value)
    raise_failure(reply, "choices")
    choices = reply.get("choices")
    if type(choices) is not list or not choices:
        raise MalformedResponseError("the response has no choices", phase="response")
    choice = as_object(as_list(choices)[0])
    message = choice.get("message")
    if type(message) is not dict and choice.get("finish_reason") is None:
        raise MalformedResponseError("the first choice has no message", phase="response")
    fields = as_object(message)
    turn = _message(fields, origin)
    raw_finish = as_name(choice.get("finish_reason"))
    return Completion(
        message=turn,
        finish_reason=finish_reason(
            raw_finish, calls=bool(turn.tool_calls), refused=bool(as_name(fields.get("refusal")))
        ),
        raw_finish=raw_finish,
        usage=usage_of(reply.get("usage")),
        model=as_name(reply.get("model")),
        response_id=as_name(reply.get("id")),
        raw=value,
        charged=charged_of(reply.get("usage")),
    )


def finish_reason(
    raw: str | None, *, calls: bool, refused: bool, phase: str = "response"
) -> FinishReason:
    """Give the finish reason in this library's words.

    Raises:
        ServerError: The provider says that it failed.
        OverloadedError: The provider says that it ran out of resources.
    """
    if raw in FAILED_FINISH:
        failure = ServerError if raw == "error" else OverloadedError
        raise failure(FAILED_FINISH[raw], code=raw, phase=phase)
    if refused:
        return "content_filter"
    reason = FINISH.get(raw or "", "unknown")
    # A call that was forced by name ends with "stop" at OpenAI and vLLM.
    return "tool_calls" if calls and reason in ("stop", "unknown") else reason


def usage_of(value: Any) -> Usage | None:
    """Read the token counts; ``None`` where there are none.

    xAI (and Gemini behind this dialect) leave reasoning out of the completion's
    tokens, which shows in the total: the difference is output too.
    """
    if type(value) is not dict:
        return None
    usage = as_object(value)
    if not any(usage.get(name) is not None for name in ("prompt_tokens", "completion_tokens")):
        return None
    prompt = as_count(usage.get("prompt_tokens"))
    completion = as_count(usage.get("completion_tokens"))
    read = as_object(usage.get("prompt_tokens_details"))
    written = as_object(usage.get("completion_tokens_details"))
    reasoning = as_count(written.get("reasoning_tokens")) or as_count(usage.get("reasoning_tokens"))
    unstated = as_count(usage.get("total_tokens")) - prompt - completion
    if unstated > 0 and (unstated == reasoning or (not written and "citation_tokens" not in usage)):
        completion += unstated
        reasoning = reasoning or unstated
    return Usage(
        input_tokens=prompt,
        output_tokens=completion,
        cached_tokens=as_count(read.get("cached_tokens"))
        or as_count(usage.get("prompt_cache_hit_tokens"))
        or as_count(usage.get("cached_tokens"))
        or as_count(usage.get("cache_read_input_tokens")),
        cache_write_tokens=as_count(read.get("cache_write_tokens"))
        or as_count(usage.get("cache_creation_input_tokens")),
        reasoning_tokens=reasoning,
    )


def text_and_thoughts(content: Any) -> tuple[str, str]:
    """Give the text and the reasoning of a message's content, whatever its shape."""
    if type(content) is str:
        return content, ""
    if type(content) is dict:
        # Cloudflare parses the answer when a schema was asked for.
        return rewrite(as_object(content)), ""
    texts: list[str] = []
    thoughts: list[str] = []
    for item in as_list(content):
        if type(item) is str:
            texts.append(item)
            continue
        part = as_object(item)
        if part.get("type") == "thinking" or "thinking" in part:
            thinking = part.get("thinking")
            thoughts.append(
                thinking
                if type(thinking) is str
                else "".join([as_text(as_object(piece).get("text")) for piece in as_list(thinking)])
            )
        else:
            texts.append(as_text(part.get("text")))
    return "".join(texts), "".join(thoughts)


def thoughts_of(fields: dict[str, Any]) -> str:
    """Give the readable reasoning of a message or a delta, under any of its names."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        text = as_text(fields.get(name))
        if text:
            return text
    return "".join(
        [
            as_text(as_object(detail).get("text")) or as_text(as_object(detail).get("summary"))
            for detail in as_list(fields.get("reasoning_details"))
        ]
    )


def arguments_text(value: Any) -> str:
    """Give a tool call's arguments as text, whether they came so or as an object."""
    if type(value) is str:
        return value
    return "" if value is None else rewrite(value)


def opaque_of(fields: dict[str, Any], thoughts: str, *, calls: bool) -> dict[str, Any] | None:
    """Give what must come back with this message.

    Plain reasoning goes back only beside tool calls, where DeepSeek asks for it;
    some other servers refuse the field.
    """
    opaque = {name: fields[name] for name in (*CARRIED_FIELDS, CALLS) if fields.get(name)}
    if calls and not opaque and as_name(fields.get("reasoning_content")):
        opaque["reasoning_content"] = thoughts
    return opaque or None


def call_fields(call: dict[str, Any]) -> dict[str, Any]:
    """Give the fields of one tool call that must come back with it."""
    return {name: call[name] for name in CALL_FIELDS if call.get(name)}


def _message(fields: dict[str, Any], origin: str) -> Message:
    text, thoughts = text_and_thoughts(fields.get("content"))
    thoughts = thoughts_of(fields) or thoughts
    beside: dict[str, Any] = {}
    calls = _calls(fields, beside)
    opaque = opaque_of(fields | {CALLS: beside}, thoughts, calls=bool(calls))
    parts: list[Part] = []
    if thoughts or opaque:
        parts.append(Reasoning(thoughts, opaque, origin))
    if text:
        parts.append(Text(text))
    return Message("assistant", [*parts, *calls])


def _calls(fields: dict[str, Any], beside: dict[str, Any]) -> list[ToolCall]:
    calls: list[ToolCall] = []
    for item in as_list(fields.get("tool_calls")):
        call = as_object(item)
        function = as_object(call.get("function"))
        name = as_text(function.get("name"))
        call_id = as_name(call.get("id")) or f"call_{len(calls)}"
        calls.append(ToolCall.parse(call_id, name, arguments_text(function.get("arguments"))))
        kept = call_fields(call)
        if kept:
            beside[call_id] = kept
    function = as_object(fields.get("function_call"))
    if not calls and as_name(function.get("name")):
        name = as_text(function.get("name"))
        calls.append(ToolCall.parse("call_0", name, arguments_text(function.get("arguments"))))
    return calls
