"""What a provider's quirks change in a request, one field at a time."""

import json
import re
from typing import Any

import pytest

from tests.wire.wire_chat import OPENAI, chunk, event, reply, sent, stream
from trio_llm.chat import (
    Audio,
    EmbedRequest,
    File,
    Image,
    ListModels,
    Message,
    ModerateRequest,
    Operation,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    ShowModel,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError
from trio_llm.wire import PLAIN, Quirks

ASK = Request(messages="hi")
TOOL = Tool("look")
SCHEMA = OutputSchema("answer", {"type": "object"}, description="the answer")


def test_a_version_is_a_query_of_every_path() -> None:
    """Chat and every operation name the version of the interface."""
    dialect = OPENAI.adapted(Quirks(version="2024-10-21&x"))
    query = "?api-version=2024-10-21%26x"
    assert dialect.encode(ASK, model="m", stream=True).path == f"/chat/completions{query}"
    asked: tuple[Operation, ...] = (
        EmbedRequest(texts="x"),
        ModerateRequest(texts="x"),
        ListModels(),
        ShowModel(model="m"),
    )
    for operation in asked:
        path = dialect.operations[type(operation)].encode(operation, model="m").path
        assert path.endswith(query)


def test_without_a_version_there_is_no_query() -> None:
    """Nothing is added to a path for the providers that have no versions."""
    assert OPENAI.encode(ASK, model="m", stream=False).path == "/chat/completions"


def test_a_key_header_carries_the_bare_key() -> None:
    """The key goes into the provider's own header and nowhere else."""
    assert OPENAI.adapted(Quirks(key_header="api-key")).authenticate("k") == {"api-key": "k"}
    assert OPENAI.adapted(PLAIN).authenticate("k") == {"authorization": "Bearer k"}


@pytest.mark.parametrize("model", ["m", "gpt-5", "o3"])
def test_a_named_limit_is_used_for_every_model(model: str) -> None:
    """Where the provider has one name for the limit, the model does not matter."""
    body = sent(model=model, quirks=Quirks(max_tokens_field="max_new"), max_tokens=5)
    assert body["max_new"] == 5
    assert "max_tokens" not in body
    assert "max_completion_tokens" not in body


@pytest.mark.parametrize(("field", "key"), [("random_seed", "random_seed"), (None, None)])
def test_the_seed_has_the_name_that_the_provider_knows(field: str | None, key: str | None) -> None:
    """A seed is renamed, or left out where there is none."""
    body = sent(quirks=Quirks(seed_field=field), seed=7)
    assert "seed" not in body
    assert body.get(key or "seed") == (7 if key else None)


def test_the_required_choice_has_the_word_that_the_provider_knows() -> None:
    """Only that one choice is renamed; automatic and named ones stay."""
    quirks = Quirks(required_choice="any")
    assert sent(quirks=quirks, tools=[TOOL], tool_choice="required")["tool_choice"] == "any"
    assert sent(quirks=quirks, tools=[TOOL], tool_choice="auto")["tool_choice"] == "auto"
    named = sent(quirks=quirks, tools=[TOOL], tool_choice="look")["tool_choice"]
    assert named == {"type": "function", "function": {"name": "look"}}


@pytest.mark.parametrize(
    ("style", "effort", "fields"),
    [
        ("effort", "low", {"reasoning_effort": "low"}),
        ("object", "low", {"reasoning": {"effort": "low"}}),
        ("object", "2048", {"reasoning": {"max_tokens": 2048}}),
        ("none", "low", {}),
    ],
)
def test_effort_is_told_in_the_style_of_the_provider(
    style: Any, effort: str, fields: dict[str, Any]
) -> None:
    """As a word, as an object with an effort or a budget, or not at all."""
    body = sent(quirks=Quirks(reasoning=style), reasoning=effort)
    assert {key: body[key] for key in body if key.startswith("reasoning")} == fields


def test_usage_is_asked_for_only_where_that_is_allowed() -> None:
    """A provider that gives usage unasked is not asked."""
    assert "stream_options" not in sent(stream=True, quirks=Quirks(stream_options=False))
    assert sent(stream=True)["stream_options"] == {"include_usage": True}


def test_unsupported_fields_are_left_out_unless_they_are_extra() -> None:
    """What the provider refuses is not sent, but what the caller insists on is."""
    quirks = Quirks(unsupported=frozenset({"user", "metadata"}))
    body = sent(quirks=quirks, user="u", metadata={"a": "b"}, temperature=0.5)
    assert body.keys() == {"model", "messages", "temperature"}
    assert sent(quirks=quirks, user="u", extra={"openai_chat": {"user": "v"}})["user"] == "v"


def test_plain_content_is_one_string() -> None:
    """Several texts become one, and other parts are refused by their place."""
    quirks = Quirks(plain_content=True)
    body = sent(Message("user", ["a", "b"]), quirks=quirks)
    assert body["messages"] == [{"role": "user", "content": "ab"}]
    picture = Message("user", ["a", Image(url="https://e.org/a.png")])
    with pytest.raises(InvalidRequestError, match=r"messages\[0\].content\[1\].*no image"):
        sent(picture, quirks=quirks)


NINE = Quirks(call_id_length=9)


def turn(call_id: str) -> list[Message]:
    """Give a call and its result."""
    called = Message("assistant", ToolCall(call_id, "look"))
    return [called, Message("tool", ToolResult(call_id, "x"))]


def ids(body: Any) -> list[tuple[str, str]]:
    """Give the identifiers of calls and of their results."""
    calls = [message["tool_calls"][0]["id"] for message in body["messages"][::2]]
    return list(zip(calls, [m["tool_call_id"] for m in body["messages"][1::2]], strict=True))


def test_identifiers_of_calls_get_the_length_that_the_provider_wants() -> None:
    """Every call has an identifier of its own, and its result has the same one."""
    names = ["call_0", "toolu_01ABCDEFGHIJK", "D681PevKs", "call_0", "", "D681PevKs"]
    body = sent(*[message for name in names for message in turn(name)], quirks=NINE)
    pairs = ids(body)
    assert all(called == answered for called, answered in pairs)
    assert len({called for called, _ in pairs}) == len(names)
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", called) for called, _ in pairs)
    assert pairs[2][0] == "D681PevKs"


def test_identifiers_of_calls_are_the_same_each_time() -> None:
    """A conversation that grows begins as before, so that the provider's cache fits."""
    first = sent(*turn("toolu_1"), quirks=NINE)
    later = sent(*turn("toolu_1"), *turn("toolu_2"), quirks=NINE)
    assert later["messages"][:2] == first["messages"]


def test_identifiers_that_repeat_a_thousand_times_stay_unique() -> None:
    """A long conversation with a dialect that has no identifiers, in linear time."""
    body = sent(*[message for _ in range(1000) for message in turn("call_0")], quirks=NINE)
    assert len({called for called, _ in ids(body)}) == 1000


def test_an_identifier_that_is_too_long_is_shortened_everywhere() -> None:
    """OpenAI takes forty letters; shorter ones are left as they are."""
    long, short = "tool_0_" + "x" * 60, "call_1"
    pairs = ids(sent(*turn(long), *turn(short)))
    assert pairs[0][0] == pairs[0][1] != long
    assert len(pairs[0][0]) <= 40
    assert pairs[1] == (short, short)


def test_a_reply_stands_between_results_and_a_users_message() -> None:
    """Where the provider demands that order, and only where it is broken."""
    talk = [*turn("a"), Message("user", "and?")]
    roles = [m["role"] for m in sent(*talk, quirks=Quirks(reply_after_results=True))["messages"]]
    assert roles == ["assistant", "tool", "assistant", "user"]
    assert [m["role"] for m in sent(*talk)["messages"]] == ["assistant", "tool", "user"]


def test_state_of_another_provider_is_not_replayed() -> None:
    """Two providers speak one dialect; each gets back only the fields that it knows."""
    opaque = {"reasoning_details": [{"text": "t"}], "reasoning_content": "t"}
    thought = Reasoning("t", opaque, "openai_chat")
    message = Message("assistant", [thought, Text("x")])
    body = sent(message, quirks=Quirks(replays=frozenset({"reasoning_content"})))
    assert body["messages"] == [{"role": "assistant", "content": "x", "reasoning_content": "t"}]
    plain = sent(message, quirks=Quirks(replays=frozenset()))
    assert plain["messages"] == [{"role": "assistant", "content": "x"}]


def test_an_answers_shape_is_asked_for_by_its_schema() -> None:
    """Name, description, schema and strictness go into the response format."""
    assert sent(output=SCHEMA)["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "answer",
            "description": "the answer",
            "schema": {"type": "object"},
            "strict": True,
        },
    }


@pytest.mark.parametrize(
    ("media_type", "form"),
    [("audio/wav", "wav"), ("audio/x-wav", "wav"), ("audio/mpeg", "mp3"), ("audio/mp3", "mp3")],
)
def test_audio_goes_as_base64_with_its_format(media_type: str, form: str) -> None:
    """Both formats that OpenAI takes are told by the media type."""
    body = sent(Message("user", Audio(b"\x00\x01", media_type)))
    part = {"type": "input_audio", "input_audio": {"data": "AAE=", "format": form}}
    assert body["messages"][0]["content"] == [part]


def test_a_file_goes_as_a_data_url_with_its_name() -> None:
    """A file without a name gets one that ends like its type."""
    file = File(content=b"%PDF", media_type="application/pdf", name="a.pdf")
    part = sent(Message("user", file))["messages"][0]["content"][0]
    url = "data:application/pdf;base64,JVBERg=="
    assert part == {"type": "file", "file": {"filename": "a.pdf", "file_data": url}}
    nameless = File(content=b"%PDF", media_type="application/pdf")
    part = sent(Message("user", nameless))["messages"][0]["content"][0]
    assert part["file"]["filename"] == "file.pdf"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Audio(b"x", "audio/flac"), "audio/flac is not among them, so convert it"),
        (File(url="https://e.org/a.pdf"), "no file by its address; give its content"),
    ],
)
def test_parts_without_a_form_are_refused_with_a_remedy(part: Part, words: str) -> None:
    """The error names the place, the part, and what to do."""
    with pytest.raises(InvalidRequestError, match=words) as caught:
        sent(Message("user", ["a", part]))
    assert caught.value.message.startswith("messages[0].content[1]: ")


def test_new_parts_and_the_shape_survive_a_round_trip() -> None:
    """The server reads audio, files and the schema that the client wrote."""
    parts: list[Part] = [
        Audio(b"a", "audio/wav"),
        Audio(b"b", "audio/mpeg"),
        File(content=b"c", media_type="application/pdf", name="c.pdf"),
    ]
    request = Request(messages=[Message("user", parts)], output=SCHEMA)
    outgoing = OPENAI.encode(request, model="m", stream=False)
    read = OPENAI.parse(outgoing.path, outgoing.body).request
    assert read.messages == request.messages
    assert read.output == SCHEMA
    assert read.extra == {}


def test_another_response_format_stays_an_extra_field() -> None:
    """Plain JSON mode has no form in the vocabulary and goes through unchanged."""
    form = {"type": "json_object"}
    user = {"role": "user", "content": "x"}
    body = {"model": "m", "messages": [user], "response_format": form}
    read = OPENAI.parse("/", json.dumps(body).encode()).request
    assert read.output is None
    assert read.extra == {"openai_chat": {"response_format": form}}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "ogg"}}, "format"),
        ({"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}}, "base64"),
        ({"type": "file", "file": {"file_id": "f"}}, "file_data"),
        ({"type": "file", "file": {"file_data": "https://e.org"}}, "data: URL"),
        ({"type": "video"}, "not supported"),
    ],
)
def test_broken_parts_are_refused_on_the_servers_side(part: Any, words: str) -> None:
    """The server's side names the place of a part that it cannot read."""
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    with pytest.raises(InvalidRequestError, match=words):
        OPENAI.parse("/", json.dumps(body).encode())


SIGNED = {"google": {"thought_signature": "c2ln"}}


def wire_call(**fields: Any) -> dict[str, Any]:
    """Write one call as a message holds it."""
    function = {"name": "look", "arguments": "{}"}
    return {"id": "a", "type": "function", "function": function, **fields}


def test_what_stands_beside_one_call_comes_back_beside_it() -> None:
    """Gemini signs single calls; each signature returns with its own call."""
    calls = [wire_call(extra_content=SIGNED), wire_call(id="b")]
    message = reply({"content": None, "tool_calls": calls}).message
    written = sent(message)["messages"][0]["tool_calls"]
    assert written == calls
    without = sent(message, quirks=Quirks(replays=frozenset()))["messages"][0]["tool_calls"]
    assert without == [wire_call(), wire_call(id="b")]


def test_what_stands_beside_one_call_of_a_stream_comes_back_beside_it() -> None:
    """In a stream too, and on the server's side as well as the client's."""
    first = {"tool_calls": [{"index": 0, **wire_call(extra_content=SIGNED)}]}
    second = {"tool_calls": [{"index": 1, **wire_call(id="b")}]}
    _, completion = stream(chunk(first), chunk(second), chunk(finish="tool_calls"))
    assert sent(completion.message)["messages"][0]["tool_calls"][0]["extra_content"] == SIGNED
    encoder = OPENAI.encoder("m")
    deltas, _ = stream(chunk(first), chunk(second), chunk(finish="tool_calls"))
    body = encoder.start() + b"".join(map(encoder.delta, deltas)) + encoder.finish(completion)
    assert stream(body)[1].message == completion.message
    assert OPENAI.decode(OPENAI.encode_reply(completion)).message == completion.message


def test_the_servers_side_keeps_what_stands_beside_a_call() -> None:
    """A request read and written again carries the signature."""
    calls = [wire_call(extra_content=SIGNED)]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    user = {"role": "user", "content": "x"}
    body = json.dumps({"model": "m", "messages": [user, message]}).encode()
    read = OPENAI.parse("/", body).request
    assert sent(*read.messages)["messages"][1]["tool_calls"] == calls


def test_long_reasoning_in_small_pieces_takes_linear_time() -> None:
    """A hundred thousand fragments of one detail are joined once, at the end."""
    detail = {"type": "reasoning.text", "index": 0, "text": "x" * 40}
    piece = event({"choices": [{"index": 0, "delta": {"reasoning_details": [detail]}}]})
    _, completion = stream(piece * 20_000, chunk(finish="stop"))
    part = completion.message.content[0]
    assert isinstance(part, Reasoning)
    assert part.opaque is not None
    assert len(part.opaque["reasoning_details"]) == 1
    assert len(part.opaque["reasoning_details"][0]["text"]) == 800_000
