"""How many requests and tokens a provider may be sent, and what its headers teach of it."""

import math
from collections.abc import Sequence

import attrs

from trio_llm.chat import RateWindow
from trio_llm.policy.cooldown import LONGEST_WAIT
from trio_llm.policy.gcra import Gcra

_MINUTE = 60.0
_DAY = 24 * 3600.0


@attrs.define(eq=False)
class Reservation:
    """What one request was taken to cost, until its real cost is known.

    Attributes:
        tokens: The estimate.
        settled: Whether the real cost has been put in its place.
    """

    tokens: float
    settled: bool = False


@attrs.frozen
class RateSnapshot:
    """What a limiter would admit at one instant.

    Attributes:
        requests_available: Requests that could be sent now; ``None`` where no limit
            on requests is configured.
        tokens_available: The same for tokens.
        blocked_for: Seconds for which the provider said that it takes nothing.
    """

    requests_available: float | None
    tokens_available: float | None
    blocked_for: float


@attrs.define
class RateLimiter:
    """Requests and tokens together: a call goes out when all of its limits admit it.

    Whoever finds a `wait` of 0 takes in the same synchronous step, by estimate, and
    settles when the real cost is known. Under load the books are then those of the real
    costs, as if no estimate had been; what concurrent calls use too much in a window is
    at most the error of their estimates.

    Without any configured limit it still learns: where the provider's headers say that
    nothing remains, calls wait for the reset that they name.

    Args:
        requests_per_minute: A tenth of it may go at once; ``None`` means no limit.
        tokens_per_minute: The same for tokens.
        requests_per_day: All of it may go at once and comes back evenly over a day,
            which is how the providers count that state such a limit.
        learn: Whether to heed what the provider's headers say.

    Raises:
        ValueError: A limit is not above zero and finite.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    requests_per_day: float | None = None
    learn: bool = True
    _requests: Gcra | None = attrs.field(init=False)
    _tokens: Gcra | None = attrs.field(init=False)
    _daily: Gcra | None = attrs.field(init=False)
    _no_requests_until: float = attrs.field(default=-math.inf, init=False)
    _no_tokens_until: float = attrs.field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        minute, tokens, day = (
            self.requests_per_minute,
            self.tokens_per_minute,
            self.requests_per_day,
        )
        self._requests = None if minute is None else Gcra(minute, _MINUTE)
        self._tokens = None if tokens is None else Gcra(tokens, _MINUTE)
        self._daily = None if day is None else Gcra(day, _DAY, burst=max(1.0, day))

    @property
    def limited(self) -> bool:
        """Whether anything could ever make a call wait."""
        return self.learn or any((self._requests, self._tokens, self._daily))

    def wait(
        self, now: float, tokens: float, requests_ahead: int = 0, tokens_ahead: float = 0.0
    ) -> float:
        """Give the seconds until a request of so many tokens may be sent; 0 means now.

        A request that costs no tokens does not wait for any.

        Args:
            now: The present instant.
            tokens: What it will use, by estimate.
            requests_ahead: How many others will be sent before it.
            tokens_ahead: What these will use.
        """
        wait = self._no_requests_until - now
        if self._requests is not None:
            wait = max(wait, self._requests.wait(now, 1.0, requests_ahead))
        if self._daily is not None:
            wait = max(wait, self._daily.wait(now, 1.0, requests_ahead))
        if tokens > 0.0:
            wait = max(wait, self._no_tokens_until - now)
            if self._tokens is not None:
                wait = max(wait, self._tokens.wait(now, tokens, tokens_ahead))
        return max(0.0, wait)

    def take(self, now: float, tokens: float) -> Reservation:
        """Take one request and so many tokens, whether or not it is time."""
        if self._requests is not None:
            self._requests.take(now)
        if self._daily is not None:
            self._daily.take(now)
        if self._tokens is not None:
            self._tokens.take(now, tokens)
        return Reservation(tokens)

    def settle(self, reservation: Reservation, now: float, tokens: float | None) -> None:
        """Put the real cost in the place of the estimate; only the first time counts.

        Args:
            reservation: What `take` gave.
            now: The present instant.
            tokens: Tokens that were used; ``None`` means that nothing was sent, and
                gives back the request too.
        """
        if reservation.settled:
            return
        reservation.settled = True
        if tokens is None:
            if self._requests is not None:
                self._requests.settle(now, 1.0, 0.0)
            if self._daily is not None:
                self._daily.settle(now, 1.0, 0.0)
        if self._tokens is not None:
            self._tokens.settle(now, reservation.tokens, tokens or 0.0)

    def observe(self, now: float, windows: Sequence[RateWindow]) -> None:
        """Learn from the headers of one response.

        Of several windows of a kind all hold. Where one is used up, calls wait for what
        it gives next, at its reset or before (`RateWindow.next_one`), at most
        `LONGEST_WAIT`; where all have something left, they no longer do.
        """
        if not self.learn:
            return
        requests = [window for window in windows if window.what == "requests"]
        if requests:
            self._no_requests_until = _until(now, requests, self._no_requests_until)
            _tell(now, requests, self._requests)
            # Without a reset a window may be of any length, and most are of a minute.
            _tell(now, [w for w in requests if w.reset is not None], self._daily)
        tokens = [window for window in windows if window.what == "tokens"]
        if tokens:
            self._no_tokens_until = _until(now, tokens, self._no_tokens_until)
            _tell(now, tokens, self._tokens)

    def inherit(self, other: "RateLimiter") -> None:
        """Take over the waits that the provider asked another one for, where they are longer."""
        self._no_requests_until = max(self._no_requests_until, other._no_requests_until)  # noqa: SLF001 - another of its kind
        self._no_tokens_until = max(self._no_tokens_until, other._no_tokens_until)  # noqa: SLF001

    def snapshot(self, now: float) -> RateSnapshot:
        """Give what it would admit now."""
        requests = [
            bucket.available(now) for bucket in (self._requests, self._daily) if bucket is not None
        ]
        return RateSnapshot(
            requests_available=max(0.0, min(requests)) if requests else None,
            tokens_available=None
            if self._tokens is None
            else max(0.0, self._tokens.available(now)),
            blocked_for=max(0.0, self._no_requests_until - now, self._no_tokens_until - now),
        )


def _until(now: float, windows: Sequence[RateWindow], before: float) -> float:
    """Give until when nothing can be had, by windows of one kind."""
    used_up = [window for window in windows if window.remaining <= 0.0]
    if not used_up:
        return -math.inf
    waits = [window.next_one for window in used_up if window.next_one is not None]
    return now + min(max(waits), LONGEST_WAIT) if waits else before


def _tell(now: float, windows: Sequence[RateWindow], bucket: Gcra | None) -> None:
    """Tell a bucket of the window that has least left; that is the first to run out."""
    if bucket is not None and windows:
        least = min(windows, key=lambda window: window.remaining)
        bucket.observe(now, least.remaining, least.reset, least.limit)
