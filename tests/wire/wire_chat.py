"""Chunks, replies and requests of OpenAI's form, short to write in a test."""

import json
from typing import Any

from trio_llm.chat import Completion, Delta, Message, Request, Usage
from trio_llm.errors import ProviderError
from trio_llm.wire import DIALECTS, PLAIN, Quirks

OPENAI = DIALECTS["openai_chat"]
DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    """Write one event of a stream."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(delta: Any = None, finish: str | None = None, **fields: Any) -> bytes:
    """Write one chunk with one choice."""
    choice: dict[str, Any] = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return event({"id": "c-1", "model": "m", "choices": [choice], **fields})


def call(arguments: Any = "", *, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """Write a delta with one piece of a tool call."""
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    return {"tool_calls": [{**fields, "function": function}]}


def stream(*pieces: bytes) -> tuple[list[Delta], Completion]:
    """Decode a stream."""
    decoder = OPENAI.decoder()
    deltas = [delta for piece in pieces for delta in decoder.feed(piece)]
    return deltas, decoder.close()


def text_of(*pieces: bytes) -> str:
    """Decode a stream and give its text."""
    return stream(*pieces)[1].message.text


def usage_of(*pieces: bytes) -> Usage | None:
    """Decode a stream and give its usage."""
    return stream(*pieces)[1].usage


def reply(message: Any, finish: str | None = "stop", **fields: Any) -> Completion:
    """Decode a whole reply with this message."""
    body = {"choices": [{"message": message, "finish_reason": finish}], **fields}
    return OPENAI.decode(json.dumps(body).encode())


def refused(
    status: int, body: Any, headers: dict[str, str] | None = None, *, dialect: str = "openai_chat"
) -> ProviderError:
    """Classify an error response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DIALECTS[dialect].classify(status, headers or {}, content, now=0.0)


def sent(
    *messages: Message,
    quirks: Quirks = PLAIN,
    model: str = "m",
    stream: bool = False,
    dialect: str = "openai_chat",
    **fields: Any,
) -> Any:
    """Give the body of a request to a provider with these quirks, read back."""
    request = Request(messages=messages or (Message("user", "hi"),), **fields)
    adapted = DIALECTS[dialect].adapted(quirks)
    return json.loads(adapted.encode(request, model=model, stream=stream).body)
