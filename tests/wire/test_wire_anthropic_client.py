"""The official Anthropic client talks to the server's side of the dialect."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Completion,
    File,
    Message,
    Reasoning,
    ReasoningDelta,
    Request,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from trio_llm.wire import DIALECTS, Incoming

anthropic: Any = pytest.importorskip("anthropic")
httpx2: Any = pytest.importorskip("httpx2")

OURS = DIALECTS["anthropic"]
ANSWER = Completion(
    Message(
        "assistant",
        [
            Reasoning("hm", {"signature": "c2ln"}, "anthropic"),
            Text("hé"),
            ToolCall("call_a", "look", {"x": 1}),
        ],
    ),
    "tool_calls",
    usage=Usage(30, 12, 8),
    model="m",
)


class Server:
    """Answers in the dialect; keeps what it was asked."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.headers: Any = {}
        self.asked: list[Incoming] = []

    def client(self) -> Any:
        """Give a client of this server."""
        transport = httpx2.MockTransport(self.answer)
        return anthropic.Anthropic(
            api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0
        )

    def answer(self, request: Any) -> Any:
        """Answer one request."""
        self.headers = request.headers
        incoming = OURS.parse(request.url.path, request.content)
        self.asked.append(incoming)
        if self.status != 200:
            body = OURS.encode_error(self.status, "the reason")
            return httpx2.Response(self.status, content=body)
        if not incoming.stream:
            headers = {"content-type": "application/json"}
            return httpx2.Response(200, content=OURS.encode_reply(ANSWER), headers=headers)
        encoder = OURS.encoder("m")
        deltas = (
            ReasoningDelta("hm"),
            ReasoningDelta("", {"signature": "c2ln"}, "anthropic"),
            TextDelta("hé"),
            ToolCallDelta(0, "call_a", "look", '{"x": 1}'),
        )
        body = encoder.start() + b"".join([encoder.delta(delta) for delta in deltas])
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, content=body + encoder.finish(ANSWER), headers=headers)


def check(message: Any) -> None:
    """Compare what the client read with the answer."""
    thinking, text, call = message.content
    assert (thinking.thinking, thinking.signature) == ("hm", "c2ln")
    assert text.text == "hé"
    assert (call.id, call.name, call.input) == ("call_a", "look", {"x": 1})
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens == 12
    assert message.usage.cache_read_input_tokens == 8


CONVERSATION: list[dict[str, Any]] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "what?"},
            {
                "type": "document",
                "title": "a.txt",
                "source": {"type": "text", "media_type": "text/plain", "data": "x"},
            },
        ],
    },
]


def test_a_whole_answer() -> None:
    """The client's request is read, and it reads the answer."""
    server = Server()
    message = server.client().messages.create(
        model="m", max_tokens=5, system="be brief", messages=CONVERSATION
    )
    check(message)
    assert server.asked == [
        Incoming(
            Request(
                messages=[
                    Message("system", "be brief"),
                    Message("user", [Text("what?"), File(None, b"x", "text/plain", "a.txt")]),
                ],
                max_tokens=5,
            ),
            "m",
            stream=False,
        )
    ]


def test_a_streamed_answer() -> None:
    """Its helper gives the text as it comes, and the whole message in the end."""
    server = Server()
    with server.client().messages.stream(model="m", max_tokens=5, messages=CONVERSATION) as stream:
        events = list(stream)
        check(stream.get_final_message())
    assert "".join([event.text for event in events if event.type == "text"]) == "hé"
    assert [event.signature for event in events if event.type == "signature"] == ["c2ln"]
    assert server.asked[0].stream


def test_what_the_current_client_sends_beside_the_body() -> None:
    """The newer version of the interface, and the key as a bearer."""
    server = Server()
    server.client().messages.create(model="m", max_tokens=5, messages=CONVERSATION)
    assert server.headers["anthropic-version"] == "2026-10-21"
    assert server.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (429, "RateLimitError"),
        (529, "OverloadedError"),
    ],
)
def test_errors(status: int, name: str) -> None:
    """The client raises its own class with our sentence in it."""
    with pytest.raises(getattr(anthropic, name, anthropic.APIStatusError)) as caught:
        Server(status).client().messages.create(model="m", max_tokens=5, messages=CONVERSATION)
    assert "the reason" in json.dumps(caught.value.body)
