"""Breakers and failures for the tests of the breaker."""

import random

import attrs

from trio_llm.policy.breaker import Breaker, FailureKind, Permit
from trio_llm.policy.cooldown import Cooldown

RNG = random.Random(1)


@attrs.frozen
class Failure:
    """A failure as the table of blame describes it."""

    kind: FailureKind
    charge: bool = True
    at_once: bool = False
    retry_after: float | None = None

    def happens(
        self, breaker: Breaker, permit: Permit, now: float, rng: random.Random = RNG
    ) -> bool:
        """Tell the breaker."""
        return breaker.failed(
            permit,
            now,
            charge=self.charge,
            at_once=self.at_once,
            retry_after=self.retry_after,
            kind=self.kind,
            rng=rng,
        )


FAULT = Failure(FailureKind.FAULT)
THROTTLE = Failure(FailureKind.THROTTLE, charge=False, at_once=True)
QUOTA = Failure(FailureKind.QUOTA, at_once=True)
DEAD = Failure(FailureKind.AUTHENTICATION)
NEUTRAL = Failure(FailureKind.NEUTRAL, charge=False)


def breaker(
    *, after_failures: int = 1, jitter: float = 0.0, minimum_calls: int = 20, ratio: float = 0.5
) -> Breaker:
    """Make one whose rests are 8, 16, 32, then 64 seconds."""
    return Breaker(
        Cooldown(8.0, 64.0, after_failures),
        ratio=ratio,
        minimum_calls=minimum_calls,
        jitter=jitter,
    )


def fails(breaker: Breaker, failure: Failure, now: float) -> bool:
    """Let a request begin and fail in one instant."""
    return failure.happens(breaker, breaker.begin(now), now)


def succeeds(breaker: Breaker, now: float) -> bool:
    """Let a request begin and succeed in one instant."""
    return breaker.succeeded(breaker.begin(now), now)
