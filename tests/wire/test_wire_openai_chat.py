"""The quirks of the many servers that speak OpenAI's chat completions."""

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
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.errors import (
    ContentFilterError,
    InvalidRequestError,
    MalformedResponseError,
    OverloadedError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS

OPENAI = DIALECTS["openai_chat"]
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def chunk(delta: Any = None, **fields: Any) -> bytes:
    """Write one chunk with one choice."""
    choice: dict[str, Any] = {"index": 0, "delta": delta or {}, **fields}
    return b"data: " + json.dumps({"id": "i", "model": "m", "choices": [choice]}).encode() + b"\n\n"


def call(arguments: Any, **fields: Any) -> dict[str, Any]:
    """Write a delta with one piece of a tool call."""
    name = {"name": fields.pop("name")} if "name" in fields else {}
    return {"tool_calls": [{**fields, "function": {**name, "arguments": arguments}}]}


def read(*pieces: bytes) -> tuple[list[Delta], Completion]:
    """Decode a stream."""
    decoder = OPENAI.decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas, decoder.close()


def decode(message: Any, **fields: Any) -> Completion:
    """Decode a whole reply with this message."""
    body = {"choices": [{"message": message, "finish_reason": "stop"}], **fields}
    return OPENAI.decode(json.dumps(body).encode())


def encode(*messages: Message, model: str = "m", stream: bool = False, **fields: Any) -> Any:
    """Give the body of a request, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    return json.loads(OPENAI.encode(request, model=model, stream=stream).body)


def test_a_stream_without_done_succeeds_after_a_finish_reason() -> None:
    """Perplexity and others never send ``[DONE]``."""
    assert read(chunk({"content": "a"}), STOP)[1].message.text == "a"


def test_a_stream_that_ends_too_early_is_interrupted() -> None:
    """Without finish reason and marker the text so far is in the error, and is no reply."""
    with pytest.raises(StreamInterruptedError) as caught:
        read(chunk({"content": "par"}), chunk({"content": "tial"})[:-20])
    assert caught.value.partial_text == "par"


def test_done_without_a_finish_reason_is_an_end_of_unknown_kind() -> None:
    """The marker alone ends a stream too."""
    completion = read(chunk({"content": "a"}), b"data: [DONE]\n\n")[1]
    assert (completion.finish_reason, completion.raw_finish) == ("unknown", None)


def test_finished_says_that_nothing_more_need_be_read() -> None:
    """The finish reason alone is not the end: usage may follow."""
    decoder = OPENAI.decoder()
    decoder.feed(STOP)
    assert not decoder.finished
    decoder.feed(b"data: [DONE]\n\n")
    assert decoder.finished


def test_an_error_frame_raises_after_the_deltas_before_it() -> None:
    """Nothing that arrived is lost, however the bytes were split."""
    frame = b'event: error\ndata: {"error":{"message":"x","status_code":503}}\n\n'
    decoder = OPENAI.decoder()
    assert decoder.feed(chunk({"content": "a"}) + frame) == [TextDelta("a")]
    assert decoder.finished
    with pytest.raises(OverloadedError):
        decoder.feed(b"")
    with pytest.raises(OverloadedError):
        decoder.close()


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "x", "code": 502}}',
        b'{\n "error": {\n  "message": "x", "code": 502\n }\n}\n',
        b'data: {"object":"error","message":"x","code":502}\n\n',
        b'data: {"choices":[],"error":{"message":"x"}}\n\n',
        b"event: error\ndata: it broke\n\n",
    ],
)
def test_errors_in_place_of_a_stream(body: bytes) -> None:
    """An error under a 200 is an error with or without the form of an event."""
    with pytest.raises(ServerError):
        read(body)


@pytest.mark.parametrize("body", [b"", b"\n\n", b": ping\n\n", b"<html>oh</html>", b"hello"])
def test_no_stream_at_all_is_malformed(body: bytes) -> None:
    """An empty 200, a web page or prose is no reply."""
    with pytest.raises(MalformedResponseError):
        read(body)


def test_an_error_inside_a_whole_200() -> None:
    """Azure has answered 200 with nothing but an error."""
    with pytest.raises(ContentFilterError):
        OPENAI.decode(b'{"error":{"code":"content_filter","message":"filtered"}}')


@pytest.mark.parametrize(
    ("delta", "kind"),
    [
        ({"reasoning": "t"}, "reasoning"),
        ({"reasoning_content": "t"}, "reasoning_content"),
        ({"thinking": "t"}, "thinking"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "t"}]}, "details"),
        ({"content": [{"type": "thinking", "thinking": [{"text": "t"}]}]}, "Mistral"),
        ({"reasoning": "t", "reasoning_details": [{"text": "t"}], "content": ""}, "both"),
    ],
)
def test_reasoning_under_every_name(delta: Any, kind: str) -> None:
    """Reasoning is found once, whatever a provider calls it."""
    deltas, completion = read(chunk(delta), STOP)
    assert deltas == [ReasoningDelta("t")], kind
    assert completion.message.reasoning == "t"
    assert decode(delta).message.reasoning == "t"


def test_mistral_content_lists_are_text_and_thoughts() -> None:
    """A list of parts is taken apart."""
    content = [{"type": "thinking", "thinking": [{"text": "t"}]}, {"type": "text", "text": "a"}]
    message = decode({"content": content}).message
    assert (message.reasoning, message.text) == ("t", "a")


def test_tool_deltas_without_index_go_by_identifier() -> None:
    """Older Mistral streams number nothing; a new identifier is a new call."""
    _, completion = read(
        chunk(call('{"a"', id="x", name="f")),
        chunk(call(":1}")),
        chunk(call("{}", id="y", name="g")),
        STOP,
    )
    assert [(c.id, c.name, c.raw) for c in completion.message.tool_calls] == [
        ("x", "f", '{"a":1}'),
        ("y", "g", "{}"),
    ]
    assert completion.finish_reason == "tool_calls"


def test_one_index_for_two_calls_is_two_calls() -> None:
    """Some servers give every whole call the index 0."""
    _, completion = read(
        chunk(call("{}", index=0, id="x", name="f")),
        chunk(call("{}", index=0, id="y", name="g")),
        STOP,
    )
    assert [c.id for c in completion.message.tool_calls] == ["x", "y"]


def test_repeated_names_and_identifiers_are_one_call() -> None:
    """Later pieces may repeat what the first one said."""
    deltas, completion = read(
        chunk(call("{", index=0, id="x", name="f")),
        chunk(call("}", index=0, id="x", name="f")),
        STOP,
    )
    assert len(completion.message.tool_calls) == 1
    assert deltas[0] == ToolCallDelta(0, "x", "f")
    assert deltas[-1] == ToolCallDelta(0, arguments="}")


@pytest.mark.parametrize("arguments", [{"a": 1}, '{"a":1}'])
def test_arguments_as_object_or_text(arguments: Any) -> None:
    """Arguments are read in both forms; without an identifier a call gets one."""
    calls = decode({"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]})
    assert calls.message.tool_calls == (ToolCall("call_0", "f", {"a": 1}, '{"a":1}'),)
    _, completion = read(chunk(call(arguments, name="f")), STOP)
    assert completion.message.tool_calls == calls.message.tool_calls


def test_a_call_in_the_older_form_is_a_tool_call() -> None:
    """``function_call`` streams in pieces too, and is not counted twice beside ``tool_calls``."""
    first = {"function_call": {"name": "f", "arguments": "{"}}
    second = {"function_call": {"arguments": "}"}}
    _, completion = read(chunk(first), chunk(second, finish_reason="function_call"))
    assert completion.message.tool_calls == (ToolCall("call_0", "f", {}, "{}"),)
    assert completion.finish_reason == "tool_calls"
    both = {**call("{}", id="x", name="f"), "function_call": {"name": "f", "arguments": "{}"}}
    assert len(read(chunk(both), STOP)[1].message.tool_calls) == 1


def test_missing_arguments_are_empty() -> None:
    """A call without arguments is a valid call."""
    found = decode({"tool_calls": [{"id": "x", "function": {"name": "f"}}]}).message.tool_calls
    assert (found[0].arguments, found[0].is_valid) == ({}, True)


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, Usage(3, 4)),
        (
            {
                "prompt_tokens": 496,
                "completion_tokens": 77,
                "total_tokens": 694,
                "completion_tokens_details": {"reasoning_tokens": 121},
            },
            Usage(496, 198, reasoning_tokens=121),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "total_tokens": 14,
                "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(9, 5, 2, 1, 3),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4},
            Usage(9, 1, 4),
        ),
        ({"prompt_tokens": "many", "completion_tokens": None}, Usage()),
        ({}, None),
        (None, None),
        (7, None),
    ],
)
def test_usage(wire: Any, usage: Usage | None) -> None:
    """Counts have our meaning: reasoning is output, cached tokens are input."""
    assert decode({"content": "x"}, usage=wire).usage == usage


def test_the_last_usage_of_a_stream_counts() -> None:
    """Usage may come anywhere, repeatedly, with nulls, or under ``x_groq``."""
    first = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    nulls = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":null}}\n\n'
    last = b'data: {"usage":{"prompt_tokens":3,"completion_tokens":9}}\n\n'
    groq = b'data: {"choices":[],"x_groq":{"usage":{"prompt_tokens":5,"completion_tokens":6}}}\n\n'
    assert read(first, nulls, last, STOP)[1].usage == Usage(3, 9)
    assert read(last, nulls, STOP)[1].usage == Usage(3, 9)
    assert read(STOP, groq)[1].usage == Usage(5, 6)
    assert read(STOP)[1].usage is None


@pytest.mark.parametrize("delta", [{"refusal": "I cannot"}, {"content": None, "refusal": "no"}])
def test_a_refusal_is_filtered_content(delta: Any) -> None:
    """A refusal inside a 200 is a completion that says so, not an error."""
    assert read(chunk(delta), STOP)[1].finish_reason == "content_filter"
    assert decode(delta).finish_reason == "content_filter"


def test_finish_reasons_that_are_failures() -> None:
    """OpenRouter's ``error`` and DeepSeek's lack of resources are no replies."""
    with pytest.raises(ServerError):
        read(chunk(finish_reason="error"))
    with pytest.raises(OverloadedError):
        read(chunk(finish_reason="insufficient_system_resource"))


def test_only_the_first_choice_is_read() -> None:
    """With ``n`` above one, the others are left in the raw body."""
    other = b'data: {"choices":[{"index":1,"delta":{"content":"B"},"finish_reason":"length"}]}\n\n'
    _, completion = read(chunk({"content": "A"}), other, STOP)
    assert (completion.message.text, completion.raw_finish) == ("A", "stop")


def test_reasoning_details_come_back_whole() -> None:
    """OpenRouter's fragments are joined, and sent back with the next request."""
    detail = {"type": "reasoning.text", "index": 0}
    pieces = [{"text": "a"}, {"text": "b"}, {"text": "", "signature": "s"}]
    chunks = [chunk({"reasoning_details": [detail | piece]}) for piece in pieces]
    message = read(*chunks, chunk({"content": "x"}), STOP)[1].message
    sent = encode(Message("user", "hi"), message)["messages"][1]
    assert sent["reasoning_details"] == [detail | {"text": "ab", "signature": "s"}]


def test_plain_reasoning_comes_back_beside_tool_calls() -> None:
    """DeepSeek wants its ``reasoning_content`` back in the middle of a round of tools."""
    pieces = [{"reasoning_content": "h"}, {"reasoning_content": "m"}, call("{}", id="x", name="f")]
    streamed = read(*[chunk(piece) for piece in pieces], STOP)[1].message
    whole = decode({"reasoning_content": "hm", **call("{}", id="x", name="f")}).message
    for message in (streamed, whole):
        assert encode(Message("user", "hi"), message)["messages"][1]["reasoning_content"] == "hm"
    without_calls = decode({"reasoning_content": "hm", "content": "x"}).message
    assert "reasoning_content" not in encode(Message("user", "hi"), without_calls)["messages"][1]


def test_reasoning_goes_back_only_to_its_own_dialect() -> None:
    """What another dialect made is left out, and plain reasoning without need is too."""
    parts = [Reasoning("a", {"signature": "s"}, "anthropic"), Reasoning("b", None, "openai_chat")]
    sent = encode(Message("user", "hi"), Message("assistant", [*parts, "x"]))["messages"][1]
    assert sent == {"role": "assistant", "content": "x"}
    turns = [Message("user", "hi"), Message("assistant", parts), Message("user", "go on")]
    assert [turn["role"] for turn in encode(*turns)["messages"]] == ["user", "user"]


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("o1", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("o4-mini", "max_completion_tokens"),
        ("gpt-5.1", "max_completion_tokens"),
        ("openai/gpt-5-nano", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("openai/gpt-oss-120b", "max_tokens"),
        ("olmo-2", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_model_knows(model: str, field: str) -> None:
    """OpenAI's reasoning models refuse ``max_tokens``."""
    assert encode(model=model, max_tokens=9)[field] == 9


def test_streams_ask_for_usage() -> None:
    """Without asking, OpenAI's streams say nothing of tokens."""
    assert encode(stream=True)["stream_options"] == {"include_usage": True}
    assert "stream" not in encode()


def test_extra_fields_come_last_and_only_for_this_dialect() -> None:
    """A caller can set, and override, any field of the body."""
    body = encode(temperature=1.0, extra={"openai_chat": {"temperature": 2}, "ollama": {"x": 1}})
    assert body["temperature"] == 2
    assert "x" not in body


def test_tool_results_are_messages_before_the_rest_of_their_turn() -> None:
    """A result in a user's turn becomes a message of its own; a failure is said in words."""
    turn = Message("user", [Text("and?"), ToolResult("c", "boom", is_error=True)])
    assert encode(turn)["messages"] == [
        {"role": "tool", "tool_call_id": "c", "content": "Error: boom"},
        {"role": "user", "content": "and?"},
    ]


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (Message("assistant", [Text("a"), Image(url="https://x")]), r"messages\[1\].content\[1\]"),
        (Message("system", Image(url="https://x")), r"messages\[1\].content\[0\]"),
        (Message("user", ToolCall("a", "f")), r"messages\[1\].content\[0\]"),
        (Message("tool", "words"), r"messages\[1\].content\[0\]"),
    ],
)
@pytest.mark.parametrize("name", DIALECTS)
def test_misplaced_parts_are_refused_by_place(name: str, message: Message, place: str) -> None:
    """Every dialect says which part it cannot express."""
    request = Request(messages=[Message("user", "hi"), message])
    with pytest.raises(InvalidRequestError, match=place):
        DIALECTS[name].encode(request, model="m", stream=False)


@pytest.mark.parametrize("choice", ["required", "missing"])
def test_a_forced_tool_must_be_offered(choice: str) -> None:
    """A choice that names no offered tool is refused before it is sent."""
    with pytest.raises(InvalidRequestError, match="tool_choice"):
        encode(tool_choice=choice)


def test_what_is_no_json_is_refused() -> None:
    """An object that JSON cannot write is the caller's mistake."""
    with pytest.raises(InvalidRequestError, match="not JSON"):
        encode(tools=[Tool("f", parameters={"x": object()})])


def test_half_a_surrogate_pair_can_be_sent() -> None:
    """Text that a model cut inside an emoji does not break the next request."""
    assert encode(Message("user", "a\ud83d"))["messages"][0]["content"] == "a\ud83d"


def test_azure_names_the_model_in_the_path() -> None:
    """A body without a model is read with the deployment's name."""
    path = "/openai/deployments/gpt-4o/chat/completions"
    body = b'{"messages":[{"role":"developer","content":"x"}]}'
    incoming = OPENAI.parse(path, body)
    assert incoming.model == "gpt-4o"
    assert incoming.request.messages == (Message("system", "x"),)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"nope", "not JSON"),
        (b"[]", "must be an object"),
        (b'{"messages":[]}', "model"),
        (b'{"model":"m","messages":"x"}', "messages: must be an array"),
        (b'{"model":"m","messages":[{"role":"x"}]}', r"messages\[0\].role"),
        (b'{"model":"m","messages":[{"role":"user","content":3}]}', r"messages\[0\].content"),
        (
            b'{"model":"m","messages":[{"role":"user","content":[{"type":"file"}]}]}',
            r"messages\[0\].content\[0\]",
        ),
        (b'{"model":"m","messages":[{"role":"user","content":"x"}],"seed":"x"}', "seed"),
        (b'{"model":"m","messages":[{"role":"user","content":""}]}', "prompt is empty"),
    ],
)
def test_broken_requests_are_refused_by_place(body: bytes, words: str) -> None:
    """The server's side says where a request is wrong."""
    with pytest.raises(InvalidRequestError, match=words):
        OPENAI.parse("/chat/completions", body)


def test_the_key_is_a_bearer_token() -> None:
    """The key goes into the authorization header."""
    assert OPENAI.authenticate("k") == {"authorization": "Bearer k"}
