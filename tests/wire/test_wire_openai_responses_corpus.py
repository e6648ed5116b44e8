"""Every recorded exchange of the Responses interface reads as an independent reducer read it."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any

import pytest

from tests.wire.wire_deltas import joined, whole_of
from tests.wire.wire_recordings import Exchange, corpus_path, recordings
from trio_llm.chat import Completion, Delta, TextDelta, Usage
from trio_llm.errors import ProviderError, StreamInterruptedError
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not corpus_path().is_dir(), reason="the recorded exchanges are not beside the checkout"
    ),
]

DIALECT = DIALECTS["openai_responses"]
NOW = 1_795_000_000.0
SMALL = 5_000
"""Bytes up to which a stream is split at every single place."""

STRIDE = max(1, SMALL // len(seeds(SMALL, share=10)))
"""Bytes between these places: one, and ten in everyday runs."""


ALL = [exchange for exchange in recordings() if exchange.api == "responses"]
PLAIN = [exchange for exchange in ALL if exchange.status == 200 and not exchange.stream]
STREAMS = [exchange for exchange in ALL if exchange.status == 200 and exchange.stream]
FAILURES = [exchange for exchange in ALL if exchange.status != 200]


def named(cases: Sequence[Exchange]) -> list[Any]:
    """Give the cases with their names as test ids."""
    return [pytest.param(case, id=case.name) for case in cases]


def compare(exchange: Exchange, completion: Completion) -> None:
    """Check a completion against what the corpus expects."""
    expect = exchange.expect or {}
    message = completion.message
    assert message.text == expect.get("text", "")
    assert message.reasoning == expect.get("reasoning_text", "")
    assert [
        {"id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ] == expect.get("tool_calls", [])
    assert completion.raw_finish == expect["finish"]
    assert completion.model == expect["model"]
    wanted = "tool_calls" if expect.get("tool_calls") else "stop"
    if "incomplete" in expect:
        wanted = {"max_output_tokens": "length"}[expect["incomplete"]]
    if "refusal" in expect:
        wanted = "content_filter"
    assert completion.finish_reason == wanted
    stated = expect["usage"]
    usage = completion.usage
    assert usage is not None
    assert usage == Usage(
        stated["input"],
        stated["output"],
        stated.get("cached", 0),
        stated.get("cache_write", usage.cache_write_tokens),
        stated.get("reasoning", 0),
    )
    assert usage.total_tokens == stated["total"]


def run(pieces: Sequence[bytes]) -> tuple[list[Delta], Any]:
    """Give the deltas, and the completion or the error, of one way to split a stream."""
    decoder = DIALECT.decoder()
    deltas: list[Delta] = []
    try:
        for piece in pieces:
            deltas += decoder.feed(piece)
        return deltas, decoder.close()
    except ProviderError as error:
        return deltas, (type(error), str(error))


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    """Split `body` at `places`."""
    return [body[a:b] for a, b in pairwise([0, *places, len(body)])]


def splits(body: bytes) -> Iterator[list[bytes]]:
    """Give ways to split: at every place, at pairs of places, in the middle of characters."""
    rng = random.Random(7)
    yield cut(body, range(1, len(body)))
    yield cut(body, [place for place, byte in enumerate(body) if byte & 0xC0 == 0x80])
    with_cr = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield cut(with_cr, [place for place, byte in enumerate(with_cr) if byte == 0x0A])
    if len(body) <= SMALL:
        yield from (cut(body, [place]) for place in range(1, len(body), STRIDE))
    pairs = [sorted(rng.sample(range(len(body)), 2)) for _ in range(40)]
    yield from (cut(body, pair) for pair in pairs)
    ends = [place for place, byte in enumerate(body) if byte == 0x0A][:12]
    yield from (cut(body, pair) for pair in combinations(ends, 2))


@pytest.mark.parametrize("exchange", named(PLAIN))
def test_a_recorded_reply_reads_as_expected(exchange: Exchange) -> None:
    """Text, reasoning, tool calls, finish, model and usage of a whole reply are right."""
    compare(exchange, DIALECT.decode(exchange.body))


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_reads_as_expected(exchange: Exchange) -> None:
    """A stream gives the expected completion, and its deltas add up to it."""
    deltas, completion = run([exchange.body])
    assert isinstance(completion, Completion), completion
    compare(exchange, completion)
    message = completion.message
    assert joined(deltas) == whole_of(message)


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_is_the_same_however_it_is_split(exchange: Exchange) -> None:
    """No boundary between pieces changes a delta, the completion or the error."""
    whole = run([exchange.body])
    for pieces in splits(exchange.body):
        assert run(pieces) == whole


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_that_is_cut_never_succeeds(exchange: Exchange) -> None:
    """Cut before its terminal event, a stream is interrupted, and the text so far is kept."""
    events = exchange.body.split(b"\n\n")
    places = [n for n, event in enumerate(events) if b'"response.completed"' in event]
    places += [n for n, event in enumerate(events) if b'"response.incomplete"' in event]
    for kept in (places[0] // 2, places[0]):
        decoder = DIALECT.decoder()
        deltas = decoder.feed(b"\n\n".join(events[:kept]) + b"\n\n")
        with pytest.raises(StreamInterruptedError) as caught:
            decoder.close()
        text = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
        assert (caught.value.partial_text or "") == text


@pytest.mark.parametrize("exchange", named(FAILURES))
def test_a_recorded_error_has_the_right_class(exchange: Exchange) -> None:
    """Status, headers and body of an error response give the labelled class."""
    error = DIALECT.classify(exchange.status, exchange.headers, exchange.body, now=NOW)
    assert exchange.error is not None, "every recorded error response has a label"
    assert isinstance(error, exchange.error), repr(error)
    assert error.status == exchange.status


@pytest.mark.parametrize("exchange", named([e for e in ALL if e.status == 200]))
def test_what_was_recorded_survives_our_own_server(exchange: Exchange) -> None:
    """Written again by the server's side, whole and streamed, a recorded reply reads the same."""
    deltas, streamed = run([exchange.body]) if exchange.stream else ([], None)
    completion = streamed or DIALECT.decode(exchange.body)
    read = DIALECT.decode(DIALECT.encode_reply(completion))
    assert read.message == completion.message
    assert (read.finish_reason, read.usage) == (completion.finish_reason, completion.usage)
    encoder = DIALECT.encoder("m")
    body = encoder.start() + b"".join([encoder.delta(delta) for delta in deltas])
    again = run([body + encoder.finish(completion)])[1]
    assert again.message == completion.message


def test_the_corpus_holds_what_it_is_said_to_hold() -> None:
    """Nothing is lost between the index and these tests."""
    index = (corpus_path() / "INDEX.tsv").read_text().splitlines()
    listed = [line for line in index if "/responses__" in line.split("\t")[0]]
    assert len(ALL) == len(listed) == len(PLAIN) + len(STREAMS) + len(FAILURES)
