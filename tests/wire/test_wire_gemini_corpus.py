"""Every recorded exchange with Gemini, and with Vertex, reads as recorded."""

import json
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.wire.wire_deltas import joined, whole_of
from trio_llm.chat import (
    Completion,
    CountRequest,
    Delta,
    Embeddings,
    EmbedRequest,
    Message,
    Request,
    TokenCount,
    Usage,
)
from trio_llm.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
)
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS
from trio_llm.wire.gemini.names import FINISH_NUMBERS
from trio_llm.wire.gemini.replies import parts_of
from trio_llm.wire.values import as_list, as_object

CORPUS = Path(
    os.environ.get(
        "TRIO_LLM_WIRE_CORPUS", Path(__file__).parents[2].parent / "shared" / "wire-corpus"
    )
)
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not CORPUS.is_dir(), reason="the recorded exchanges are not beside the checkout"
    ),
]

GEMINI = DIALECTS["gemini"]
ERRORS: dict[str, type[ProviderError]] = {
    "authentication": AuthenticationError,
    "context_length": ContextLengthError,
    "invalid_request": InvalidRequestError,
    "malformed_response": MalformedResponseError,
    "model_not_found": ModelNotFoundError,
    "permission": PermissionDeniedError,
    "rate_limit": RateLimitError,
}
ENDS_EVERYWHERE = "vertex/generate__refused_stream__04"
"""Its server gave a finish reason in every chunk, so that a cut between two does not show."""


SMALL = 3000
"""Bytes below which a stream is split at every single place."""

STRIDE = max(1, SMALL // len(seeds(SMALL, share=5)))
"""Bytes between these places: one, and five in everyday runs."""


def recorded() -> dict[str, Any]:
    """Give the recordings of both providers by name."""
    paths = [path for name in ("gemini", "vertex") for path in sorted(CORPUS.glob(f"{name}/*"))]
    return {f"{path.parent.name}/{path.stem}": json.loads(path.read_bytes()) for path in paths}


ALL = recorded()
ANSWERS = {name: record for name, record in ALL.items() if record["api"] == "generate"}
FAILURES = {
    name: record
    for name, record in ALL.items()
    if record["response"]["status"] != 200 and record["api"] != "chat"
}
GOOD = {
    name: record
    for name, record in ANSWERS.items()
    if record["response"]["status"] == 200 and not record.get("error_class")
}
STREAMS = [name for name, record in GOOD.items() if record["stream"]]
MALFORMED = [
    name for name, record in ANSWERS.items() if record.get("error_class") == "malformed_response"
]


def body_of(name: str) -> bytes:
    """Give the body of a recorded response."""
    return bytes(ALL[name]["response"]["body"].encode())


def read(body: bytes, cuts: Sequence[int]) -> tuple[list[Delta], Completion | tuple[type, str]]:
    """Give the deltas, and the completion or the error, of one way to split a stream."""
    decoder = GEMINI.decoder()
    deltas: list[Delta] = []
    try:
        for start, end in pairwise([0, *cuts, len(body)]):
            deltas += decoder.feed(body[start:end])
        return deltas, decoder.close()
    except ProviderError as error:
        return deltas, (type(error), str(error))


def completion_of(name: str) -> Completion:
    """Read a recorded answer in one piece."""
    if not ALL[name]["stream"]:
        return GEMINI.decode(body_of(name))
    _, result = read(body_of(name), ())
    assert isinstance(result, Completion), result
    return result


def expected_usage(name: str) -> Usage | None:
    """Give the usage that our meaning makes of the recorded numbers."""
    raw = ALL[name]["expect"].get("usage")
    if raw is None:
        return None
    thoughts = raw.get("reasoning", 0)
    written = raw.get("output", 0) + thoughts
    # What the provider's own tools read in is in the total only.
    given = raw["total"] - written if "total" in raw else raw.get("input", 0)
    return Usage(given, written, raw.get("cached", 0), 0, thoughts)


@pytest.mark.parametrize("name", GOOD)
def test_a_recorded_answer_reads_as_expected(name: str) -> None:
    """Text, thoughts, calls, finish, model and usage are those of an independent reducer."""
    expect = ALL[name]["expect"]
    completion = completion_of(name)
    message = completion.message
    assert message.text == expect["text"]
    assert message.reasoning == expect.get("reasoning_text", "")
    calls = expect.get("tool_calls", [])
    assert [(call.name, call.arguments) for call in message.tool_calls] == [
        (call["name"], call["arguments"]) for call in calls
    ]
    # None of the recorded calls has an identifier: each is given one of its own.
    assert {call["id"] for call in calls} <= {None}
    assert len({call.id for call in message.tool_calls}) == len(calls)
    finish = expect.get("finish", expect.get("block_reason"))
    assert completion.raw_finish == (FINISH_NUMBERS[finish] if type(finish) is int else finish)
    assert completion.model == expect.get("model")
    assert completion.usage == expected_usage(name)


@pytest.mark.parametrize("name", [name for name, record in GOOD.items() if not record["stream"]])
def test_a_recorded_turn_goes_back_as_it_came(name: str) -> None:
    """The parts that the client sends back are the recorded ones, signatures and all."""
    candidates = as_list(json.loads(body_of(name)).get("candidates")) or [{}]
    parts = parts_of(as_object(candidates[0]))
    message = completion_of(name).message
    request = Request(messages=[Message("user", "hi"), message])
    body = json.loads(GEMINI.encode(request, model="gemini-2.5-flash", stream=False).body)
    turns = [{"parts": turn["parts"]} for turn in body["contents"][1:]]
    written = parts_of({"content": turns[0]}) if turns else []
    for part in written:
        # The one thing that is added: an identifier where the provider gave none.
        as_object(part.get("functionCall")).pop("id", None)
    for part in parts:
        as_object(part.get("functionCall")).setdefault("args", {})
    assert written == parts
    assert GEMINI.decode(GEMINI.encode_reply(completion_of(name))).message == message


@pytest.mark.parametrize("name", STREAMS)
def test_the_deltas_of_a_recorded_stream_add_up(name: str) -> None:
    """What is given piece by piece is what the completion says."""
    deltas, result = read(body_of(name), ())
    assert isinstance(result, Completion)
    message = result.message
    assert joined(deltas) == whole_of(message)


def splits(body: bytes) -> Iterator[Sequence[int]]:
    """Give ways to split: at every byte, once at each byte of a small body, in odd pieces."""
    yield range(1, len(body))
    yield range(37, len(body), 37)
    if len(body) < SMALL:
        for place in range(1, len(body), STRIDE):
            yield (place,)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_recorded_stream_is_the_same_however_it_is_split(name: str, end: bytes) -> None:
    """No boundary between pieces changes a delta or the completion, with either line end."""
    body = body_of(name).replace(b"\r\n", b"\n").replace(b"\n", end)
    whole = read(body, ())
    for cuts in splits(body):
        assert read(body, cuts) == whole


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_that_is_cut_never_succeeds(name: str) -> None:
    """A part of a stream ends in an error, not in a shorter reply."""
    body = body_of(name)
    for third in (len(body) // 3, 2 * len(body) // 3):
        if name != ENDS_EVERYWHERE:
            assert not isinstance(read(body[:third], ())[1], Completion)


@pytest.mark.parametrize("name", FAILURES)
def test_a_recorded_error_has_the_right_class(name: str) -> None:
    """Status and body of an error response give the labelled class."""
    response = FAILURES[name]["response"]
    error = GEMINI.classify(response["status"], {}, body_of(name), now=0.0)
    assert type(error) is ERRORS[FAILURES[name]["error_class"]]
    assert error.status == response["status"]
    assert 0 < len(error.message) <= 500
    assert error.code is not None
    assert not error.code.isdecimal()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_recorded_answer_that_is_none_is_malformed(name: str) -> None:
    """Valid JSON that holds no answer is an error."""
    if ALL[name]["stream"]:
        _, result = read(body_of(name), ())
        assert isinstance(result, tuple)
        assert result[0] is MalformedResponseError
    else:
        with pytest.raises(MalformedResponseError):
            GEMINI.decode(body_of(name))


@pytest.mark.parametrize("name", ["gemini/embed__embeddings__01", "vertex/embed__embeddings__01"])
def test_recorded_vectors(name: str) -> None:
    """A batch of one, and Vertex's single form."""
    codec = GEMINI.operations[EmbedRequest]
    result = codec.decode(body_of(name), EmbedRequest(texts="x"))
    assert isinstance(result, Embeddings)
    assert result.dimensions == ALL[name]["expect"]["dims"]


def test_a_recorded_token_count() -> None:
    """It is exact."""
    codec = GEMINI.operations[CountRequest]
    body = body_of("gemini/count_tokens__count_tokens__01")
    result = codec.decode(body, CountRequest(request=Request(messages="x")))
    assert isinstance(result, TokenCount)
    assert (result.tokens, result.exact) == (8, True)


def test_the_exception_is_still_recorded() -> None:
    """The stream that cannot show a cut is one of those that are read."""
    assert ENDS_EVERYWHERE in STREAMS
