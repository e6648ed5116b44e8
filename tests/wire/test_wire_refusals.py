"""The server's side of each dialect says where a request is wrong."""

import json
from typing import Any

import pytest

from trio_llm.chat import Image, Message
from trio_llm.errors import InvalidRequestError
from trio_llm.wire import DIALECTS
from trio_llm.wire.images import from_url, sniff

USER: dict[str, Any] = {"role": "user", "content": "x"}


def block(role: str = "user", **fields: Any) -> dict[str, Any]:
    """Write a turn with one block."""
    return {"messages": [{"role": role, "content": [fields]}]}


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("anthropic", {"model": None}, "model: is missing"),
        ("anthropic", {"messages": None}, "messages: must be an array"),
        ("anthropic", {"messages": [{"role": "tool", "content": "x"}]}, r"messages\[0\].role"),
        ("anthropic", {"system": 3}, "system: must be an array"),
        ("anthropic", {"system": [{"type": "image"}]}, r"system\[0\]"),
        ("anthropic", block(type="document"), r"messages\[0\].content\[0\]"),
        ("anthropic", block(type="image", source={"type": "file"}), "source"),
        ("anthropic", block("assistant", type="image"), r"messages\[0\].content\[0\]"),
        ("anthropic", {"tool_choice": {"type": "x"}}, "tool_choice.type"),
        ("anthropic", {"max_tokens": "many"}, "max_tokens: must be a whole number"),
        ("anthropic", {"max_tokens": 0}, "max_tokens"),
        ("anthropic", {"temperature": "hot"}, "temperature: must be a number"),
        ("anthropic", {"stream": "yes"}, "stream: must be true or false"),
        ("anthropic", {"tools": [{"name": 1}]}, r"tools\[0\].name"),
        ("openai_chat", block(type="image_url", image_url="data:x"), "data: URL"),
        ("openai_chat", {"stop": [1]}, r"stop\[0\]"),
        ("openai_chat", {"tools": [{"type": "function"}]}, r"tools\[0\].function"),
        ("openai_chat", {"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ("ollama", {"model": None}, "model: is missing"),
        ("ollama", {"messages": [{"role": "x"}]}, r"messages\[0\].role"),
        ("ollama", {"messages": [{**USER, "images": ["~"]}]}, r"messages\[0\].images\[0\]"),
        ("ollama", {"options": [1]}, "options: must be an object"),
        ("ollama", {"messages": []}, "prompt is empty"),
        ("ollama", {"think": 3}, "think"),
    ],
)
def test_broken_requests(name: str, fields: Any, words: str) -> None:
    """Each fault is an invalid request whose message starts at the place."""
    body = {"model": "m", "messages": [USER], **fields}
    with pytest.raises(InvalidRequestError, match=words):
        DIALECTS[name].parse("/", json.dumps(body).encode())


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("https://x/a.png", Image(url="https://x/a.png")),
        ("data:image/gif;base64,AA==", Image(content=b"\0", media_type="image/gif")),
    ],
)
def test_picture_addresses(url: str, image: Image) -> None:
    """An address stays one, and a ``data:`` URL becomes bytes."""
    assert from_url(url, "here") == image


@pytest.mark.parametrize("url", ["data:image/png,xx", "data:image/png;base64", "data:;base64,~~~"])
def test_broken_data_urls(url: str) -> None:
    """A ``data:`` URL that is not base64 is refused at its place."""
    with pytest.raises(InvalidRequestError, match="here"):
        from_url(url, "here")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"\x89PNG", "image/png"),
        (b"", "image/png"),
    ],
)
def test_media_types_by_first_bytes(content: bytes, media_type: str) -> None:
    """Ollama names no media type, so the bytes must tell it."""
    assert sniff(content) == media_type


@pytest.mark.parametrize("name", DIALECTS)
def test_unknown_fields_are_kept_as_extra(name: str) -> None:
    """What the vocabulary lacks goes on to the same dialect unchanged."""
    body: dict[str, Any] = {
        "model": "m",
        "messages": [USER],
        "max_tokens": 1,
        "thinking": {"type": "new"},
    }
    if name == "ollama":
        del body["max_tokens"]
    if name == "openai_responses":
        body["input"] = body.pop("messages")
        body["max_output_tokens"] = body.pop("max_tokens")
    path = "/"
    if name == "gemini":
        path = "/models/m:generateContent"
        body = {"contents": [{"parts": [{"text": "x"}]}], "thinking": {"type": "new"}}
    request = DIALECTS[name].parse(path, json.dumps(body).encode()).request
    assert request.extra == {name: {"thinking": {"type": "new"}}}
    assert request.messages == (Message("user", "x"),)
    sent = json.loads(DIALECTS[name].encode(request, model="m", stream=False).body)
    assert sent["thinking"] == {"type": "new"}
