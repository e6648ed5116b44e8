"""The wall of faults: every way of saying "not now", and how long not."""

import json
from email.utils import formatdate

import attrs

from tests.sockets.wall_case import NOW, WAIT, Case, Met
from trio_llm import QuotaExceededError, RateLimitError
from trio_llm.testing.upstream import Behaviour

_LIMITED = Met(RateLimitError, status=429)
_RETRY_INFO = {
    "error": {
        "code": 429,
        "message": "Resource has been exhausted.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "30s"}],
    }
}


def _limited(name: str, form: str, *, dialects: tuple[str, ...] | None = None, **says: str) -> Case:
    """Make the case of a 429 that states a wait in headers, names with underscores."""
    headers = {key.replace("_", "-"): value for key, value in says.items()}
    script = Behaviour(status=429, headers=headers, message="too many requests")
    return _resting(name, form, script, dialects=dialects)


def _resting(
    name: str,
    form: str,
    script: Behaviour,
    *,
    rest: float = WAIT,
    asked: bool = True,
    dialects: tuple[str, ...] | None = None,
) -> Case:
    case = Case(
        name=name,
        fault=f"429, {form}",
        script=script,
        plain=_LIMITED,
        rest=rest,
        asked=asked,
        breaker="throttled",
    )
    return case if dialects is None else attrs.evolve(case, dialects=dialects)


def _spent(name: str, fault: str, script: Behaviour) -> Case:
    return Case(
        name=name,
        fault=fault,
        script=script,
        plain=Met(QuotaExceededError, status=script.status),
        charged=True,
        rest=600.0,
        asked=False,
        breaker="quota_exhausted",
    )


LIMITS = (
    _limited("seconds", "`retry-after` in seconds", retry_after="30"),
    _limited(
        "http-date",
        "`retry-after` as an HTTP date",
        retry_after=formatdate(NOW + WAIT, usegmt=True),
    ),
    _limited("milliseconds", "`retry-after-ms`", retry_after_ms="30000"),
    _limited("go-duration", "`retry-after` as a Go duration", retry_after="30s"),
    _limited(
        "go-duration-reset",
        "the reset of a spent limit as a Go duration",
        x_ratelimit_remaining_tokens="0",
        x_ratelimit_reset_tokens="0m30s",
    ),
    _limited("rfc3339", "`retry-after` in RFC 3339", retry_after="2027-01-15T08:00:30Z"),
    _limited(
        "rfc3339-reset",
        "the reset of a spent limit in RFC 3339",
        anthropic_ratelimit_requests_remaining="0",
        anthropic_ratelimit_requests_reset="2027-01-15T08:00:30Z",
    ),
    _limited("epoch", "`retry-after` in seconds of the epoch", retry_after=f"{NOW + WAIT:.0f}"),
    _limited(
        "epoch-reset",
        "the reset of a spent limit in milliseconds of the epoch",
        x_ratelimit_remaining="0",
        x_ratelimit_reset=f"{(NOW + WAIT) * 1000:.0f}",
    ),
    _resting(
        "retry-info",
        "Google's `RetryInfo` in the body",
        Behaviour(status=429, body=json.dumps(_RETRY_INFO).encode()),
        dialects=("gemini", "openai_chat"),
    ),
    _resting(
        "words",
        "the wait in words",
        Behaviour(status=429, message="Rate limit reached. Please try again in 30s."),
    ),
    _resting(
        "no-wait",
        "no wait stated",
        Behaviour(status=429, message="too many requests"),
        rest=5.0,
        asked=False,
    ),
    _spent(
        "quota",
        "429, the quota is used up",
        Behaviour(
            status=429,
            message="You exceeded your current quota, please check your plan.",
            code="insufficient_quota",
        ),
    ),
    _spent(
        "no-money",
        "402, the money is used up",
        Behaviour(status=402, message="Insufficient credits"),
    ),
)
