"""OpenAI's own client library accepts what we write, and writes what we accept."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from trio_llm.chat import (
    Completion,
    CountRequest,
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
from trio_llm.wire import DIALECTS
from trio_llm.wire.values import as_object

openai = pytest.importorskip("openai")
httpx2 = pytest.importorskip("httpx2")
pydantic = pytest.importorskip("pydantic")
create_params = pytest.importorskip("openai.types.responses.response_create_params")
count_params = pytest.importorskip("openai.types.responses.input_token_count_params")

DIALECT = DIALECTS["openai_responses"]
OPAQUE = {
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "c2VhbGVk",
}
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"x": {"type": "string"}}}, True)
POINT = {
    "type": "object",
    "properties": {"x": {"type": "number"}},
    "required": ["x"],
    "additionalProperties": False,
}
TURN: list[Part] = [
    Reasoning("hm", OPAQUE, "openai_responses"),
    Reasoning("", {"phase": "commentary"}, "openai_responses"),
    Text("hé"),
    ToolCall("call_a", "look", {"x": "é"}, '{"x": "é"}'),
    ToolCall("call_b", "look", {}, "{}"),
]
CONVERSATION = [
    Message("system", "be brief"),
    Message(
        "user",
        [
            "see",
            Image(url="https://example.org/a.png"),
            Image(content=b"\x89PNG", media_type="image/png"),
            File(content=b"%PDF", media_type="application/pdf", name="a.pdf"),
            File(url="https://example.org/a.pdf"),
        ],
    ),
    Message("assistant", TURN),
    Message("tool", [ToolResult("call_a", "cat"), ToolResult("call_b", "no", is_error=True)]),
    Message("system", "be quick"),
    Message("user", "and?"),
]
REQUESTS = [
    Request(
        messages=CONVERSATION,
        max_tokens=77,
        temperature=0.5,
        top_p=0.25,
        tools=[LOOK, Tool("wait")],
        tool_choice="look",
        parallel_tool_calls=False,
        reasoning="low",
        user="u1",
        metadata={"k": "v"},
        output=OutputSchema("point", POINT, description="A point."),
    ),
    Request(messages="x", tools=[LOOK], tool_choice="required"),
    Request(messages=[Message("system", "alone")]),
]


def drain(value: Any) -> Any:
    """Read what the types leave to be checked when it is used."""
    if isinstance(value, dict):
        return {name: drain(field) for name, field in as_object(value).items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [drain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("request_", REQUESTS)
def test_the_librarys_types_have_every_field_of_our_requests(
    request_: Request, *, stream: bool
) -> None:
    """A request is one of the library's, with no field that its types lack."""
    name = "ResponseCreateParamsStreaming" if stream else "ResponseCreateParamsNonStreaming"
    adapter = pydantic.TypeAdapter(getattr(create_params, name))
    body = json.loads(DIALECT.encode(request_, model="gpt-5.5", stream=stream).body)
    assert drain(adapter.validate_python(body)) == body


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_librarys_types_have_every_field_of_our_counts(request_: Request) -> None:
    """The same holds for the counting of tokens."""
    adapter = pydantic.TypeAdapter(count_params.InputTokenCountParams)
    codec = DIALECT.operations[CountRequest]
    outgoing = codec.encode(CountRequest(request=request_), model="gpt-5.5")
    body = json.loads(outgoing.body)
    assert outgoing.path == "/responses/input_tokens"
    assert drain(adapter.validate_python(body)) == body


def completion_of(parts: list[Part], **fields: Any) -> Completion:
    """Give a completion with everything that the dialect carries."""
    usage = Usage(30, 12, 8, 4, 5)
    return Completion(Message("assistant", parts), usage=usage, model="m-1", **fields)


WHOLE = completion_of(TURN, finish_reason="tool_calls", response_id="resp_7")
DELTAS: list[Delta] = [
    ReasoningDelta("h"),
    ReasoningDelta("m"),
    ReasoningDelta("", OPAQUE, "openai_responses"),
    TextDelta("h"),
    TextDelta("é"),
    ToolCallDelta(0, "call_a", "look"),
    ToolCallDelta(0, arguments='{"x": '),
    ToolCallDelta(1, "call_b", "look", "{}"),
    ToolCallDelta(0, arguments='"é"}'),
]


def client(body: bytes, kind: str = "application/json", status: int = 200) -> Any:
    """Give the library's client, in front of a server that always answers the same."""

    def answer(_request: Any) -> Any:
        return httpx2.Response(status, content=body, headers={"content-type": kind})

    return openai.OpenAI(
        api_key="sk-test",
        max_retries=0,
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )


def streamed(deltas: list[Delta], completion: Completion) -> bytes:
    """Write a stream on the server's side."""
    encoder = DIALECT.encoder("m-1")
    written = encoder.start() + b"".join([encoder.delta(delta) for delta in deltas])
    return written + encoder.finish(completion)


def check_response(response: Any) -> None:
    """Compare what the library read with what `WHOLE` says."""
    kinds = [item.type for item in response.output]
    assert kinds == ["reasoning", "message", "function_call", "function_call"]
    thought, message, call, other = response.output
    assert thought.encrypted_content == "c2VhbGVk"
    assert thought.summary[0].text == "hm"
    assert message.phase == "commentary"
    assert response.output_text == "hé"
    assert (call.call_id, call.name, call.arguments) == ("call_a", "look", '{"x": "é"}')
    assert other.arguments == "{}"
    assert response.status == "completed"
    usage = response.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (30, 12, 42)
    assert usage.input_tokens_details.cached_tokens == 8
    assert usage.output_tokens_details.reasoning_tokens == 5


def test_the_library_reads_our_replies() -> None:
    """A whole reply of our server's side is valid by its types, and says the same."""
    body = DIALECT.encode_reply(WHOLE)
    types = openai.types.responses
    check_response(types.Response.model_validate_json(body, strict=True))
    response = client(body).responses.create(model="m", input="x")
    check_response(response)
    assert response.id == "resp_7"


def test_the_library_reads_our_streams() -> None:
    """Every event is valid by its types, and its own accumulator gives the same reply."""
    body = streamed(DELTAS, WHOLE)
    adapter = pydantic.TypeAdapter(openai.types.responses.ResponseStreamEvent)
    events = list(
        client(body, "text/event-stream").responses.create(model="m", input="x", stream=True)
    )
    for number, event in enumerate(events):
        assert event.sequence_number == number
        adapter.validate_python(event.to_dict(), strict=True)
    with client(body, "text/event-stream").responses.stream(model="m", input="x") as stream:
        texts = [event.delta for event in stream if event.type == "response.output_text.delta"]
        check_response(stream.get_final_response())
    assert texts == ["h", "é"]


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_the_library_reads_why_a_reply_ended(finish: Any, status: str, reason: str) -> None:
    """A reply that is cut off says so in the library's words, whole and streamed."""
    completion = completion_of([Text("x")], finish_reason=finish)
    whole = client(DIALECT.encode_reply(completion)).responses.create(model="m", input="x")
    body = streamed([TextDelta("x")], completion)
    events = list(
        client(body, "text/event-stream").responses.create(model="m", input="x", stream=True)
    )
    assert events[-1].type == f"response.{status}"
    for response in (whole, events[-1].response):
        assert (response.status, response.incomplete_details.reason) == (status, reason)


def test_the_library_reads_how_our_streams_fail() -> None:
    """An error in the middle is an event of its own, and the response ends as failed."""
    encoder = DIALECT.encoder("m-1")
    body = encoder.start() + encoder.delta(TextDelta("x")) + encoder.fail("it broke")
    adapter = pydantic.TypeAdapter(openai.types.responses.ResponseStreamEvent)
    stream = client(body, "text/event-stream").responses.create(model="m", input="x", stream=True)
    *_, error, failed = list(stream)
    for event in (error, failed):
        adapter.validate_python(event.to_dict(), strict=True)
    assert (error.type, error.message) == ("error", "it broke")
    assert (failed.type, failed.response.status) == ("response.failed", "failed")
    assert (failed.response.error.message, failed.response.output_text) == ("it broke", "x")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (503, "InternalServerError"),
    ],
)
def test_the_library_reads_our_errors(status: int, error: str) -> None:
    """An error body keeps its sentence and its code at the library."""
    body = DIALECT.encode_error(status, "the reason", code="some_code")
    with pytest.raises(getattr(openai, error), match="the reason") as caught:
        client(body, status=status).responses.create(model="m", input="x")
    assert caught.value.code == "some_code"


def test_we_read_what_the_library_sends() -> None:
    """A request that the library writes is read field by field."""
    sent: list[bytes] = []

    def answer(request: Any) -> Any:
        sent.append(request.read())
        return httpx2.Response(200, content=DIALECT.encode_reply(WHOLE))

    transport = httpx2.MockTransport(answer)
    library = openai.OpenAI(api_key="sk-test", http_client=httpx2.Client(transport=transport))
    library.responses.create(
        model="gpt-5.5",
        instructions="be brief",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "see"}]},
            {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "cat"},
        ],
        reasoning={"effort": "high"},
        max_output_tokens=9,
        tools=[{"type": "function", "name": "look", "parameters": POINT, "strict": True}],
        text={"format": {"type": "json_schema", "name": "point", "schema": POINT, "strict": True}},
        safety_identifier="u1",
        store=False,
    )
    incoming = DIALECT.parse("/responses", sent[0])
    assert (incoming.model, incoming.stream) == ("gpt-5.5", False)
    assert incoming.request == Request(
        messages=[
            Message("system", "be brief"),
            Message("user", "see"),
            Message("assistant", ToolCall("c", "look", {}, "{}")),
            Message("tool", ToolResult("c", "cat")),
        ],
        reasoning="high",
        max_tokens=9,
        tools=[Tool("look", "", POINT, strict=True)],
        output=OutputSchema("point", POINT),
        user="u1",
    )
