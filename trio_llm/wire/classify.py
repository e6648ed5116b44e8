"""Which error class an error response is: one table, read from the top.

The order is what makes it right: a 429 about money is not a rate limit, a 400
about length is not a bad request. Phrases are in lower case and come from
recorded responses and vendors' documentation; codes are compared whole.
"""

from collections.abc import Container, Mapping
from typing import Any

import attrs

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
from trio_llm.wire.fault import Fault, fault_of, read_fault
from trio_llm.wire.redact import presentable
from trio_llm.wire.waits import retry_after


@attrs.frozen
class Rule:
    """One row: it fits if the status does and, where it lists any, a code or a phrase does.

    Attributes:
        error: The class that the row stands for.
        statuses: The statuses that it is about.
        codes: Codes of which one must be there.
        phrases: Phrases of which one must be there.
    """

    error: type[ProviderError]
    statuses: Container[int] = range(400, 600)
    codes: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()

    def fits(self, status: int, codes: frozenset[str], words: str) -> bool:
        """Tell whether the row is about this error."""
        if status not in self.statuses:
            return False
        if not self.codes and not self.phrases:
            return True
        if any(code in codes for code in self.codes):
            return True
        return any(phrase in words for phrase in self.phrases)


_CLIENT_FAULT = (400, 404, 413, 422)

RULES: tuple[Rule, ...] = (
    # Google counts per minute and per day under one sentence about quota.
    Rule(RateLimitError, statuses=(429,), phrases=("perminute",)),
    Rule(QuotaExceededError, statuses=(402,)),
    Rule(
        QuotaExceededError,
        statuses=(400, 403, 429),
        codes=(
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "organization_usage_limit_exceeded",
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "billing_error",
            "3036",
        ),
        phrases=(
            "insufficient balance",
            "insufficient credits",
            "monthly included credits",
            "used all available credits",
            "credit balance is too low",
            "monthly spending limit",
            "spend limit",
            "exceeded your current quota",
            "specified api usage limits",
            "daily free allocation",
            "perday",
        ),
    ),
    Rule(
        ContextLengthError,
        statuses=(*_CLIENT_FAULT, 500),
        codes=(
            "context_length_exceeded",
            "exceed_context_size_error",
            "too_many_prompt_tokens",
            "too_many_tokens",
            "model_context_window_exceeded",
        ),
        phrases=(
            "maximum context length",
            "max context length",
            "context length exceeded",
            "exceeds the context window",
            "exceed context window",
            "exceeds context window",
            "exceeds the available context size",
            "prompt is too long",
            "prompt too long",
            "total length of all messages is too long",
            "input is too long",
            "too many tokens",
            "number of input tokens exceeds",
            "input token count",
            "maximum prompt length",
            "reduce the length of the messages",
        ),
    ),
    Rule(
        ContentFilterError,
        statuses=(400, 403, 422, 451),
        codes=(
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "moderation",
            "moderation_blocked",
            "invalid_prompt",
        ),
        phrases=(
            "content management policy",
            "requires moderation",
            "flagged by moderation",
            "content filtering policy",
            "violates our usage policy",
        ),
    ),
    Rule(AuthenticationError, statuses=(401,)),
    Rule(
        AuthenticationError,
        statuses=(400, 403),
        codes=("invalid_api_key", "api_key_invalid", "authentication_error", "unauthenticated"),
        phrases=(
            "incorrect api key",
            "invalid api key",
            "api key not valid",
            "authorization failed",
            "security token",
        ),
    ),
    Rule(
        ModelNotFoundError,
        statuses=(400, 404, 422),
        codes=("model_not_found", "deploymentnotfound", "invalid_model", "5007", "3042"),
        phrases=(
            "invalid model",
            "model identifier is invalid",
            "not a valid model",
            "no such model",
            "model not found",
            "model does not exist",
            "model_not_found",
            "not found for account",
            "no endpoints found for",
        ),
    ),
    # A bare "Not Found" is a wrong address, not a missing model.
    Rule(ModelNotFoundError, statuses=(404,), phrases=("model", "deployment")),
    Rule(PermissionDeniedError, statuses=(403,)),
    Rule(
        OverloadedError,
        statuses=(429,),
        codes=(
            "slow_down",
            "capacity_exceeded",
            "server_is_overloaded",
            "overloaded_error",
            "3040",
        ),
        phrases=("capacity", "overloaded", "slow down"),
    ),
    Rule(RateLimitError, statuses=(429,)),
    Rule(ProviderTimeoutError, statuses=(408, 504)),
    Rule(OverloadedError, statuses=(498, 503, 529)),
    Rule(
        OverloadedError,
        statuses=(500, 502),
        codes=("overloaded_error", "server_is_overloaded", "unavailable"),
    ),
    # Failed dependencies, a lock held too long, a request cancelled at their end.
    Rule(ServerError, statuses=(409, 424, 425, 499)),
    Rule(ServerError, statuses=range(500, 600)),
    Rule(InvalidRequestError, statuses=range(400, 500)),
)

_STATUS_OF_CODE = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "insufficient_quota": 429,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "timeout_error": 504,
    "server_is_overloaded": 503,
    "overloaded_error": 529,
}
"""For errors inside a 200, which often state no number."""

_STATUS_OF_PHRASE = {"not found": 404, "does not support": 400, "unauthorized": 401}

_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-generation-id",
)


def classify(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
    """Turn an error response into the right class.

    Args:
        status: The HTTP status, not 2xx.
        headers: Response headers, names in lower case.
        body: The body, perhaps cut.
        now: Wall-clock time in seconds since the epoch, for HTTP dates.
    """
    fault = read_fault(body)
    names = [headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)]
    return _find(status, fault)(
        presentable(fault.message) or "the provider gave no reason",
        status=status,
        code=_presentable_code(fault),
        request_id=presentable(names[0]) if names else fault.request_id,
        retry_after=retry_after(headers, fault.texts, fault.delays, now),
        phase="response",
    )


def classify_frame(frame: Any, *, phase: str) -> ProviderError:
    """Turn an error that came inside a 200, decoded, into the right class.

    Without a status or a code that says otherwise it counts as the provider's
    own failure. `status` of the result is what the error says about itself.
    """
    fault = fault_of(frame)
    status = fault.status
    if status is None:
        known = sorted(code for code in fault.codes if code in _STATUS_OF_CODE)
        words = fault.message.lower()
        spoken = [number for phrase, number in _STATUS_OF_PHRASE.items() if phrase in words]
        status = _STATUS_OF_CODE[known[0]] if known else next(iter(spoken), 500)
    return _find(status, fault)(
        presentable(fault.message) or "the provider gave no reason",
        status=fault.status,
        code=_presentable_code(fault),
        request_id=fault.request_id,
        retry_after=retry_after({}, fault.texts, fault.delays, 0.0),
        phase=phase,
    )


def _find(status: int, fault: Fault) -> type[ProviderError]:
    words = "\n".join((*fault.texts, *sorted(fault.codes))).lower()
    for rule in RULES:
        if rule.fits(status, fault.codes, words):
            return rule.error
    # Neither an answer nor an error: a redirect, most often from a wrong base URL.
    return MalformedResponseError


def _presentable_code(fault: Fault) -> str | None:
    return presentable(fault.code) if fault.code else None
