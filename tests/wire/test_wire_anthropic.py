"""The quirks of Anthropic's Messages."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Completion,
    Delta,
    Image,
    Message,
    Reasoning,
    ReasoningDelta,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.errors import (
    InvalidRequestError,
    MalformedResponseError,
    OverloadedError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS

ANTHROPIC = DIALECTS["anthropic"]


def event(kind: str, **fields: Any) -> bytes:
    """Write one named event."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def start(block: Any, index: int = 0) -> bytes:
    """Write the opening of a block."""
    return event("content_block_start", index=index, content_block=block)


def delta(piece: Any, index: int = 0) -> bytes:
    """Write a piece of a block."""
    return event("content_block_delta", index=index, delta=piece)


BEGIN = event("message_start", message={"id": "i", "model": "m", "usage": {"input_tokens": 2}})
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3})
STOP = event("message_stop")


def read(*pieces: bytes) -> tuple[list[Delta], Completion]:
    """Decode a stream."""
    decoder = ANTHROPIC.decoder()
    deltas = [item for piece in pieces for item in decoder.feed(piece)]
    return deltas, decoder.close()


def encode(*messages: Message, **fields: Any) -> Any:
    """Give the body of a request, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    return json.loads(ANTHROPIC.encode(request, model="m", stream=False).body)


def test_headers_and_path() -> None:
    """The version and the key have headers of their own."""
    outgoing = ANTHROPIC.encode(Request(messages="hi"), model="m", stream=True)
    assert outgoing.path == "/messages"
    assert outgoing.headers == {"anthropic-version": "2023-06-01"}
    assert ANTHROPIC.authenticate("k") == {"x-api-key": "k"}


def test_a_limit_is_always_sent() -> None:
    """The request's own limit, else the provider's, else 4096."""
    assert encode()["max_tokens"] == 4096
    assert encode(max_tokens=7)["max_tokens"] == 7
    request = Request(messages="hi")
    body = ANTHROPIC.encode(request, model="m", stream=False, max_tokens=99).body
    assert json.loads(body)["max_tokens"] == 99


def test_system_messages_move_to_the_top() -> None:
    """All of them, in order; the turns around one that stood between become one."""
    body = encode(
        Message("system", "a"), Message("user", "b"), Message("system", "c"), Message("user", "d")
    )
    assert [block["text"] for block in body["system"]] == ["a", "c"]
    assert [len(turn["content"]) for turn in body["messages"]] == [2]
    assert encode(Message("system", "a"), Message("user", "b"))["system"] == "a"


def test_a_conversation_of_system_messages_only_is_refused() -> None:
    """The dialect needs something to answer."""
    with pytest.raises(InvalidRequestError, match="messages"):
        encode(Message("system", "a"))


def test_results_come_first_in_a_users_turn() -> None:
    """Tool results of several messages are one turn, before any text."""
    body = encode(
        Message("user", "hi"),
        Message("assistant", [ToolCall("a", "f"), ToolCall("b:1", "f")]),
        Message("user", "wait"),
        Message("tool", [ToolResult("a", "1"), ToolResult("b:1", "no", is_error=True)]),
    )
    assert body["messages"][1]["content"][1]["id"] == "b_1"
    assert body["messages"][2] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "1"},
            {"type": "tool_result", "tool_use_id": "b_1", "content": "no", "is_error": True},
            {"type": "text", "text": "wait"},
        ],
    }


def test_identifiers_that_repeat_are_told_apart() -> None:
    """Calls that were numbered anew in every turn at another provider stay distinct."""
    turn = [
        Message("assistant", ToolCall("call_0", "f")),
        Message("tool", ToolResult("call_0", "1")),
    ]
    sent = encode(Message("user", "hi"), *turn, *turn)["messages"]
    calls = [block["id"] for turn in sent for block in turn["content"] if "id" in block]
    assert calls == ["call_0", "call_0_2"]
    results = [block for turn in sent for block in turn["content"] if "tool_use_id" in block]
    assert [block["tool_use_id"] for block in results] == calls


def test_a_bare_error_in_place_of_a_stream() -> None:
    """An error body under a 200 is classified without the form of an event."""
    with pytest.raises(OverloadedError):
        read(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}')


def test_empty_text_is_left_out() -> None:
    """The provider refuses empty text blocks."""
    body = encode(Message("user", ["", "hi"]), Message("assistant", ""), Message("user", "x"))
    assert [len(turn["content"]) for turn in body["messages"]] == [2]


def test_images_by_address_and_by_bytes() -> None:
    """Both sources are written in the dialect's own form."""
    parts = [Image(url="https://x/a.png"), Image(content=b"\0", media_type="image/png")]
    sources = [
        block["source"] for block in encode(Message("user", parts))["messages"][0]["content"]
    ]
    assert sources == [
        {"type": "url", "url": "https://x/a.png"},
        {"type": "base64", "media_type": "image/png", "data": "AA=="},
    ]


def test_thinking_goes_back_with_its_signature_only() -> None:
    """Own thinking is sent unchanged; unsigned and foreign thinking is not."""
    thoughts = [
        Reasoning("t", {"signature": "s"}, "anthropic"),
        Reasoning("", {"redacted_thinking": "r"}, "anthropic"),
        Reasoning("u", None, "anthropic"),
        Reasoning("v", {"signature": "s"}, "openai_chat"),
    ]
    blocks = encode(Message("user", "hi"), Message("assistant", [*thoughts, "x"]))["messages"][1]
    assert blocks["content"] == [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "x"},
    ]


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "f"}, {"type": "tool", "name": "f"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({}, None),
    ],
)
def test_tool_choices(fields: Any, choice: Any) -> None:
    """The choice and the wish for single calls share one field."""
    assert encode(tools=[Tool("f")], **fields).get("tool_choice") == choice


@pytest.mark.parametrize(
    ("effort", "fields"),
    [
        ("high", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("2048", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("none", {"thinking": {"type": "disabled"}}),
    ],
)
def test_reasoning_effort(effort: str, fields: Any) -> None:
    """A word is an effort, a number a budget, ``none`` turns it off; the server reads it back."""
    body = encode(reasoning=effort)
    assert body.items() >= fields.items()
    incoming = ANTHROPIC.parse("/messages", json.dumps(body).encode())
    assert incoming.request.reasoning == effort


def test_pings_unknown_events_and_unknown_blocks_are_skipped() -> None:
    """What a later version adds does no harm."""
    deltas, completion = read(
        event("future_event", usage={"input_tokens": 99}),
        BEGIN,
        event("ping"),
        start({"type": "server_tool_use", "id": "s", "name": "search", "input": {}}),
        delta({"type": "input_json_delta", "partial_json": "{}"}),
        start({"type": "text", "text": "he"}, 1),
        delta({"type": "text_delta", "text": "llo"}, 1),
        delta({"type": "citations_delta", "citation": {}}, 1),
        END,
        STOP,
    )
    assert "".join(d.text for d in deltas if not isinstance(d, ToolCallDelta)) == "hello"
    assert completion.message == Message("assistant", "hello")
    assert completion.usage == Usage(2, 3)


def test_thinking_and_its_signature() -> None:
    """Thinking streams as reasoning; the signature is kept for the way back."""
    deltas, completion = read(
        BEGIN,
        start({"type": "thinking", "thinking": "", "signature": ""}),
        delta({"type": "thinking_delta", "thinking": "hm"}),
        delta({"type": "signature_delta", "signature": "si"}),
        delta({"type": "signature_delta", "signature": "g"}),
        END,
        STOP,
    )
    assert deltas == [ReasoningDelta("hm")]
    assert completion.message.content == (Reasoning("hm", {"signature": "sig"}, "anthropic"),)


@pytest.mark.parametrize(
    ("given", "pieces", "arguments"),
    [
        ({}, [], {}),
        ({}, [""], {}),
        ({}, ['{"a":', "1}"], {"a": 1}),
        ({"a": 1}, [], {"a": 1}),
    ],
)
def test_tool_input(given: Any, pieces: list[str], arguments: Any) -> None:
    """Input comes in pieces, or not at all, or whole in the opening."""
    block = {"type": "tool_use", "id": "t", "name": "f", "input": given}
    parts = [delta({"type": "input_json_delta", "partial_json": piece}) for piece in pieces]
    stop = event("content_block_stop", index=0)
    deltas, completion = read(BEGIN, start(block), *parts, stop, END, STOP)
    assert deltas[0] == ToolCallDelta(0, "t", "f")
    assert completion.message.tool_calls[0].arguments == arguments


def test_usage_counts_cached_tokens_as_input() -> None:
    """Input on this wire leaves the cache out; later events override earlier ones."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30}
    details = {"thinking_tokens": 4}
    begin = event("message_start", message={"usage": {**usage, "output_tokens": 1}})
    end = event(
        "message_delta",
        delta={"stop_reason": "max_tokens"},
        usage={"input_tokens": None, "output_tokens": 5, "output_tokens_details": details},
    )
    completion = read(begin, end, STOP)[1]
    assert completion.usage == Usage(60, 5, 30, 20, 4)
    assert completion.finish_reason == "length"


def test_an_error_event_takes_the_place_of_the_end() -> None:
    """An overload in the middle of a stream is an overload."""
    frame = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    with pytest.raises(OverloadedError):
        read(BEGIN, frame)


def test_a_stream_without_its_end_is_interrupted() -> None:
    """The text so far is in the error."""
    with pytest.raises(StreamInterruptedError) as caught:
        read(BEGIN, start({"type": "text", "text": "par"}))
    assert caught.value.partial_text == "par"


def test_a_stop_reason_is_enough_of_an_end() -> None:
    """A stream that lacks only ``message_stop`` was whole."""
    assert read(BEGIN, start({"type": "text", "text": "a"}), END)[1].message.text == "a"


def test_a_proxys_done_marker_is_ignored() -> None:
    """One recorded proxy adds OpenAI's marker."""
    assert read(BEGIN, END, b"data: [DONE]\n\n")[1].finish_reason == "stop"


def test_a_refusal_is_filtered_content() -> None:
    """A refusal is a completion that says so."""
    end = event("message_delta", delta={"stop_reason": "refusal"})
    assert read(BEGIN, end, STOP)[1].finish_reason == "content_filter"


@pytest.mark.parametrize("body", [b'{"content":"x"}', b'{"id":"m"}', b"[]"])
def test_a_reply_without_blocks_is_malformed(body: bytes) -> None:
    """Content that is no array is no message."""
    with pytest.raises(MalformedResponseError):
        ANTHROPIC.decode(body)


def test_a_result_made_of_blocks_is_read_as_text() -> None:
    """The server's side joins the text of a result; text beside it is another message."""
    result = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}],
    }
    turn = {"role": "user", "content": [{"type": "text", "text": "x"}, result]}
    body = {"model": "m", "max_tokens": 1, "messages": [turn]}
    request = ANTHROPIC.parse("/messages", json.dumps(body).encode()).request
    assert request.messages == (
        Message("tool", ToolResult("t", "12")),
        Message("user", [Text("x")]),
    )


@pytest.mark.parametrize(("limit", "sent"), [(None, 4096 + 16000), (20000, 20000)])
def test_a_budget_for_thinking_leaves_room_for_the_answer(limit: int | None, sent: int) -> None:
    """The provider refuses a limit that is not above the budget; a limit that is given stays."""
    request = Request(messages="hi", reasoning="16000", max_tokens=limit)
    body = json.loads(DIALECTS["anthropic"].encode(request, model="m", stream=False).body)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 16000}
    assert body["max_tokens"] == sent
