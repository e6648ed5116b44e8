"""The order of decisions that makes an error's class right, one test for each of its rows."""

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
from trio_llm.wire import DIALECTS
from trio_llm.wire.classify import classify, classify_frame


def class_of(status: int, body: Any, **headers: str) -> type[ProviderError]:
    """Give the class of an error response; the body is written as JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return type(classify(status, named, raw, now=0.0))


def said(message: str, **fields: Any) -> dict[str, Any]:
    """Write an error in the most common shape."""
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize("name", DIALECTS)
def test_bytes_that_are_no_answer_are_malformed(name: str) -> None:
    """A 200 that is empty, no JSON or cut is malformed in every dialect."""
    for body in (b"", b"{", b"<html></html>", b"[1]"):
        with pytest.raises(MalformedResponseError):
            DIALECTS[name].decode(body)
    with pytest.raises(MalformedResponseError):
        DIALECTS[name].decoder().close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, said("x", type="insufficient_quota", code="credit_balance_exhausted")),
        (429, said("x", type="insufficient_quota")),
        (429, said("x", code="organization_spend_limit_exceeded")),
        (429, said("x", code="project_spend_limit_exceeded")),
        (429, said("x", code="organization_usage_limit_exceeded")),
        (429, said("x", details={"error_code": "enforced_spend_limit_reached"})),
        (429, said("x", details={"error_code": "contract_spend_limit_reached"})),
        (400, said("Your credit balance is too low to access the API.")),
        (402, said("Insufficient Balance", code="invalid_request_error")),
        (402, {"error": "You have exceeded your monthly included credits."}),
        (402, b""),
        (403, {"code": "x", "error": "Your team has used all available credits."}),
        (429, {"errors": [{"code": 3036, "message": "daily free allocation used"}]}),
        (429, said("x", details=[{"violations": [{"quotaId": "RequestsPerDayPerProject"}]}])),
        (429, said("Rate limit exceeded: free-models-per-day. Add 10 credits", code=429)),
        (429, said("x", metadata={"limit_source": "openrouter_free_tier_daily"})),
        (429, {"message": "You are using a Trial key, limited to 1000 API calls / month."}),
    ],
)
def test_money_comes_before_everything(status: int, body: Any) -> None:
    """What waiting does not mend is a quota, whatever the status."""
    assert class_of(status, body) is QuotaExceededError


def test_credits_that_running_requests_hold_are_a_rate() -> None:
    """The one 402 that passes by itself, when the requests in flight end."""
    body = said("x", code=402, metadata={"limit_source": "openrouter_in_flight_budget"})
    error = classify(402, {"retry-after": "3"}, json.dumps(body).encode(), now=0.0)
    assert (type(error), error.retry_after) == (RateLimitError, 3.0)


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4097 tokens.",
        "Your input exceeds the context window of this model.",
        "prompt is too long: 3333404 tokens > 200000 maximum",
        "The input token count (1250074) exceeds the maximum number of tokens allowed",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
        "too many tokens: size limit exceeded by 25836 tokens.",
        "The total length of all messages is too long.",
        "prompt too long; exceeded max context length by 1119046 tokens",
        "the request exceeds the available context size",
        "Please reduce the length of the messages or completion.",
    ],
)
def test_length_comes_before_validity(message: str) -> None:
    """A conversation that is too long is told from a request that is wrong."""
    assert class_of(400, said(message, type="invalid_request_error")) is ContextLengthError


def test_too_many_tokens_of_a_rate_are_no_length() -> None:
    """The same words under a 429 are about the minute, not about the conversation."""
    body = {"message": "Too many tokens, please wait before trying again."}
    assert class_of(429, body, x_amzn_errortype="ThrottlingException") is RateLimitError


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, said("x", code="content_filter")),
        (400, said("x", innererror={"code": "ResponsibleAIPolicyViolation"})),
        (400, said("x", inner_error={"code": "ResponsibleAIPolicyViolation"})),
        (400, said("x", code="content_policy_violation")),
        (400, said("x", code="invalid_prompt")),
        (403, said("x", metadata={"reasons": ["hate"], "flagged_input": "y"})),
        (498, {"message": "blocked output: it holds a deny-listed token"}),
    ],
)
def test_a_filter_comes_before_permission(status: int, body: Any) -> None:
    """A refusal of content is told from a refusal of the caller."""
    assert class_of(status, body) is ContentFilterError


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"", ""),
        (401, {"detail": "Invalid API Key"}, ""),
        (401, {"error": "Unauthorized"}, ""),
        (400, said("x", details=[{"reason": "API_KEY_INVALID"}]), ""),
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided: xa***."}, ""),
        (403, {"status": 403, "title": "Forbidden", "detail": "Authorization failed"}, ""),
        (403, {"message": "The security token included in the request is expired"}, ""),
        (403, {"message": "no"}, "UnrecognizedClientException"),
        (403, {"message": "no"}, "ExpiredTokenException:http://internal/"),
        (498, {"message": "invalid api token"}, ""),
    ],
)
def test_a_bad_key_is_one_under_every_status(status: int, body: Any, kind: str) -> None:
    """Four providers answer a bad key with a 400 or a 403."""
    headers = {"x_amzn_errortype": kind} if kind else {}
    assert class_of(status, body, **headers) is AuthenticationError


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, said("The model `x` does not exist", code="model_not_found")),
        (400, said("The requested model 'x' does not exist.", code="model_not_found")),
        (400, {"object": "error", "message": "Invalid model: x", "code": "1500"}),
        (400, {"message": "The provided model identifier is invalid."}),
        (404, said("x", code="DeploymentNotFound")),
        (400, {"errors": [{"code": 5007, "message": "No such model"}]}),
        (404, {"errors": [{"code": 3042, "message": "x"}]}),
        (404, {"status": 404, "detail": "Function 'f': Not found for account 'a'"}),
        (404, said("models/x is not found for API version v1beta", status="NOT_FOUND")),
    ],
)
def test_a_missing_model_is_one_under_every_status(status: int, body: Any) -> None:
    """Models are missing with a 404 or a 400."""
    assert class_of(status, body) is ModelNotFoundError


def test_a_missing_page_is_no_missing_model() -> None:
    """A bare 404 is a wrong address."""
    for body in ({"detail": "Not Found"}, {"error": {"message": "Resource not found"}}, b""):
        assert class_of(404, body) is InvalidRequestError


def test_what_is_left_of_403_is_a_missing_permission() -> None:
    """No key, money or filter is named."""
    assert class_of(403, said("You are not allowed to sample")) is PermissionDeniedError
    assert class_of(403, {"errors": [{"code": 5018, "message": "x"}]}) is PermissionDeniedError


def test_a_429_is_a_rate_unless_it_speaks_of_capacity() -> None:
    """The caller's rate and the provider's load are told apart by the words."""
    assert class_of(429, said("Rate limit reached", code="rate_limit_exceeded")) is RateLimitError
    assert class_of(429, b"") is RateLimitError
    trial = {"message": "You are using a Trial key, which is limited to 40 API calls / minute."}
    assert class_of(429, trial) is RateLimitError
    for body in (
        said("Service tier capacity exceeded for this model."),
        said("x", code="slow_down"),
        {"errors": [{"code": 3040, "message": "out"}]},
    ):
        assert class_of(429, body) is OverloadedError
    assert class_of(429, {}, x_amzn_errortype="ModelNotReadyException") is OverloadedError


def test_a_minute_is_a_rate_and_a_day_is_a_quota() -> None:
    """Google says both in one sentence; where a day is spent, a minute does not help."""
    minute = {"violations": [{"quotaId": "RequestsPerMinutePerProject"}]}
    day = {"violations": [{"quotaId": "RequestsPerDayPerProject"}]}
    text = "You exceeded your current quota, please check your plan."
    assert class_of(429, said(text, details=[minute])) is RateLimitError
    assert class_of(429, said(text, details=[day])) is QuotaExceededError
    assert class_of(429, said(text, details=[minute, day])) is QuotaExceededError


@pytest.mark.parametrize("status", [408, 504])
def test_a_time_that_ran_out_there_is_a_timeout(status: int) -> None:
    """The provider's own limit, or that of a gateway before it."""
    assert class_of(status, b"") is ProviderTimeoutError


@pytest.mark.parametrize("status", [498, 503, 529])
def test_three_statuses_mean_load(status: int) -> None:
    """Groq's flex tier, everybody, and Anthropic."""
    assert class_of(status, b"") is OverloadedError


@pytest.mark.parametrize("status", [424, 499, 500, 502, 599])
def test_other_failures_are_the_providers(status: int) -> None:
    """Nothing about the request is wrong."""
    assert class_of(status, b"") is ServerError


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422, 501])
def test_the_rest_is_the_request(status: int) -> None:
    """Another try would be refused again; 501 is what a server was not built to do."""
    assert class_of(status, b"") is InvalidRequestError


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "the reason"}},
        {"error": "the reason"},
        {"error": ["the reason"]},
        {"error": [{"message": "the reason"}]},
        [{"error": {"message": "the reason"}}],
        {"errors": [{"code": 1, "message": "the reason"}]},
        {"detail": "the reason"},
        {"detail": [{"loc": ["body"], "msg": "the reason", "type": "missing"}]},
        {"message": "the reason"},
        {"object": "error", "message": "the reason"},
        {"status": 400, "title": "the reason"},
        {"code": "x", "error": "the reason"},
        {"type": "error", "error": {"type": "x", "message": "the reason"}},
        b"the reason",
    ],
)
def test_the_reason_is_found_in_every_shape(body: Any) -> None:
    """An error is an object, a string, a list, or stands elsewhere."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert classify(400, {}, raw, now=0.0).message == "the reason"


@pytest.mark.parametrize(
    ("header", "owner"),
    [
        ("x-request-id", "OpenAI, Groq, xAI, Together, vLLM"),
        ("request-id", "Anthropic"),
        ("apim-request-id", "Azure"),
        ("x-amzn-requestid", "Bedrock"),
        ("x-generation-id", "OpenRouter"),
        ("x-debug-trace-id", "Cohere"),
        ("x-ds-trace-id", "DeepSeek"),
        ("mistral-correlation-id", "Mistral"),
        ("x-kong-request-id", "Mistral"),
        ("x-inference-request-id", "Hugging Face"),
        ("nvcf-reqid", "NVIDIA"),
        ("x-amzn-trace-id", "Hugging Face"),
        ("cf-ray", "Cloudflare"),
    ],
)
def test_the_identifier_of_a_request_is_kept(header: str, owner: str) -> None:
    """Each provider has a header of its own for it."""
    assert classify(500, {header: "id-1"}, b"{}", now=0.0).request_id == "id-1", owner


@pytest.mark.parametrize(
    "body",
    [
        {"request_id": "id-1", "error": {"message": "x"}},
        {"error": {"message": "x", "request_id": "id-1"}},
        {"id": "id-1", "message": "x"},
        {"id": "id-1", "error": {"message": "x"}},
    ],
)
def test_the_identifier_may_stand_in_the_body(body: Any) -> None:
    """Anthropic's, Cohere's and Together's do, also inside a stream."""
    assert classify(500, {}, json.dumps(body).encode(), now=0.0).request_id == "id-1"
    assert classify_frame(body, phase="stream").request_id == "id-1"


def test_the_code_of_bedrock_is_in_a_header() -> None:
    """Its body holds a sentence alone."""
    headers = {"x-amzn-errortype": "ValidationException:http://internal.amazon.com/coral/"}
    error = classify(400, headers, b'{"message":"no"}', now=0.0)
    assert (type(error), error.code) == (InvalidRequestError, "ValidationException")


SECRET = "9fT2mWq7Zr4XvB1nKc8LdY0sHj6GpEaU5oI3"


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {SECRET}. You can find your API key at https://x",
        f"Authentication Fails, Your api key: {SECRET} is invalid",
        f'bad header "x-api-key": "{SECRET}"',
        f"api_key={SECRET}&x=1",
        f"GET /v1/models?key={SECRET} failed",
        f"Authorization: Bearer {SECRET}",
        f"authorization={SECRET}",
        f"Authorization: Basic {SECRET}",
        f"access_token: {SECRET}",
        f"client_secret={SECRET}",
        f"invalid subscription key: {SECRET}",
        f"gsk_{SECRET} is no key",
        f"sk-ant-api03-{SECRET}",
        f"hf_{SECRET}",
        f"nvapi-{SECRET}",
        f"xai-{SECRET}",
        f"Invalid key: ya29.{SECRET}",
        f"Invalid key: AQ.{SECRET}",
        f"Invalid key: co-1-{SECRET}",
        f"Invalid key: ABSK{SECRET}",
        f"Invalid key: bedrock-api-key-{SECRET}",
        f"Invalid key: sk_live_{SECRET}",
        f"Invalid key: cfut_{SECRET}",
        f"Invalid key: ghp_{SECRET}",
    ],
)
@pytest.mark.parametrize("place", ["message", "code", "request_id"])
def test_a_key_that_is_echoed_is_in_no_part_of_an_error(text: str, place: str) -> None:
    """Wherever the provider puts the key that it refuses, it does not come through."""
    body = {"message": "no", "code": "x", "request_id": "r", place: text}
    error = classify(401, {}, json.dumps({"error": body}).encode(), now=0.0)
    assert SECRET not in str(error)
    assert SECRET not in repr(error)
    assert "[redacted]" in str(error)
    frame = classify_frame({"error": body}, phase="stream")
    assert SECRET not in str(frame)


def test_a_key_in_a_header_of_the_request_identifier_is_masked() -> None:
    """A proxy may put anything there."""
    error = classify(401, {"x-request-id": f"Bearer {SECRET}"}, b"{}", now=0.0)
    assert error.request_id == "Bearer [redacted]"
    long = classify(401, {"x-request-id": "r" * 9000}, b"{}", now=0.0)
    assert long.request_id == "r" * 200


def test_words_about_keys_stay_readable() -> None:
    """What names no key is left as it is."""
    text = "Missing authorization header. The api key must be set; a bearer token is missing."
    assert classify(401, {}, json.dumps(said(text)).encode(), now=0.0).message == text
