"""The requests of Gemini's generateContent."""

import json
from typing import Any

import attrs
import pytest

from trio_llm.chat import (
    Audio,
    Completion,
    File,
    Image,
    Message,
    OutputSchema,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError
from trio_llm.wire import DIALECTS
from trio_llm.wire.gemini.requests import generate_body

GEMINI = DIALECTS["gemini"]
NO_SIGNATURE = "skip_thought_signature_validator"
LOOK = Tool("look", "looks", {"type": "object", "properties": {"x": {"type": "integer"}}})
CALLED = Message("assistant", [ToolCall("a", "look", {"x": 1}), ToolCall("b", "look", {"x": 2})])
ANSWERED = Message("tool", [ToolResult("a", "1"), ToolResult("b", "2")])


def encode(*messages: Message, model: str = "m", **fields: Any) -> Any:
    """Give the body of a request, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    return json.loads(GEMINI.encode(request, model=model, stream=False).body)


def config(**fields: Any) -> Any:
    """Give the settings of a request that has only these fields."""
    return encode(**fields).get("generationConfig")


def parse(body: Any, path: str = "/models/m:generateContent") -> Request:
    """Read a request on the server's side."""
    return GEMINI.parse(path, json.dumps(body).encode()).request


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3-pro", "/models/gemini-3-pro:generateContent"),
        ("models/gemini-3-pro", "/models/gemini-3-pro:generateContent"),
        ("tunedModels/mine", "/tunedModels/mine:generateContent"),
        (
            "publishers/google/models/gemini-3@001",
            "/publishers/google/models/gemini-3@001:generateContent",
        ),
        ("a b?:c", "/models/a%20b%3F%3Ac:generateContent"),
    ],
)
def test_the_model_is_in_the_path(model: str, path: str) -> None:
    """A bare name is one of models; one with its place, as on Vertex, stays as it is."""
    outgoing = GEMINI.encode(Request(messages="hi"), model=model, stream=False)
    assert outgoing.path == path
    assert "model" not in json.loads(outgoing.body)
    incoming = GEMINI.parse(outgoing.path, outgoing.body)
    assert incoming.model == model.removeprefix("models/")
    assert not incoming.stream


def test_a_stream_has_a_path_of_its_own() -> None:
    """A stream is another method, asked for as events."""
    outgoing = GEMINI.encode(Request(messages="hi"), model="m", stream=True)
    assert outgoing.path == "/models/m:streamGenerateContent?alt=sse"
    assert GEMINI.parse(outgoing.path, outgoing.body).stream


@pytest.mark.parametrize("model", ["", "../files", "a//b", "models/.."])
def test_a_model_that_leads_elsewhere_is_refused(model: str) -> None:
    """A model's name cannot make the key go to another place of the server."""
    with pytest.raises(InvalidRequestError, match="model"):
        GEMINI.encode(Request(messages="hi"), model=model, stream=False)


def test_the_key_has_a_header_of_its_own() -> None:
    """A key goes bare, an access token of Google Cloud as a bearer."""
    assert GEMINI.authenticate("k") == {"x-goog-api-key": "k"}
    assert GEMINI.authenticate("ya29.x") == {"authorization": "Bearer ya29.x"}


def test_settings_have_the_providers_names() -> None:
    """Every setting of a request goes to the place that the provider gives it."""
    assert config(
        max_tokens=7, temperature=0.5, top_p=0.25, stop=("a", "b"), seed=3, reasoning="low"
    ) == {
        "maxOutputTokens": 7,
        "temperature": 0.5,
        "topP": 0.25,
        "stopSequences": ["a", "b"],
        "seed": 3,
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"},
    }
    assert config() is None
    body = GEMINI.encode(Request(messages="hi"), model="m", stream=False, max_tokens=9).body
    assert json.loads(body)["generationConfig"] == {"maxOutputTokens": 9}


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-3-pro", "high", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash", "odd", {"includeThoughts": True, "thinkingLevel": "ODD"}),
        ("gemini-3-pro", "500", {"includeThoughts": True, "thinkingBudget": 500}),
        ("gemini-3-pro", "-1", {"includeThoughts": True, "thinkingBudget": -1}),
        ("gemini-3-pro", "none", {"thinkingBudget": 0}),
    ],
)
def test_reasoning_is_a_level_or_a_budget(model: str, effort: str, thinking: Any) -> None:
    """Words are levels, but for the models that know budgets only; none is no budget."""
    body = encode(model=model, reasoning=effort)
    assert body["generationConfig"]["thinkingConfig"] == thinking


@pytest.mark.parametrize("effort", ["none", "low", "512", "-1"])
def test_reasoning_survives(effort: str) -> None:
    """The server's side reads the effort that was written."""
    assert parse(encode(reasoning=effort)).reasoning == effort


def test_an_output_schema_is_native() -> None:
    """The schema goes with the media type, and comes back without its name."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    body = encode(output=OutputSchema("mine", schema))
    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }
    assert parse(body).output == OutputSchema("output", schema)


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("look", {"mode": "ANY", "allowedFunctionNames": ["look"]}),
    ],
)
def test_tools_and_their_choice(choice: str, wire: Any) -> None:
    """Functions carry a JSON schema; each choice has a mode, and survives."""
    body = encode(tools=(LOOK,), tool_choice=choice)
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "look", "description": "looks", "parametersJsonSchema": LOOK.parameters}
            ]
        }
    ]
    assert body["toolConfig"] == {"functionCallingConfig": wire}
    read = parse(body)
    assert (read.tools, read.tool_choice) == ((LOOK,), choice)


def test_a_choice_without_its_tool_is_refused() -> None:
    """A tool that is not offered cannot be demanded."""
    with pytest.raises(InvalidRequestError, match="tool_choice"):
        encode(tools=(LOOK,), tool_choice="other")
    with pytest.raises(InvalidRequestError, match="tool_choice"):
        encode(tool_choice="required")


def test_further_fields_are_added_to_those_that_are_there() -> None:
    """Settings and tools of the provider's own stand beside ours."""
    extra: dict[str, Any] = {
        "generationConfig": {"topK": 3},
        "tools": [{"googleSearch": {}}],
        "toolConfig": {"includeServerSideToolInvocations": True},
        "safetySettings": [],
    }
    body = encode(tools=(LOOK,), tool_choice="auto", max_tokens=5, extra={"gemini": extra})
    assert body["generationConfig"] == {"maxOutputTokens": 5, "topK": 3}
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"], ["googleSearch"]]
    assert list(body["toolConfig"]) == ["functionCallingConfig", "includeServerSideToolInvocations"]
    assert body["safetySettings"] == []
    read = parse(body)
    assert read.tools == (LOOK,)
    assert read.extra["gemini"]["tools"] == [{"googleSearch": {}}]
    assert read.extra["gemini"]["generationConfig"] == {"topK": 3}


def test_system_messages_move_to_the_front() -> None:
    """All of them, in order; the turns around one that stood between become one."""
    body = encode(
        Message("system", "a"), Message("user", "b"), Message("system", "c"), Message("user", "d")
    )
    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "c"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "b"}, {"text": "d"}]}]


def test_a_conversation_of_system_messages_only_is_refused() -> None:
    """The dialect needs something to answer."""
    with pytest.raises(InvalidRequestError, match="messages"):
        encode(Message("system", "a"))


def test_media_by_bytes_and_by_address() -> None:
    """Bytes are base64 with their type; an address goes with the type that its end tells."""
    body = encode(
        Message(
            "user",
            [
                Image(content=b"p", media_type="image/png"),
                Audio(b"w", "audio/wav"),
                File(content=b"d", media_type="application/pdf", name="d.pdf"),
                Image(url="https://example.org/a.png?x=1"),
                Image(url="data:image/gif;base64,cA=="),
                File(url="gs://bucket/d", media_type="application/pdf"),
                File(url="https://example.org/video"),
            ],
        )
    )
    assert body["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "cA=="}},
        {"inlineData": {"mimeType": "audio/wav", "data": "dw=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "ZA=="}},
        {"fileData": {"fileUri": "https://example.org/a.png?x=1", "mimeType": "image/png"}},
        {"inlineData": {"mimeType": "image/gif", "data": "cA=="}},
        {"fileData": {"fileUri": "gs://bucket/d", "mimeType": "application/pdf"}},
        {"fileData": {"fileUri": "https://example.org/video"}},
    ]
    assert parse(body).messages[0].content == (
        Image(content=b"p", media_type="image/png"),
        Audio(b"w", "audio/wav"),
        File(content=b"d", media_type="application/pdf"),
        Image(url="https://example.org/a.png?x=1"),
        Image(content=b"p", media_type="image/gif"),
        File(url="gs://bucket/d", media_type="application/pdf"),
        File(url="https://example.org/video"),
    )


def test_a_broken_data_address_is_refused_with_its_place() -> None:
    """The message names the part."""
    with pytest.raises(InvalidRequestError, match=r"messages\[0\]\.content\[1\]"):
        encode(Message("user", [Text("x"), Image(url="data:image/png,zz")]))


def test_results_take_their_tools_name_from_the_call() -> None:
    """Calls and results share an identifier; the results of a turn come first in it."""
    body = encode(
        Message("user", "hi"),
        CALLED,
        Message("user", "wait"),
        Message("tool", [ToolResult("a", "1"), ToolResult("b", "no", is_error=True)]),
    )
    assert body["contents"][1]["role"] == "model"
    assert body["contents"][1]["parts"][0] == {
        "functionCall": {"id": "a", "name": "look", "args": {"x": 1}}
    }
    assert body["contents"][2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "a", "name": "look", "response": {"output": "1"}}},
            {"functionResponse": {"id": "b", "name": "look", "response": {"error": "no"}}},
            {"text": "wait"},
        ],
    }


def test_a_result_without_a_call_needs_its_name() -> None:
    """Where nothing tells the name, what is only counted is refused, and the remedy named."""
    result = ToolResult("z", "1")
    with pytest.raises(InvalidRequestError, match=r"messages\[1\]\.content\[0\].*name="):
        generate_body(Request(messages=[Message("user", "hi"), Message("tool", result)]), model="m")
    named = Message("tool", attrs.evolve(result, name="look"))
    body = generate_body(Request(messages=[Message("user", "hi"), named]), model="m")
    assert body["contents"][0]["parts"][0]["functionResponse"]["name"] == "look"


def test_the_calls_name_is_the_one_that_counts() -> None:
    """A result that bears another name is still the answer to its call."""
    results = [ToolResult("a", "1", name="x"), ToolResult("b", "2")]
    body = encode(Message("user", "hi"), CALLED, Message("tool", results))
    assert body["contents"][2]["parts"][0]["functionResponse"]["name"] == "look"


def test_identifiers_that_repeat_are_told_apart() -> None:
    """Calls that were numbered anew in every turn at another provider stay distinct."""
    turn = [
        Message("assistant", ToolCall("call_0", "look")),
        Message("tool", ToolResult("call_0", "x")),
    ]
    body = encode(Message("user", "hi"), *turn, *turn)
    ids = [
        next(iter(part.values()))["id"] for turn in body["contents"][1:] for part in turn["parts"]
    ]
    assert ids == ["call_0", "call_0", "call_0_2", "call_0_2"]


SIGNED: list[dict[str, Any]] = [
    {"text": "first thought", "thought": True},
    {"text": "second", "thought": True, "thoughtSignature": "c2lnMQ=="},
    {"text": "I shall look.", "thoughtSignature": "c2lnMg=="},
    {"text": "More."},
    {"functionCall": {"id": "a", "name": "look", "args": {"x": 1}}, "thoughtSignature": "c2lnMw=="},
    {"functionCall": {"id": "b", "name": "look", "args": {}}},
    {"executableCode": {"language": "PYTHON", "code": "1+1"}, "thoughtSignature": "c2lnNA=="},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
    {"text": "", "thoughtSignature": "c2lnNQ=="},
]


def reply_of(parts: Any) -> bytes:
    """Write a whole reply with these parts."""
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP"}
    return json.dumps({"candidates": [candidate]}).encode()


def test_a_turn_goes_back_exactly_as_it_came() -> None:
    """Each signature is on the part that it came with, and unknown parts are kept whole."""
    message = GEMINI.decode(reply_of(SIGNED)).message
    assert (message.text, message.reasoning) == ("I shall look.More.", "first thoughtsecond")
    assert [call.id for call in message.tool_calls] == ["a", "b"]
    body = encode(Message("user", "hi"), message, ANSWERED, model="gemini-3-pro")
    assert body["contents"][1] == {"role": "model", "parts": SIGNED}
    assert parse(body).messages[1] == message
    assert GEMINI.decode(GEMINI.encode_reply(Completion(message))).message == message


def test_a_signature_whose_part_has_gone_stands_alone() -> None:
    """A turn from which parts were taken keeps the signature, on an empty text."""
    signature = Reasoning("", {"nextSignature": "c2ln"}, "gemini")
    alone = {"text": "", "thoughtSignature": "c2ln"}
    for rest in ([], [Reasoning("hm", None, "gemini")]):
        body = encode(Message("user", "hi"), Message("assistant", [signature, *rest]))
        assert body["contents"][1]["parts"][0] == alone


def test_state_that_was_tampered_with_is_left_out() -> None:
    """What is no part is not sent as one."""
    broken = [Reasoning("", {"part": "x"}, "gemini"), Reasoning("", {"nextSignature": 3}, "gemini")]
    body = encode(Message("user", "hi"), Message("assistant", [*broken, "x"]))
    assert body["contents"][1]["parts"] == [{"text": "x"}]


def test_reasoning_of_another_provider_stays_there() -> None:
    """Only what this dialect made goes back; a turn with nothing else is left out."""
    foreign = [Reasoning("hm", {"signature": "s"}, "anthropic"), Reasoning("hm")]
    body = encode(
        Message("user", "hi"), Message("assistant", foreign), Message("assistant", [*foreign, "x"])
    )
    assert body["contents"][1:] == [{"role": "model", "parts": [{"text": "x"}]}]


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        ("gemini-3-pro", True),
        ("gemini-flash-latest", True),
        ("publishers/google/models/gemini-3.5-flash", True),
        ("gemini-2.5-flash", False),
        ("gemini-1.5-pro", False),
        ("gemma-3-27b-it", False),
    ],
)
def test_a_conversation_from_elsewhere_goes_on(model: str, *, needed: bool) -> None:
    """Newer models refuse a turn whose first call has no signature: it gets the bypass."""
    parts = encode(Message("user", "hi"), CALLED, ANSWERED, model=model)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [
        NO_SIGNATURE if needed else None,
        None,
    ]
    assert parse(encode(Message("user", "hi"), CALLED, model=model)).messages[1] == CALLED


def test_the_servers_side_matches_results_without_identifiers() -> None:
    """The oldest open call of the tool is meant."""
    call: dict[str, Any] = {"functionCall": {"name": "look", "args": {}}}
    result = {"functionResponse": {"name": "look", "response": {"n": 1}}}
    messages = parse(
        {
            "contents": [
                {"parts": [{"text": "hi"}]},
                {"role": "model", "parts": [call, call]},
                {"role": "user", "parts": [result, result]},
            ]
        }
    ).messages
    assert [call.id for call in messages[1].tool_calls] == ["call_0", "call_1"]
    assert messages[2].content == (
        ToolResult("call_0", '{"n":1}', name="look"),
        ToolResult("call_1", '{"n":1}', name="look"),
    )


BROKEN: list[tuple[str, Any, str]] = [
    ("/models", {}, "path"),
    ("/models/m:embedContent", {}, "path"),
    ("/models/:generateContent", {}, "path"),
    ("/models/m:generateContent", {}, "contents"),
    ("/models/m:generateContent", {"contents": [{"role": "x", "parts": []}]}, "role"),
    ("/models/m:generateContent", {"contents": [{"parts": [{"x": 1}]}]}, r"parts\[0\]"),
    (
        "/models/m:generateContent",
        {"contents": [{"role": "model", "parts": [{"functionCall": {}}]}]},
        r"parts\[0\]",
    ),
    (
        "/models/m:generateContent",
        {"contents": [{"parts": [{"inlineData": {"mimeType": "a/b", "data": "!"}}]}]},
        "base64",
    ),
]


@pytest.mark.parametrize(("path", "body", "place"), BROKEN)
def test_a_broken_request_is_refused_with_its_place(path: str, body: Any, place: str) -> None:
    """The server's side says where the fault is."""
    with pytest.raises(InvalidRequestError, match=place):
        parse(body, path)
