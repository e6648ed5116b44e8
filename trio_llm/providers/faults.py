"""Makes and completes the errors of one provider."""

from collections.abc import Mapping
from typing import Final

import attrs

from trio_llm.errors import (
    Blame,
    ProviderCrashedError,
    ProviderError,
    ProviderUnavailableError,
)
from trio_llm.policy import own_blame

UNANSWERED: Final = {
    "crashed": "the code that serves it raised",
    "stopped": "its actor stopped before it answered",
    "cancelled": "the call was cancelled",
    "draining": "it is shutting down",
    "down": "its actor crashed too often and stays down",
}
"""Why a request has no answer, in words."""


@attrs.frozen
class Faults:
    """What the errors of one provider have in common.

    Attributes:
        provider: Its name.
        blames: Its own rows of the table of errors.
    """

    provider: str
    blames: Mapping[type[ProviderError], Blame]

    def complete(self, error: ProviderError, model: str, elapsed: float) -> ProviderError:
        """Write on the error of an attempt whose it is, and what follows from it there."""
        if error.provider is not None:  # seen before: one that a user's code raises again
            error = error.copy()
        error.provider = self.provider
        error.blame = own_blame(error, self.blames)
        error.model = error.model or model
        error.elapsed = elapsed
        return error

    def crashed(self, cause: BaseException, model: str) -> ProviderCrashedError:
        """Make the error for what the code behind the provider raised."""
        error = ProviderCrashedError(
            f"{UNANSWERED['crashed']}: {type(cause).__name__}: {cause}",
            provider=self.provider,
            model=model,
        )
        error.__cause__ = cause
        return error

    def unanswered(self, reason: str, cause: BaseException | None) -> ProviderError:
        """Make the error for a request that got no answer; see `Behaviour.unanswered`."""
        error: ProviderError
        if reason in {"draining", "down"}:
            error = ProviderUnavailableError(
                UNANSWERED[reason], provider=self.provider, code=reason
            )
        else:
            why = UNANSWERED[reason] if cause is None else f"{UNANSWERED[reason]}: {cause}"
            error = ProviderCrashedError(why, provider=self.provider)
            error.blame = own_blame(error, self.blames)
        error.__cause__ = cause
        return error
