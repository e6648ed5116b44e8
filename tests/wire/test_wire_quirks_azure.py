"""Azure: deployments, its filter's findings, and errors of its own."""

from typing import Any

import pytest

from tests.wire.wire_chat import DONE, OPENAI, chunk, event, refused, sent, stream
from trio_llm.chat import Request, TextDelta
from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    InvalidRequestError,
    ModelNotFoundError,
    RateLimitError,
)
from trio_llm.wire.presets import AZURE, AZURE_DEPLOYMENT

FINDINGS = {"hate": {"filtered": False, "severity": "safe"}}


def test_azure_begins_with_a_chunk_of_nothing_but_findings() -> None:
    """Its empty name and identifier do not hide those of the chunks that follow."""
    first = event(
        {
            "id": "",
            "model": "",
            "choices": [],
            "prompt_filter_results": [{"content_filter_results": FINDINGS}],
        }
    )
    completion = stream(first, chunk({"content": "a"}), chunk(finish="stop"), DONE)[1]
    assert (completion.response_id, completion.model) == ("c-1", "m")


def test_azure_reports_on_content_without_any_text() -> None:
    """A choice with findings and no delta adds nothing."""
    empty = {"index": 0, "finish_reason": None, "content_filter_results": FINDINGS}
    report = event({"choices": [empty]})
    deltas, completion = stream(chunk({"content": "a"}), report, chunk(finish="stop"), DONE)
    assert deltas == [TextDelta("a")]
    assert completion.finish_reason == "stop"


def test_azure_takes_the_bare_key_in_a_header_of_its_own() -> None:
    """Both of its interfaces do."""
    for quirks in (AZURE, AZURE_DEPLOYMENT):
        assert OPENAI.adapted(quirks).authenticate("k") == {"api-key": "k"}


def test_azure_deployments_want_a_version() -> None:
    """The older interface has it in the query; the newer one needs none."""
    ask = Request(messages="hi")
    path = OPENAI.adapted(AZURE_DEPLOYMENT).encode(ask, model="d", stream=False).path
    assert path == "/chat/completions?api-version=2024-10-21"
    path = OPENAI.adapted(AZURE).encode(ask, model="d", stream=False).path
    assert path == "/chat/completions"


def test_azure_deployments_take_the_newer_limit_under_any_name() -> None:
    """The name of a deployment does not tell which model it is."""
    body = sent(quirks=AZURE, model="my-deployment", max_tokens=5)
    assert body["max_completion_tokens"] == 5


@pytest.mark.parametrize(
    ("inner", "findings"),
    [("innererror", "content_filter_result"), ("inner_error", "content_filter_results")],
)
def test_azure_spells_its_filters_error_in_two_ways(inner: str, findings: str) -> None:
    """Either way it is filtered content."""
    policy = {"code": "ResponsibleAIPolicyViolation", findings: FINDINGS}
    error = refused(400, {"error": {"code": None, "message": "The response", inner: policy}})
    assert isinstance(error, ContentFilterError)


def test_azure_has_answered_200_with_only_an_error() -> None:
    """A body without choices is the error that it holds."""
    body = (
        b'{"error":{"code":"content_filter","status":400,"message":"The response was filtered",'
        b'"innererror":{"code":"ResponsibleAIPolicyViolation"}}}'
    )
    with pytest.raises(ContentFilterError):
        OPENAI.decode(body)


@pytest.mark.parametrize(
    ("status", "error", "cls"),
    [
        (401, {"code": "401", "message": "Access denied due to invalid key"}, AuthenticationError),
        (404, {"code": "DeploymentNotFound", "message": "The API deployment"}, ModelNotFoundError),
        (404, {"code": "404", "message": "Resource not found"}, InvalidRequestError),
    ],
)
def test_azure_errors_have_their_classes(status: int, error: dict[str, Any], cls: type) -> None:
    """A deployment that is missing is a missing model; a wrong address is not."""
    assert type(refused(status, {"error": error})) is cls


def test_azure_says_zero_milliseconds_beside_a_second() -> None:
    """The zero says nothing; the whole second is what counts."""
    error = refused(
        429,
        {"error": {"code": "RateLimitReached", "message": "exceeded rate limit"}},
        {"retry-after": "1", "retry-after-ms": "0"},
    )
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 1.0


@pytest.mark.parametrize("reset", ["0", "500", "7"])
def test_azure_writes_resets_as_bare_integers(reset: str) -> None:
    """They stand beside a 429 and neither break it nor replace its own wait."""
    error = refused(
        429,
        {"error": {"code": "RateLimitReached", "message": "exceeded"}},
        {"x-ratelimit-reset-tokens": reset, "x-ratelimit-limit-tokens": "-1", "retry-after": "3"},
    )
    assert error.retry_after == 3.0
