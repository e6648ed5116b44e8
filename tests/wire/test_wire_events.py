"""Bytes become events and lines, however they are written and wherever they are split."""

import pytest

from trio_llm.errors import MalformedResponseError
from trio_llm.wire.ndjson import JSONLines
from trio_llm.wire.sse import EventStream


def events(*pieces: bytes) -> list[tuple[str, str]]:
    """Give all events of a stream that arrives in these pieces."""
    stream = EventStream()
    found = [event for piece in pieces for event in stream.feed(piece)]
    return found + stream.close()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("space", [b"", b" "])
def test_every_line_end_and_an_optional_space(end: bytes, space: bytes) -> None:
    """LF, CRLF and CR end lines; the space after the colon may be missing."""
    body = end.join([b"data:" + space + b"one", b"", b"data:" + space + b"two", b"", b""])
    assert events(body) == [("", "one"), ("", "two")]
    assert events(*[body[i : i + 1] for i in range(len(body))]) == [("", "one"), ("", "two")]


def test_only_one_space_is_taken_off() -> None:
    """A second space after the colon belongs to the data."""
    assert events(b"data:  x\n\n") == [("", " x")]


def test_comments_names_and_several_lines() -> None:
    """Comments vanish, an event has its name, several data lines are joined."""
    body = b": hello\n\nevent: error\ndata: a\ndata: b\nid: 7\nretry: 5\n\ndata: c\n\n"
    assert events(body) == [("error", "a\nb"), ("", "c")]


def test_a_name_without_data_is_forgotten() -> None:
    """An event without data is no event, and its name does not stick to the next."""
    assert events(b"event: ping\n\ndata: x\n\n") == [("", "x")]


def test_a_byte_order_mark_is_skipped() -> None:
    """A mark at the start, in one piece or in three, is no part of the first line."""
    assert events(b"\xef\xbb\xbfdata: x\n\n") == [("", "x")]
    assert events(b"\xef", b"\xbb", b"\xbfdata: x\n\n") == [("", "x")]


def test_an_event_without_its_blank_line_counts_at_the_end() -> None:
    """The end of input completes an event, as several servers expect."""
    assert events(b"data: a\n\ndata: [DONE]") == [("", "a"), ("", "[DONE]")]


def test_a_character_split_between_pieces_is_whole() -> None:
    """The bytes of one character may come in several pieces."""
    euro = "€".encode()
    assert events(b"data: " + euro[:1], euro[1:2], euro[2:] + b"\n\n") == [("", "€")]


def test_invalid_utf8_is_malformed() -> None:
    """Bytes that are no UTF-8 raise a typed error."""
    with pytest.raises(MalformedResponseError, match="UTF-8"):
        events(b"data: \xff\xfe\n\n")


@pytest.mark.parametrize(
    "body",
    [
        b"data: " + b"x" * 200,
        b"data: 123456789\n" * 20,
        b"data:\n" * 101,
        b"error: 123456789\n" * 20,
        b"error:\n" * 101,
    ],
)
def test_an_event_is_bounded(body: bytes) -> None:
    """An endless line, or an endless event, is refused and not gathered."""
    stream = EventStream(limit=100)
    with pytest.raises(MalformedResponseError, match="100 bytes"):
        stream.feed(body)


def test_what_is_no_field_is_kept_as_stray() -> None:
    """A body that is no event stream can still be told apart."""
    stream = EventStream()
    assert stream.feed(b'{"error":\n {"message": "no"}}') == []
    assert stream.close() == []
    assert stream.stray == b'{"error":\n {"message": "no"}}'


def test_the_error_field_of_older_servers_is_an_error_event() -> None:
    """``error: {...}``, as older llama.cpp servers write it, is an event."""
    assert events(b'error: {"code":500}\n\n') == [("error", '{"code":500}')]


def test_json_lines_in_pieces() -> None:
    """Values come as their lines end; blank lines and a last line without end are fine."""
    lines = JSONLines()
    assert lines.feed(b'{"a":1}\n\n{"b"') == [{"a": 1}]
    assert lines.feed(b":2}\r") == [{"b": 2}]
    assert lines.feed(b"\n3") == []
    assert lines.close() == [3]


def test_a_cut_json_line_is_dropped_at_the_end() -> None:
    """Half an object at the end of input is no value; the dialect sees what is missing."""
    lines = JSONLines()
    assert lines.feed(b'{"a": "\xe2\x82') == []
    assert lines.close() == []


@pytest.mark.parametrize("line", [b"<html>\n", b"nonsense\n", b"{'a': 1}\n", b'"\xff"\n'])
def test_a_line_that_is_no_json_is_malformed(line: bytes) -> None:
    """Web pages, prose and broken bytes raise a typed error."""
    with pytest.raises(MalformedResponseError):
        JSONLines().feed(line)
