"""Whatever bytes arrive: a value or a `ProviderError`, never anything else."""

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.wire_junk import mutate
from trio_llm.chat import Completion
from trio_llm.errors import InvalidRequestError, ProviderError
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS

few = settings(
    max_examples=len(seeds(80, share=3)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

REPLIES: dict[str, Any] = {
    "openai_chat": {
        "id": "c",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "content": [{"type": "text", "text": "hé"}],
                    "reasoning_details": [{"text": "t", "index": 0, "type": "r"}],
                    "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
                },
                "delta": {
                    "content": "hé",
                    "reasoning_details": [{"text": "t", "index": 0, "type": "r"}],
                    "tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}],
                },
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 9},
    },
    "cloudflare_run": {
        "success": True,
        "result": {
            "response": "hé",
            "tool_calls": [{"name": "f", "arguments": {"x": 1}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        },
        "response": "hé",
        "tool_calls": [{"name": "f", "arguments": {"x": 1}}],
    },
    "openai_responses": {
        "type": "response.completed",
        "id": "r",
        "status": "completed",
        "output": [
            {"type": "reasoning", "id": "rs", "summary": [{"text": "t"}], "encrypted_content": "e"},
            {"type": "message", "phase": "p", "content": [{"type": "output_text", "text": "hé"}]},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        ],
        "response": {
            "output": [{"type": "message", "content": [{"type": "output_text", "text": "hé"}]}],
            "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}},
        },
        "incomplete_details": {"reason": "r"},
        "usage": {"input_tokens": 1, "output_tokens": 2},
    },
    "anthropic": {
        "id": "m",
        "type": "message",
        "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": [1]}},
            {"type": "text", "text": "hé"},
        ],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 2},
    },
    "ollama": {
        "model": "m",
        "message": {
            "content": "hé",
            "thinking": "t",
            "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}],
        },
        "done": True,
        "done_reason": "stop",
        "eval_count": 3,
    },
    "cohere": {
        "id": "c",
        "type": "message-end",
        "message": {
            "content": [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "hé"}],
            "tool_plan": "p",
            "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
        },
        "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 1}}},
        "finish_reason": "COMPLETE",
        "usage": {"tokens": {"input_tokens": 1, "image_tokens": 2}, "cached_tokens": 1},
    },
    "gemini": {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "t", "thought": True, "thoughtSignature": "s"},
                        {"text": "hé"},
                        {"functionCall": {"id": "a", "name": "f", "args": {"x": [1]}}},
                        {"inlineData": {"mimeType": "image/png", "data": "cA=="}},
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "promptFeedback": {"blockReason": "OTHER"},
        "usageMetadata": {"promptTokenCount": 1, "thoughtsTokenCount": 2},
        "modelVersion": "m",
        "responseId": "r",
    },
}
REPLIES["huggingface"] = REPLIES["openai_chat"]
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hé"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": "{}"},
    },
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]
REQUEST: dict[str, Any] = {
    "model": "m",
    "system": [{"type": "text", "text": "s"}],
    "messages": [
        {"role": "user", "content": "hi", "images": []},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "a", "function": {"name": "f"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1", "tool_name": "f"},
    ],
    "tools": [{"type": "function", "name": "f", "function": {"name": "f", "parameters": {}}}],
    "options": {"num_predict": 3},
    "max_tokens": 5,
    "stop": ["x"],
}


def framed(name: str, values: list[Any]) -> bytes:
    """Write values as the stream of a dialect."""
    if name == "ollama":
        return b"".join(json.dumps(value).encode() + b"\n" for value in values)
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def read_stream(name: str, body: bytes, size: int) -> Completion:
    """Decode a stream in pieces."""
    decoder = DIALECTS[name].decoder()
    for start in range(0, len(body), size):
        decoder.feed(body[start : start + size])
    return decoder.close()


def check(read: Callable[[], Completion]) -> None:
    """Let a reader give a completion or a `ProviderError`, whose message is short."""
    outcome: Completion | ProviderError
    try:
        outcome = read()
    except ProviderError as error:
        outcome = error
    if isinstance(outcome, ProviderError):
        assert len(outcome.message) <= 500
    else:
        assert isinstance(outcome.message.text, str)


def decode_stream(name: str, body: bytes, size: int) -> None:
    """Decode a stream in pieces; only a `ProviderError` may come out."""
    check(partial(read_stream, name, body, size))


def decode_whole(name: str, body: bytes) -> None:
    """Decode a reply; only a `ProviderError` may come out."""
    check(partial(DIALECTS[name].decode, body))


@pytest.mark.parametrize("name", DIALECTS)
@given(body=st.binary(max_size=200), status=st.integers(300, 599), size=st.integers(1, 50))
@few
def test_arbitrary_bytes(name: str, body: bytes, status: int, size: int) -> None:
    """Noise is an error, on every entry of a dialect."""
    decode_whole(name, body)
    decode_stream(name, body, size)
    decode_stream(name, b"data: " + body + b"\n\n", size)
    error = DIALECTS[name].classify(status, {"retry-after": repr(body)}, body, now=0.0)
    assert isinstance(error, ProviderError)
    with pytest.raises(InvalidRequestError):
        DIALECTS[name].parse("/", body)


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
@few
def test_mutated_replies_and_errors(name: str, data: st.DataObject) -> None:
    """A reply in which anything is of another type is read or refused."""
    value = mutate(REPLIES[name], data.draw)
    body = json.dumps(value).encode()
    decode_whole(name, body)
    DIALECTS[name].classify(data.draw(st.integers(300, 599)), {}, body, now=0.0)
    error = {"error": mutate({"message": "m", "code": 1, "details": [{"a": 1}]}, data.draw)}
    decode_whole(name, json.dumps(error).encode())
    DIALECTS[name].classify(400, {}, json.dumps(error).encode(), now=0.0)


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
@few
def test_mutated_and_cut_streams(name: str, data: st.DataObject) -> None:
    """A stream with a changed event, cut anywhere, is read or refused."""
    values = list(EVENTS) if name == "anthropic" else [REPLIES[name], REPLIES[name]]
    place = data.draw(st.integers(0, len(values) - 1))
    values[place] = mutate(values[place], data.draw)
    body = framed(name, values)
    body = body[: data.draw(st.integers(0, len(body)))]
    decode_stream(name, body, data.draw(st.integers(1, 60)))


@pytest.mark.parametrize("name", DIALECTS)
@given(data=st.data())
@few
def test_mutated_requests(name: str, data: st.DataObject) -> None:
    """The server's side refuses a broken request as an invalid request."""
    body = json.dumps(mutate(REQUEST, data.draw)).encode()
    with suppress(InvalidRequestError):
        assert DIALECTS[name].parse("/", body).request.messages


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"<html><body>Bad gateway</body></html>",
        b"[" * 200_000,
        b'{"choices":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"a":' + b"9" * 10_000 + b"}",
        b'{"choices": {"a": 1}}',
        b'{"choices": []}',
        b'{"content": "x", "message": "x"}',
        b"null",
        b'"text"',
        b"\xff\xfe{}",
        b'data: {"choices": 3}\n\n',
        b"data: []\n\n",
        b"data: [DONE]\n\n",
    ],
)
def test_hopeless_bodies_are_malformed(name: str, body: bytes) -> None:
    """Emptiness, web pages, bottomless nesting and wrong types are provider errors."""
    with pytest.raises(ProviderError):
        DIALECTS[name].decode(body)
    with pytest.raises(ProviderError):
        read_stream(name, body, len(body) or 1)
