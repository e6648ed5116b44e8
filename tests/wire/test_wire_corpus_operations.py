"""Whatever bytes an operation is answered with, they give a value or a typed error."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trio_llm.chat import (
    OPERATIONS,
    CountRequest,
    DeleteModel,
    EmbedRequest,
    ListModels,
    ModerateRequest,
    Operation,
    OperationResult,
    PullModel,
    Request,
    ShowModel,
)
from trio_llm.errors import ProviderError
from trio_llm.testing import seeds
from trio_llm.wire import DIALECTS, OperationCodec, ProgressDecoder

ASKED: dict[type[Operation], Operation] = {
    EmbedRequest: EmbedRequest(model="m", texts=("a", "b")),
    ModerateRequest: ModerateRequest(model="m", texts=("a", "b")),
    CountRequest: CountRequest(model="m", request=Request(messages="hi")),
    ListModels: ListModels(),
    ShowModel: ShowModel(model="m"),
    PullModel: PullModel(model="m"),
    DeleteModel: DeleteModel(model="m"),
}
CODECS = [
    pytest.param(codec, ASKED[kind], id=f"{name}-{kind.__name__}")
    for name, dialect in DIALECTS.items()
    for kind, codec in dialect.operations.items()
]
WORDS = (
    "data",
    "models",
    "id",
    "name",
    "model",
    "object",
    "embedding",
    "embeddings",
    "float",
    "values",
    "index",
    "usage",
    "results",
    "flagged",
    "categories",
    "category_scores",
    "input_tokens",
    "totalTokens",
    "prompt_eval_count",
    "capabilities",
    "completion",
    "supported",
    "image_input",
    "details",
    "model_info",
    "general.architecture",
    "llama.context_length",
    "pricing",
    "status",
    "success",
    "error",
    "result",
    "size",
    "total",
    "completed",
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)
    ),
    max_leaves=20,
)
QUICK = settings(
    max_examples=len(seeds(60, share=3)),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def read_whole(codec: OperationCodec, operation: Operation, body: bytes) -> Any:
    """Give what a body read at once is, or the error."""
    try:
        return codec.decode(body, operation)
    except ProviderError as error:
        return error


def read_bytes(decoder: ProgressDecoder, body: bytes) -> Any:
    """Give what a body read byte by byte is, or the error."""
    try:
        for place in range(len(body)):
            decoder.feed(body[place : place + 1])
        return decoder.close()
    except ProviderError as error:
        return error


def check(codec: OperationCodec, operation: Operation, body: bytes) -> None:
    """Read a body whole and, where there are events, byte by byte."""
    outcomes = [read_whole(codec, operation, body)]
    decoder = codec.decoder(operation)
    if decoder is not None:
        outcomes.append(read_bytes(decoder, body))
    for outcome in outcomes:
        if isinstance(outcome, ProviderError):
            assert 0 < len(outcome.message) <= 500
        else:
            assert isinstance(outcome, OperationResult)


def test_every_operation_is_tried() -> None:
    """An operation that is added without an example here is noticed."""
    assert set(ASKED) == OPERATIONS


@pytest.mark.parametrize(("codec", "operation"), CODECS)
@given(body=st.binary(max_size=200))
@QUICK
def test_arbitrary_bytes(codec: OperationCodec, operation: Operation, body: bytes) -> None:
    """No bytes raise anything but a provider's error."""
    check(codec, operation, body)


@pytest.mark.parametrize(("codec", "operation"), CODECS)
@given(value=VALUES)
@QUICK
def test_arbitrary_values(codec: OperationCodec, operation: Operation, value: Any) -> None:
    """No JSON does either, least of all one that uses the right words."""
    check(codec, operation, json.dumps(value).encode())


@pytest.mark.parametrize(("codec", "operation"), CODECS)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"data":' * 50_000,
        b'{"models":[{"name":"' + b"x" * 1_000_000,
        b"\xff" * 1000,
        b'{"error":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"1" * 100_000,
    ],
    ids=["deep", "deeper", "long", "no text", "deep error", "number"],
)
def test_bodies_beyond_measure(codec: OperationCodec, operation: Operation, body: bytes) -> None:
    """Depth, length and huge numbers end in an error and not in a crash."""
    with pytest.raises(ProviderError):
        codec.decode(body, operation)
