"""Error responses, and errors inside a 200, as errors of the right class."""

from collections.abc import Mapping
from typing import Any

import attrs

from trio_llm.errors import (
    InvalidRequestError,
    MalformedResponseError,
    ProviderError,
    RateLimitError,
)
from trio_llm.wire.fault import Fault, fault_of, read_fault
from trio_llm.wire.redact import presentable
from trio_llm.wire.rules import RULES
from trio_llm.wire.waits import reset_wait, retry_after

_TOO_MANY = 429
_LONGEST_NAME = 200

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
    "slow_down": 429,
    "vector_store_timeout": 504,
    # What a response of OpenAI's says that failed (the SDK's `ResponseError.code`).
    **dict.fromkeys(
        (
            "invalid_prompt",
            "bio_policy",
            "misalignment_policy_violation",
            "image_content_policy_violation",
            "data_residency_mismatch",
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "invalid_image_mode",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_file_too_large",
            "image_file_not_found",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
        ),
        400,
    ),
}
"""For errors inside a 200, which often state no number."""

_GENERAL = ("invalid_request_error", "invalid_request")

_STATUS_OF_PHRASE = {
    "not found": 404,
    "does not support": 400,
    "unauthorized": 401,
    "rate limit": 429,
    "too many requests": 429,
}

_GUESSES: Mapping[int, type[ProviderError]] = {429: RateLimitError, 400: InvalidRequestError}
"""Statuses under which codes and phrases are known, each with what it is without any."""

_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-generation-id",
    "x-debug-trace-id",
    "x-ds-trace-id",
    "mistral-correlation-id",
    "x-kong-request-id",
    "x-inference-request-id",
    "nvcf-reqid",
    "x-amzn-trace-id",
    "cf-ray",
)
"""Whose is which: OpenAI and most others, Anthropic, Azure, Bedrock, OpenRouter, Cohere,
DeepSeek, Mistral (twice), Hugging Face, NVIDIA, Hugging Face again, Cloudflare."""


def classify(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
    """Turn an error response into the right class.

    Args:
        status: The HTTP status, not 2xx.
        headers: Response headers, names in lower case.
        body: The body, perhaps cut.
        now: Wall-clock time in seconds since the epoch, for HTTP dates.
    """
    fault = read_fault(body)
    kind = headers.get("x-amzn-errortype", "").partition(":")[0]
    if kind:
        fault = attrs.evolve(fault, code=fault.code or kind, codes=fault.codes | {kind.lower()})
    stated = {**fault.headers, **headers}
    wait = retry_after(stated, fault.texts, fault.delays, now)
    if wait is None and status == _TOO_MANY:
        wait = reset_wait(stated, now)
    names = [headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)]
    return _find(status, fault)(
        presentable(fault.message) or "the provider gave no reason",
        status=status,
        code=_presentable(fault.code),
        request_id=_presentable(names[0] if names else fault.request_id),
        retry_after=wait,
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
        # OpenAI calls nearly every error an invalid request, and tells more beside it.
        known.sort(key=_GENERAL.__contains__)
        words = fault.message.lower()
        # What the rows know under some status says more than a general word.
        guessed = [
            number for number, plain in _GUESSES.items() if _find(number, fault) is not plain
        ]
        spoken = [number for phrase, number in _STATUS_OF_PHRASE.items() if phrase in words]
        status = _STATUS_OF_CODE[known[0]] if known else next(iter((*guessed, *spoken)), 500)
    return _find(status, fault)(
        presentable(fault.message) or "the provider gave no reason",
        status=fault.status,
        code=_presentable(fault.code),
        request_id=_presentable(fault.request_id),
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


def _presentable(text: str | None) -> str | None:
    return presentable(text[:_LONGEST_NAME]) if text else None
