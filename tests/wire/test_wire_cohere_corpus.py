"""Every recorded exchange with Cohere's second version reads as an independent reducer read it.

Its first version (``/v1/chat``) and its reranking are no shapes of this dialect.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.wire.wire_deltas import joined, whole_of
from tests.wire.wire_recordings import Exchange, corpus_path, recordings
from trio_llm.chat import (
    Completion,
    Delta,
    Embeddings,
    EmbedRequest,
    ModelList,
    Reasoning,
)
from trio_llm.errors import ProviderError
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not corpus_path().is_dir(), reason="the recorded exchanges are not beside the checkout"
    ),
]

COHERE = DIALECTS["cohere"]
ALL = [
    exchange
    for exchange in recordings()
    if exchange.provider == "cohere" and exchange.api in ("chat2", "embed", "models")
]
CHATS = [exchange for exchange in ALL if exchange.api == "chat2"]
PLAIN = [exchange for exchange in CHATS if exchange.status == 200 and not exchange.stream]
STREAMS = [exchange for exchange in CHATS if exchange.status == 200 and exchange.stream]
VECTORS = [exchange for exchange in ALL if exchange.api == "embed" and exchange.status == 200]
MODELS = [exchange for exchange in ALL if exchange.api == "models" and exchange.status == 200]
FAILURES = [exchange for exchange in ALL if exchange.status != 200]
REQUESTS = [exchange for exchange in CHATS if exchange.asked]


def named(cases: Sequence[Exchange]) -> list[Any]:
    """Give the cases with their names as test ids."""
    return [pytest.param(case, id=case.name) for case in cases]


def run_stream(pieces: Sequence[bytes]) -> tuple[list[Delta], Any]:
    """Give the deltas, and the completion or the error, of one way to split a stream."""
    decoder = COHERE.decoder()
    deltas: list[Delta] = []
    try:
        for piece in pieces:
            deltas += decoder.feed(piece)
        return deltas, decoder.close()
    except ProviderError as error:
        return deltas, (type(error), str(error))


def compare(exchange: Exchange, completion: Completion) -> None:
    """Check a completion against what the corpus expects, which counts no pictures."""
    expect = exchange.expect or {}
    plans = [
        part.text
        for part in completion.message.content
        if isinstance(part, Reasoning) and part.opaque
    ]
    assert completion.message.text == expect.get("text", "")
    wanted_thoughts = expect.get("reasoning_text", "") + expect.get("tool_plan", "")
    assert completion.message.reasoning == wanted_thoughts
    assert "".join(plans) == expect.get("tool_plan", "")
    assert [
        {"id": call.id, "name": call.name, "arguments": call.arguments}
        for call in completion.message.tool_calls
    ] == expect.get("tool_calls", [])
    assert completion.raw_finish == expect["finish"]
    assert completion.finish_reason != "unknown"
    usage, stated = completion.usage, expect["usage"]
    assert usage is not None
    pictures = 259 if b'"image_tokens":259' in exchange.body else 0
    assert usage.input_tokens == stated["input"] + pictures
    assert (usage.output_tokens, usage.cached_tokens) == (stated["output"], stated.get("cached", 0))


def test_the_recordings_are_the_ones_that_were_counted() -> None:
    """A recording that is gone or new shows here."""
    counts = (len(PLAIN), len(STREAMS), len(VECTORS), len(MODELS), len(FAILURES))
    assert counts == (9, 7, 1, 2, 5)


@pytest.mark.parametrize("exchange", named(PLAIN))
def test_a_recorded_reply_reads_as_expected(exchange: Exchange) -> None:
    """Text, thinking, plan, calls, finish and usage of a whole reply are right."""
    compare(exchange, COHERE.decode(exchange.body))


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_reads_as_expected(exchange: Exchange) -> None:
    """A stream gives the expected completion, and its deltas add up to it."""
    deltas, completion = run_stream([exchange.body])
    assert isinstance(completion, Completion), completion
    compare(exchange, completion)
    message = completion.message
    assert joined(deltas) == whole_of(message)


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_is_the_same_however_it_is_split(exchange: Exchange) -> None:
    """Pieces of every length from one byte on, and cuts all along, change nothing."""
    body = exchange.body
    whole = run_stream([body])
    for size in (1, 2, 3, 7, 37, 1024):
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        assert run_stream(pieces) == whole, size
    for cut in range(0, len(body), max(1, len(body) // len(seeds(400, share=4)))):
        assert run_stream([body[:cut], body[cut:]]) == whole, cut
    lines = body.replace(b"\n", b"\r\n")
    assert run_stream([lines[start : start + 1] for start in range(len(lines))]) == whole


@pytest.mark.parametrize("exchange", named(STREAMS))
def test_a_recorded_stream_that_is_cut_never_succeeds(exchange: Exchange) -> None:
    """However much of a stream is there before its end event, it is no reply."""
    end = exchange.body.index(b"event: message-end")
    for cut in range(0, end, max(1, end // 50)):
        _, result = run_stream([exchange.body[:cut]])
        assert not isinstance(result, Completion)


@pytest.mark.parametrize("exchange", named(FAILURES))
def test_a_recorded_error_has_the_right_class(exchange: Exchange) -> None:
    """Status and body of an error response give the labelled class and an identifier."""
    error = COHERE.classify(exchange.status, exchange.headers, exchange.body, now=0.0)
    assert exchange.error is not None
    assert isinstance(error, exchange.error), repr(error)
    assert error.request_id


@pytest.mark.parametrize("exchange", named(VECTORS))
def test_recorded_vectors_read_as_expected(exchange: Exchange) -> None:
    """Number and length of the vectors are those of the corpus."""
    operation = EmbedRequest(texts=exchange.asked["texts"])
    result = COHERE.operations[EmbedRequest].decode(exchange.body, operation)
    assert isinstance(result, Embeddings)
    expect = exchange.expect or {}
    assert (len(result), result.dimensions) == (expect["n_vectors"], expect["dims"])
    assert result.usage is not None
    assert result.usage.input_tokens == 7


@pytest.mark.parametrize("exchange", named(VECTORS))
def test_a_request_to_embed_is_the_recorded_one(exchange: Exchange) -> None:
    """What we write for the same texts is what the recorded client wrote."""
    operation = EmbedRequest(texts=exchange.asked["texts"], dimensions=1024)
    outgoing = COHERE.operations[EmbedRequest].encode(operation, model=exchange.asked["model"])
    assert json.loads(outgoing.body) == exchange.asked


@pytest.mark.parametrize("exchange", named(MODELS))
def test_recorded_models_are_read(exchange: Exchange) -> None:
    """Names and context windows come out of both responses."""
    operation = exchange.operation
    assert operation is not None
    result = COHERE.operations[type(operation)].decode(exchange.body, operation)
    assert isinstance(result, ModelList)
    assert result.models
    assert all(info.id and info.context_window for info in result.models)


@pytest.mark.parametrize("exchange", named(REQUESTS))
def test_a_recorded_request_is_read_by_the_server_and_written_again(exchange: Exchange) -> None:
    """Requests of other clients are understood; writing what was read says the same."""
    incoming = COHERE.parse("/v2/chat", json.dumps(exchange.asked).encode())
    again = COHERE.encode(incoming.request, model=incoming.model, stream=incoming.stream)
    twice = COHERE.parse(again.path, again.body)
    assert twice.request.messages == incoming.request.messages
    assert (twice.model, twice.stream) == (incoming.model, exchange.asked.get("stream", False))
    assert len(twice.request.tools) == len(exchange.asked.get("tools", []))
    assert (twice.request.output is not None) is ("response_format" in exchange.asked)
