"""Which error class an error response is: one table, read from the top.

The order is what makes it right: a 429 about money is not a rate limit, a 400
about length is not a bad request. Phrases are in lower case and come from
recorded responses and vendors' documentation; codes are compared whole.
"""

from collections.abc import Container

import attrs

from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    UnsupportedError,
)


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
    # Google counts per minute and per day under one sentence about quota. Where both
    # are spent, a minute does not help.
    Rule(QuotaExceededError, statuses=(429,), phrases=("perday",)),
    Rule(RateLimitError, statuses=(429,), phrases=("perminute",)),
    # Credits that requests still running have set aside come back when those end.
    Rule(RateLimitError, statuses=(402,), codes=("openrouter_in_flight_budget",)),
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
            "servicequotaexceededexception",
            "openrouter_free_tier_daily",
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
            "free-models-per-day",
            "calls / month",
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
            "too large to process. increase the physical batch size",
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
            "bio_policy",
            "misalignment_policy_violation",
            "image_content_policy_violation",
        ),
        phrases=(
            "content management policy",
            "requires moderation",
            "flagged by moderation",
            "content filtering policy",
            "violates our usage policy",
        ),
    ),
    # docs.cohere.com: the request or the response holds a token that is on a list.
    Rule(ContentFilterError, statuses=(498,), phrases=("blocked", "deny-listed", "denylisted")),
    Rule(AuthenticationError, statuses=(498,), phrases=("invalid token", "invalid api token")),
    Rule(AuthenticationError, statuses=(401,)),
    Rule(
        AuthenticationError,
        statuses=(400, 403),
        codes=(
            "invalid_api_key",
            "api_key_invalid",
            "authentication_error",
            "unauthenticated",
            "unrecognizedclientexception",
            "expiredtokenexception",
        ),
        phrases=(
            "incorrect api key",
            "invalid api key",
            "api key not valid",
            "authorization failed",
            "security token",
            "api key was reported as leaked",
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
            "modelnotreadyexception",
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
    # What llama.cpp's server says as 500: a picture or recording for a model without eyes
    # or ears, and a call in the conversation whose arguments are no JSON.
    Rule(
        UnsupportedError,
        statuses=(500,),
        phrases=("image input is not supported", "audio input is not supported"),
    ),
    Rule(InvalidRequestError, statuses=(500,), phrases=("failed to parse tool call arguments",)),
    # What a server was not built or started to do, it will not do at the next try either.
    Rule(InvalidRequestError, statuses=(501,)),
    Rule(ServerError, statuses=range(500, 600)),
    Rule(InvalidRequestError, statuses=range(400, 500)),
)
