"""Embeddings, token counts and models of Gemini."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Capability,
    CountRequest,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelInfo,
    ModelList,
    Operation,
    OperationResult,
    Request,
    ShowModel,
    TokenCount,
    Tool,
    Usage,
)
from trio_llm.errors import InvalidRequestError, MalformedResponseError, OverloadedError
from trio_llm.wire import DIALECTS, Outgoing

CODECS = DIALECTS["gemini"].operations
VERTEX = "publishers/google/models/gemini-embedding-2"
COUNT = CountRequest(request=Request(messages="hi", max_tokens=5))


def encode(operation: Operation, model: str = "m") -> Outgoing:
    """Write an operation."""
    return CODECS[type(operation)].encode(operation, model=model)


def body_of(operation: Operation, model: str = "m") -> Any:
    """Give the body of an operation, read back."""
    return json.loads(encode(operation, model).body)


def decode(operation: Operation, value: Any) -> OperationResult:
    """Read the answer to an operation."""
    return CODECS[type(operation)].decode(json.dumps(value).encode(), operation)


def test_what_can_be_asked() -> None:
    """There is no moderation, and nothing to pull or delete; nothing is streamed."""
    assert set(CODECS) == {EmbedRequest, CountRequest, ListModels, ShowModel}
    for operation in (EmbedRequest(texts="x"), COUNT, ListModels(), ShowModel(model="m")):
        assert CODECS[type(operation)].decoder(operation) is None


def test_texts_are_embedded_in_one_batch() -> None:
    """Each text is a request of its own that names the model again."""
    operation = EmbedRequest(
        texts=["a", "b"],
        dimensions=8,
        purpose="query",
        user="u",
        extra={"gemini": {"title": "t"}},
    )
    common = {
        "model": "models/m",
        "taskType": "RETRIEVAL_QUERY",
        "outputDimensionality": 8,
        "title": "t",
    }
    assert encode(operation).path == "/models/m:batchEmbedContents"
    assert body_of(operation) == {
        "requests": [
            {"content": {"parts": [{"text": "a"}]}, **common},
            {"content": {"parts": [{"text": "b"}]}, **common},
        ]
    }


@pytest.mark.parametrize(
    ("purpose", "task"),
    [
        ("query", "RETRIEVAL_QUERY"),
        ("document", "RETRIEVAL_DOCUMENT"),
        ("classification", "CLASSIFICATION"),
        ("clustering", "CLUSTERING"),
    ],
)
def test_each_purpose_has_its_task(purpose: Any, task: str) -> None:
    """The provider's word for what the vectors are for."""
    body = body_of(EmbedRequest(texts="x", purpose=purpose))
    assert body["requests"][0]["taskType"] == task


def test_vertex_embeds_one_text() -> None:
    """It has no batch: one text goes alone, several are refused."""
    operation = EmbedRequest(texts="a", dimensions=8)
    assert encode(operation, VERTEX).path == f"/{VERTEX}:embedContent"
    assert body_of(operation, VERTEX) == {
        "content": {"parts": [{"text": "a"}]},
        "outputDimensionality": 8,
    }
    with pytest.raises(InvalidRequestError, match="texts"):
        encode(EmbedRequest(texts=["a", "b"]), VERTEX)


def test_vectors_come_in_the_order_of_the_texts() -> None:
    """With the tokens where the provider counts them."""
    result = decode(
        EmbedRequest(texts=["a", "b"]),
        {
            "embeddings": [{"values": [1, 0.5]}, {"values": [0.25, -1]}],
            "usageMetadata": {"promptTokenCount": 3},
        },
    )
    assert isinstance(result, Embeddings)
    assert result.vectors == ((1.0, 0.5), (0.25, -1.0))
    assert result.usage == Usage(3)
    single = decode(EmbedRequest(texts="a"), {"embedding": {"values": [1]}})
    assert isinstance(single, Embeddings)
    assert (single.vectors, single.usage) == (((1.0,),), None)


NO_VECTORS: list[Any] = [
    {},
    [],
    {"embeddings": []},
    {"embeddings": [{"values": [1]}, {"values": [2]}]},
    {"embeddings": [{"values": []}]},
    {"embeddings": [{"values": ["1"]}]},
    {"embeddings": [{"values": [True]}]},
    {"embeddings": [{"values": [float("nan")]}]},
    {"embeddings": [{"values": [float("inf")]}]},
    {"embeddings": [{"values": [10**400]}]},
    {"embeddings": [None]},
    {"embedding": {}},
]
NO_MODELS: list[Any] = [{"data": []}, {"models": [{}]}, {"models": 3}, []]


@pytest.mark.parametrize("value", NO_VECTORS)
def test_vectors_that_are_missing_or_none_are_malformed(value: Any) -> None:
    """A text without its vector is an error, never a shorter list."""
    with pytest.raises(MalformedResponseError):
        decode(EmbedRequest(texts="a"), value)


def test_vectors_of_two_lengths_are_malformed() -> None:
    """They could not be compared."""
    value = {"embeddings": [{"values": [1]}, {"values": [1, 2]}]}
    with pytest.raises(MalformedResponseError, match="length"):
        decode(EmbedRequest(texts=["a", "b"]), value)


def test_the_very_request_is_counted() -> None:
    """System words and tools count, too; the request names its model again."""
    tool = Tool("look")
    request = Request(messages="hi", tools=[tool], tool_choice="auto", max_tokens=5)
    sent = json.loads(DIALECTS["gemini"].encode(request, model="m", stream=False).body)
    operation = CountRequest(request=request)
    assert encode(operation).path == "/models/m:countTokens"
    assert body_of(operation) == {"generateContentRequest": {"model": "models/m", **sent}}
    on_vertex = body_of(operation, "publishers/google/models/m")
    assert on_vertex == {name: sent[name] for name in ("contents", "tools", "generationConfig")}


def test_a_count_is_exact() -> None:
    """It is the provider's own; a zero is left out on this wire."""
    result = decode(COUNT, {"totalTokens": 8})
    assert isinstance(result, TokenCount)
    assert (result.tokens, result.exact) == (8, True)
    empty = decode(COUNT, {"promptTokensDetails": []})
    assert isinstance(empty, TokenCount)
    assert empty.tokens == 0


@pytest.mark.parametrize(
    "value", [{}, [], {"totalTokens": "8"}, {"totalTokens": -1}, {"candidates": []}, 8]
)
def test_what_is_no_count_is_malformed(value: Any) -> None:
    """A count is a whole number; another answer, as a proxy may give, is not a count of zero."""
    with pytest.raises(MalformedResponseError):
        decode(COUNT, value)


PRO = {
    "name": "models/gemini-3-pro",
    "version": "3",
    "displayName": "Gemini 3 Pro",
    "inputTokenLimit": 1048576,
    "outputTokenLimit": 65536,
    "supportedGenerationMethods": ["generateContent", "countTokens"],
    "thinking": True,
    "maxTemperature": 2,
}
INFO = ModelInfo(
    id="gemini-3-pro",
    name="Gemini 3 Pro",
    capabilities=frozenset({Capability.CHAT, Capability.TEXT_GENERATION}),
    context_window=1048576,
    max_output_tokens=65536,
    details={
        "version": "3",
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": True,
        "maxTemperature": 2,
    },
)


def test_models_are_listed_with_what_the_wire_says() -> None:
    """Limits and methods are there, prices are not."""
    outgoing = encode(ListModels(), "")
    assert (outgoing.method, outgoing.path, outgoing.body) == ("GET", "/models?pageSize=1000", b"")
    embedder = {"name": "models/e", "supportedGenerationMethods": ["embedContent", 3]}
    result = decode(ListModels(), {"models": [PRO, embedder, {"name": "models/x"}]})
    assert isinstance(result, ModelList)
    assert result.models[0] == INFO
    assert [model.capabilities for model in result.models[1:]] == [
        frozenset({Capability.EMBEDDING}),
        None,
    ]
    none = decode(ListModels(), {})
    assert isinstance(none, ModelList)
    assert none.models == ()


def test_one_model_is_shown() -> None:
    """By its own path."""
    operation = ShowModel(model="gemini-3-pro")
    outgoing = encode(operation, "gemini-3-pro")
    assert (outgoing.method, outgoing.path) == ("GET", "/models/gemini-3-pro")
    result = decode(operation, PRO)
    assert isinstance(result, ModelList)
    assert result.models == (INFO,)


@pytest.mark.parametrize("value", NO_MODELS)
def test_what_is_no_list_of_models_is_malformed(value: Any) -> None:
    """Models have names."""
    with pytest.raises(MalformedResponseError):
        decode(ListModels(), value)


@pytest.mark.parametrize(
    "operation", [EmbedRequest(texts="x"), COUNT, ListModels(), ShowModel(model="m")]
)
def test_an_error_inside_a_success_is_raised(operation: Operation) -> None:
    """It is classified as in any other place."""
    with pytest.raises(OverloadedError, match="busy"):
        decode(operation, {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}})
