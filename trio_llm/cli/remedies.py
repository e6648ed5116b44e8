"""What to do about a failure: one line for each class of error and each refusal."""

from collections.abc import Mapping
from typing import Final

from trio_llm import errors

_BY_CLASS: Final[Mapping[type[errors.ProviderError], str]] = {
    errors.AuthenticationError: (
        "check the key; `trio-llm status` shows which variable a provider reads"
    ),
    errors.PermissionDeniedError: "the key may not do this; look at its rights at the provider",
    errors.RateLimitError: "wait, or add a provider to fall back on",
    errors.QuotaExceededError: "the allowance is used up; top it up, or ask another with --via",
    errors.ModelNotFoundError: "name another model with --model",
    errors.ContextLengthError: "shorten the prompt, or name a model that reads more with --model",
    errors.ContentFilterError: "put the prompt in other words",
    errors.InvalidRequestError: "change the option that the message names",
    errors.UnsupportedError: "leave that part out, or ask a provider that takes it, with --via",
    errors.OverloadedError: "try again in a while, or race several providers with --race",
    errors.ServerError: "try again in a while, or race several providers with --race",
    errors.ProviderTimeoutError: "raise the limit under `timeouts`, or race it with --race",
    errors.ConnectionFailedError: "is the server up? `trio-llm status` shows its address",
    errors.MalformedResponseError: "is base_url the address of an API of that kind?",
    errors.StreamInterruptedError: (
        "ask again; or have another one go on, with --fallback and --on-interrupt"
    ),
    errors.ProviderCrashedError: "its code raised; `trio-llm --debug ...` shows where",
    errors.ProviderUnavailableError: "it takes no calls now; wait, or ask another with --via",
}

REFUSALS: Final[Mapping[str, str]] = {
    "busy": "all its places are taken; wait, raise `max_concurrency`, or ask another with --via",
    "cooling": "it rests after failures; wait, or ask another with --via",
    "probing": "one request finds out whether it works again; ask again in a moment",
    "rate_limited": "its `rate_limit` is reached; wait, or add a provider to fall back on",
    "context_length": (
        "shorten the prompt, or ask one whose `context_window` is larger; a fallback goes to "
        "such a one by `on_context_length`"
    ),
    "mailbox_full": "too many wait for it; ask for less at once, or raise `mailbox`",
    "starting": "it is being started; ask again in a moment",
    "restarting": "its code crashed, and it is being restarted; ask again in a moment",
    "draining": "it is being stopped; ask another with --via",
    "down": "its code crashed too often; mend that, or ask another with --via",
    "unsuitable": "it never does that; ask a provider that does, with --via",
    "attempts_spent": "the call has made all its attempts; raise `max_attempts`",
    "unselected": "the `selection` left all members out; let its `order` name some",
    "quorum": "not enough of its members serve this; name more, or lower `quorum`",
}
"""By the code of a refusal; no attempt was made."""

_BY_PHASE: Final[Mapping[str, str]] = {
    "race": "raise the `timeout` of the race, or leave it out",
    "consensus": "raise the `timeout` of the consensus, or lower its `quorum`",
    "deadline": "give the whole call more time; each member gets a share of what is left",
}
"""For a limit of time that is not the provider's own."""

_SELECTION: Final = "mend the code of the `selection`; `trio-llm --debug ...` shows where"


def remedy_for(error: errors.ProviderError) -> str | None:
    """Give the remedy for a refusal, for a phase, or for an error's class or its nearest base."""
    special: str | None = None
    if isinstance(error, errors.ProviderUnavailableError):
        special = REFUSALS.get(error.code or "")
    elif isinstance(error, errors.ProviderTimeoutError):
        special = _BY_PHASE.get(error.phase or "")
    elif isinstance(error, errors.ProviderCrashedError) and error.code == "selection":
        special = _SELECTION
    if special is not None:
        return special
    for cls in type(error).__mro__:
        if cls in _BY_CLASS:
            return _BY_CLASS[cls]
    return None
