"""How much a provider may be sent: its configured limits, and what its server says.

Where nothing is configured and nothing has been learnt there is no limiter, and
nothing is estimated.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from trio_llm.chat import AnyRequest, EmbedRequest, ModerateRequest, RateWindow, Request, Usage
from trio_llm.errors import (
    ConnectionFailedError,
    MalformedResponseError,
    ProviderCrashedError,
    ProviderError,
    ProviderTimeoutError,
    StreamInterruptedError,
)
from trio_llm.policy.rate_limit import RateLimiter, RateSnapshot, Reservation
from trio_llm.providers.estimate import BYTES_PER_TOKEN, size_of
from trio_llm.providers.pricing import Pricing, input_tokens

_UNLIMITED: Final = RateSnapshot(None, None, 0.0)

_NOTICEABLE: Final = 1.0
"""Seconds."""

_MAY_HAVE_WORKED: Final = (
    ConnectionFailedError,
    ProviderTimeoutError,
    StreamInterruptedError,
    MalformedResponseError,
    ProviderCrashedError,
)
"""Errors after which the provider may have used tokens although it gave no answer."""


@attrs.frozen(kw_only=True)
class RateLimits:
    """What the configuration says; ``None`` means no limit.

    Attributes:
        requests_per_minute: Requests.
        tokens_per_minute: Input and output tokens.
        requests_per_day: Requests.
        waits: Whether a call beyond them waits in line; otherwise it is refused.
        learns: Whether what the server says of its own limits counts, too.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    requests_per_day: float | None = None
    waits: bool = True
    learns: bool = True

    def limiter(self) -> RateLimiter:
        """Make a limiter that keeps them."""
        return RateLimiter(
            self.requests_per_minute, self.tokens_per_minute, self.requests_per_day, self.learns
        )

    @property
    def none(self) -> bool:
        """Whether nothing is limited."""
        return (
            self.requests_per_minute is None
            and self.tokens_per_minute is None
            and self.requests_per_day is None
        )


@attrs.define(eq=False)
class Rates:
    """The rate limits of one provider.

    Args:
        limits: What the configuration says.
        pricing: What is known of how long its answers are.

    Attributes:
        limiter: Keeps them; ``None`` while nothing is limited, neither by the configuration
            nor by what the server said last.
    """

    limits: RateLimits
    pricing: Pricing
    limiter: RateLimiter | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.limiter = None if self.limits.none else self.limits.limiter()

    def tokens(self, request: AnyRequest) -> float:
        """Estimate what an attempt at a request uses; exact only where that is limited.

        Elsewhere 1 stands for whatever it is, and 0 for what uses no tokens at all.
        """
        if self.limits.tokens_per_minute is None:
            return float(isinstance(request, Request | EmbedRequest | ModerateRequest))
        if isinstance(request, Request):
            return input_tokens(request) + self.pricing.output_tokens(request)
        if isinstance(request, EmbedRequest | ModerateRequest):
            return sum(size_of(text) for text in request.texts) / BYTES_PER_TOKEN
        return 0.0

    def wait(
        self, now: float, tokens: float, requests_ahead: int = 0, tokens_ahead: float = 0.0
    ) -> float:
        """Give the seconds until an attempt may begin; see `RateLimiter.wait`."""
        if self.limiter is None:
            return 0.0
        return self.limiter.wait(now, tokens, requests_ahead, tokens_ahead)

    def take(self, now: float, tokens: float) -> Reservation | None:
        """Book an attempt; nothing where nothing is limited."""
        return None if self.limiter is None else self.limiter.take(now, tokens)

    def settle(self, booking: Reservation, now: float, tokens: float | None) -> None:
        """Put the tokens that were used in the place of the estimate; see there."""
        if self.limiter is not None:
            self.limiter.settle(booking, now, tokens)

    def observe(self, now: float, windows: Sequence[RateWindow]) -> bool:
        """Learn from one response; give whether calls must wait noticeably longer for it."""
        if not windows or not self.limits.learns:
            return False
        if self.limiter is None:
            if all(window.remaining > 0.0 for window in windows):
                return False
            self.limiter = self.limits.limiter()
        before = self.limiter.wait(now, 1.0)
        self.limiter.observe(now, windows)
        after = self.limiter.wait(now, 1.0)
        if not after and self.limits.none:
            self.limiter = None
        return after > before + _NOTICEABLE

    def snapshot(self, now: float) -> RateSnapshot:
        """Give what it would admit at an instant."""
        return _UNLIMITED if self.limiter is None else self.limiter.snapshot(now)

    def inherit(self, other: "Rates") -> None:
        """Go on with the limits of an earlier actor of the same account.

        Unchanged limits are one bucket from now on, whatever a call beyond them does, so
        that the calls that the other still finishes count. Changed ones begin anew; the
        waits that the server asked for hold all the same.
        """
        theirs = other.limiter
        if theirs is None or theirs is self.limiter:
            return
        unchanged = self.limits == attrs.evolve(other.limits, waits=self.limits.waits)
        if unchanged and (self.limiter is None or not self.limits.none):
            self.limiter = theirs
        elif self.limits.learns:
            if self.limiter is None:
                self.limiter = self.limits.limiter()
            self.limiter.inherit(theirs)


def used_by_success(usage: Usage | None, estimate: float) -> float:
    """Give the tokens that an answer used, by what it says or else by the estimate."""
    return estimate if usage is None else float(usage.total_tokens)


def used_by_failure(error: ProviderError, known: float) -> float | None:
    """Give the tokens that a failed attempt used; ``None`` if nothing was sent.

    What a server refuses it does not count. What broke off while it worked is taken to
    have used what is known: the input, and the output that came or was expected.

    Args:
        error: What the attempt failed with.
        known: The tokens that are known of.
    """
    if error.phase in {"connect", "request"}:
        return None
    return known if isinstance(error, _MAY_HAVE_WORKED) else 0.0
