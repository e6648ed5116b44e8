"""Every recorded exchange reads as an independent reducer read it, however it is split."""

import json
import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import attrs
import pytest

from tests.wire.wire_corpus import Exchange, corpus_path, exchanges, expected_usage
from trio_llm.chat import (
    Completion,
    Delta,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from trio_llm.errors import ProviderError
from trio_llm.wire import DIALECTS

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not corpus_path().is_dir(), reason="the recorded exchanges are not beside the checkout"
    ),
]

NOW = 1_795_000_000.0

_PARSED = "the answer came as an object, which is given as JSON text rather than dropped"
DIFFERS: dict[str, tuple[str, str]] = {
    "cloudflare/chat__schema__01": ("text", _PARSED),
    "cloudflare/chat__schema__02": ("text", _PARSED),
    "cloudflare/chat__schema__03": ("text", _PARSED),
    "gemini/chat__tools__01": ("tool_calls", "a call without an identifier is given one"),
    "openai/chat__tools__02": ("tool_calls", "a call in the older form is a tool call here"),
}
"""Exchange to (the field that truly differs, why); a listed one that agrees fails."""

ALL = exchanges()
PLAIN = [e for e in ALL if e.status == 200 and not e.stream and e.expect]
STREAMS = [e for e in ALL if e.status == 200 and e.stream and e.expect]
FAILURES = [e for e in ALL if e.status != 200]
IN_BAND = [
    e
    for e in ALL
    if e.status == 200 and (e.expect is None or e.error or e.expect.get("stream_error"))
]


def named(cases: Sequence[Exchange]) -> list[Any]:
    """Give the cases with their names as test ids."""
    return [pytest.param(case, id=case.name) for case in cases]


def arguments(call: Any) -> Any:
    """Give a call's arguments the way the corpus writes those that are no object."""
    if call.is_valid:
        return call.arguments
    try:
        return json.loads(call.raw)
    except ValueError:
        return {"__raw__": call.raw}


def observed(completion: Completion) -> dict[str, Any]:
    """Give the fields that the corpus has an opinion about."""
    return {
        "text": completion.message.text,
        "reasoning_text": completion.message.reasoning,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": arguments(call)}
            for call in completion.message.tool_calls
        ],
        "finish": completion.raw_finish,
        "model": completion.model,
        "usage": completion.usage,
    }


def compare(exchange: Exchange, completion: Completion) -> None:
    """Check a completion against what the corpus expects."""
    expect = exchange.expect or {}
    seen = observed(completion)
    wanted = {
        "text": expect.get("text", ""),
        "reasoning_text": expect.get("reasoning_text", ""),
        "tool_calls": expect.get("tool_calls", []),
        "finish": expect.get("finish"),
        "model": expect.get("model") or None,
    }
    usage = expected_usage(exchange)
    if usage is not None:
        # The corpus leaves out what a provider calls by an unusual name.
        stated = expect["usage"]
        given = completion.usage or usage
        wanted["usage"] = attrs.evolve(
            usage,
            cached_tokens=usage.cached_tokens if "cached" in stated else given.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens
            if "cache_write" in stated
            else given.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens
            if "reasoning" in stated
            else given.reasoning_tokens,
        )
    wrong = {field: (seen[field], value) for field, value in wanted.items() if seen[field] != value}
    if exchange.name in DIFFERS:
        field, _ = DIFFERS[exchange.name]
        assert list(wrong) == [field], "the list of differences is out of date"
    else:
        assert wrong == {}


def run_stream(exchange: Exchange, pieces: Sequence[bytes]) -> tuple[list[Delta], Any]:
    """Give the deltas, and the completion or the error, of one way to split a stream."""
    decoder = DIALECTS[exchange.dialect].decoder()
    deltas: list[Delta] = []
    try:
        for piece in pieces:
            deltas += decoder.feed(piece)
        return deltas, decoder.close()
    except ProviderError as error:
        return deltas, (type(error), str(error))


def read_whole(exchange: Exchange) -> Completion:
    """Read an exchange in one piece."""
    dialect = DIALECTS[exchange.dialect]
    if not exchange.stream:
        return dialect.decode(exchange.body)
    decoder = dialect.decoder()
    decoder.feed(exchange.body)
    return decoder.close()


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


@pytest.mark.parametrize("exchange", named(PLAIN))
def test_a_recorded_reply_reads_as_expected(exchange: Exchange) -> None:
    """Text, reasoning, tool calls, finish, model and usage of a whole reply are right."""
    compare(exchange, DIALECTS[exchange.dialect].decode(exchange.body))


@pytest.mark.parametrize(
    "exchange", named([e for e in STREAMS if not (e.expect or {}).get("stream_error")])
)
def test_a_recorded_stream_reads_as_expected(exchange: Exchange) -> None:
    """A stream gives the expected completion, and its deltas add up to it."""
    deltas, completion = run_stream(exchange, [exchange.body])
    assert isinstance(completion, Completion), completion
    compare(exchange, completion)
    message = completion.message
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == message.text
    assert "".join(d.text for d in deltas if isinstance(d, ReasoningDelta)) == message.reasoning
    written = [""] * len(message.tool_calls)
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            written[delta.index] += delta.arguments
    assert written == [call.raw for call in message.tool_calls]


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_is_the_same_however_it_is_split(exchange: Exchange) -> None:
    """No boundary between pieces changes a delta, the completion or the error."""
    body = exchange.body if len(exchange.body) < 40_000 else exchange.body[:40_000]
    whole = run_stream(exchange, [body])
    for name, pieces in splits(body):
        assert run_stream(exchange, pieces) == whole, name


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_that_is_cut_never_succeeds(exchange: Exchange) -> None:
    """The first half of a stream ends in an error, not in a shorter reply."""
    _, result = run_stream(exchange, [exchange.body[: len(exchange.body) // 3]])
    assert not isinstance(result, Completion)


@pytest.mark.parametrize("exchange", named(FAILURES))
def test_a_recorded_error_has_the_right_class(exchange: Exchange) -> None:
    """Status, headers and body of an error response give the labelled class."""
    error = DIALECTS[exchange.dialect].classify(
        exchange.status, exchange.headers, exchange.body, now=NOW
    )
    assert exchange.error is not None, "every recorded error response has a label"
    assert isinstance(error, exchange.error), repr(error)
    assert error.status == exchange.status
    assert 0 < len(error.message) <= 500
    assert "\n" not in error.message


@pytest.mark.parametrize("exchange", named(IN_BAND))
def test_a_recorded_error_inside_a_200_is_raised(exchange: Exchange) -> None:
    """An error in the body, or in the stream, of a 200 is an error of its class."""
    with pytest.raises(ProviderError) as caught:
        read_whole(exchange)
    if exchange.error is not None:
        assert isinstance(caught.value, exchange.error)


def test_the_list_of_differences_names_recorded_exchanges() -> None:
    """An exchange that is gone from the corpus is gone from the list."""
    assert set(DIFFERS) <= {exchange.name for exchange in ALL}
