"""What one side of a dialect writes, the other side reads, without loss."""

from typing import Any

import attrs
import pytest

from trio_llm.chat import (
    Completion,
    Delta,
    Image,
    Message,
    Part,
    Reasoning,
    ReasoningDelta,
    Request,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from trio_llm.errors import ProviderError, ServerError
from trio_llm.wire import DIALECTS

PNG = b"\x89PNG\r\n\x1a\n0000"
OPAQUE: dict[str, dict[str, Any] | None] = {
    "openai_chat": {"reasoning_details": [{"type": "reasoning.text", "text": "t", "index": 0}]},
    "openai_responses": {
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "c2VhbGVk",
    },
    "anthropic": {"signature": "c2ln"},
    "ollama": None,
    "cohere": None,
    "gemini": {"thoughtSignature": "c2ln"},
}
LIKE_OPENAI = ("openai_chat", "huggingface", "cloudflare_run")
for _name in LIKE_OPENAI:
    OPAQUE[_name] = OPAQUE["openai_chat"]
# What a dialect has no place for, and what it says instead.
LOST: dict[str, dict[str, Any]] = {
    **{name: {} for name in LIKE_OPENAI},
    "openai_responses": {"seed": None},
    "anthropic": {"seed": None, "metadata": {}},
    "ollama": {
        "user": None,
        "metadata": {},
        "parallel_tool_calls": None,
        "tool_choice": None,
    },
    "cohere": {
        "user": None,
        "metadata": {},
        "parallel_tool_calls": None,
        "tool_choice": "required",
        "reasoning": "enabled",
    },
    "gemini": {"user": None, "metadata": {}, "parallel_tool_calls": None},
}


def conversation(name: str) -> list[Message]:
    """Give a conversation with every part that the dialect has."""
    thought = Reasoning("hm", OPAQUE[name], name)
    picture: list[Part] = [Image(content=PNG, media_type="image/png")]
    if name != "ollama":
        picture.append(Image(url="https://example.org/a.png"))
    asked = Message("user", [Text("what is it? \U0001f600"), *picture])
    called = Message(
        "assistant",
        [
            thought,
            Text("let me see"),
            ToolCall("call_a", "look", {"x": [1, None, "é"]}),
            ToolCall("call_b", "look", {}),
        ],
    )
    results = [
        Message("tool", ToolResult("call_a", "a cat", name="look")),
        Message("tool", ToolResult("call_b", '{"n": 1}', name="look")),
    ]
    return [Message("system", "be brief"), asked, called, *results, Message("user", "and?")]


def request_of(name: str) -> Request:
    """Give a request with every field set."""
    return Request(
        messages=conversation(name),
        max_tokens=77,
        temperature=0.5,
        top_p=0.25,
        # One dialect refuses what it lacks.
        stop=() if name == "openai_responses" else ("END", "\n\n"),
        seed=7,
        tools=(Tool("look", "looks", {"type": "object", "properties": {"x": {}}}, strict=True),),
        tool_choice="auto" if name == "ollama" else "look",
        parallel_tool_calls=False,
        reasoning="low",
        user="u1",
        metadata={"k": "v"},
        extra={name: {"keep_alive": "5m"}},
    )


def normal(message: Message) -> Message:
    """Drop what no wire carries beside a tool call's and a result's own meaning."""
    parts: list[Part] = []
    for part in message.content:
        if isinstance(part, ToolCall):
            parts.append(attrs.evolve(part, raw=None))
        elif isinstance(part, ToolResult):
            parts.append(attrs.evolve(part, name=None))
        elif isinstance(part, Reasoning):
            parts.append(attrs.evolve(part, text=""))
        else:
            parts.append(part)
    return Message(message.role, parts)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", DIALECTS)
def test_a_request_survives(name: str, *, stream: bool) -> None:
    """The server reads every field that the client wrote, but those that the dialect lacks."""
    dialect = DIALECTS[name]
    request = request_of(name)
    outgoing = dialect.encode(request, model="m-1", stream=stream)
    incoming = dialect.parse(outgoing.path, outgoing.body)
    assert (incoming.model, incoming.stream) == ("m-1", stream)
    read = incoming.request
    wanted = [normal(message) for message in request.messages]
    if name in ("anthropic", "gemini"):
        # Results and the user's next words are one turn there; it is read as two messages.
        merged = Message("tool", [*wanted[3].content, *wanted[4].content])
        wanted[3:5] = [merged]
    assert [normal(message) for message in read.messages] == wanted
    lost = LOST[name]
    for field in attrs.fields(Request):
        if field.name not in ("messages", "tools"):
            expected = lost.get(field.name, getattr(request, field.name))
            assert getattr(read, field.name) == expected, field.name
    strict = None if name in ("ollama", "gemini") else True
    assert read.tools == (attrs.evolve(request.tools[0], strict=strict),)


COMPLETION_PARTS: list[Part] = [
    Text("hé\U0001f600\n"),
    ToolCall("call_a", "look", {"x": [1, "é"]}),
    ToolCall("call_b", "look", {}),
]
USAGE = Usage(30, 12, 8, 4, 5)
COUNTED = {
    "ollama": Usage(30, 12),
    "cohere": Usage(30, 12, 8, 0, 5),
    "gemini": Usage(30, 12, 8, 0, 5),
}


def completion_of(name: str, *, stream: bool) -> Completion:
    """Give a completion with everything that the dialect carries."""
    # A stream has no event that carries a signature, nor fragments of provider state.
    opaque = None if stream else OPAQUE[name]
    return Completion(
        message=Message("assistant", [Reasoning("hm", opaque, name), *COMPLETION_PARTS]),
        finish_reason="tool_calls",
        usage=COUNTED.get(name, USAGE),
        # A reply of Cohere names no model.
        model=None if name == "cohere" else "m-1",
        response_id=None if name == "ollama" else "id-1",
    )


def check(read: Completion, written: Completion, *, stream: bool) -> None:
    """Compare what was read with what was written."""

    def plain(message: Message) -> list[Part]:
        return [
            attrs.evolve(part, raw=None) if isinstance(part, ToolCall) else part
            for part in message.content
        ]

    assert plain(read.message) == plain(written.message)
    assert read.finish_reason == written.finish_reason
    assert read.usage == written.usage
    assert read.model == written.model
    if not stream:
        assert read.response_id == written.response_id


@pytest.mark.parametrize("name", DIALECTS)
def test_a_reply_survives(name: str) -> None:
    """The client reads the message, the finish reason and the usage that the server wrote."""
    written = completion_of(name, stream=False)
    check(DIALECTS[name].decode(DIALECTS[name].encode_reply(written)), written, stream=False)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("size", [1, 10_000])
def test_a_streamed_reply_survives(name: str, size: int) -> None:
    """The client reads the deltas and the completion that the server wrote."""
    written = completion_of(name, stream=True)
    if name in LIKE_OPENAI:
        # Beside tool calls, DeepSeek wants its reasoning back.
        thought = Reasoning("hm", {"reasoning_content": "hm"}, name)
        written = attrs.evolve(written, message=Message("assistant", [thought, *COMPLETION_PARTS]))
    sent: list[Delta] = [
        ReasoningDelta("h"),
        ReasoningDelta("m"),
        TextDelta("hé"),
        TextDelta("\U0001f600\n"),
        ToolCallDelta(0, "call_a", "look"),
        ToolCallDelta(0, arguments='{"x": [1,'),
        ToolCallDelta(0, arguments=' "é"]}'),
        ToolCallDelta(1, "call_b", "look", "{}"),
    ]
    encoder = DIALECTS[name].encoder("m-1")
    body = encoder.start() + b"".join(encoder.delta(delta) for delta in sent)
    body += encoder.finish(written)
    decoder = DIALECTS[name].decoder()
    got = [
        delta
        for start in range(0, len(body), size)
        for delta in decoder.feed(body[start : start + size])
    ]
    # Nothing marks the end of a stream of Gemini.
    assert decoder.finished is (name != "gemini")
    check(decoder.close(), written, stream=True)
    for kind in (TextDelta, ReasoningDelta):
        assert [d for d in got if isinstance(d, kind)] == [d for d in sent if isinstance(d, kind)]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_failure_in_the_middle_survives(name: str) -> None:
    """What the server says when a stream breaks reaches the client, after the text before it."""
    encoder = DIALECTS[name].encoder("m-1")
    body = encoder.start() + encoder.delta(TextDelta("par")) + encoder.fail("it broke")
    decoder = DIALECTS[name].decoder()
    assert decoder.feed(body) == [TextDelta("par")]
    assert decoder.finished
    with pytest.raises(ServerError, match="it broke"):
        decoder.close()


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 429, 500, 503, 529])
@pytest.mark.parametrize("name", DIALECTS)
def test_an_error_survives(name: str, status: int) -> None:
    """The client finds the server's sentence, and its code where there is a place for one."""
    body = DIALECTS[name].encode_error(status, "the reason", code="some_code")
    error = DIALECTS[name].classify(status, {}, body, now=0.0)
    assert isinstance(error, ProviderError)
    assert "the reason" in str(error)
    without_code = DIALECTS[name].encode_error(status, "the reason")
    assert "the reason" in DIALECTS[name].classify(status, {}, without_code, now=0.0).message


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
@pytest.mark.parametrize("name", DIALECTS)
def test_finish_reasons_survive(name: str, finish: Any) -> None:
    """A finish reason stays, but for the filter, for which Ollama has no word."""
    written = Completion(Message("assistant", "x"), finish)
    read = DIALECTS[name].decode(DIALECTS[name].encode_reply(written))
    lost = name == "ollama" and finish == "content_filter"
    assert read.finish_reason == ("stop" if lost else finish)
    assert read.usage is None


def test_redacted_thinking_survives_both_ways() -> None:
    """Anthropic's sealed reasoning is carried unchanged, plain and streamed."""
    dialect = DIALECTS["anthropic"]
    sealed = Reasoning("", {"redacted_thinking": "abc"}, "anthropic")
    written = Completion(Message("assistant", [Text("x"), sealed]))
    assert dialect.decode(dialect.encode_reply(written)).message == written.message
    encoder, decoder = dialect.encoder("m"), dialect.decoder()
    decoder.feed(encoder.start() + encoder.delta(TextDelta("x")) + encoder.finish(written))
    assert decoder.close().message == written.message
