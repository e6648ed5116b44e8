"""Cohere's own client library accepts what we write, and writes what we accept."""

import inspect
import json
from collections.abc import Iterator
from typing import Any, Literal, get_args

import pytest

from trio_llm.chat import (
    Completion,
    EmbedRequest,
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
from trio_llm.wire.values import as_list

cohere = pytest.importorskip("cohere")
httpx = pytest.importorskip("httpx")
pydantic = pytest.importorskip("pydantic")
V2Client = pytest.importorskip("cohere.v2.client").V2Client

COHERE = DIALECTS["cohere"]
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"x": {"type": "string"}}}, True)
PARTS: list[Part] = [
    Reasoning("hm", None, "cohere"),
    Text("hé"),
    ToolCall("a", "look", {"x": "é"}, '{"x": "é"}'),
    ToolCall("b", "look", {}, "{}"),
]
CONVERSATION = [
    Message("system", "be brief"),
    Message("user", ["see", Image(url="https://x/a.png"), Image(content=b"0", media_type="a/b")]),
    Message("assistant", [*PARTS, Reasoning("I look.", {"tool_plan": "I look."}, "cohere")]),
    Message("tool", [ToolResult("a", "cat"), ToolResult("b", "no", is_error=True)]),
    Message("user", "and?"),
]
SAMPLING: dict[str, Any] = {
    "max_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.5,
    "stop": ("END",),
    "seed": 3,
}
REQUESTS = [
    Request(messages=CONVERSATION, **SAMPLING, reasoning="64", tools=[LOOK], tool_choice="look"),
    Request(messages=CONVERSATION, reasoning="none", tools=[LOOK], tool_choice="none"),
    Request(messages="x", reasoning="high", output=OutputSchema("a", {"type": "object"})),
]


def unknown(value: Any, place: str = "") -> Iterator[str]:
    """Give the places of fields that the library's types do not have."""
    for index, item in enumerate(as_list(value)):
        yield from unknown(item, f"{place}[{index}]")
    if isinstance(value, pydantic.BaseModel):
        model: Any = value
        extra: list[str] = [*(model.model_extra or {})]
        yield from [f"{place}.{name}" for name in extra]
        for name, item in model:
            yield from unknown(item, f"{place}.{name}")


def check(body: dict[str, Any], method: Any) -> None:
    """Check every field of a body against the parameter of that name."""
    parameters = inspect.signature(method, eval_str=True).parameters
    for name, value in body.items():
        read = pydantic.TypeAdapter(parameters[name].annotation).validate_python(value)
        assert list(unknown(read, name)) == []


def client(body: bytes, kind: str, sent: list[Any], status: int = 200) -> Any:
    """Make a client whose every request is kept in `sent` and gets `body`."""

    def answer(request: Any) -> Any:
        sent.append(request)
        return httpx.Response(status, content=body, headers={"content-type": kind})

    transport = httpx.Client(transport=httpx.MockTransport(answer))
    return cohere.ClientV2("key", base_url="http://localhost", httpx_client=transport)


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_types_of_the_library_accept_a_request(request_: Request) -> None:
    """Every field is a parameter of theirs, and every value is of its type, to the last name."""
    body = json.loads(COHERE.encode(request_, model="m", stream=False).body)
    check(body, V2Client.chat)
    body = json.loads(COHERE.encode(request_, model="m", stream=True).body)
    assert body.pop("stream") is True
    check(body, V2Client.chat_stream)
    choices = get_args(cohere.V2ChatRequestToolChoice)
    literal = next(choice for choice in choices if choice is not Any)
    assert body.get("tool_choice") in (None, *get_args(literal))


@pytest.mark.parametrize("purpose", [None, "query", "document", "classification", "clustering"])
def test_the_types_of_the_library_accept_a_request_to_embed(
    purpose: Literal["query", "document", "classification", "clustering"] | None,
) -> None:
    """The purpose is one of the words that the library lists."""
    operation = EmbedRequest(texts=("a", "b"), dimensions=256, purpose=purpose)
    body = json.loads(COHERE.operations[EmbedRequest].encode(operation, model="m").body)
    check(body, V2Client.embed)
    words = next(choice for choice in get_args(cohere.EmbedInputType) if choice is not Any)
    assert body["input_type"] in get_args(words)


def test_the_library_reads_a_reply() -> None:
    """Its own types find every part of what our server's side writes."""
    usage = Usage(30, 12, 8, 0, 5)
    written = Completion(Message("assistant", PARTS), "tool_calls", usage=usage, response_id="r")
    sent: list[Any] = []
    reply = client(COHERE.encode_reply(written), "application/json", sent).chat(
        model="m", messages=[{"role": "user", "content": "x"}]
    )
    assert list(unknown(reply.message)) == []
    assert (reply.id, reply.finish_reason) == ("r", "TOOL_CALL")
    assert [block.type for block in reply.message.content] == ["thinking", "text"]
    assert [call.function.arguments for call in reply.message.tool_calls] == ['{"x": "é"}', "{}"]
    assert (reply.usage.tokens.input_tokens, reply.usage.cached_tokens) == (30, 8)
    incoming = COHERE.parse(sent[0].url.path, sent[0].content)
    assert (incoming.model, incoming.stream) == ("m", False)
    assert incoming.request.messages == (Message("user", "x"),)


def test_the_library_reads_a_stream() -> None:
    """Its own types find every event of what our server's side streams."""
    encoder = COHERE.encoder("m")
    body = encoder.start()
    for delta in (
        ReasoningDelta("hm"),
        TextDelta("h"),
        TextDelta("é"),
        ToolCallDelta(0, "a", "look"),
        ToolCallDelta(0, arguments='{"x": "é"}'),
    ):
        body += encoder.delta(delta)
    written = Completion(Message("assistant", PARTS), "tool_calls", usage=Usage(3, 2))
    body += encoder.finish(written)
    sent: list[Any] = []
    stream = client(body, "text/event-stream", sent).chat_stream(
        model="m", messages=[{"role": "user", "content": "x"}]
    )
    events = list(stream)
    assert [event.type for event in events] == [
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "content-start",
        "content-delta",
        "content-delta",
        "content-end",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "message-end",
    ]
    # Recorded streams have these too, of which the library's types know nothing.
    recorded = {"content", "tool_plan", "tool_calls", "citations", "reasoning_tokens"}
    new = {place.rpartition(".")[2] for event in events for place in unknown(event)}
    assert new <= recorded
    assert events[2].delta.message.content.thinking == "hm"
    assert events[6].delta.message.content.text == "é"
    assert events[8].delta.message.tool_calls.function.name == "look"
    assert events[9].delta.message.tool_calls.function.arguments == '{"x": "é"}'
    assert events[-1].delta.finish_reason == "TOOL_CALL"
    assert events[-1].delta.usage.tokens.output_tokens == 2
    assert COHERE.parse(sent[0].url.path, sent[0].content).stream


@pytest.mark.parametrize(("status", "name"), [(401, "UnauthorizedError"), (404, "NotFoundError")])
def test_the_library_reads_an_error(status: int, name: str) -> None:
    """Its own exceptions carry the sentence that our server's side wrote."""
    body = COHERE.encode_error(status, "the reason")
    with pytest.raises(getattr(cohere, name)) as caught:
        client(body, "application/json", [], status).chat(model="m", messages=[])
    assert caught.value.body["message"] == "the reason"
