"""How the tests of the Responses interface write what a server answers."""

import json
from typing import Any

from trio_llm.chat import Completion, Delta
from trio_llm.wire import DIALECTS

RESPONSES = DIALECTS["openai_responses"]
NAME = "openai_responses"
DONE: dict[str, Any] = {"type": "response.completed", "response": {"status": "completed"}}


def said(*texts: str, **fields: Any) -> dict[str, Any]:
    """Write a message with these blocks of text."""
    content: list[dict[str, Any]] = [
        {"type": "output_text", "text": text, "annotations": []} for text in texts
    ]
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": content, **fields}


def called(arguments: Any, **fields: Any) -> dict[str, Any]:
    """Write a tool call."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f"}
    return {**call, "arguments": arguments, **fields}


def decode(*output: dict[str, Any], **fields: Any) -> Completion:
    """Decode a whole reply with these items."""
    body = {"object": "response", "status": "completed", "output": output, **fields}
    return RESPONSES.decode(json.dumps(body).encode())


def framed(*events: Any) -> bytes:
    """Write events without names, as some servers do; a string goes as it is."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return b"".join([b"data: " + text.encode() + b"\n\n" for text in texts])


def read(*events: Any) -> tuple[list[Delta], Completion]:
    """Decode a stream of these events."""
    decoder = RESPONSES.decoder()
    deltas = decoder.feed(framed(*events))
    return deltas, decoder.close()


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """Write an event."""
    return {"type": f"response.{kind}", **fields}


def text(delta: str, **fields: Any) -> dict[str, Any]:
    """Write an event with a piece of text."""
    return event("output_text.delta", delta=delta, **fields)
