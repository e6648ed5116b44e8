"""Streams of the Responses interface, as many servers write them."""

from typing import Any

import pytest

from tests.wire.wire_responses import (
    DONE,
    NAME,
    RESPONSES,
    called,
    decode,
    event,
    framed,
    read,
    said,
    text,
)
from trio_llm.chat import (
    Message,
    Reasoning,
    ReasoningDelta,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.errors import (
    MalformedResponseError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)


def test_a_stream_by_type_alone() -> None:
    """Names before events, numbers, places and unknown events do not matter."""
    body = (
        b": a comment\r\n\r\n"
        b'event: response.created\r\ndata: {"response":{"id":"r","model":"m"}}\r\n\r\n'
        b'data: {"type":"keepalive","sequence_number":3}\r\n\r\n'
        b'data: {"type":"response.of_tomorrow","delta":3}\r\n\r\n'
        b'data: {"type":"response.new_text.delta","delta":"?"}\r\n\r\n'
        b'data: {"type":"response.output_text.delta","delta":"he"}\r\n\r\n'
        b'event: response.output_text.delta\r\ndata: {"delta":"y"}\r\n\r\n'
        b'data: {"type":"response.completed","response":{"status":"completed"}}\r\n\r\n'
        b"data: [DONE]\r\n\r\n"
    )
    decoder = RESPONSES.decoder()
    assert decoder.feed(body) == [TextDelta("he"), TextDelta("y")]
    assert decoder.finished
    reply = decoder.close()
    assert (reply.message.text, reply.response_id, reply.model) == ("hey", "r", "m")
    assert reply.finish_reason == "stop"


def test_the_terminal_event_may_lack_its_blank_line() -> None:
    """The end of input ends the last event too."""
    decoder = RESPONSES.decoder()
    decoder.feed(framed(text("x"), DONE).rstrip(b"\n"))
    assert decoder.close().message.text == "x"


@pytest.mark.parametrize("last", [[], ["[DONE]"]])
def test_without_a_terminal_event_a_stream_is_interrupted(last: list[Any]) -> None:
    """The marker of chat completions is none, and the text so far is kept."""
    with pytest.raises(StreamInterruptedError) as caught:
        read(event("created", response={}), text("par"), text("tial"), *last)
    assert caught.value.partial_text == "partial"


def test_a_stream_that_is_none_says_what_came() -> None:
    """An error body in place of events is classified, anything else is malformed."""
    decoder = RESPONSES.decoder()
    decoder.feed(b'{"error":{"code":"rate_limit_exceeded","message":"slower"}}')
    with pytest.raises(RateLimitError):
        decoder.close()
    for body in (b"", b"<html>", framed({"type": "keepalive"}), framed("[DONE]")):
        decoder = RESPONSES.decoder()
        assert decoder.feed(body) == []
        with pytest.raises(MalformedResponseError):
            decoder.close()
    for broken in ("{", "3", "[]"):
        with pytest.raises(MalformedResponseError):
            read(text("x"), broken)
    decoder = RESPONSES.decoder()
    with pytest.raises(ServerError, match="it broke"):
        decoder.feed(b"event: error\ndata: it broke\n\n")


def test_the_status_tells_what_the_event_does_not() -> None:
    """Recorded of vLLM: a reply is called completed that is incomplete."""
    response = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    _, reply = read(text("x"), event("completed", response=response))
    assert (reply.finish_reason, reply.raw_finish) == ("length", "incomplete")


def test_a_reply_that_comes_only_at_the_end_is_given_as_deltas() -> None:
    """Whatever was not streamed is told once, so that the deltas add up to the message."""
    opaque: dict[str, Any] = {"id": "rs", "summary": [], "encrypted_content": "e"}
    sealed = {"type": "reasoning", **opaque}
    output = [sealed, said("hello"), called('{"x":1}')]
    deltas, reply = read(event("completed", response={"output": output}))
    assert deltas == [
        ReasoningDelta("", opaque, NAME),
        TextDelta("hello"),
        ToolCallDelta(0, "c1", "f"),
        ToolCallDelta(0, arguments='{"x":1}'),
    ]
    assert reply.message == decode(*output).message


def test_the_rest_of_a_text_comes_with_the_whole_item() -> None:
    """Only what the pieces have not said is added."""
    place: dict[str, Any] = {"item_id": "msg_1", "output_index": 0}
    deltas, reply = read(
        event("output_item.added", output_index=0, item=said()),
        text("hel", **place),
        event("output_item.done", output_index=0, item=said("hello")),
        event("completed", response={"output": [said("hello")]}),
    )
    assert deltas == [TextDelta("hel"), TextDelta("lo")]
    assert reply.message == Message("assistant", "hello")


def test_what_was_streamed_stands_against_another_ending() -> None:
    """A caller has already seen the pieces; a different whole does not replace them."""
    deltas, reply = read(text("one"), event("completed", response={"output": [said("two")]}))
    assert deltas == [TextDelta("one")]
    assert reply.message.text == "one"


def test_items_that_are_named_anew_in_every_event_are_the_same() -> None:
    """Recorded of a proxy: identifiers change from event to event, places do not."""
    deltas, reply = read(
        event("output_item.added", output_index=0, item=said(id="a")),
        text("x", item_id="b", output_index=0),
        event("output_item.added", output_index=1, item=called("", id="c")),
        event("function_call_arguments.delta", item_id="d", output_index=1, delta="{}"),
        event("output_item.done", output_index=1, item=called("{}", id="e")),
        event("completed", response={"output": [said("x", id="f"), called("{}", id="g")]}),
    )
    assert reply.message == Message("assistant", [Text("x"), ToolCall("c1", "f", {}, "{}")])
    assert deltas == [
        TextDelta("x"),
        ToolCallDelta(0, "c1", "f"),
        ToolCallDelta(0, arguments="{}"),
    ]


def test_calls_that_are_written_at_the_same_time_are_kept_apart() -> None:
    """Each piece belongs to the call that its event names."""
    _, reply = read(
        event("output_item.added", output_index=0, item=called("", id="a", call_id="c1")),
        event("output_item.added", output_index=1, item=called("", id="b", call_id="c2", name="g")),
        event("function_call_arguments.delta", item_id="b", output_index=1, delta='{"n":'),
        event("function_call_arguments.delta", item_id="a", output_index=0, delta="{}"),
        event("function_call_arguments.delta", item_id="b", output_index=1, delta="2}"),
        DONE,
    )
    assert reply.message.tool_calls == (
        ToolCall("c1", "f", {}, "{}"),
        ToolCall("c2", "g", {"n": 2}, '{"n":2}'),
    )
    assert reply.finish_reason == "tool_calls"


def test_a_call_that_nobody_began_is_named_by_its_end() -> None:
    """The name and the identifier come late; the pieces before them are not lost."""
    deltas, reply = read(
        event("function_call_arguments.delta", item_id="fc_1", output_index=0, delta="{}"),
        event("output_item.done", output_index=0, item=called("{}")),
        DONE,
    )
    assert reply.message.tool_calls == (ToolCall("c1", "f", {}, "{}"),)
    assert deltas[-1] == ToolCallDelta(0, "c1", "f")


def test_blocks_of_reasoning_are_paragraphs() -> None:
    """Streamed, they are set apart as in a whole reply, and their state ends them."""
    item = {
        "type": "reasoning",
        "id": "rs",
        "summary": [{"text": "First."}, {"text": "Then."}],
        "encrypted_content": "e",
    }
    deltas, reply = read(
        event("output_item.added", output_index=0, item={"type": "reasoning", "id": "rs"}),
        event("reasoning_summary_text.delta", item_id="rs", summary_index=0, delta="Fi"),
        event("reasoning_summary_text.delta", item_id="rs", summary_index=0, delta="rst."),
        event("reasoning_summary_text.delta", item_id="rs", summary_index=1, delta="Then."),
        event("output_item.done", output_index=0, item=item),
        event("completed", response={"output": [item]}),
    )
    assert reply.message == decode(item).message
    assert reply.message.reasoning == "First.\n\nThen."
    assert deltas[:3] == [
        ReasoningDelta("Fi"),
        ReasoningDelta("rst."),
        ReasoningDelta("\n\nThen."),
    ]
    (last,) = deltas[3:]
    assert isinstance(last, ReasoningDelta)
    assert (last.text, last.origin) == ("", NAME)


def test_open_reasoning_is_read_and_can_be_sent_back() -> None:
    """DeepSeek, vLLM and Bedrock give the text itself, in place of a summary."""
    item = {"type": "reasoning", "id": "rs", "content": [{"type": "reasoning_text", "text": "hm"}]}
    _, reply = read(
        event("reasoning_text.delta", item_id="rs", output_index=0, content_index=0, delta="hm"),
        event("output_item.done", output_index=0, item=item),
        DONE,
    )
    opaque = {"id": "rs", "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert reply.message == Message("assistant", Reasoning("hm", opaque, NAME))


def test_the_state_at_the_end_of_a_reply_is_the_one_that_stands() -> None:
    """What an item says before it has ended may be unfinished."""
    first = {"type": "reasoning", "id": "rs", "encrypted_content": "half"}
    last = {"type": "reasoning", "id": "rs", "encrypted_content": "whole"}
    _, reply = read(
        event("output_item.added", output_index=0, item=first),
        event("output_item.done", output_index=0, item=first),
        event("completed", response={"output": [last]}),
    )
    (thought,) = reply.message.content
    assert isinstance(thought, Reasoning)
    assert thought.opaque == {"id": "rs", "encrypted_content": "whole"}


def test_an_item_that_is_told_again_and_again_costs_nothing() -> None:
    """A server cannot make the client compare a long text as often as it likes."""
    long = said("x" * 100_000)
    end = event("output_item.done", output_index=0, item=said())
    _, reply = read(
        event("output_item.done", output_index=0, item=long),
        *[end] * 20_000,
        event("completed", response={"output": [said()] * 20_000}),
    )
    assert len(reply.message.text) == 100_000
