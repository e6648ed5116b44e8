"""A reply that is there already comes as the events of a stream that would have made it."""

import json

from hypothesis import given, settings

from tests.cache.cache_values import REPLIES, reply
from trio_llm import (
    Message,
    Reasoning,
    ReasoningDelta,
    Reply,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.endpoint.replay import PIECES, events_of


def test_a_long_text_comes_in_a_few_pieces_and_a_short_one_in_one() -> None:
    """They make up the text, in order."""
    events = events_of(reply("word " * 100).message)
    assert len(events) == PIECES
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "word " * 100
    assert events_of(reply("short").message) == [TextDelta("short")]
    assert events_of(reply("").message) == []


def test_reasoning_ends_with_its_state_and_calls_begin_with_their_names() -> None:
    """As in a stream that is written: state with the last piece, the identifier with the first."""
    message = Message(
        "assistant",
        [
            Reasoning("let me think about that", {"signature": "s"}, "anthropic@x"),
            Reasoning("", {"sealed": "c"}, "openai@y"),
            Text("so"),
            ToolCall("c1", "look", {"x": [1]}),
            ToolCall("c2", "look", {}, '{"y": }'),
        ],
    )
    assert events_of(message) == [
        ReasoningDelta("let me think abo"),
        ReasoningDelta("ut that", {"signature": "s"}, "anthropic@x"),
        ReasoningDelta("", {"sealed": "c"}, "openai@y"),
        TextDelta("so"),
        ToolCallDelta(0, "c1", "look"),
        ToolCallDelta(0, arguments='{"x": [1]}'),
        ToolCallDelta(1, "c2", "look"),
        ToolCallDelta(1, arguments='{"y": }'),
    ]


@settings(max_examples=100, deadline=None)
@given(given_reply=REPLIES)
def test_the_events_make_up_the_message(given_reply: Reply) -> None:
    """All text, all readable reasoning and every call can be put together again."""
    message = given_reply.message
    events = events_of(message)
    texts = [e.text for e in events if isinstance(e, TextDelta)]
    thoughts = [e.text for e in events if isinstance(e, ReasoningDelta)]
    calls = [e for e in events if isinstance(e, ToolCallDelta)]
    assert "".join(texts) == message.text
    assert "".join(thoughts) == message.reasoning
    for index, call in enumerate(message.tool_calls):
        mine = [e for e in calls if e.index == index]
        assert (mine[0].id, mine[0].name) == (call.id, call.name)
        written = "".join(e.arguments for e in mine)
        assert (
            written == call.raw if call.raw is not None else json.loads(written) == call.arguments
        )
    assert len(events) <= (PIECES + 1) * max(1, len(message.content))
