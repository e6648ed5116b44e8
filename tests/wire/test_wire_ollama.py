"""The quirks of Ollama's own chat."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Completion,
    Delta,
    Image,
    Message,
    Request,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.errors import (
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS

OLLAMA = DIALECTS["ollama"]
DONE = b'{"message":{"content":""},"done":true,"done_reason":"stop","eval_count":2}\n'


def line(**message: Any) -> bytes:
    """Write one line of a stream."""
    return json.dumps({"model": "m", "message": message, "done": False}).encode() + b"\n"


def read(*pieces: bytes) -> tuple[list[Delta], Completion]:
    """Decode a stream."""
    decoder = OLLAMA.decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas, decoder.close()


def encode(*messages: Message, **fields: Any) -> Any:
    """Give the body of a request, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    return json.loads(OLLAMA.encode(request, model="m", stream=False).body)


def test_streaming_is_always_said() -> None:
    """Left out, the field would mean a stream."""
    assert encode()["stream"] is False
    assert OLLAMA.parse(
        "/api/chat", b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
    ).stream


def test_settings_are_options_and_extra_options_join_them() -> None:
    """Sampling settings go one level down, and a caller's options do not displace them."""
    body = encode(
        max_tokens=5, seed=1, extra={"ollama": {"options": {"num_ctx": 9}, "keep_alive": 0}}
    )
    assert body["options"] == {"num_predict": 5, "seed": 1, "num_ctx": 9}
    assert body["keep_alive"] == 0


@pytest.mark.parametrize(
    ("effort", "think"), [("none", False), ("true", True), ("low", "low"), ("high", "high")]
)
def test_reasoning_effort(effort: str, think: Any) -> None:
    """Effort is a word or a switch."""
    assert encode(reasoning=effort)["think"] == think


def test_pictures_by_address_are_refused_by_place() -> None:
    """The message names the part."""
    parts = [Image(content=b"\0", media_type="image/png"), Image(url="https://x")]
    with pytest.raises(InvalidRequestError, match=r"messages\[1\].content\[1\]"):
        encode(Message("system", "a"), Message("user", parts))


@pytest.mark.parametrize("choice", ["required", "f"])
def test_a_forced_call_is_refused(choice: str) -> None:
    """The dialect has no word for it, so it is not dropped in silence."""
    with pytest.raises(InvalidRequestError, match="tool_choice"):
        encode(tools=[Tool("f")], tool_choice=choice)


def test_no_tools_are_offered_when_none_may_be_called() -> None:
    """That is what ``none`` means."""
    assert "tools" not in encode(tools=[Tool("f")], tool_choice="none")


def test_results_name_their_tool() -> None:
    """The name comes from the result, or from the call that it answers."""
    sent = encode(
        Message("user", "hi"),
        Message("assistant", ToolCall("call_0", "look", {"x": 1})),
        Message("tool", [ToolResult("call_0", "cat"), ToolResult("z", "dog", name="bark")]),
    )["messages"]
    assert sent[1]["tool_calls"] == [
        {"id": "call_0", "function": {"name": "look", "arguments": {"x": 1}}}
    ]
    assert [message.get("tool_name") for message in sent[2:]] == ["look", "bark"]


def test_calls_without_identifiers_are_numbered() -> None:
    """Each whole call becomes an opening and its arguments; the finish reason says so."""
    calls = [{"function": {"name": "f", "arguments": {"a": 1}}}]
    deltas, completion = read(line(tool_calls=calls), line(content="", tool_calls=calls), DONE)
    assert deltas == [
        ToolCallDelta(0, "call_0", "f"),
        ToolCallDelta(0, arguments='{"a":1}'),
        ToolCallDelta(1, "call_1", "f"),
        ToolCallDelta(1, arguments='{"a":1}'),
    ]
    assert (completion.finish_reason, completion.raw_finish) == ("tool_calls", "stop")


def test_counts_may_be_missing() -> None:
    """A count that was not sent is zero; without any there is no usage."""
    assert read(line(content="a"), DONE)[1].usage == Usage(0, 2)
    assert OLLAMA.decode(b'{"message":{"content":"a"},"done":true}').usage is None


def test_an_error_line_ends_the_stream() -> None:
    """An error under a 200 raises after the text before it."""
    decoder = OLLAMA.decoder()
    assert decoder.feed(line(content="a") + b'{"error":"runner died"}\n') == [TextDelta("a")]
    with pytest.raises(ServerError, match="runner died"):
        decoder.close()
    with pytest.raises(ModelNotFoundError):
        read(b'{"error":"model \'x\' not found"}')


def test_a_stream_without_done_is_interrupted() -> None:
    """The text so far is in the error; half a line more changes nothing."""
    with pytest.raises(StreamInterruptedError) as caught:
        read(line(content="par"), line(content="tial")[:20])
    assert caught.value.partial_text == "par"


@pytest.mark.parametrize("body", [b"", b"\n", b"[1]\n", b'{"status":"x"}\n', b"<html>\n"])
def test_no_chat_stream_is_malformed(body: bytes) -> None:
    """Emptiness and other JSON are no reply."""
    with pytest.raises(MalformedResponseError):
        read(body)


def test_a_result_without_identifier_answers_the_oldest_open_call() -> None:
    """Older clients name only the tool."""
    calls: list[Any] = [{"function": {"name": "f", "arguments": {}}}] * 2
    messages: list[Any] = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "content": "1", "tool_name": "f"},
        {"role": "tool", "content": "2", "tool_name": "f"},
    ]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    read_messages = OLLAMA.parse("/api/chat", body).request.messages
    assert [call.id for call in read_messages[1].tool_calls] == ["call_0", "call_1"]
    results = [part for message in read_messages[2:] for part in message.content]
    assert results == [ToolResult("call_0", "1", name="f"), ToolResult("call_1", "2", name="f")]
