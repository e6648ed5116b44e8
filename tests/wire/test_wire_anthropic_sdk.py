"""What the official Anthropic SDK makes of what is written here."""

import json
from typing import Any

import pytest

from tests.wire.wire_types import obeys
from trio_llm.chat import (
    Completion,
    CountRequest,
    Delta,
    File,
    Image,
    ListModels,
    Message,
    OutputSchema,
    Part,
    Reasoning,
    ReasoningDelta,
    Request,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.wire import DIALECTS, Quirks

pytest.importorskip("anthropic")
pydantic: Any = pytest.importorskip("pydantic")
types: Any = pytest.importorskip("anthropic.types")
streaming: Any = pytest.importorskip("anthropic.lib.streaming._messages")

OURS = DIALECTS["anthropic"]
TOOL = Tool("look", "looks", {"type": "object", "properties": {"x": {"type": "integer"}}})
PNG = b"\x89PNG\r\n\x1a\n0000"
CONVERSATION = (
    Message("system", "be brief"),
    Message(
        "user",
        [
            Text("what is it?"),
            Image(content=PNG, media_type="image/png"),
            Image(url="https://example.org/a.png"),
            File(content=b"%PDF", media_type="application/pdf", name="a.pdf"),
            File(content=b"text", media_type="text/markdown"),
            File(url="https://example.org/a.pdf"),
        ],
    ),
    Message(
        "assistant",
        [
            Reasoning("hm", {"signature": "c2ln"}, "anthropic"),
            Reasoning("", {"redacted_thinking": "abc"}, "anthropic"),
            Text("let me see"),
            ToolCall("call_a", "look", {"x": 1}),
        ],
    ),
    Message("tool", ToolResult("call_a", "no", is_error=True)),
    Message("user", "and?"),
)
REQUESTS = [
    Request(messages="hi"),
    Request(messages=CONVERSATION, tools=[TOOL], tool_choice="look", parallel_tool_calls=False),
    Request(messages="hi", tools=[TOOL], tool_choice="required", stop=["a", "b"], user="u"),
    Request(messages="hi", reasoning="high", output=OutputSchema("n", TOOL.parameters)),
    Request(messages="hi", reasoning="2048", max_tokens=4096),
    Request(messages="hi", reasoning="none"),
]


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("request_", REQUESTS)
def test_its_types_take_our_requests(request_: Request, version: str, *, stream: bool) -> None:
    """Every field is one that the SDK knows, and every value of its type."""
    ours = OURS.adapted(Quirks(version=version))
    body = json.loads(ours.encode(request_, model="claude-x", stream=stream).body)
    kind = "MessageCreateParamsStreaming" if stream else "MessageCreateParamsNonStreaming"
    assert obeys(body, getattr(types.message_create_params, kind))


@pytest.mark.parametrize("request_", REQUESTS)
def test_its_types_take_our_counts(request_: Request) -> None:
    """The same holds of what is only counted."""
    codec = OURS.operations[CountRequest]
    body = json.loads(codec.encode(CountRequest(request=request_), model="claude-x").body)
    assert obeys(body, types.MessageCountTokensParams)


def test_its_types_would_refuse_another_request() -> None:
    """The check is one that can fail: by an unknown field, a wrong type or a missing one."""
    kind = types.message_create_params.MessageCreateParamsNonStreaming
    body = json.loads(OURS.encode(REQUESTS[1], model="claude-x", stream=False).body)
    assert obeys(body, kind)
    assert not obeys({**body, "seed": 1}, kind)
    assert not obeys({**body, "max_tokens": "1"}, kind)
    assert not obeys({**body, "tool_choice": {"type": "required"}}, kind)
    assert not obeys({name: value for name, value in body.items() if name != "messages"}, kind)
    body["messages"][1]["content"][0]["origin"] = "x"
    assert not obeys(body, kind)


PARTS: list[Part] = [
    Reasoning("hm", {"signature": "c2ln"}, "anthropic"),
    Reasoning("", {"redacted_thinking": "abc"}, "anthropic"),
    Text("hé"),
    ToolCall("call_a", "look", {"x": [1, "é"]}),
    ToolCall("call_b", "look", {}),
]
BLOCKS: list[dict[str, Any]] = [
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "abc"},
    {"type": "text", "text": "hé"},
    {"type": "tool_use", "id": "call_a", "name": "look", "input": {"x": [1, "é"]}},
    {"type": "tool_use", "id": "call_b", "name": "look", "input": {}},
]
WRITTEN = Completion(
    Message("assistant", PARTS), "tool_calls", usage=Usage(30, 12, 8, 4, 5), model="m"
)
DELTAS: list[Delta] = [
    ReasoningDelta("h"),
    ReasoningDelta("m"),
    ReasoningDelta("", {"signature": "c2ln"}, "anthropic"),
    ReasoningDelta("", {"redacted_thinking": "abc"}, "anthropic"),
    TextDelta("h"),
    TextDelta("é"),
    ToolCallDelta(0, "call_a", "look"),
    ToolCallDelta(0, arguments='{"x": [1,'),
    ToolCallDelta(0, arguments=' "é"]}'),
    ToolCallDelta(1, "call_b", "look"),
]


def check(message: Any) -> None:
    """Compare the SDK's message with what was written."""
    blocks = [
        {name: value for name, value in block.to_dict().items() if name in BLOCKS[index]}
        for index, block in enumerate(message.content)
    ]
    assert blocks == BLOCKS
    assert message.stop_reason == "tool_use"
    usage = message.usage
    assert (usage.input_tokens, usage.output_tokens) == (18, 12)
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (8, 4)


def test_it_reads_our_replies() -> None:
    """Its own strict model takes the body, and every block has its type."""
    message = types.Message.model_validate_json(OURS.encode_reply(WRITTEN))
    check(message)


def accumulated(body: bytes) -> Any:
    """Give the message that the SDK's accumulator makes of a stream."""
    adapter = pydantic.TypeAdapter(types.RawMessageStreamEvent)
    buffers: dict[int, bytes] = {}
    snapshot = None
    for line in body.splitlines():
        if line.startswith(b"data: "):
            event = adapter.validate_json(line[6:])
            snapshot = streaming.accumulate_event(
                event=event, current_snapshot=snapshot, json_bufs=buffers
            )
    return snapshot


def stream(deltas: list[Delta], completion: Completion) -> bytes:
    """Write a streamed reply."""
    encoder = OURS.encoder("m")
    written = b"".join([encoder.delta(delta) for delta in deltas])
    return encoder.start() + written + encoder.finish(completion)


def test_its_accumulator_reads_our_streams() -> None:
    """Every event is one of its own, and together they give the whole message."""
    check(accumulated(stream(DELTAS, WRITTEN)))


def test_its_accumulator_finds_a_signature_that_comes_late() -> None:
    """A block that stays open beside others is found by its place."""
    parts = [PARTS[0], *PARTS[2:]]
    deltas = [delta for delta in DELTAS if not getattr(delta, "opaque", None)]
    message = accumulated(stream(deltas, Completion(Message("assistant", parts), "tool_calls")))
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[0].signature == "c2ln"


def test_its_accumulator_takes_a_stream_without_usage() -> None:
    """Somebody who does not count says zero, for which clients have a place."""
    message = accumulated(stream([TextDelta("x")], Completion(Message("assistant", "x"))))
    assert message.content[0].text == "x"
    assert message.usage.output_tokens == 0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 504, 529])
def test_its_types_take_our_errors(status: int) -> None:
    """The kind of an error is one that it knows; its union of them lacks that of a 413."""
    body = OURS.encode_error(status, "the reason", code="some_code")
    error = types.shared.ErrorResponse.model_validate_json(body)
    assert error.error.message == "the reason"
    assert type(error.error).__name__ != "BaseModel"


def test_its_own_answers_are_read_here() -> None:
    """A list of models that its type describes gives their limits."""
    info = {
        "id": "claude-x",
        "type": "model",
        "display_name": "X",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 5,
        "max_tokens": 3,
    }
    entry = types.ModelInfo.construct(**info).to_dict(mode="json")
    codec = OURS.operations[ListModels]
    result: Any = codec.decode(json.dumps({"data": [entry]}).encode(), ListModels())
    assert (result.models[0].context_window, result.models[0].max_output_tokens) == (5, 3)
