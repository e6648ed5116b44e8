"""Signatures and sealed reasoning survive Anthropic's server side, whole and streamed."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from trio_llm.chat import (
    Completion,
    Delta,
    Message,
    Part,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.wire import DIALECTS

ANTHROPIC = DIALECTS["anthropic"]


def thought(text: str, signature: str) -> Reasoning:
    """Give signed reasoning."""
    return Reasoning(text, {"signature": signature}, "anthropic")


def sealed(opaque: Any) -> Reasoning:
    """Give reasoning that nobody may read."""
    return Reasoning("", {"redacted_thinking": opaque}, "anthropic")


CALL = ToolCall("t", "f", {"a": 1})
TURNS: list[list[Part]] = [
    [thought("hm", "s1"), Text("x")],
    [thought("hm", "s1"), Text("x"), thought("so", "s2"), CALL],
    [thought("a", "s1"), thought("b", "s2"), Text("x")],
    [thought("", "s1"), Text("x")],
    [sealed("r1"), thought("hm", "s1"), sealed("r2"), Text("x"), CALL],
    [Reasoning("hm", None, "anthropic"), Text("x"), thought("so", "s2"), Text("y")],
    [Text("x"), sealed({"odd": 1})],
]


def deltas_of(parts: Sequence[Part], *, state: bool) -> list[Delta]:
    """Give the deltas of a turn, with provider state or without."""
    deltas: list[Delta] = []
    for part in parts:
        if isinstance(part, Text):
            deltas.append(TextDelta(part.text))
        elif isinstance(part, ToolCall):
            deltas.append(ToolCallDelta(0, part.id, part.name, json.dumps(dict(part.arguments))))
        elif isinstance(part, Reasoning):
            if part.text:
                deltas.append(ReasoningDelta(part.text))
            if state and part.opaque:
                deltas.append(ReasoningDelta("", part.opaque, part.origin))
    return deltas


def plain(message: Message) -> list[Any]:
    """Give the parts, calls without the text that they were written in."""
    return [
        (part.id, part.name, part.arguments) if isinstance(part, ToolCall) else part
        for part in message.content
    ]


def stream(completion: Completion, deltas: Sequence[Delta]) -> bytes:
    """Write a streamed reply."""
    encoder = ANTHROPIC.encoder("m")
    written = b"".join([encoder.delta(delta) for delta in deltas])
    return encoder.start() + written + encoder.finish(completion)


def read(body: bytes) -> tuple[list[Delta], Completion]:
    """Read a streamed reply."""
    decoder = ANTHROPIC.decoder()
    return list(decoder.feed(body)), decoder.close()


@pytest.mark.parametrize("parts", TURNS)
def test_a_whole_reply_loses_nothing(parts: list[Part]) -> None:
    """Every signature stays with its block, in order."""
    written = Completion(Message("assistant", parts))
    assert plain(ANTHROPIC.decode(ANTHROPIC.encode_reply(written)).message) == plain(
        written.message
    )


@pytest.mark.parametrize("parts", TURNS)
def test_a_streamed_reply_loses_nothing(parts: list[Part]) -> None:
    """State that comes with the deltas ends its block, and arrives as it was sent."""
    written = Completion(Message("assistant", parts))
    sent = deltas_of(parts, state=True)
    got, completion = read(stream(written, sent))
    assert plain(completion.message) == plain(written.message)
    assert [delta for delta in got if isinstance(delta, ReasoningDelta)] == [
        delta for delta in sent if isinstance(delta, ReasoningDelta)
    ]


@pytest.mark.parametrize("parts", [TURNS[0], TURNS[1], TURNS[5]])
def test_a_signature_that_only_the_completion_has_goes_into_its_block(parts: list[Part]) -> None:
    """The block was left open for it, so that the order of the parts stays."""
    written = Completion(Message("assistant", parts))
    completion = read(stream(written, deltas_of(parts, state=False)))[1]
    assert plain(completion.message) == plain(written.message)


@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("parts", TURNS)
def test_every_block_is_opened_in_order_and_closed_once(parts: list[Part], *, state: bool) -> None:
    """Official clients find a block by its place among those that were opened."""
    body = stream(Completion(Message("assistant", parts)), deltas_of(parts, state=state))
    events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]
    opened = [event["index"] for event in events if event["type"] == "content_block_start"]
    closed = [event["index"] for event in events if event["type"] == "content_block_stop"]
    assert opened == list(range(len(opened)))
    assert sorted(closed) == opened
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    still_open: set[int] = set()
    for event in events:
        if event["type"] == "content_block_start":
            still_open.add(event["index"])
        elif event["type"] == "content_block_stop":
            still_open.remove(event["index"])
        elif event["type"] == "content_block_delta":
            assert event["index"] in still_open
    assert not still_open


def test_what_came_is_written_as_it_came() -> None:
    """A reply that is read and written again is the same for the next reader."""
    parts = TURNS[4]
    written = Completion(Message("assistant", parts), "tool_calls")
    deltas, completion = read(stream(written, deltas_of(parts, state=True)))
    assert read(stream(completion, deltas)) == (deltas, completion)


def test_state_of_another_dialect_is_not_taken_for_ones_own() -> None:
    """Its origin tells."""
    foreign = ReasoningDelta("hm", {"signature": "s"}, "openai_chat")
    written = Completion(Message("assistant", "x"))
    completion = read(stream(written, [foreign, TextDelta("x")]))[1]
    assert completion.message.content == (Reasoning("hm", None, "anthropic"), Text("x"))


@pytest.mark.parametrize(
    ("raw", "finish", "sent"),
    [
        ("pause_turn", "unknown", "pause_turn"),
        ("model_context_window_exceeded", "length", "model_context_window_exceeded"),
        ("stop_sequence", "stop", "stop_sequence"),
        ("end_turn", "tool_calls", "tool_use"),
        ("MAX_TOKENS", "length", "max_tokens"),
        (None, "content_filter", "refusal"),
    ],
)
def test_stop_reasons_keep_their_words(raw: str | None, finish: Any, sent: str) -> None:
    """A reason of this dialect stays; one of another is translated."""
    written = Completion(Message("assistant", [Text("x"), CALL]), finish, raw)
    assert json.loads(ANTHROPIC.encode_reply(written))["stop_reason"] == sent
    assert read(stream(written, [TextDelta("x")]))[1].raw_finish == sent
