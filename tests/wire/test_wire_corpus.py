"""Every recorded exchange reads as an independent reducer read it, however it is split."""

import itertools
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from tests.wire.wire_corpus import (
    PINNED,
    dialect_of,
    differences,
    is_failure,
    is_supported,
    read_whole,
)
from tests.wire.wire_deltas import joined, whole_of
from tests.wire.wire_recordings import Exchange, corpus_path, recordings
from trio_llm.chat import Completion, Delta
from trio_llm.errors import ProviderError
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not corpus_path().is_dir(), reason="the recorded exchanges are not beside the checkout"
    ),
]

ALL = [exchange for exchange in recordings() if is_supported(exchange)]
STREAMS = [e for e in ALL if e.status == 200 and e.stream and e.operation is None]
WHOLE_STREAMS = [e for e in STREAMS if not is_failure(e)]
FAILURES = [e for e in ALL if e.status != 200]
IN_BAND = [e for e in ALL if e.status == 200 and is_failure(e)]
OPERATIONS = [e for e in ALL if e.operation is not None and e.status == 200]

LONGEST = 40_000
"""Bytes of a stream that are split in every way; some are half a megabyte."""

MOST_PLACES = min(200, len(seeds(200, share=4)))
"""Places for pairs of cuts in one stream: 19900 pairs, and 1225 of them in everyday runs."""


def named(cases: Sequence[Exchange]) -> list[Any]:
    """Give the cases with their names as test ids."""
    return [pytest.param(case, id=case.name) for case in cases]


def run_stream(exchange: Exchange, pieces: Sequence[bytes]) -> tuple[list[Delta], Any]:
    """Give the deltas, and the completion or the error, of one way to split a stream."""
    decoder = dialect_of(exchange).decoder()
    deltas: list[Delta] = []
    try:
        for piece in pieces:
            deltas += decoder.feed(piece)
        return deltas, decoder.close()
    except ProviderError as error:
        return deltas, (type(error), str(error))


def at_every(body: bytes, *marks: bytes) -> list[bytes]:
    """Split `body` in the middle of, before and after every one of `marks`."""
    cuts = {0, len(body)}
    for mark in marks:
        start = body.find(mark)
        while start >= 0:
            cuts.update(range(start, start + len(mark) + 1))
            start = body.find(mark, start + 1)
    places = sorted(cuts)
    return [body[left:right] for left, right in pairwise(places)]


def splits(body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Give one way to split for every kind of boundary."""
    yield "every byte", [body[i : i + 1] for i in range(len(body))]
    yield "line ends", at_every(body, b"\n")
    with_cr = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield "between \\r and \\n", at_every(with_cr, b"\r\n")
    middle = [i for i, byte in enumerate(body) if byte & 0xC0 == 0x80]
    cuts = [0, *middle, len(body)]
    yield "mid-UTF-8", [body[a:b] for a, b in pairwise(cuts)]
    yield "mid-line", [body[i : i + 37] for i in range(0, len(body), 37)]
    for seed in range(3):
        rng = random.Random(seed)
        cuts = sorted(rng.sample(range(len(body) + 1), min(40, len(body))))
        cuts = [0, *cuts, len(body)]
        yield f"seed {seed}", [body[a:b] for a, b in pairwise(cuts)]


def telling_places(body: bytes) -> list[int]:
    """Give the places to cut at: all, or those beside line ends and inside of letters first."""
    if len(body) <= MOST_PLACES:
        return list(range(1, len(body)))
    ends = [i for i, byte in enumerate(body) if byte == 0x0A]
    beside = {place + step for place in ends for step in (-1, 0, 1, 2)}
    inside = {i for i, byte in enumerate(body) if byte & 0xC0 == 0x80}
    rng = random.Random(len(body))
    first = sorted(place for place in beside | inside if 0 < place < len(body))
    if len(first) > MOST_PLACES // 2:
        first = rng.sample(first, MOST_PLACES // 2)
    others = sorted(set(range(1, len(body))) - set(first))
    return sorted({*first, *rng.sample(others, MOST_PLACES - len(first))})


def smallest_streams() -> list[Exchange]:
    """Give the shortest streams of each dialect that end well: at most three, of 10 kB."""
    short = [exchange for exchange in WHOLE_STREAMS if len(exchange.body) < 10_000]
    ranked = sorted(short, key=lambda exchange: len(exchange.body))
    return [e for name in DIALECTS for e in [r for r in ranked if r.dialect == name][:3]]


@pytest.mark.parametrize("exchange", named(ALL))
def test_a_recorded_exchange_reads_as_expected(exchange: Exchange) -> None:
    """Whatever it is, what is read agrees with the recording but for what the table names."""
    wrong = differences(exchange)
    if exchange.name in PINNED:
        assert set(wrong) == PINNED[exchange.name][0], "the table of differences is out of date"
    else:
        assert wrong == {}


@pytest.mark.parametrize("exchange", named(WHOLE_STREAMS))
def test_the_deltas_of_a_recorded_stream_add_up(exchange: Exchange) -> None:
    """Text, reasoning and arguments of the completion are those of its deltas joined."""
    deltas, completion = run_stream(exchange, [exchange.body])
    assert isinstance(completion, Completion), completion
    message = completion.message
    assert joined(deltas) == whole_of(message)


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_is_the_same_however_it_is_split(exchange: Exchange) -> None:
    """No boundary between pieces changes a delta, the completion or the error."""
    body = exchange.body[:LONGEST]
    whole = run_stream(exchange, [body])
    for name, pieces in splits(body):
        assert run_stream(exchange, pieces) == whole, name


@pytest.mark.parametrize("exchange", named(smallest_streams()))
def test_a_recorded_stream_is_the_same_at_every_pair_of_cuts(exchange: Exchange) -> None:
    """No two boundaries together change anything."""
    body = exchange.body
    whole = run_stream(exchange, [body])
    for left, right in itertools.combinations(telling_places(body), 2):
        pieces = [body[:left], body[left:right], body[right:]]
        assert run_stream(exchange, pieces) == whole, (left, right)


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_that_is_cut_never_succeeds(exchange: Exchange) -> None:
    """The first third of a stream ends in an error, not in a shorter reply."""
    _, result = run_stream(exchange, [exchange.body[: len(exchange.body) // 3]])
    assert not isinstance(result, Completion)


@pytest.mark.parametrize("exchange", named(FAILURES))
def test_a_recorded_error_is_presentable(exchange: Exchange) -> None:
    """It has a label, and its message is one line of bounded length."""
    error = dialect_of(exchange).classify(
        exchange.status, exchange.headers, exchange.body, now=1_795_000_000.0
    )
    assert exchange.error is not None, "every recorded error response has a label"
    assert error.status == exchange.status
    assert 0 < len(error.message) <= 500
    assert "\n" not in error.message


@pytest.mark.parametrize("exchange", named(IN_BAND))
def test_a_recorded_error_inside_a_200_is_raised(exchange: Exchange) -> None:
    """An error in the body, or in the stream, of a 200 is an error and no value."""
    with pytest.raises(ProviderError):
        read_whole(exchange)


@pytest.mark.parametrize("exchange", named(OPERATIONS))
def test_a_recorded_answer_that_is_cut_is_no_answer(exchange: Exchange) -> None:
    """Half a list of vectors or models is none."""
    codec = dialect_of(exchange).operations[type(exchange.operation)]  # type: ignore[index]
    assert exchange.operation is not None
    with pytest.raises(ProviderError):
        codec.decode(exchange.body[: len(exchange.body) // 2], exchange.operation)


def test_the_table_of_differences_names_recorded_exchanges() -> None:
    """An exchange that is gone from the corpus is gone from the table."""
    assert set(PINNED) <= {exchange.name for exchange in recordings()}
