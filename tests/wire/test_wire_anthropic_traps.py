"""What surprises those who come to Anthropic's interface from another one."""

import json
from typing import Any

import pytest

from trio_llm.chat import Completion, Message, Request, Text, Tool, ToolCall, ToolResult, Usage
from trio_llm.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from trio_llm.wire import DIALECTS

ANTHROPIC = DIALECTS["anthropic"]


def events(*items: dict[str, Any]) -> bytes:
    """Write a stream."""
    lines = [f"event: {item['type']}\ndata: {json.dumps(item)}\n\n" for item in items]
    return "".join(lines).encode()


def read(*items: dict[str, Any]) -> Completion:
    """Read a stream."""
    decoder = ANTHROPIC.decoder()
    decoder.feed(events(*items))
    return decoder.close()


START = {
    "type": "message_start",
    "message": {"id": "i", "model": "m", "usage": {"input_tokens": 25, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}


def end(reason: str | None, **usage: int) -> dict[str, Any]:
    """Give the event before the last."""
    fields: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": reason}}
    return {**fields, "usage": usage} if usage else fields


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "unknown"),
        ("something_new", "unknown"),
    ],
)
def test_every_stop_reason_has_a_meaning(reason: str, finish: str) -> None:
    """Whole and streamed alike; the provider's own word stays readable."""
    streamed = read(START, end(reason), STOP)
    body = {"content": [{"type": "text", "text": "x"}], "stop_reason": reason}
    whole = ANTHROPIC.decode(json.dumps(body).encode())
    for completion in (streamed, whole):
        assert (completion.finish_reason, completion.raw_finish) == (finish, reason)


def test_why_it_refused_is_kept() -> None:
    """The details of a refusal are in the body, and do not disturb its reading."""
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    body: Any = {"content": [], "stop_reason": "refusal", "stop_details": details}
    completion = ANTHROPIC.decode(json.dumps(body).encode())
    assert completion.finish_reason == "content_filter"
    assert completion.raw["stop_details"] == details


def test_the_last_usage_counts() -> None:
    """Counts are cumulative: those of the end replace those of the beginning."""
    completion = read(START, end("end_turn", input_tokens=40, output_tokens=8), STOP)
    assert completion.usage == Usage(40, 8)


def test_a_usage_that_does_not_repeat_the_input_keeps_it() -> None:
    """The end may tell of the output alone, or of nothing."""
    assert read(START, end("end_turn", output_tokens=8), STOP).usage == Usage(25, 8)
    assert read(START, end("end_turn"), STOP).usage == Usage(25, 1)


@pytest.mark.parametrize(
    ("block", "delta"),
    [
        (
            {"type": "compaction", "content": None},
            {"type": "compaction_delta", "content": "x", "encrypted_content": "y"},
        ),
        ({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}, None),
        (
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
        ),
        ({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}, None),
    ],
)
def test_blocks_of_the_providers_own_are_no_answer(block: Any, delta: Any) -> None:
    """They are skipped, whole and streamed; none of them is a call that somebody must answer."""
    answer = {"type": "text", "text": "hello"}
    items: list[Any] = [START, {"type": "content_block_start", "index": 0, "content_block": block}]
    if delta is not None:
        items.append({"type": "content_block_delta", "index": 0, "delta": delta})
    items.append({"type": "content_block_stop", "index": 0})
    items.append({"type": "content_block_start", "index": 1, "content_block": answer})
    streamed = read(*items, end("end_turn"), STOP)
    body = {"content": [block, answer], "stop_reason": "end_turn"}
    whole = ANTHROPIC.decode(json.dumps(body).encode())
    assert streamed.message == whole.message == Message("assistant", "hello")


def test_results_come_first_in_a_users_turn() -> None:
    """Text before a result is refused by the provider, so that it is moved behind it."""
    messages = [
        Message("user", "hi"),
        Message("assistant", [Text("so"), ToolCall("a", "f"), ToolCall("b", "f")]),
        Message("user", "wait"),
        Message("tool", [ToolResult("a", "1"), ToolResult("b", "2")]),
    ]
    request = Request(messages=messages, tools=[Tool("f")])
    body = json.loads(ANTHROPIC.encode(request, model="m", stream=False).body)
    kinds = [block["type"] for block in body["messages"][2]["content"]]
    assert kinds == ["tool_result", "tool_result", "text"]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    """No piece of input, or an empty one, is no broken JSON."""
    block: Any = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    begin = {"type": "content_block_start", "index": 0, "content_block": block}
    piece = {"type": "input_json_delta", "partial_json": ""}
    delta = {"type": "content_block_delta", "index": 0, "delta": piece}
    for items in ([begin], [begin, delta]):
        call = read(START, *items, end("tool_use"), STOP).message.tool_calls[0]
        assert (call.arguments, call.is_valid) == ({}, True)


def classify(status: int, kind: str, message: str, **details: str) -> ProviderError:
    """Classify an error response."""
    error: dict[str, Any] = {"type": kind, "message": message}
    if details:
        error["details"] = details
    body = {"type": "error", "error": error, "request_id": "req_1"}
    return ANTHROPIC.classify(status, {"retry-after": "55"}, json.dumps(body).encode(), now=0.0)


@pytest.mark.parametrize(
    ("status", "kind", "message", "wanted"),
    [
        (400, "invalid_request_error", "max_tokens: field required", InvalidRequestError),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 5 maximum",
            ContextLengthError,
        ),
        (400, "invalid_request_error", "Your credit balance is too low", QuotaExceededError),
        (
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits.",
            QuotaExceededError,
        ),
        (401, "authentication_error", "invalid x-api-key", AuthenticationError),
        (402, "billing_error", "x", QuotaExceededError),
        (403, "permission_error", "x", PermissionDeniedError),
        (404, "not_found_error", "model: x", ModelNotFoundError),
        (413, "request_too_large", "x", InvalidRequestError),
        (429, "rate_limit_error", "x", RateLimitError),
        (500, "api_error", "Internal server error", ServerError),
        (504, "timeout_error", "x", ProviderTimeoutError),
        (529, "overloaded_error", "Overloaded", OverloadedError),
    ],
)
def test_every_documented_error_has_its_class(
    status: int, kind: str, message: str, wanted: type[ProviderError]
) -> None:
    """The request's identifier and the wait come with it."""
    error = classify(status, kind, message)
    assert type(error) is wanted
    assert (error.request_id, error.retry_after) == ("req_1", 55.0)
    assert error.message == message


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
def test_a_spend_limit_is_no_rate_limit(code: str) -> None:
    """It has the status of one, and waiting does not help."""
    error = classify(429, "rate_limit_error", "limit reached", error_code=code)
    assert type(error) is QuotaExceededError


def test_a_wait_on_a_success_means_nothing() -> None:
    """Recorded successes carry ``retry-after``; what reads a success sees no headers."""
    body = {"content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn"}
    assert ANTHROPIC.decode(json.dumps(body).encode()).message.text == "x"
