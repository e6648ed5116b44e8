"""The quirks of Cohere's second version of its chat."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Audio,
    Completion,
    Delta,
    File,
    Image,
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
from trio_llm.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ProviderError,
    ProviderTimeoutError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS

COHERE = DIALECTS["cohere"]
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"x": {"type": "string"}}})
WAIT = Tool("wait")
SCHEMA = OutputSchema("city", {"type": "object", "properties": {"city": {"type": "string"}}})


def encode(*messages: Message, stream: bool = False, **fields: Any) -> Any:
    """Give the body of a request, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    return json.loads(COHERE.encode(request, model="m", stream=stream).body)


def event(kind: str, **fields: Any) -> bytes:
    """Write one event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def piece(kind: str, index: int = 0, **message: Any) -> bytes:
    """Write one event that holds a piece of the message."""
    return event(kind, index=index, delta={"message": message})


def end(**delta: Any) -> bytes:
    """Write the end of a stream."""
    return event("message-end", delta={"finish_reason": "COMPLETE", **delta})


def read(*pieces: bytes) -> tuple[list[Delta], Completion]:
    """Decode a stream."""
    decoder = COHERE.decoder()
    deltas = [delta for data in pieces for delta in decoder.feed(data)]
    return deltas, decoder.close()


def decode(**fields: Any) -> Completion:
    """Decode a whole reply."""
    return COHERE.decode(json.dumps(fields).encode())


def test_every_setting_has_its_name() -> None:
    """Sampling, limits and stop strings go under the names of this interface."""
    body = encode(max_tokens=5, temperature=0.5, top_p=0.25, stop=("a", "b"), seed=3, stream=True)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "max_tokens": 5,
        "temperature": 0.5,
        "p": 0.25,
        "stop_sequences": ["a", "b"],
        "seed": 3,
    }


def test_the_limit_of_the_caller_is_sent_when_the_request_has_none() -> None:
    """The limit that a configuration gives takes the place of the request's own."""
    request = Request(messages="hi")
    body = json.loads(COHERE.encode(request, model="m", stream=False, max_tokens=9).body)
    assert body["max_tokens"] == 9


def test_what_the_interface_lacks_is_left_out() -> None:
    """A user, metadata and parallel calls have no field, and none is made up."""
    body = encode(user="u", metadata={"k": "v"}, parallel_tool_calls=False, tools=[WAIT])
    assert set(body) == {"model", "messages", "tools"}


def test_the_paths_and_the_key() -> None:
    """The paths carry the version, and the key is a bearer token."""
    assert COHERE.encode(Request(messages="hi"), model="m", stream=False).path == "/v2/chat"
    assert COHERE.authenticate("k") == {"authorization": "Bearer k"}


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [
        ("none", {"type": "disabled"}),
        ("disabled", {"type": "disabled"}),
        ("512", {"type": "enabled", "token_budget": 512}),
        ("high", {"type": "enabled"}),
        (None, None),
    ],
)
def test_reasoning_is_a_switch_or_a_budget(effort: str | None, thinking: Any) -> None:
    """Words turn it on or off, a number bounds it, and silence says nothing."""
    assert encode(reasoning=effort).get("thinking") == thinking


@pytest.mark.parametrize(
    ("choice", "names", "word"),
    [
        (None, ["look", "wait"], None),
        ("auto", ["look", "wait"], None),
        ("none", ["look", "wait"], "NONE"),
        ("required", ["look", "wait"], "REQUIRED"),
        ("wait", ["wait"], "REQUIRED"),
    ],
)
def test_tool_choice(choice: str | None, names: list[str], word: str | None) -> None:
    """There are two words for a choice; a tool forced by name is offered alone."""
    body = encode(tools=[LOOK, WAIT], tool_choice=choice)
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert body.get("tool_choice") == word


def test_a_choice_of_a_tool_that_is_not_offered_is_refused() -> None:
    """The message names the field and the tool."""
    with pytest.raises(InvalidRequestError, match="tool_choice: no tool named 'run'"):
        encode(tools=[LOOK], tool_choice="run")


@pytest.mark.parametrize(("strict", "said"), [((True, True), True), ((True, None), None)])
def test_strictness_is_for_all_tools_or_none(strict: tuple[Any, Any], said: bool | None) -> None:
    """The one switch there is gets said where it binds no tool that did not ask for it."""
    tools = [Tool("a", strict=strict[0]), Tool("b", strict=strict[1])]
    body = encode(tools=tools)
    assert body.get("strict_tools") is said
    assert "strict" not in body["tools"][0]["function"]


def test_the_shape_of_an_answer_is_a_response_format() -> None:
    """A schema is sent under the name that the newer interface gives it."""
    wanted = {"type": "json_object", "json_schema": dict(SCHEMA.schema)}
    assert encode(output=SCHEMA)["response_format"] == wanted


def test_a_shape_beside_tools_is_refused() -> None:
    """The interface has no such combination, so the error says what to leave out."""
    with pytest.raises(InvalidRequestError, match=r"output: .* leave one of the two out"):
        encode(output=SCHEMA, tools=[LOOK])
    body = encode(output=SCHEMA, tools=[LOOK], tool_choice="none")
    assert "tools" not in body
    assert body["response_format"]["type"] == "json_object"


def test_pictures_go_as_addresses() -> None:
    """A picture by its bytes becomes a ``data:`` URL."""
    parts: list[str | Part] = ["see", Image(content=b"\0", media_type="image/gif")]
    assert encode(Message("user", parts))["messages"][0]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AA=="}},
    ]


@pytest.mark.parametrize(
    "part", [Audio(b"\0"), File(content=b"\0", media_type="application/pdf")], ids=["audio", "file"]
)
def test_recordings_and_documents_are_refused_by_place(part: Part) -> None:
    """There is no form for either, and the message says where it stands."""
    with pytest.raises(InvalidRequestError, match=r"messages\[0\].content\[1\]"):
        encode(Message("user", [Text("x"), part]))


def test_a_turn_with_calls_and_its_results() -> None:
    """Calls, the plan that preceded them and each result have messages of their own."""
    turn = Message(
        "assistant",
        [
            Reasoning("I look.", {"tool_plan": "I look."}, "cohere"),
            ToolCall("a", "look", {"x": "é"}),
            ToolCall("b", "wait"),
        ],
    )
    results = [ToolResult("a", "cat"), ToolResult("b", "no", is_error=True)]
    function = {"name": "look", "arguments": '{"x":"é"}'}
    assert encode(Message("user", "?"), turn, Message("tool", results))["messages"][1:] == [
        {
            "role": "assistant",
            "tool_plan": "I look.",
            "tool_calls": [
                {"id": "a", "type": "function", "function": function},
                {"id": "b", "type": "function", "function": {"name": "wait", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "cat"},
        {"role": "tool", "tool_call_id": "b", "content": "Error: no"},
    ]


def test_reasoning_goes_back_only_where_it_came_from() -> None:
    """Thinking of this dialect is replayed as such, that of another is left out."""
    own = Message("assistant", [Reasoning("hm", None, "cohere"), Text("x")])
    foreign = Message("assistant", [Reasoning("hm", {"signature": "s"}, "anthropic"), Text("y")])
    written = encode(Message("user", "?"), own, foreign)["messages"]
    assert written[1]["content"] == [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "x"},
    ]
    assert written[2] == {"role": "assistant", "content": "y"}


def test_a_turn_that_leaves_nothing_is_left_out() -> None:
    """A message of foreign reasoning alone does not become an empty one."""
    foreign = Message("assistant", Reasoning("hm", None, "anthropic"))
    assert len(encode(Message("user", "?"), foreign)["messages"]) == 1


def test_a_whole_reply() -> None:
    """Thinking, text, plan and calls are parts; raw counts are the usage."""
    completion = decode(
        id="r",
        message={
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "hé"},
                {"type": "other", "text": "skipped"},
            ],
            "tool_plan": "I look.",
            "tool_calls": [{"id": "a", "function": {"name": "look", "arguments": '{"x":1}'}}],
            "citations": [{"start": 0}],
        },
        finish_reason="TOOL_CALL",
        usage={
            "billed_units": {"input_tokens": 8, "output_tokens": 8},
            "tokens": {
                "input_tokens": 503,
                "output_tokens": 11,
                "image_tokens": 259,
                "reasoning_tokens": 4,
            },
            "cached_tokens": 448,
        },
    )
    assert completion.message.content == (
        Reasoning("hm", None, "cohere"),
        Text("hé"),
        Reasoning("I look.", {"tool_plan": "I look."}, "cohere"),
        ToolCall("a", "look", {"x": 1}, '{"x":1}'),
    )
    assert (completion.finish_reason, completion.raw_finish) == ("tool_calls", "TOOL_CALL")
    assert completion.usage == Usage(762, 11, 448, 0, 4)
    assert (completion.response_id, completion.model) == ("r", None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("ERROR_LIMIT", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("ERROR_TOXIC", "content_filter"),
        ("NEWS", "unknown"),
        (None, "unknown"),
    ],
)
def test_finish_reasons(raw: str | None, reason: str) -> None:
    """Every word has its meaning here, and a new one is unknown rather than an error."""
    completion = decode(message={"content": "x"}, finish_reason=raw)
    assert (completion.finish_reason, completion.raw_finish) == (reason, raw)
    assert completion.message.text == "x"


@pytest.mark.parametrize(
    ("raw", "error"), [("ERROR", ServerError), ("TIMEOUT", ProviderTimeoutError)]
)
def test_an_end_that_is_a_failure_is_raised(raw: str, error: type[ProviderError]) -> None:
    """What failed is no reply, plain or streamed."""
    with pytest.raises(error) as plain:
        decode(message={"content": "x"}, finish_reason=raw)
    assert (plain.value.code, plain.value.phase) == (raw, "response")
    decoder = COHERE.decoder()
    data = piece("content-delta", content={"text": "par"}) + end(finish_reason=raw)
    assert decoder.feed(data) == [TextDelta("par")]
    assert decoder.finished
    with pytest.raises(error) as streamed:
        decoder.close()
    assert (streamed.value.code, streamed.value.phase) == (raw, "stream")


def test_what_an_end_says_went_wrong_is_classed() -> None:
    """The sentence in the last event decides the class."""
    with pytest.raises(ContextLengthError, match="too many tokens"):
        read(end(finish_reason="ERROR", error="too many tokens: size limit exceeded by 3"))
    with pytest.raises(ProviderTimeoutError, match="took too long"):
        read(end(finish_reason="TIMEOUT", error="took too long"))


def test_billed_units_stand_in_for_raw_counts() -> None:
    """Where only the billed numbers come, they are better than none."""
    usage = {"billed_units": {"input_tokens": 3, "output_tokens": 2.0}}
    assert decode(message={"content": []}, usage=usage).usage == Usage(3, 2)
    assert decode(message={"content": []}, usage={"tokens": {}}).usage is None


def test_an_error_inside_a_200_is_raised() -> None:
    """The flat error shape is none of a reply's."""
    with pytest.raises(ServerError, match="it broke"):
        decode(id="e", message="it broke")
    with pytest.raises(MalformedResponseError, match="no message"):
        decode(id="e", finish_reason="COMPLETE")


def test_a_stream_with_a_plan_and_calls() -> None:
    """Plan and arguments arrive in pieces, and citations are skipped."""
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": ""}}
    deltas, completion = read(
        event("message-start", id="r", delta={"message": {"role": "assistant"}}),
        event("tool-plan-delta", delta={"message": {"tool_plan": "I "}}),
        event("tool-plan-delta", delta={"message": {"tool_plan": "look."}}),
        piece("tool-call-start", tool_calls=call),
        piece("tool-call-delta", tool_calls={"function": {"arguments": '{"x"'}}),
        piece("tool-call-delta", tool_calls={"function": {"arguments": ":1}"}}),
        event("tool-call-end", index=0),
        piece("tool-call-start", 1, tool_calls={"id": "b", "function": {"name": "wait"}}),
        event("tool-call-end", index=1),
        piece("citation-start", citations={"start": 0, "text": "x"}),
        event("citation-end", index=0),
        event("something-new", delta={"message": {"content": {"text": "no"}}}),
        end(finish_reason="TOOL_CALL", usage={"tokens": {"input_tokens": 1, "output_tokens": 2}}),
        b"data: [DONE]\n\n",
    )
    assert deltas == [
        ReasoningDelta("I "),
        ReasoningDelta("look."),
        ToolCallDelta(0, "a", "look"),
        ToolCallDelta(0, arguments='{"x"'),
        ToolCallDelta(0, arguments=":1}"),
        ToolCallDelta(1, "b", "wait"),
    ]
    assert completion.message.content == (
        Reasoning("I look.", {"tool_plan": "I look."}, "cohere"),
        ToolCall("a", "look", {"x": 1}, '{"x":1}'),
        ToolCall("b", "wait", {}, ""),
    )
    assert (completion.finish_reason, completion.response_id) == ("tool_calls", "r")
    assert completion.usage == Usage(1, 2)


def test_the_end_event_ends_a_reply_even_without_the_marker() -> None:
    """A stream without ``[DONE]`` is whole once its last event has come."""
    deltas, completion = read(piece("content-delta", content={"text": "x"}), end())
    assert (deltas, completion.message.text) == ([TextDelta("x")], "x")
    decoder = COHERE.decoder()
    decoder.feed(end())
    assert not decoder.finished
    decoder.feed(b"data: [DONE]\n\n")
    assert decoder.finished


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b'event: message-end\ndata: {"type":'])
def test_a_stream_without_its_end_event_is_interrupted(tail: bytes) -> None:
    """The text that came is kept in the error."""
    with pytest.raises(StreamInterruptedError) as caught:
        read(piece("content-delta", content={"text": "par"}), tail)
    assert caught.value.partial_text == "par"


def test_text_that_opens_a_block_is_not_lost() -> None:
    """A block may begin with text, and a call with arguments; calls may stand in an array."""
    call = {"id": "a", "function": {"name": "look", "arguments": {"x": 1}}}
    _, completion = read(
        piece("content-start", content={"type": "text", "text": "x"}),
        piece("tool-call-start", tool_calls=[call]),
        end(),
    )
    assert completion.message.content == (Text("x"), ToolCall("a", "look", {"x": 1}, '{"x":1}'))
    assert completion.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "data",
    [
        b"data: 3\n\n",
        b"data: {\n\n",
        piece("tool-call-delta", 4, tool_calls={"function": {"arguments": "x"}}),
        b"data: [DONE]\n\n",
        b"<html>no</html>",
        b"",
    ],
)
def test_what_is_no_stream_is_malformed(data: bytes) -> None:
    """Bytes of another kind are an error of their own class."""
    with pytest.raises(MalformedResponseError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"id":"e","message":"invalid api token"}\n\n',
        b'event: error\ndata: {"message":"broke"}\n\n',
        b"event: error\ndata: broke\n\n",
        b'{"id":"e","message":"broke"}',
    ],
)
def test_an_error_in_a_stream_is_raised(data: bytes) -> None:
    """The flat shape is an error wherever it comes."""
    with pytest.raises(ProviderError) as caught:
        read(data)
    assert not isinstance(caught.value, StreamInterruptedError | MalformedResponseError)


def test_the_flat_error_shape() -> None:
    """The identifier of an error is that of its request, and its type is its code."""
    body = b'{"error_type":"TOO_MANY_TOKENS","id":"e-1","message":"too many tokens: 3"}'
    error = COHERE.classify(400, {}, body, now=0.0)
    assert type(error) is ContextLengthError
    assert (error.code, error.request_id) == ("TOO_MANY_TOKENS", "e-1")
    traced = COHERE.classify(401, {"x-debug-trace-id": "t-1"}, b'{"message":"no"}', now=0.0)
    assert type(traced) is AuthenticationError
    assert traced.request_id == "t-1"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": None}, "model: is missing"),
        ({"messages": [{"role": "developer", "content": "x"}]}, r"messages\[0\].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, r"content\[0\]"),
        ({"tool_choice": "look"}, "tool_choice: must be REQUIRED or NONE"),
        ({"tools": [{"type": "function"}]}, r"tools\[0\].function"),
        ({"strict_tools": "yes"}, "strict_tools: must be true or false"),
    ],
)
def test_broken_requests_are_refused_by_place(fields: Any, words: str) -> None:
    """The server's side says where a request is wrong."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **fields}
    with pytest.raises(InvalidRequestError, match=words):
        COHERE.parse("/v2/chat", json.dumps(body).encode())


def test_the_server_reads_what_the_vocabulary_has() -> None:
    """A schema by its older name, a plan, a budget and a choice of tools are understood."""
    body: dict[str, Any] = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "?"},
            {"role": "assistant", "tool_plan": "I look.", "tool_calls": []},
        ],
        "tools": [{"type": "function", "function": {"name": "look"}}],
        "tool_choice": "NONE",
        "thinking": {"type": "enabled", "token_budget": 9},
        "response_format": {"type": "json_object", "schema": {"type": "object"}},
        "documents": ["d"],
    }
    request = COHERE.parse("/v2/chat", json.dumps(body).encode()).request
    plan = Reasoning("I look.", {"tool_plan": "I look."}, "cohere")
    assert request.messages[1].content == (plan,)
    assert (request.tool_choice, request.reasoning) == ("none", "9")
    assert request.output == OutputSchema("answer", {"type": "object"})
    assert request.extra == {"cohere": {"documents": ["d"]}}


def test_a_plan_survives_a_reply() -> None:
    """What the server writes as a plan, the client reads as one."""
    parts: list[Part] = [
        Reasoning("I look.", {"tool_plan": "I look."}, "cohere"),
        ToolCall("a", "look", {}, "{}"),
    ]
    written = Completion(Message("assistant", parts), "tool_calls")
    assert COHERE.decode(COHERE.encode_reply(written)).message == written.message
