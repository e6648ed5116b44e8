"""What can be asked of Cohere besides a conversation."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Capability,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelList,
    Operation,
    OperationResult,
    ShowModel,
    Usage,
)
from trio_llm.errors import MalformedResponseError, ServerError
from trio_llm.wire import DIALECTS

OPERATIONS = DIALECTS["cohere"].operations
TWO = EmbedRequest(texts=("a", "b"))
MODEL = {
    "name": "command-a",
    "endpoints": ["generate", "chat", "embed"],
    "finetuned": False,
    "context_length": 288000.0,
    "tokenizer_url": "https://x",
    "features": ["tools", "vision", "json_schema", "safety_modes"],
}


def encode(operation: Operation, model: str = "m") -> Any:
    """Give what goes on the wire."""
    return OPERATIONS[type(operation)].encode(operation, model=model)


def decode(operation: Operation, body: Any) -> OperationResult:
    """Read a response, written as JSON."""
    return OPERATIONS[type(operation)].decode(json.dumps(body).encode(), operation)


def test_what_can_be_asked() -> None:
    """Embeddings and models; moderation and token counts have no such interface."""
    assert set(OPERATIONS) == {EmbedRequest, ListModels, ShowModel}
    assert all(codec.decoder(TWO) is None for codec in OPERATIONS.values())


@pytest.mark.parametrize(
    ("purpose", "word"),
    [
        (None, "search_document"),
        ("document", "search_document"),
        ("query", "search_query"),
        ("classification", "classification"),
        ("clustering", "clustering"),
    ],
)
def test_a_request_to_embed(purpose: Any, word: str) -> None:
    """The purpose is always told, because the interface demands one."""
    asked = EmbedRequest(
        texts=("a", "b"), dimensions=256, purpose=purpose, extra={"cohere": {"truncate": "NONE"}}
    )
    outgoing = encode(asked)
    assert (outgoing.method, outgoing.path) == ("POST", "/v2/embed")
    assert json.loads(outgoing.body) == {
        "model": "m",
        "texts": ["a", "b"],
        "input_type": word,
        "embedding_types": ["float"],
        "output_dimension": 256,
        "truncate": "NONE",
    }


@pytest.mark.parametrize(
    "embeddings",
    [
        {"float": [[1, 0.5], [0, -1]]},
        {"base64": ["AACAPwAAAD8=", "AAAAAAAAgL8="]},
        [[1, 0.5], [0, -1]],
    ],
)
def test_vectors_are_read_in_order(embeddings: Any) -> None:
    """Every shape of the response gives the same vectors."""
    meta = {"billed_units": {"input_tokens": 7}}
    result = decode(TWO, {"id": "e", "embeddings": embeddings, "meta": meta})
    assert isinstance(result, Embeddings)
    assert result.vectors == ((1.0, 0.5), (0.0, -1.0))
    assert result.usage == Usage(7)


def test_tokens_come_before_billed_units() -> None:
    """The model's own count is preferred, and none is none."""
    vectors = {"embeddings": {"float": [[1], [2]]}}
    meta = {"tokens": {"input_tokens": 9}, "billed_units": {"input_tokens": 7}}
    assert decode(TWO, {**vectors, "meta": meta}).usage == Usage(9)
    assert decode(TWO, vectors).usage is None


@pytest.mark.parametrize(
    "embeddings",
    [
        None,
        "x",
        {"float": [[1.0]]},
        {"float": [[1.0], [2.0], [3.0]]},
        {"float": [[1.0], [1.0, 2.0]]},
        {"float": [[1.0], []]},
        {"float": [[1.0], ["x"]]},
        {"float": [[1.0], [True]]},
        {"float": [[1.0], [10**400]]},
        {"float": [[1.0], None]},
        {"int8": [[1], [2]]},
    ],
)
def test_vectors_that_are_missing_or_none_are_malformed(embeddings: Any) -> None:
    """Too few, too many, of several lengths or not of numbers: never a guess."""
    with pytest.raises(MalformedResponseError):
        decode(TWO, {"embeddings": embeddings})


@pytest.mark.parametrize("operation", [TWO, ListModels(), ShowModel(model="m")])
def test_an_error_inside_a_200_is_raised(operation: Operation) -> None:
    """The flat error shape is no result."""
    with pytest.raises(ServerError, match="it broke"):
        decode(operation, {"id": "e", "message": "it broke"})


def test_the_list_of_models() -> None:
    """Endpoints and features are capabilities; nothing is said of prices."""
    outgoing = encode(ListModels(), "")
    assert (outgoing.method, outgoing.path) == ("GET", "/v1/models?page_size=1000")
    result = decode(ListModels(), {"models": [MODEL, {"endpoints": ["chat"]}, 3, {"name": "bare"}]})
    assert isinstance(result, ModelList)
    first, bare = result.models
    assert first.id == "command-a"
    assert first.context_window == 288_000
    assert first.capabilities == frozenset(
        {
            Capability.CHAT,
            Capability.TEXT_GENERATION,
            Capability.EMBEDDING,
            Capability.TOOLS,
            Capability.VISION,
            Capability.STRUCTURED_OUTPUT,
        }
    )
    assert first.price is None
    assert first.details["finetuned"] is False
    assert (bare.id, bare.capabilities, bare.context_window) == ("bare", None, None)


def test_one_model() -> None:
    """A name with a slash is one segment of the path."""
    outgoing = encode(ShowModel(model="a/b"), "a/b")
    assert (outgoing.method, outgoing.path) == ("GET", "/v1/models/a%2Fb")
    result = decode(ShowModel(model="command-a"), MODEL)
    assert isinstance(result, ModelList)
    assert [info.id for info in result.models] == ["command-a"]


@pytest.mark.parametrize("operation", [ListModels(), ShowModel(model="m")])
@pytest.mark.parametrize("body", [{}, [], {"models": 3}, "x"])
def test_a_response_without_models_is_malformed(operation: Operation, body: Any) -> None:
    """An answer of another shape is not an empty list."""
    with pytest.raises(MalformedResponseError):
        decode(operation, body)
