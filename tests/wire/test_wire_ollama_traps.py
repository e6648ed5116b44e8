"""What surprises those who come to Ollama's own interface from another one."""

import base64
import json
from typing import Any

import pytest

from trio_llm.chat import Audio, File, Image, Message, OutputSchema, Request, Tool
from trio_llm.errors import (
    AuthenticationError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS

OLLAMA = DIALECTS["ollama"]
PNG = b"\x89PNG\r\n\x1a\n0000"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def encode(*messages: Message, **fields: Any) -> Any:
    """Give the body of a request, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    return json.loads(OLLAMA.encode(request, model="m", stream=False).body)


def test_a_picture_is_bare_base64() -> None:
    """There is no ``data:`` before it, and no media type beside it."""
    body = encode(Message("user", ["see", Image(content=PNG, media_type="image/png")]))
    assert body["messages"] == [
        {"role": "user", "content": "see", "images": [base64.b64encode(PNG).decode()]}
    ]


@pytest.mark.parametrize("part", [Audio(b"RIFF"), File(content=b"x", media_type="text/plain")])
def test_audio_and_files_are_refused_by_place(part: Any) -> None:
    """The dialect has no field for them."""
    with pytest.raises(InvalidRequestError, match=r"messages\[0\].content\[1\]"):
        encode(Message("user", ["a", part]))


def test_a_schema_is_the_format() -> None:
    """It stands there bare, and the server reads it back without a name."""
    body = encode(output=OutputSchema("n", SCHEMA))
    assert body["format"] == SCHEMA
    read = OLLAMA.parse("/api/chat", json.dumps(body).encode()).request
    assert read.output == OutputSchema("answer", SCHEMA)
    assert read.extra == {}


def test_the_word_json_as_format_is_kept() -> None:
    """It is no schema, so that it stays among the extra fields."""
    body = encode(extra={"ollama": {"format": "json"}})
    read = OLLAMA.parse("/api/chat", json.dumps(body).encode()).request
    assert read.output is None
    assert read.extra == {"ollama": {"format": "json"}}


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_there_is_no_tool_choice(choice: str | None) -> None:
    """Neither the wish for none nor the default is written as a field."""
    assert "tool_choice" not in encode(tools=[Tool("f")], tool_choice=choice)


def test_arguments_are_an_object() -> None:
    """A proxy that writes them as text is read all the same."""
    for arguments in ({"a": 1}, '{"a": 1}'):
        call = {"function": {"name": "f", "arguments": arguments}}
        body = {"message": {"role": "assistant", "content": "", "tool_calls": [call]}}
        reply = OLLAMA.decode(json.dumps({**body, "done": True}).encode())
        assert reply.message.tool_calls[0].arguments == {"a": 1}


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_loading_a_model_is_no_answer(reason: str) -> None:
    """An empty request loads or unloads; that is not a finish that a caller knows."""
    body = {"message": {"content": ""}, "done": True, "done_reason": reason}
    reply = OLLAMA.decode(json.dumps(body).encode())
    assert (reply.finish_reason, reply.raw_finish) == ("unknown", reason)


def test_durations_in_nanoseconds_are_not_tokens() -> None:
    """Only the two counts are usage."""
    body = {
        "message": {"content": "x"},
        "done": True,
        "total_duration": 119446542,
        "prompt_eval_duration": 66000000,
        "prompt_eval_count": 3,
        "eval_count": 4,
    }
    usage = OLLAMA.decode(json.dumps(body).encode()).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (3, 4)


def test_a_line_with_only_an_error_has_no_done() -> None:
    """The error is raised at once; nobody waits for an end that will not come."""
    decoder = OLLAMA.decoder()
    decoder.feed(b'{"message":{"content":"a"},"done":false}\n{"error":"an error occurred"}\n')
    assert decoder.finished
    with pytest.raises(ServerError) as caught:
        decoder.close()
    assert not isinstance(caught.value, StreamInterruptedError)


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (400, {"error": "registry.ollama.ai/m does not support tools"}, InvalidRequestError),
        (400, {"error": '"m" does not support thinking'}, InvalidRequestError),
        (401, {"error": "unauthorized", "signin_url": "https://x"}, AuthenticationError),
        (402, {"error": "payment required"}, QuotaExceededError),
        (404, {"error": "model 'm' not found"}, ModelNotFoundError),
        (404, {"error": 'model "m" not found, try pulling it first'}, ModelNotFoundError),
        (413, {"error": "request body too large"}, InvalidRequestError),
        (429, {"error": "too many requests"}, RateLimitError),
        (500, {"error": "model requires more system memory (9 GiB)"}, ServerError),
        (502, {"error": "bad gateway"}, ServerError),
        (503, {"error": "server busy, please try again"}, OverloadedError),
    ],
)
def test_errors_are_one_sentence(status: int, body: Any, wanted: type[ProviderError]) -> None:
    """The status and the sentence give the class; the address to sign in at is left out."""
    error = OLLAMA.classify(status, {}, json.dumps(body).encode(), now=0.0)
    assert type(error) is wanted
    assert error.message == body["error"]
    assert "https://x" not in str(error)
