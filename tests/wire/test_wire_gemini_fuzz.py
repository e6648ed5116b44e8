"""Whatever comes to either side of Gemini's dialect: a value or a typed error."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.wire_junk import mutate
from trio_llm.chat import (
    Audio,
    Completion,
    CountRequest,
    EmbedRequest,
    File,
    Image,
    ListModels,
    Message,
    Operation,
    OperationResult,
    Part,
    Reasoning,
    Request,
    ShowModel,
    Text,
    ToolCall,
    ToolResult,
)
from trio_llm.errors import InvalidRequestError, MalformedResponseError, ProviderError
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS
from trio_llm.wire.gemini.frames import Frames, ObjectScanner

GEMINI = DIALECTS["gemini"]
few = settings(
    max_examples=len(seeds(100, share=3)),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

REQUEST: dict[str, Any] = {
    "contents": [
        {"role": "user", "parts": [{"text": "a"}, {"inlineData": {"mimeType": "a/b", "data": ""}}]},
        {
            "role": "model",
            "parts": [
                {"text": "t", "thought": True, "thoughtSignature": "s"},
                {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "s"},
            ],
        },
        {"parts": [{"functionResponse": {"name": "f", "response": {"output": "1"}}}]},
        {"parts": [{"fileData": {"fileUri": "https://x/a.png", "mimeType": "image/png"}}]},
    ],
    "systemInstruction": {"parts": [{"text": "s"}]},
    "tools": [{"functionDeclarations": [{"name": "f", "parameters": {}}]}, {"googleSearch": {}}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "maxOutputTokens": 1,
        "stopSequences": ["x"],
        "responseJsonSchema": {},
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"},
    },
}


@given(data=st.data())
@few
def test_a_mutated_request_is_read_or_refused(data: st.DataObject) -> None:
    """On the path of a real request; what is read can be written again, or is refused."""
    body = json.dumps(mutate(REQUEST, data.draw)).encode()
    with suppress(InvalidRequestError):
        request = GEMINI.parse("/models/m:generateContent", body).request
        GEMINI.encode(request, model="m", stream=True)


@given(path=st.text(max_size=40))
@few
def test_any_path_is_read_or_refused(path: str) -> None:
    """A path names a model and a method, or the request is none."""
    body = json.dumps(REQUEST).encode()
    with suppress(InvalidRequestError):
        assert GEMINI.parse(path, body).model


SIGNATURES = st.text("abc", min_size=1, max_size=4)
ORIGIN = "gemini"


def thought(text: str, signature: str | None) -> Reasoning:
    """Make a thought, signed or not."""
    return Reasoning(text, None if signature is None else {"thoughtSignature": signature}, ORIGIN)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
calls = st.builds(
    ToolCall,
    st.uuids().map(str),
    st.sampled_from(["f", "g"]),
    st.dictionaries(words, st.integers() | words | st.none(), max_size=2),
)
signed = st.tuples(SIGNATURES, words.map(Text) | calls).map(
    lambda pair: (Reasoning("", {"nextSignature": pair[0]}, ORIGIN), pair[1])
)
single = (
    words.map(Text)
    | calls
    | st.builds(thought, words, st.none() | SIGNATURES)
    | st.just(Reasoning("", {"part": {"executableCode": {"code": "1"}}}, ORIGIN))
)
turns = st.lists(single.map(lambda part: (part,)) | signed, min_size=1, max_size=6).map(
    lambda groups: tuple(part for group in groups for part in group)
)


@given(parts=turns)
@few
def test_any_turn_survives_both_ways(parts: tuple[Part, ...]) -> None:
    """Reply, request and reading are inverse, signatures and unknown parts included."""
    message = Message("assistant", parts)
    assert GEMINI.decode(GEMINI.encode_reply(Completion(message))).message == message
    request = Request(messages=[Message("user", "hi"), message])
    for model in ("m", "gemini-3-pro"):
        outgoing = GEMINI.encode(request, model=model, stream=False)
        assert GEMINI.parse(outgoing.path, outgoing.body).request.messages[1] == message


media = (
    st.builds(Image, content=st.binary(max_size=4), media_type=st.just("image/png"))
    | st.builds(Audio, st.binary(max_size=4))
    | st.builds(File, content=st.binary(max_size=4), media_type=st.just("application/pdf"))
    | st.just(Image(url="https://example.org/a.webp"))
    | st.just(File(url="https://example.org/a.pdf"))
    | st.just(File(url="gs://b/c", media_type="text/plain"))
)


@given(parts=st.lists(words.map(Text) | media, min_size=1, max_size=4), result=words)
@few
def test_any_question_survives(parts: list[Part], result: str) -> None:
    """Text, media and results of a user are read as they were written."""
    asked = Message("user", parts)
    called = Message("assistant", ToolCall("a", "f"))
    answered = Message("tool", ToolResult("a", result, is_error=len(result) > 2, name="f"))
    outgoing = GEMINI.encode(Request(messages=[asked, called, answered]), model="m", stream=False)
    read = GEMINI.parse(outgoing.path, outgoing.body).request
    assert read.messages == (asked, called, answered)


@pytest.mark.parametrize(
    "operation",
    [
        EmbedRequest(texts="x"),
        CountRequest(request=Request(messages="x")),
        ListModels(),
        ShowModel(model="m"),
    ],
)
@given(data=st.data())
@few
def test_any_answer_to_an_operation(operation: Operation, data: st.DataObject) -> None:
    """A result or a typed error."""
    value = mutate(
        {
            "embeddings": [{"values": [1.0]}],
            "totalTokens": 1,
            "name": "models/m",
            "models": [{"name": "models/m", "inputTokenLimit": 1}],
            "supportedGenerationMethods": ["generateContent"],
        },
        data.draw,
    )
    body = json.dumps(value).encode()
    body = body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body
    with suppress(ProviderError):
        result = GEMINI.operations[type(operation)].decode(body, operation)
        assert isinstance(result, OperationResult)


texts = st.text(st.sampled_from('a"\\{}[],:\n é'), max_size=8)
values = st.recursive(
    texts | st.integers(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=6,
)


@given(
    items=st.lists(st.dictionaries(texts, values, max_size=3), max_size=4),
    size=st.integers(1, 12),
    indent=st.sampled_from([None, 1]),
    as_array=st.booleans(),
)
@few
def test_objects_are_found_wherever_the_pieces_end(
    items: list[Any], size: int, indent: int | None, *, as_array: bool
) -> None:
    """Quotes, escapes and braces in texts do not mislead; what stands between is skipped."""
    body = json.dumps(items, indent=indent, ensure_ascii=False).encode()
    if not as_array:
        body = b"".join(json.dumps(item, indent=indent).encode() + b"\r\n" for item in items)
    frames = Frames()
    found = [
        text
        for start in range(0, len(body), size)
        for text in frames.feed(body[start : start + size])
    ]
    assert [json.loads(text) for text in found + frames.close()] == items


def test_an_object_without_bottom_is_given_up() -> None:
    """It could not be read anyway."""
    with pytest.raises(MalformedResponseError, match="deep"):
        ObjectScanner().feed(b"{" * 2000)


def test_an_object_without_end_is_given_up() -> None:
    """What is held is bounded."""
    scanner = ObjectScanner(limit=1000)
    scanner.feed(b'{"a": "')
    with pytest.raises(MalformedResponseError, match="larger than 1000 bytes"):
        scanner.feed(b"x" * 1000)


@pytest.mark.parametrize(
    "piece", [b"{}\n", b"}\n", b'{"a":[', b'"', b"\\", b"data: {}\n\n", b"[\n", b"x{\n", b"\r"]
)
@pytest.mark.parametrize("start", [b"", b"data: {}\n\n", b"[{"])
def test_hostile_streams_end_in_an_error(start: bytes, piece: bytes) -> None:
    """A hundred thousand pieces of nonsense (10,000 in everyday runs) end in an error."""
    with pytest.raises(ProviderError):
        drain([start, *[piece] * len(seeds(100_000, share=10))])


def drain(pieces: list[bytes]) -> Completion:
    """Decode a stream to its end."""
    decoder = GEMINI.decoder()
    for data in pieces:
        decoder.feed(data)
    return decoder.close()
