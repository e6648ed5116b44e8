"""The server's side of the Responses interface: requests it reads, replies it writes."""

import json
from typing import Any

import pytest

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
)
from trio_llm.errors import InvalidRequestError
from trio_llm.wire import DIALECTS

RESPONSES = DIALECTS["openai_responses"]
NAME = "openai_responses"
SEALED: dict[str, Any] = {
    "id": "rs_9",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "e",
}


def parse(given: Any = "hi", **fields: Any) -> Request:
    """Parse a request with this input."""
    body = {"model": "m", "input": given, **fields}
    return RESPONSES.parse("/responses", json.dumps(body).encode()).request


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Write an input of one message with these parts."""
    return [{"role": "user", "content": list(parts)}]


def stream(deltas: list[Delta], completion: Completion) -> tuple[list[dict[str, Any]], Completion]:
    """Write a stream; give its events, and the completion as the client reads it."""
    encoder = RESPONSES.encoder("m")
    body = encoder.start() + b"".join([encoder.delta(delta) for delta in deltas])
    body += encoder.finish(completion)
    decoder = RESPONSES.decoder()
    decoder.feed(body)
    lines = [line for line in body.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line[6:]) for line in lines], decoder.close()


def test_a_string_is_one_message_of_the_user() -> None:
    """Instructions come before it."""
    assert parse("hi", instructions="be brief").messages == (
        Message("system", "be brief"),
        Message("user", "hi"),
    )


def test_items_of_one_turn_are_one_message() -> None:
    """Reasoning, text and calls up to the next result or message belong together."""
    request = parse(
        [
            {"type": "message", "role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "input_text", "text": "see"}]},
            {"type": "reasoning", "status": "completed", **SEALED},
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": "completed",
                "phase": "commentary",
                "content": [{"type": "output_text", "text": "so", "annotations": []}],
            },
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1}'},
            {"type": "function_call_output", "call_id": "a", "output": "1", "name": "f"},
            {
                "type": "function_call_output",
                "call_id": "a",
                "output": [{"type": "input_text", "text": "2"}],
            },
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        ]
    )
    turn: list[Part] = [
        Reasoning("hm", SEALED, NAME),
        Reasoning("", {"phase": "commentary"}, NAME),
        Text("so"),
        ToolCall("a", "f", {"x": 1}, '{"x":1}'),
    ]
    assert request.messages == (
        Message("system", "be brief"),
        Message("user", "see"),
        Message("assistant", turn),
        Message("tool", ToolResult("a", "1", name="f")),
        Message("tool", ToolResult("a", "2")),
        Message("assistant", "no"),
    )


def test_pictures_and_files_are_read() -> None:
    """By address and by content, with the name that was given."""
    request = parse(
        user(
            {"type": "input_image", "image_url": "https://x/a", "detail": "high"},
            {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:a/b;base64,AA=="},
            {"type": "input_file", "file_url": "https://x/b"},
        )
    )
    assert request.messages[0].content == (
        Image(url="https://x/a"),
        Image(content=b"\0", media_type="image/png"),
        File(content=b"\0", media_type="a/b", name="a.pdf"),
        File(url="https://x/b"),
    )


def test_every_field_is_read() -> None:
    """Those that the vocabulary has, under its names, and the rest as extra."""
    schema = {"type": "object"}
    shape = {"type": "json_schema", "name": "p", "schema": schema, "strict": True}
    request = parse(
        max_output_tokens=5,
        temperature=0.5,
        top_p=1,
        tools=[{"type": "function", "name": "f", "parameters": schema, "strict": None}],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=True,
        reasoning={"effort": "low"},
        text={"format": shape},
        user="older",
        safety_identifier="newer",
        metadata={"k": "v"},
        store=True,
        truncation=None,
        service_tier="flex",
    )
    assert request == Request(
        messages="hi",
        max_tokens=5,
        temperature=0.5,
        top_p=1,
        tools=[Tool("f", "", schema)],
        tool_choice="f",
        parallel_tool_calls=True,
        reasoning="low",
        output=OutputSchema("p", schema),
        user="newer",
        metadata={"k": "v"},
        extra={NAME: {"user": "older", "store": True, "service_tier": "flex"}},
    )


def test_a_text_of_no_shape_stays_as_it_is() -> None:
    """Plain text and older JSON mode ask for no schema."""
    for kind in ("text", "json_object"):
        request = parse(text={"format": {"type": kind}})
        assert request.output is None
        assert request.extra == {NAME: {"text": {"format": {"type": kind}}}}


def test_what_is_said_beside_the_effort_and_the_shape_is_kept() -> None:
    """It goes on to the same dialect whole; others are told what they can be told."""
    reasoning = {"effort": "low", "summary": "auto"}
    shape: dict[str, Any] = {"type": "json_schema", "name": "p", "schema": {}}
    text = {"format": shape, "verbosity": "low"}
    request = parse(reasoning=reasoning, text=text)
    assert (request.reasoning, request.output) == ("low", OutputSchema("p", {}, strict=False))
    assert request.extra == {NAME: {"reasoning": reasoning, "text": text}}
    sent = json.loads(RESPONSES.encode(request, model="m", stream=False).body)
    assert (sent["reasoning"], sent["text"]) == (reasoning, text)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": None}, "model: is missing"),
        ({"input": None}, "input: must be an array"),
        ({"input": []}, "prompt is empty"),
        ({"input": [3]}, r"input\[0\]: must be an object"),
        ({"input": [{"role": "robot", "content": "x"}]}, r"input\[0\].role: unknown role"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, r"input\[0\]: .*'item_reference'"),
        ({"input": [{"type": "web_search_call"}]}, r"input\[0\]: .*'web_search_call'"),
        ({"input": [{"type": "function_call", "name": "f"}]}, r"input\[0\].call_id"),
        ({"input": [{"type": "function_call", "call_id": "a"}]}, r"input\[0\].name"),
        (
            {"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": 3}]},
            r"input\[0\].arguments",
        ),
        ({"input": [{"type": "function_call_output", "call_id": "a"}]}, r"input\[0\].output"),
        (
            {
                "input": [
                    {
                        "type": "function_call_output",
                        "call_id": "a",
                        "output": [{"type": "input_image", "image_url": "https://x/a"}],
                    }
                ]
            },
            r"input\[0\].output\[0\]: only text",
        ),
        ({"input": [{"role": "user", "content": 3}]}, r"input\[0\].content: must be an array"),
        ({"input": user({"type": "input_audio"})}, r"input\[0\].content\[0\]: .*'input_audio'"),
        ({"input": user({"type": "input_image", "file_id": "f"})}, r"content\[0\].image_url"),
        ({"input": user({"type": "input_file", "file_id": "f"})}, r"content\[0\].file_data"),
        ({"input": user({"type": "input_file", "file_data": "AA=="})}, "must be a data: URL"),
        (
            {"input": user({"type": "input_file", "file_data": "data:a/b;base64,~"})},
            "the file is not base64",
        ),
        ({"tools": [{"type": "web_search"}]}, r"tools\[0\]: .*'web_search'"),
        ({"tools": [{"type": "function"}]}, r"tools\[0\].name"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type: 'mcp'"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"reasoning": "low"}, "reasoning: must be an object"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"max_output_tokens": 0}, "max_tokens must be at least 1"),
        ({"metadata": []}, "metadata: must be an object"),
        ({"stream": "yes"}, "stream: must be true or false"),
    ],
)
def test_broken_requests(fields: dict[str, Any], words: str) -> None:
    """Each fault is an invalid request whose message starts at the place."""
    body = {"model": "m", "input": "x", **fields}
    with pytest.raises(InvalidRequestError, match=words):
        RESPONSES.parse("/responses", json.dumps(body).encode())


def test_items_that_come_in_turns_keep_their_order() -> None:
    """Text after a call is another item, and calls may be written at the same time."""
    parts: list[Part] = [
        Text("a"),
        ToolCall("c1", "f", {}, "{}"),
        ToolCall("c2", "g", {}, "{}"),
        Text("b"),
    ]
    completion = Completion(Message("assistant", parts), "tool_calls")
    events, read = stream(
        [
            TextDelta("a"),
            ToolCallDelta(0, "c1", "f", "{"),
            ToolCallDelta(1, "c2", "g", "{}"),
            ToolCallDelta(0, arguments="}"),
            TextDelta("b"),
        ],
        completion,
    )
    assert read.message == completion.message
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event["item"] for event in events if event["type"].endswith("item.added")]
    done = [event["item"] for event in events if event["type"].endswith("item.done")]
    assert [item["id"] for item in added] == [item["id"] for item in done]
    assert [item["id"] for item in added] == ["msg_0", "fc_1", "fc_2", "msg_3"]


def test_state_of_reasoning_is_written_wherever_it_comes_from() -> None:
    """A delta that brings it, or the completion alone: the client has it either way."""
    sealed: dict[str, Any] = {"id": "rs_8", "summary": [], "encrypted_content": "f"}
    parts: list[Part] = [Reasoning("hm", SEALED, NAME), Reasoning("", sealed, NAME), Text("x")]
    completion = Completion(Message("assistant", parts))
    with_state: list[Delta] = [
        ReasoningDelta("hm"),
        ReasoningDelta("", SEALED, NAME),
        ReasoningDelta("", sealed, NAME),
        TextDelta("x"),
    ]
    for deltas in (with_state, []):
        assert stream(deltas, completion)[1].message == completion.message
    alone = Completion(Message("assistant", [parts[0], parts[2]]))
    assert stream([ReasoningDelta("hm"), TextDelta("x")], alone)[1].message == alone.message
    # Of reasoning that cannot be read there is nothing to stream; its place is kept.
    unread = Completion(Message("assistant", [parts[1], parts[2]]))
    assert stream([TextDelta("x")], unread)[1].message == unread.message


def test_reasoning_of_other_dialects_is_a_summary() -> None:
    """Its text can be read, and its state stays with whom it belongs to."""
    parts: list[Part] = [
        Reasoning("hm", {"signature": "secret"}, "anthropic"),
        Reasoning("", {"redacted_thinking": "secret"}, "anthropic"),
        Text("x"),
    ]
    completion = Completion(Message("assistant", parts))
    deltas: list[Delta] = [
        ReasoningDelta("hm"),
        ReasoningDelta("", {"signature": "secret"}, "anthropic"),
        ReasoningDelta("", {"redacted_thinking": "secret"}, "anthropic"),
        TextDelta("x"),
    ]
    wanted = Message("assistant", [Reasoning("hm", None, NAME), Text("x")])
    assert RESPONSES.decode(RESPONSES.encode_reply(completion)).message == wanted
    events, read = stream(deltas, completion)
    assert read.message == wanted
    assert "secret" not in json.dumps(events)


def test_two_stretches_of_reasoning_are_two_items() -> None:
    """The state that ends one, whoever made it, sets it apart from the next."""
    parts: list[Part] = [Reasoning("a"), Reasoning("b"), Text("x")]
    completion = Completion(Message("assistant", parts))
    deltas: list[Delta] = [
        ReasoningDelta("a"),
        ReasoningDelta("", {"signature": "s"}, "anthropic"),
        ReasoningDelta("b"),
        TextDelta("x"),
    ]
    _, read = stream(deltas, completion)
    assert [part.text for part in read.message.content if isinstance(part, Reasoning)] == ["a", "b"]


def test_what_was_streamed_ends_the_stream() -> None:
    """If the completion is another one, the reply is what the client has seen."""
    sealed: dict[str, Any] = {"id": "rs_8", "summary": [], "encrypted_content": "f"}
    completion = Completion(Message("assistant", "other"))
    deltas: list[Delta] = [
        ReasoningDelta("hm"),
        ReasoningDelta("", SEALED, NAME),
        ReasoningDelta("", sealed, NAME),
        TextDelta("seen"),
        ToolCallDelta(0, "c", "f", "{}"),
    ]
    events, read = stream(deltas, completion)
    assert read.message == Message(
        "assistant",
        [
            Reasoning("hm", None, NAME),
            Reasoning("", sealed, NAME),
            Text("seen"),
            ToolCall("c", "f", {}, "{}"),
        ],
    )
    output = events[-1]["response"]["output"]
    kinds = ["reasoning", "reasoning", "message", "function_call"]
    assert [item["type"] for item in output] == kinds


def test_a_stream_without_deltas_still_holds_the_reply() -> None:
    """Every item of the completion is begun and ended."""
    parts: list[Part] = [Text("x"), ToolCall("c", "f", {"x": 1}, '{"x":1}')]
    completion = Completion(Message("assistant", parts), "tool_calls")
    events, read = stream([], completion)
    assert read.message == completion.message
    assert sum(event["type"] == "response.output_item.done" for event in events) == 2


def test_an_empty_reply_has_no_items() -> None:
    """Nothing said is nothing written."""
    completion = Completion(Message("assistant", [Text(""), Reasoning("")]))
    body = json.loads(RESPONSES.encode_reply(completion))
    assert (body["output"], body["usage"], body["status"]) == ([], None, "completed")
