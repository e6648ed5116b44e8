"""Whatever is said in the Responses interface arrives; whatever else arrives is refused."""

import json
from contextlib import suppress
from typing import Any

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.test_wire_fuzz import decode_stream, decode_whole, framed
from tests.wire.wire_junk import mutate
from trio_llm.chat import (
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
from trio_llm.errors import InvalidRequestError
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS

NAME = "openai_responses"
DIALECT = DIALECTS[NAME]
few = settings(
    max_examples=len(seeds(120, share=4)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

ITEMS: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs", "summary": [{"text": "t"}], "encrypted_content": "e"},
    {
        "type": "message",
        "id": "msg",
        "phase": "p",
        "content": [{"type": "output_text", "text": "hé"}, {"type": "refusal", "refusal": ""}],
    },
    {"type": "function_call", "id": "fc", "call_id": "a", "name": "f", "arguments": "{}"},
    {"type": "web_search_call", "id": "ws"},
]
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"id": "r", "model": "m", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**ITEMS[0], "summary": []}},
    {
        "type": "response.reasoning_summary_text.delta",
        "item_id": "rs",
        "output_index": 0,
        "summary_index": 0,
        "delta": "t",
    },
    {"type": "response.output_item.done", "output_index": 0, "item": ITEMS[0]},
    {"type": "response.output_item.added", "output_index": 1, "item": {**ITEMS[1], "content": []}},
    {
        "type": "response.output_text.delta",
        "item_id": "msg",
        "output_index": 1,
        "content_index": 0,
        "delta": "hé",
    },
    {"type": "response.output_item.added", "output_index": 2, "item": ITEMS[2]},
    {
        "type": "response.function_call_arguments.delta",
        "item_id": "fc",
        "output_index": 2,
        "delta": "{}",
    },
    {"type": "response.output_item.done", "output_index": 2, "item": ITEMS[2]},
    {"type": "keepalive", "sequence_number": 3},
    {
        "type": "response.completed",
        "response": {"status": "completed", "output": ITEMS, "usage": {"input_tokens": 1}},
    },
]
FAILED: dict[str, Any] = {
    "type": "response.failed",
    "response": {"status": "failed", "error": {"code": "server_error", "message": "m"}},
}
REQUEST: dict[str, Any] = {
    "model": "m",
    "instructions": "s",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
                {"type": "input_file", "filename": "a", "file_data": "data:a/b;base64,AA=="},
            ],
        },
        *ITEMS[:3],
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text"}]},
        {"role": "assistant", "content": "x", "phase": "p"},
    ],
    "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}],
    "tool_choice": {"type": "function", "name": "f"},
    "reasoning": {"effort": "low"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
    "max_output_tokens": 5,
    "metadata": {"k": "v"},
    "safety_identifier": "u",
}


@given(data=st.data())
@few
def test_mutated_replies(data: st.DataObject) -> None:
    """A reply in which anything is of another type is read or refused."""
    reply = {"object": "response", "status": "completed", "output": ITEMS, "error": None}
    decode_whole(NAME, json.dumps(mutate(reply, data.draw)).encode())


@given(data=st.data())
@few
def test_mutated_and_cut_streams(data: st.DataObject) -> None:
    """A stream with changed, moved and missing events, cut anywhere, is read or refused."""
    events: list[Any] = [*EVENTS, FAILED]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(events) - 1))
        events[place] = mutate(events[place], data.draw)
    first = data.draw(st.integers(0, len(events) - 1))
    events.insert(data.draw(st.integers(0, len(events) - 1)), events.pop(first))
    body = framed(NAME, events)
    body = body[: data.draw(st.integers(0, len(body)))]
    decode_stream(NAME, body, data.draw(st.integers(1, 80)))


@given(data=st.data())
@few
def test_mutated_requests(data: st.DataObject) -> None:
    """The server's side refuses a broken request as an invalid request."""
    body = json.dumps(mutate(mutate(REQUEST, data.draw), data.draw)).encode()
    with suppress(InvalidRequestError):
        assert DIALECT.parse("/", body).request.messages


words = st.text(min_size=1, max_size=8)
names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
arguments = st.dictionaries(
    words, st.none() | st.booleans() | st.integers(-99, 99) | words, max_size=2
)


def sealed(name: str, blocks: list[str]) -> Reasoning:
    """Make reasoning with state, and the text that it says."""
    summary = [{"type": "summary_text", "text": block} for block in blocks]
    opaque = {"id": f"rs-{name}", "summary": summary, "encrypted_content": name}
    return Reasoning("\n\n".join(blocks), opaque, NAME)


@st.composite
def turns(draw: Any) -> list[Part]:
    """Make an assistant's turn in the order and the form in which the interface has it."""
    parts: list[Part] = []
    for number in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["text", "call", "thought"]))
        last = parts[-1] if parts else None
        if kind == "call":
            name = f"call-{number}-{draw(names)}"
            parts.append(ToolCall(name, draw(names), draw(arguments)))
        elif kind == "thought":
            parts.append(sealed(f"{number}", draw(st.lists(words, max_size=2))))
        elif not isinstance(last, Text):
            if draw(st.booleans()):
                parts.append(Reasoning("", {"phase": draw(names)}, NAME))
            parts.append(Text(draw(words)))
    if not parts or isinstance(parts[-1], Reasoning):
        parts.append(Text(draw(words)))
    return parts


@st.composite
def conversations(draw: Any) -> list[Message]:
    """Make a conversation of everything that the interface carries."""
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append(Message("system", draw(words)))
    media = st.sampled_from(["image/png", "a/b"])
    pictures = st.builds(Image, content=st.binary(max_size=4), media_type=media)
    files = st.builds(File, content=st.binary(max_size=4), media_type=media, name=words)
    addresses = st.builds(Image, url=names.map("https://x/{}".format))
    part = st.builds(Text, words) | pictures | files | addresses
    for number in range(draw(st.integers(1, 3))):
        asked: list[Part] = draw(st.lists(part, min_size=1, max_size=3))
        turn: list[Part] = draw(turns())
        calls = [part for part in turn if isinstance(part, ToolCall)]
        turn = [
            attrs.evolve(part, id=f"{number}-{part.id}") if isinstance(part, ToolCall) else part
            for part in turn
        ]
        messages += [Message("user", asked), Message("assistant", turn)]
        messages += [
            Message("tool", ToolResult(f"{number}-{call.id}", draw(words))) for call in calls
        ]
        if draw(st.booleans()):
            messages.append(Message("system", draw(words)))
    return messages


def normal(message: Message) -> Message:
    """Drop how the arguments of a call were written."""
    return Message(
        message.role,
        [
            attrs.evolve(part, raw=None) if isinstance(part, ToolCall) else part
            for part in message.content
        ],
    )


@given(
    messages=conversations(),
    limit=st.none() | st.integers(1, 99),
    temperature=st.none() | st.floats(0, 2),
    effort=st.none() | names,
    strict=st.booleans(),
    choice=st.sampled_from([None, "auto", "none", "required", "look"]),
    parallel=st.none() | st.booleans(),
    metadata=st.dictionaries(words, words, max_size=2),
    user=st.none() | words,
    shape=st.none() | st.builds(OutputSchema, names, arguments, st.booleans(), st.text(max_size=3)),
    stream=st.booleans(),
)
@few
def test_a_request_loses_nothing(
    messages: list[Message],
    limit: int | None,
    temperature: float | None,
    effort: str | None,
    choice: str | None,
    parallel: bool | None,
    metadata: dict[str, str],
    user: str | None,
    shape: OutputSchema | None,
    *,
    strict: bool,
    stream: bool,
) -> None:
    """The server's side reads every field and every part that the client's side wrote."""
    request = Request(
        messages=messages,
        max_tokens=limit,
        temperature=temperature,
        reasoning=effort,
        tools=[Tool("look", "", {"type": "object"}, strict=strict)],
        tool_choice=choice,
        parallel_tool_calls=parallel,
        metadata=metadata,
        user=user,
        output=shape,
    )
    outgoing = DIALECT.encode(request, model="m", stream=stream)
    incoming = DIALECT.parse(outgoing.path, outgoing.body)
    assert (incoming.model, incoming.stream) == ("m", stream)
    read = incoming.request
    assert [normal(message) for message in read.messages] == [
        normal(message) for message in messages
    ]
    assert attrs.evolve(read, messages="x") == attrs.evolve(request, messages="x")


counts = st.integers(0, 999)


@given(
    parts=turns(),
    finish=st.sampled_from(["length", "content_filter", None]),
    usage=st.none() | st.builds(Usage, counts, counts, counts, counts, counts),
    size=st.integers(1, 400),
)
@few
def test_a_reply_loses_nothing(
    parts: list[Part], finish: Any, usage: Usage | None, size: int
) -> None:
    """The client reads what the server wrote, whole and streamed, in pieces of any size."""
    called = any(isinstance(part, ToolCall) for part in parts)
    written = Completion(
        Message("assistant", parts),
        finish or ("tool_calls" if called else "stop"),
        usage=usage,
        model="m",
        response_id="r",
    )
    encoder, decoder = DIALECT.encoder("m"), DIALECT.decoder()
    body = encoder.start() + b"".join([encoder.delta(delta) for delta in deltas_of(parts)])
    body += encoder.finish(written)
    for start in range(0, len(body), size):
        decoder.feed(body[start : start + size])
    for read in (DIALECT.decode(DIALECT.encode_reply(written)), decoder.close()):
        assert normal(read.message) == normal(written.message)
        assert (read.finish_reason, read.usage) == (written.finish_reason, written.usage)
        assert read.model == "m"


def deltas_of(parts: list[Part]) -> list[Delta]:
    """Give the deltas of a turn, letter by letter."""
    deltas: list[Delta] = []
    calls = 0
    for part in parts:
        if isinstance(part, Text):
            deltas += [TextDelta(letter) for letter in part.text]
        elif isinstance(part, ToolCall):
            text = json.dumps(dict(part.arguments))
            deltas += [
                ToolCallDelta(calls, part.id, part.name),
                ToolCallDelta(calls, None, None, text),
            ]
            calls += 1
        elif isinstance(part, Reasoning):
            deltas += [ReasoningDelta(letter) for letter in part.text]
            deltas.append(ReasoningDelta("", part.opaque, NAME))
    return deltas
