"""Whatever Cohere's side sends: a value or a `ProviderError`, never anything else."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.test_wire_fuzz import decode_stream, few
from tests.wire.wire_junk import mutate
from trio_llm.chat import Embeddings, EmbedRequest, ListModels, ModelList, Operation, ShowModel
from trio_llm.errors import InvalidRequestError, ProviderError
from trio_llm.wire import DIALECTS

COHERE = DIALECTS["cohere"]
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}
EVENTS: list[Any] = [
    {"id": "r", "type": "message-start", "delta": {"message": {"role": "assistant"}}},
    {
        "type": "content-start",
        "index": 0,
        "delta": {"message": {"content": {"type": "thinking", "thinking": ""}}},
    },
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"thinking": "t"}}}},
    {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": "hé"}}}},
    {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "p"}}},
    {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": CALL}}},
    {
        "type": "tool-call-delta",
        "index": 0,
        "delta": {"message": {"tool_calls": {"function": {"arguments": "}"}}}},
    },
    {"type": "tool-call-end", "index": 0},
    {
        "type": "message-end",
        "delta": {
            "finish_reason": "TOOL_CALL",
            "error": None,
            "usage": {"tokens": {"input_tokens": 1, "output_tokens": 2}, "cached_tokens": 1},
        },
    },
]
REQUEST: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]},
        {
            "role": "assistant",
            "tool_plan": "p",
            "content": [{"type": "thinking", "thinking": "t"}],
            "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "x"}]},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "strict_tools": True,
    "tool_choice": "REQUIRED",
    "thinking": {"type": "enabled", "token_budget": 3},
    "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
    "stop_sequences": ["x"],
}
RESULTS: list[tuple[Operation, Any]] = [
    (
        EmbedRequest(texts="a"),
        {"embeddings": {"float": [[1.0, 2]]}, "meta": {"billed_units": {"input_tokens": 1}}},
    ),
    (
        ListModels(),
        {"models": [{"name": "m", "endpoints": ["chat"], "features": ["tools"]}]},
    ),
    (
        ShowModel(model="m"),
        {"name": "m", "endpoints": ["chat"], "context_length": 3.0, "features": None},
    ),
]


@given(data=st.data())
@few
def test_mutated_and_cut_streams(data: st.DataObject) -> None:
    """A stream with a changed event, cut anywhere, is read or refused."""
    events = list(EVENTS)
    place = data.draw(st.integers(0, len(events) - 1))
    events[place] = mutate(events[place], data.draw)
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    body = body[: data.draw(st.integers(0, len(body)))]
    decode_stream("cohere", body, data.draw(st.integers(1, 60)))


@given(data=st.data())
@few
def test_mutated_requests(data: st.DataObject) -> None:
    """The server's side reads a changed request or refuses it as invalid."""
    body = json.dumps(mutate(REQUEST, data.draw)).encode()
    with suppress(InvalidRequestError):
        assert COHERE.parse("/v2/chat", body).request.messages


@pytest.mark.parametrize(("operation", "result"), RESULTS)
@given(data=st.data(), noise=st.binary(max_size=100))
@few
def test_mutated_results(
    operation: Operation, result: Any, data: st.DataObject, noise: bytes
) -> None:
    """A result in which anything is of another type is read or refused."""
    read = COHERE.operations[type(operation)].decode
    changed = json.dumps(mutate(result, data.draw)).encode()
    for body in (changed, changed[: data.draw(st.integers(0, len(changed)))], noise):
        with suppress(ProviderError):
            assert isinstance(read(body, operation), Embeddings | ModelList)
