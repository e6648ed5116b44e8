"""What a request becomes in the Responses interface, and what is refused."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Audio,
    File,
    Image,
    Message,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError
from trio_llm.wire import DIALECTS, Quirks

RESPONSES = DIALECTS["openai_responses"]
NAME = "openai_responses"
SEALED: dict[str, Any] = {"id": "rs_1", "summary": [], "encrypted_content": "e"}


def encode(
    messages: Any, *, quirks: Quirks | None = None, model: str = "m", **fields: Any
) -> dict[str, Any]:
    """Encode a request, give its body."""
    dialect = RESPONSES if quirks is None else RESPONSES.adapted(quirks)
    request = Request(messages=messages, **fields)
    body: dict[str, Any] = json.loads(dialect.encode(request, model=model, stream=False).body)
    return body


def sent(*messages: Message) -> list[Any]:
    """Encode a conversation, give its input items."""
    items: list[Any] = encode(messages)["input"]
    return items


def test_the_shortest_request() -> None:
    """A prompt is one item of input, nothing is stored, and no stream is said to be wanted."""
    outgoing = RESPONSES.encode(Request(messages="hi"), model="m", stream=False)
    assert (outgoing.path, outgoing.method) == ("/responses", "POST")
    assert json.loads(outgoing.body) == {
        "model": "m",
        "input": [{"role": "user", "content": "hi"}],
        "store": False,
        "stream": False,
    }


def test_the_first_system_message_is_the_instructions() -> None:
    """Those further on keep their place among the items."""
    body = encode(
        [
            Message("system", ["be ", "brief"]),
            Message("system", "be kind"),
            Message("user", "hi"),
            Message("system", "be quick"),
        ]
    )
    assert body["instructions"] == "be brief"
    assert body["input"] == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "be quick"},
    ]


def test_a_system_message_that_is_alone_is_an_item() -> None:
    """Instructions without any input are refused by the provider."""
    body = encode([Message("system", "be brief")])
    assert body["input"] == [{"role": "system", "content": "be brief"}]
    assert "instructions" not in body


def test_parts_of_a_users_message() -> None:
    """Text, pictures and files are parts of one item; a file without a name is given one."""
    parts: list[str | Part] = [
        "see",
        Image(url="https://x/a.png"),
        Image(content=b"\0", media_type="image/png"),
        File(content=b"\0", media_type="application/pdf"),
        File(content=b"\0", media_type="text/plain", name="a.txt"),
        File(url="https://x/a.pdf", name="a.pdf"),
    ]
    assert sent(Message("user", parts)) == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "https://x/a.png", "detail": "auto"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,AA==",
                    "detail": "auto",
                },
                {
                    "type": "input_file",
                    "filename": "file.pdf",
                    "file_data": "data:application/pdf;base64,AA==",
                },
                {
                    "type": "input_file",
                    "filename": "a.txt",
                    "file_data": "data:text/plain;base64,AA==",
                },
                {"type": "input_file", "file_url": "https://x/a.pdf"},
            ],
        }
    ]


def test_an_assistants_turn_is_several_items() -> None:
    """Reasoning, text and calls are items in their order; results refer to their calls."""
    items = sent(
        Message("user", "hi"),
        Message(
            "assistant",
            [
                Reasoning("hm", SEALED, NAME),
                "let me ",
                "see",
                ToolCall("a", "look", {"x": 1}),
                "and",
                ToolCall("b", "look", {}, ""),
            ],
        ),
        Message("tool", [ToolResult("b", "cat"), ToolResult("a", "no", is_error=True)]),
    )
    assert items[1:] == [
        {"type": "reasoning", **SEALED},
        {"type": "message", "role": "assistant", "content": "let me see"},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": '{"x":1}'},
        {"type": "message", "role": "assistant", "content": "and"},
        {"type": "function_call", "call_id": "b", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "b", "output": "cat"},
        {"type": "function_call_output", "call_id": "a", "output": "Error: no"},
    ]


def test_reasoning_goes_back_only_to_where_it_came_from() -> None:
    """What another dialect made, and what has no state, is left out."""
    turn: list[Part] = [
        Reasoning("a", {"signature": "s"}, "anthropic"),
        Reasoning("b", None, NAME),
        Reasoning("c"),
        Text("x"),
    ]
    assert sent(Message("user", "hi"), Message("assistant", turn))[1:] == [
        {"type": "message", "role": "assistant", "content": "x"}
    ]


def test_reasoning_that_nothing_follows_is_left_out() -> None:
    """The provider refuses a turn that was cut while it reasoned."""
    items = sent(
        Message("assistant", [Reasoning("", SEALED, NAME), Text("")]), Message("user", "go on")
    )
    assert items == [{"role": "user", "content": "go on"}]


def test_the_phase_of_a_text_goes_back_with_it() -> None:
    """It is carried by a part before the text, and says nothing about the next text."""
    phase = Reasoning("", {"phase": "commentary"}, NAME)
    turn: list[Part] = [phase, Text("so"), ToolCall("a", "f"), Text("x")]
    first, _, last = sent(Message("user", "hi"), Message("assistant", turn))[1:]
    assert (first["content"], first["phase"]) == ("so", "commentary")
    assert last == {"type": "message", "role": "assistant", "content": "x"}


def test_identifiers_of_calls_fit_and_are_unique() -> None:
    """Too long ones are cut, repeated ones numbered, and results follow their calls."""
    long = "w" * 80
    turns = [
        Message("user", "hi"),
        Message("assistant", [ToolCall(f"{long}a", "f"), ToolCall(f"{long}b", "f")]),
        Message("tool", [ToolResult(f"{long}b", "2"), ToolResult(f"{long}a", "1")]),
        Message("assistant", [ToolCall("call_0", "f")]),
        Message("tool", ToolResult("call_0", "3")),
        Message("assistant", [ToolCall("call_0", "f")]),
        Message("tool", ToolResult("call_0", "4")),
    ]
    items = sent(*turns)[1:]
    ids = [item["call_id"] for item in items]
    assert ids == [
        "w" * 64,
        "w" * 62 + "_2",
        "w" * 62 + "_2",
        "w" * 64,
        "call_0",
        "call_0",
        "call_0_2",
        "call_0_2",
    ]


def test_tools_are_flat_and_strict_only_when_asked() -> None:
    """The provider's own default is strict, under which an ordinary schema is refused."""
    schema: dict[str, Any] = {"type": "object", "properties": {"x": {}}}
    tools = [Tool("look", "Looks.", schema, strict=True), Tool("wait")]
    body = encode("x", tools=tools, tool_choice="look", parallel_tool_calls=True)
    assert body["tools"] == [
        {
            "type": "function",
            "name": "look",
            "description": "Looks.",
            "parameters": schema,
            "strict": True,
        },
        {
            "type": "function",
            "name": "wait",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
    ]
    assert body["tool_choice"] == {"type": "function", "name": "look"}
    assert body["parallel_tool_calls"] is True


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_choices_in_a_word(choice: str) -> None:
    """A choice that names no tool is a word."""
    assert encode("x", tools=[Tool("f")], tool_choice=choice)["tool_choice"] == choice


def test_everything_else_has_a_field() -> None:
    """Limits, sampling, effort, shape, user and metadata are told in the interface's names."""
    body = encode(
        "x",
        max_tokens=5,
        temperature=0.5,
        top_p=0.25,
        reasoning="low",
        output=OutputSchema("point", {"type": "object"}, strict=False, description="A point."),
        user="u1",
        metadata={"k": "v"},
        seed=3,
    )
    del body["model"], body["input"], body["stream"], body["store"]
    assert body == {
        "max_output_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.25,
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
        "text": {
            "format": {
                "type": "json_schema",
                "name": "point",
                "schema": {"type": "object"},
                "strict": False,
                "description": "A point.",
            }
        },
        "safety_identifier": "u1",
        "metadata": {"k": "v"},
    }


def test_the_callers_limit_stands_in_for_the_requests() -> None:
    """A limit that the caller of the dialect gives is used where the request has none."""
    for own, sent_limit in ((None, 9), (5, 5)):
        request = Request(messages="x", max_tokens=own)
        outgoing = RESPONSES.encode(request, model="m", stream=True, max_tokens=9)
        body = json.loads(outgoing.body)
        assert (body["max_output_tokens"], body["stream"]) == (sent_limit, True)


@pytest.mark.parametrize(
    ("model", "effort", "asked"),
    [
        ("gpt-5.5", None, True),
        ("openai/gpt-5-mini", None, True),
        ("openai.gpt-5.5", None, True),
        ("o4-mini", None, True),
        ("gpt-5.5", "none", True),
        ("grok-4.3", "high", True),
        ("gpt-5-chat-latest", None, False),
        ("gpt-4o", None, False),
        ("gpt-4o", "none", False),
        ("grok-4.3", None, False),
    ],
)
def test_encrypted_reasoning_is_asked_of_models_that_reason(
    model: str, effort: str | None, *, asked: bool
) -> None:
    """Others refuse to be asked for it."""
    assert ("include" in encode("x", model=model, reasoning=effort)) is asked


def test_extra_fields_are_merged_as_they_are() -> None:
    """They win over what the dialect would have said; those of others are not sent."""
    extra = {NAME: {"store": True, "truncation": "auto"}, "openai_chat": {"n": 2}}
    body = encode("x", extra=extra)
    assert (body["store"], body["truncation"]) == (True, "auto")
    assert "n" not in body


def test_quirks_of_a_provider() -> None:
    """Version, key header, the word for a required choice and refused fields are honoured."""
    quirks = Quirks(
        version="v 1",
        key_header="api-key",
        required_choice="any",
        reasoning="none",
        unsupported=frozenset({"user", "metadata", "store"}),
    )
    dialect = RESPONSES.adapted(quirks)
    assert dialect.authenticate("k") == {"api-key": "k"}
    assert RESPONSES.authenticate("k") == {"authorization": "Bearer k"}
    outgoing = dialect.encode(Request(messages="x"), model="m", stream=False)
    assert outgoing.path == "/responses?api-version=v%201"
    body = encode(
        "x",
        quirks=quirks,
        tools=[Tool("f")],
        tool_choice="required",
        reasoning="low",
        user="u1",
        metadata={"k": "v"},
    )
    assert body["tool_choice"] == "any"
    assert not {"reasoning", "safety_identifier", "metadata", "store", "include"} & set(body)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"messages": "x", "stop": "END"}, "stop: .* takes no stop strings"),
        (
            {"messages": Message("user", ["x", Audio(b"\0")])},
            r"messages\[0\].content\[1\]: .* takes no audio",
        ),
        (
            {"messages": Message("assistant", [Image(url="https://x/a")])},
            r"messages\[0\].content\[0\]: an assistant message cannot hold an image",
        ),
        ({"messages": "x", "tool_choice": "required"}, "tool_choice"),
        ({"messages": "x", "tools": [Tool("f")], "tool_choice": "g"}, "tool_choice: .*'g'"),
        ({"messages": Message("assistant", Reasoning("hm"))}, "messages: .* content"),
    ],
)
def test_what_cannot_be_expressed_is_refused(fields: dict[str, Any], words: str) -> None:
    """The error names the part and says what to do."""
    with pytest.raises(InvalidRequestError, match=words):
        RESPONSES.encode(Request(**fields), model="m", stream=False)
