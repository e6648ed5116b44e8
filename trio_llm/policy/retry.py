"""How long to wait before asking the same provider again."""

import random
from collections.abc import Mapping

import attrs

from trio_llm.errors import ProviderError


@attrs.frozen
class RetryRule:
    """How often one provider is asked again after a failure, and after what pauses.

    Attributes:
        attempts: How many further attempts; 0 means none.
        base_delay: Upper bound of the first pause, in seconds.
        max_delay: Upper bound of every pause, in seconds.
    """

    attempts: int = 0
    base_delay: float = 0.5
    max_delay: float = 8.0


def rule_for(
    error: ProviderError, usual: RetryRule, own: Mapping[type[ProviderError], RetryRule]
) -> RetryRule:
    """Give the rule for an error: that of its class, or of the nearest of its bases."""
    if own:
        for cls in type(error).__mro__:
            if cls in own:
                return own[cls]
    return usual


def backoff(
    number: int,
    *,
    base_delay: float,
    max_delay: float,
    rng: random.Random,
    retry_after: float | None = None,
) -> float:
    """Give the pause before the next attempt, in seconds.

    Exponential with full jitter, so that callers that failed together do not come
    back together (M. Brooker, "Exponential Backoff And Jitter", 2015). A wait that
    the provider asked for is kept to the letter instead.

    Args:
        number: How many attempts have failed, from 1.
        base_delay: Upper bound of the first pause, in seconds.
        max_delay: Upper bound of every pause, in seconds.
        rng: Source of the jitter.
        retry_after: What the provider asked for, in seconds.
    """
    if retry_after is not None:
        return retry_after
    return rng.uniform(0.0, min(max_delay, base_delay * 2.0 ** min(number - 1, 64)))
