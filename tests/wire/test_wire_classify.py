"""Error bodies of every shape become the right class, with the facts and without secrets."""

import json
from typing import Any

import pytest

from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from trio_llm.wire.classify import classify, classify_frame
from trio_llm.wire.redact import presentable

QUOTA_PER_DAY = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota. Please retry in 58.82s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36s"},
        ],
    }
}
BAD_KEY = {
    "error": {"code": 400, "message": "API key not valid.", "details": [{"reason": "X"}]},
}


def error_of(status: int, body: Any, **headers: str) -> ProviderError:
    """Classify a body, written as JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(status, named, raw, now=0.0)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, {"detail": "Invalid API key"}, AuthenticationError),
        (400, {"code": "x", "error": "Incorrect API key provided: abc"}, AuthenticationError),
        (403, {"status": 403, "detail": "Authorization failed"}, AuthenticationError),
        (400, [BAD_KEY], AuthenticationError),
        (403, {"error": {"code": "forbidden"}}, PermissionDeniedError),
        (403, {"error": {"message": "no", "metadata": {"reasons": ["x"]}}}, ContentFilterError),
        (402, {}, QuotaExceededError),
        (429, QUOTA_PER_DAY, QuotaExceededError),
        (429, json.dumps(QUOTA_PER_DAY).replace("PerDay", "PerMinute").encode(), RateLimitError),
        (
            429,
            {
                "error": {
                    "type": "rate_limit_error",
                    "details": {"error_code": "contract_spend_limit_reached"},
                }
            },
            QuotaExceededError,
        ),
        (400, {"error": {"message": "Your credit balance is too low"}}, QuotaExceededError),
        (429, {"error": {"code": "slow_down"}}, OverloadedError),
        (429, {"errors": [{"code": 3036, "message": "used"}]}, QuotaExceededError),
        (429, {"errors": [{"code": 3040, "message": "out"}]}, OverloadedError),
        (429, b"", RateLimitError),
        (400, {"error": {"code": "context_length_exceeded"}}, ContextLengthError),
        (404, {"error": "model 'x' not found"}, ModelNotFoundError),
        (404, b"<html><title>404</title>", InvalidRequestError),
        (408, {}, ProviderTimeoutError),
        (504, b"gateway", ProviderTimeoutError),
        (498, {}, OverloadedError),
        (503, {"error": "loading", "estimated_time": 20.0}, OverloadedError),
        (529, {}, OverloadedError),
        (500, {"error": ["bad"]}, ServerError),
        (502, b"<!DOCTYPE html><title>Bad gateway</title>", ServerError),
        (413, {}, InvalidRequestError),
        (422, {"detail": [{"msg": "missing"}]}, InvalidRequestError),
        (302, b"", MalformedResponseError),
    ],
)
def test_classes(status: int, body: Any, error: type[ProviderError]) -> None:
    """Each shape on record or in a vendor's documentation has its class."""
    assert type(error_of(status, body)) is error


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, OverloadedError),
        ({"error": {"message": "slow", "code": 429}}, RateLimitError),
        ({"error": {"message": "x", "type": "insufficient_quota"}}, QuotaExceededError),
        ({"error": {"message": "x", "status_code": 400}}, InvalidRequestError),
        ({"error": "model 'm' not found"}, ModelNotFoundError),
        ({"error": "llama runner process has terminated"}, ServerError),
        ({"error": {}}, ServerError),
        ("upstream broke", ServerError),
        (None, ServerError),
        ({"error": "You have used all available credits."}, QuotaExceededError),
        ({"error": {"message": "Daily free allocation is used up."}}, QuotaExceededError),
        ({"errors": [{"message": "spent", "code": 3036}]}, QuotaExceededError),
        ({"errors": [{"message": "No more capacity", "code": 3040}]}, OverloadedError),
        ({"error": "Invalid API Key"}, AuthenticationError),
        ({"error": "Requests rate limit exceeded"}, RateLimitError),
        ({"error": {"message": "Too Many Requests"}}, RateLimitError),
        ({"error": "the prompt requires moderation"}, ContentFilterError),
        ({"error": "the model crashed"}, ServerError),
    ],
)
def test_errors_inside_a_200(frame: Any, error: type[ProviderError]) -> None:
    """An error frame is classed by what it says; one that says nothing is the provider's fault."""
    assert type(classify_frame(frame, phase="stream")) is error


def test_the_facts_are_kept() -> None:
    """Status, code, request identifier and wait are attributes of the error."""
    body = {"error": {"message": "Too many.", "code": "rate_limit_exceeded"}}
    error = error_of(429, body, retry_after="7", x_request_id="req_1")
    assert (error.status, error.code, error.request_id) == (429, "rate_limit_exceeded", "req_1")
    assert (error.retry_after, error.phase, error.message) == (7.0, "response", "Too many.")


def test_the_upstream_of_a_router_is_quoted() -> None:
    """OpenRouter's ``metadata.raw`` says more than its own sentence."""
    body = {"error": {"message": "Provider returned error", "metadata": {"raw": "shared pool"}}}
    assert error_of(429, body).message == "Provider returned error: shared pool"


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-abcdef123456", "hf_abcdefghijk", "gsk_abcdefghijk", "AIzaSyA1234567890abc"],
)
def test_keys_are_masked(secret: str) -> None:
    """What looks like a key is in no message, wherever in the body it stood."""
    for text in (
        f"Incorrect API key provided: {secret}.",
        f"bad header Authorization: Bearer {secret}",
        f"GET /v1?key={secret}&x=1 failed for {secret}",
    ):
        message = error_of(401, {"error": {"message": text, "code": secret}})
        assert secret not in str(message)
        assert "[redacted]" in message.message


def test_keys_without_a_known_prefix_are_masked_where_they_are_named() -> None:
    """A key is masked after the words that announce one."""
    assert presentable("api_key: hunter2 is bad") == "api_key: [redacted] is bad"
    assert presentable("Bearer abc.def") == "Bearer [redacted]"


def test_messages_are_short_and_on_one_line() -> None:
    """Line breaks and control characters vanish, and the length is bounded."""
    message = error_of(500, ("a\n\tb\x1b[31m " + "x" * 9000).encode()).message
    assert message.startswith("a b?[31m x")
    assert len(message) == 500
