"""What differs between the two versions of Anthropic's interface, and what does not."""

import json
from typing import Any

import pytest

from trio_llm.chat import Audio, File, Message, OutputSchema, Request, Text
from trio_llm.errors import InvalidRequestError
from trio_llm.wire import DIALECTS, Quirks

OLD = DIALECTS["anthropic"]
NEW = OLD.adapted(Quirks(version="2026-10-21"))
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def encode(dialect: Any, *messages: Message, **fields: Any) -> Any:
    """Give the body of a request, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    return json.loads(dialect.encode(request, model="m", stream=False).body)


def test_the_version_is_a_header() -> None:
    """The dialect's own version is 2023-06-01; a quirk names another."""
    request = Request(messages="hi")
    versions = [
        dialect.encode(request, model="m", stream=False).headers["anthropic-version"]
        for dialect in (OLD, NEW)
    ]
    assert versions == ["2023-06-01", "2026-10-21"]


@pytest.mark.parametrize("field", ["temperature", "top_p"])
@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_the_newer_version_takes_no_sampling_settings(field: str, value: float) -> None:
    """Even a default is refused before it is sent; the message names the field and the way out."""
    with pytest.raises(InvalidRequestError, match=rf'{field}: .*api_version = "2023-06-01"'):
        encode(NEW, **{field: value})


@pytest.mark.parametrize("field", ["temperature", "top_p"])
def test_the_older_version_takes_sampling_settings(field: str) -> None:
    """They are sent as they are."""
    assert encode(OLD, **{field: 0.5})[field] == 0.5


def test_a_request_without_sampling_settings_is_the_same_in_both() -> None:
    """Nothing but the header tells the versions apart."""
    fields: dict[str, Any] = {
        "max_tokens": 5,
        "stop": "x",
        "reasoning": "high",
        "output": OutputSchema("n", SCHEMA),
    }
    assert encode(OLD, **fields) == encode(NEW, **fields)


@pytest.mark.parametrize("dialect", [OLD, NEW])
def test_an_answers_shape_shares_its_field_with_the_effort(dialect: Any) -> None:
    """Neither displaces the other, and the server reads both back."""
    body = encode(dialect, reasoning="low", output=OutputSchema("n", SCHEMA))
    form = {"type": "json_schema", "schema": SCHEMA}
    assert body["output_config"] == {"effort": "low", "format": form}
    assert body["thinking"] == {"type": "adaptive"}
    read = dialect.parse("/messages", json.dumps(body).encode()).request
    assert read.output == OutputSchema("answer", SCHEMA)
    assert (read.reasoning, read.extra) == ("low", {})


def test_an_answers_shape_stands_alone() -> None:
    """Without an effort there is only the format."""
    body = encode(OLD, output=OutputSchema("n", SCHEMA))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    read = OLD.parse("/messages", json.dumps(body).encode()).request
    assert read.output is not None
    assert read.extra == {}


def test_the_key_goes_into_either_header() -> None:
    """A quirk makes it a bearer key, or names the header of a proxy."""
    assert NEW.authenticate("k") == {"x-api-key": "k"}
    bearer = OLD.adapted(Quirks(key_header="Authorization"))
    assert bearer.authenticate("k") == {"authorization": "Bearer k"}
    assert OLD.adapted(Quirks(key_header="x-proxy-key")).authenticate("k") == {"x-proxy-key": "k"}


PDF = File(content=b"%PDF-1.7", media_type="application/pdf", name="a.pdf")
PLAIN = File(content="é".encode(), media_type="text/plain")
LINKED = File(url="https://example.org/a.pdf")


def test_files_are_documents() -> None:
    """A PDF goes by its bytes or its address, a text as text; the server reads them back."""
    body = encode(OLD, Message("user", [PDF, PLAIN, LINKED, "what is it?"]))
    blocks = body["messages"][0]["content"]
    assert [block["type"] for block in blocks] == ["document", "document", "document", "text"]
    assert [block.get("source") for block in blocks[:3]] == [
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="},
        {"type": "text", "media_type": "text/plain", "data": "é"},
        {"type": "url", "url": "https://example.org/a.pdf"},
    ]
    assert [block.get("title") for block in blocks[:3]] == ["a.pdf", None, None]
    read = OLD.parse("/messages", json.dumps(body).encode()).request.messages[0]
    assert read.content == (PDF, PLAIN, LINKED, Text("what is it?"))


@pytest.mark.parametrize("media_type", ["text/markdown", "text/csv", "application/json"])
def test_anything_textual_is_plain_text(media_type: str) -> None:
    """The provider knows one type of text; a byte order mark is not part of it."""
    file = File(content=b"\xef\xbb\xbf{}", media_type=media_type)
    source = encode(OLD, Message("user", file))["messages"][0]["content"][0]["source"]
    assert source == {"type": "text", "media_type": "text/plain", "data": "{}"}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (File(content=b"PK", media_type="application/zip"), "application/zip.*PDF"),
        (File(content=b"\xff\xfe", media_type="text/plain"), "UTF-8"),
        (Audio(b"RIFF"), "audio.*transcript"),
    ],
)
@pytest.mark.parametrize("dialect", [OLD, NEW])
def test_what_is_no_document_is_refused_by_place(dialect: Any, part: Any, words: str) -> None:
    """The message names the part and what to do instead."""
    with pytest.raises(InvalidRequestError, match=rf"messages\[1\].content\[1\].*{words}"):
        encode(dialect, Message("system", "x"), Message("user", ["a", part]))


@pytest.mark.parametrize("dialect", [OLD, NEW])
def test_documents_stand_in_users_turns_only(dialect: Any) -> None:
    """The newer version refuses one in an assistant's turn; neither is asked."""
    with pytest.raises(InvalidRequestError, match=r"messages\[1\].content\[0\]: an assistant"):
        encode(dialect, Message("user", "x"), Message("assistant", PDF))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"type": "file", "file_id": "f"}, "sources of type 'file'"),
        ({"type": "base64", "media_type": "application/pdf", "data": "?"}, "not base64"),
        ({"type": "url"}, "source.url: must be a string"),
        (None, "source: must be an object"),
    ],
)
def test_broken_documents_are_refused_by_the_server(source: Any, words: str) -> None:
    """The message begins with the place of the block."""
    turn = {"role": "user", "content": [{"type": "document", "source": source}]}
    body = json.dumps({"model": "m", "messages": [turn]}).encode()
    with pytest.raises(InvalidRequestError, match=rf"messages\[0\].content\[0\].*{words}"):
        OLD.parse("/messages", body)


def test_a_system_message_among_the_turns_is_read() -> None:
    """Newer clients send instructions in the middle of a conversation."""
    turns = [{"role": "user", "content": "x"}, {"role": "system", "content": "be brief"}]
    body = json.dumps({"model": "m", "messages": turns}).encode()
    read = OLD.parse("/messages", body).request.messages
    assert read == (Message("user", "x"), Message("system", "be brief"))
