"""The words between a breaker and the requests that it lets begin."""

import enum

import attrs


class BreakerState(enum.Enum):
    """What a provider's breaker says of it; the table is in `trio_llm.policy.breaker`."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    THROTTLED = "throttled"
    QUOTA_EXHAUSTED = "quota_exhausted"
    AUTHENTICATION_DEAD = "authentication_dead"


class FailureKind(enum.Enum):
    """What a failure says of the provider.

    Attributes:
        FAULT: It, or the way to it, does not work.
        THROTTLE: It works, and wants fewer requests.
        QUOTA: Its allowance is used up.
        AUTHENTICATION: It does not accept its key, and the key does not change by
            itself.
        NEUTRAL: Nothing; the request was the reason.
    """

    FAULT = "fault"
    THROTTLE = "throttle"
    QUOTA = "quota"
    AUTHENTICATION = "authentication"
    NEUTRAL = "neutral"


@attrs.define(eq=False)
class Permit:
    """What one request got when it began, and what its outcome is told with.

    Attributes:
        epoch: Tells it from the requests before the last rest, or the last new key.
        probe: Whether it is the one that a half-open breaker lets through.
    """

    epoch: int
    probe: bool
    _known: bool = attrs.field(default=False, init=False, repr=False)

    def resolve(self) -> bool:
        """Note that its outcome is known; give whether it was not until now."""
        if self._known:
            return False
        self._known = True
        return True
