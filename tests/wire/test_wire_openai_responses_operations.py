"""What else can be asked at the address of the Responses interface."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    CountRequest,
    EmbedRequest,
    ListModels,
    Message,
    ModerateRequest,
    Request,
    ShowModel,
)
from trio_llm.errors import MalformedResponseError, RateLimitError
from trio_llm.wire import DIALECTS

RESPONSES = DIALECTS["openai_responses"]
NAME = "openai_responses"


def test_tokens_are_counted_by_the_provider() -> None:
    """Only what has an influence on the count is sent, and the number is exact."""
    codec = RESPONSES.operations[CountRequest]
    request = Request(
        messages=[Message("system", "be brief"), Message("user", "hi")],
        stop="END",
        max_tokens=5,
        temperature=1,
        metadata={"k": "v"},
        extra={NAME: {"truncation": "auto", "service_tier": "flex"}},
    )
    count = CountRequest(request=request, extra={NAME: {"personality": "friendly"}})
    outgoing = codec.encode(count, model="m")
    assert outgoing.path == "/responses/input_tokens"
    assert json.loads(outgoing.body) == {
        "model": "m",
        "instructions": "be brief",
        "input": [{"role": "user", "content": "hi"}],
        "truncation": "auto",
        "personality": "friendly",
    }
    counted: Any = codec.decode(b'{"object":"response.input_tokens","input_tokens":17}', count)
    assert (counted.tokens, counted.exact) == (17, True)
    assert codec.decoder(count) is None


@pytest.mark.parametrize("body", [b"", b"[]", b'{"input_tokens":"7"}', b'{"input_tokens":-1}'])
def test_a_count_without_a_number_is_malformed(body: bytes) -> None:
    """No number is made up for what is not there."""
    count = CountRequest(request=Request(messages="x"))
    with pytest.raises(MalformedResponseError):
        RESPONSES.operations[CountRequest].decode(body, count)


def test_an_error_in_place_of_a_count_is_classified() -> None:
    """A count that is refused inside a 200 is the error that it says."""
    body = b'{"error":{"code":"rate_limit_exceeded","message":"slower"}}'
    count = CountRequest(request=Request(messages="x"))
    with pytest.raises(RateLimitError, match="slower"):
        RESPONSES.operations[CountRequest].decode(body, count)


def test_the_other_operations_are_those_of_the_same_address() -> None:
    """Embeddings, moderation and models are asked for as beside chat completions."""
    wanted = {CountRequest, EmbedRequest, ModerateRequest, ListModels, ShowModel}
    assert set(RESPONSES.operations) == wanted
    outgoing = RESPONSES.operations[EmbedRequest].encode(
        EmbedRequest(texts="x", extra={NAME: {"more": 1}}), model="m"
    )
    assert outgoing.path == "/embeddings"
    assert json.loads(outgoing.body)["more"] == 1
