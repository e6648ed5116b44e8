"""Hugging Face: a router's chat, vectors of its own, models that are being loaded."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.wire.wire_chat import chunk, refused, sent, stream
from tests.wire.wire_operations import asked, embedded, listed
from trio_llm.chat import (
    Capability,
    EmbedRequest,
    ListModels,
    Message,
    ModerateRequest,
    Price,
    Reasoning,
    Request,
    ShowModel,
)
from trio_llm.errors import (
    AuthenticationError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS, Quirks
from trio_llm.wire.presets import HUGGINGFACE

DIALECT = DIALECTS["huggingface"]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_huggingface_streams_as_its_hosts_do(field: str) -> None:
    """Eight of 25 recorded streams have no marker; reasoning has two names."""
    _, completion = stream(chunk({field: "hm"}), chunk({"content": "x"}), chunk(finish="stop"))
    assert (completion.message.reasoning, completion.message.text) == ("hm", "x")
    with pytest.raises(StreamInterruptedError):
        stream(chunk({"content": "x"}))


def test_huggingface_has_its_own_extra_fields_and_origin() -> None:
    """What was meant for another dialect stays away from it."""
    extra = {"huggingface": {"provider": "auto"}, "openai_chat": {"store": True}}
    body = sent(dialect="huggingface", extra=extra)
    assert body["provider"] == "auto"
    assert "store" not in body
    thought = Reasoning("t", {"reasoning_content": "t"}, "openai_chat")
    message = sent(Message("assistant", [thought, "x"]), dialect="huggingface")["messages"][0]
    assert message == {"role": "assistant", "content": "x"}
    decoded = DIALECT.decode(
        b'{"choices":[{"message":{"reasoning_content":"t","tool_calls":[{"id":"a","function":'
        b'{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}'
    )
    assert isinstance(decoded.message.content[0], Reasoning)
    assert decoded.message.content[0].origin == "huggingface"


def test_huggingface_adapts_to_quirks_and_stays_itself() -> None:
    """Quirks change the request, not the dialect."""
    adapted = DIALECT.adapted(Quirks(max_tokens_field="max_new_tokens"))
    outgoing = adapted.encode(Request(messages="hi", max_tokens=3), model="m", stream=False)
    assert adapted.name == "huggingface"
    assert json.loads(outgoing.body)["max_new_tokens"] == 3
    assert outgoing.path == "/chat/completions"


def test_huggingface_embeds_by_feature_extraction() -> None:
    """At the server's root, with the model in the path."""
    request = EmbedRequest(
        texts=["a", "b"], user="u", purpose="query", extra={"huggingface": {"normalize": True}}
    )
    outgoing = asked(request, model="BAAI/bge m3", dialect="huggingface", quirks=HUGGINGFACE)
    path = "/hf-inference/models/BAAI/bge%20m3/pipeline/feature-extraction"
    assert (outgoing.path, outgoing.from_root, outgoing.method) == (path, True, "POST")
    assert json.loads(outgoing.body) == {"inputs": ["a", "b"], "normalize": True}


def test_huggingface_lets_nobody_choose_dimensions() -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequestError, match="dimensions"):
        asked(EmbedRequest(texts="a", dimensions=3), dialect="huggingface")


def test_huggingface_answers_with_a_bare_list() -> None:
    """One vector for each text, without usage or model."""
    result = embedded([[1, 2.5], [3, 4]], 2, dialect="huggingface")
    assert result.vectors == ((1.0, 2.5), (3.0, 4.0))
    assert (result.usage, result.model) == (None, None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "no vectors"),
        ({}, "no vectors"),
        ([[1.0]], "1 vectors for 2"),
        ([[1.0], [1.0, 2.0]], "differ"),
        ([[[1.0], [2.0]], [[1.0], [2.0]]], "each token"),
        ([1.0, 2.0], "empty"),
        ([["a"], ["b"]], "no number"),
    ],
)
def test_huggingface_vectors_that_cannot_be_trusted_are_malformed(body: Any, words: str) -> None:
    """Token by token, ragged, or too few."""
    with pytest.raises(MalformedResponseError, match=words):
        embedded(body, 2, dialect="huggingface")


def test_huggingface_fails_inside_a_200() -> None:
    """An error in place of vectors is an error."""
    with pytest.raises(ProviderError, match="broke"):
        embedded({"error": "it broke"}, dialect="huggingface")


def test_huggingface_has_no_moderation() -> None:
    """The operation is not offered at all."""
    assert set(DIALECT.operations) == {EmbedRequest, ListModels, ShowModel}
    assert ModerateRequest not in DIALECT.operations


@pytest.mark.parametrize(
    ("status", "error", "cls"),
    [
        (401, "Invalid username or password.", AuthenticationError),
        (402, "You have exceeded your monthly included credits", QuotaExceededError),
        (404, "Model x/y does not exist", ModelNotFoundError),
        (422, "Template error", InvalidRequestError),
        (422, ["Input is bad", "very"], InvalidRequestError),
        (429, "Too many requests", RateLimitError),
        (503, "Service overloaded", OverloadedError),
    ],
)
def test_huggingface_errors_are_strings_or_lists(
    status: int, error: Any, cls: type[ProviderError]
) -> None:
    """The first sentence is the message."""
    fault = refused(status, {"error": error}, dialect="huggingface")
    assert type(fault) is cls
    assert (error if isinstance(error, str) else error[0]) in fault.message


def test_huggingface_says_how_long_a_model_takes_to_load() -> None:
    """That is when to ask again."""
    body = {"error": "Model x/y is currently loading", "estimated_time": 20.5}
    error = refused(503, body, dialect="huggingface")
    assert isinstance(error, OverloadedError)
    assert error.retry_after == 20.5


def test_huggingfaces_header_goes_before_its_estimate() -> None:
    """A ``Retry-After`` is the word of the server that is asked."""
    body = {"error": "loading", "estimated_time": 20.5}
    assert refused(503, body, {"retry-after": "3"}, dialect="huggingface").retry_after == 3.0


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"loading"}',
        b'{"error":"loading","estimated_time":"soon"}',
        b'{"error":"loading","estimated_time":-1}',
        b'{"error":"loading","estimated_time":true}',
        b'{"error":"loading","estimated_time":NaN}',
        b'{"error":"loading","estimated_time":1e999}',
        b'{"error":"loading","estimated_time":' + b"9" * 400 + b"}",
        b"[]",
        b"loading",
    ],
)
def test_an_estimate_that_is_none_is_no_wait(body: bytes) -> None:
    """Only a finite number of seconds counts."""
    assert refused(503, body, dialect="huggingface").retry_after is None


def test_huggingface_lists_models_with_their_hosts() -> None:
    """The smallest window and the dearest price of the hosts that are up."""
    hosts = [
        {
            "provider": "a",
            "status": "live",
            "context_length": 131_072,
            "pricing": {"input": 0.2, "output": 0.6},
            "supports_tools": True,
        },
        {
            "provider": "b",
            "status": "live",
            "context_length": 65_536,
            "pricing": {"input": 0.3, "output": 0.9},
            "supports_structured_output": True,
        },
        {"provider": "c", "status": "error", "context_length": 1024, "pricing": {"input": 9}},
        {"provider": "d", "status": "live"},
    ]
    body = {"object": "list", "data": [{"id": "org/m", "providers": hosts}, {"id": "org/n"}]}
    first, second = listed(ListModels(), body, dialect="huggingface", quirks=HUGGINGFACE)
    assert first.context_window == 65_536
    assert first.price == Price(Decimal("0.3"), Decimal("0.9"))
    assert first.capabilities == frozenset({Capability.TOOLS, Capability.STRUCTURED_OUTPUT})
    assert (second.context_window, second.price, second.capabilities) == (None, None, None)
