"""What a balancer knows of one of its members."""

import math
from typing import Final

import attrs

from trio_llm.policy.latency import DecayedRate, Ewma, PeakEwma, RotatingHistogram

LATENCY_DECAY: Final = 60.0
"""Time constant of a member's latency, in seconds: some calls long, as calls take seconds."""

FIRST_FAILURE: Final = 60.0
"""Seconds that a failure counts for at least, while nothing is known of the latency."""


@attrs.frozen
class VitalsSnapshot:
    """What was known of a member at one instant.

    Attributes:
        latency: Mean that stands at peaks, in seconds, failures included; ``None``
            before the first answer.
        p50: Median of the time to the first token, or to the answer of a plain call,
            over the last minutes, in seconds; ``None`` when there was none.
        p95: The same, not exceeded by 95 % of the calls.
        p99: The same, not exceeded by 99 % of the calls.
        success_rate: Share of calls that succeeded, recent ones first; ``None``
            before the first.
        win_rate: Share of races won, recent ones first; ``None`` before the first.
        races: How many races the win rate stands for.
        samples: How many calls the success rate stands for.
    """

    latency: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    success_rate: float | None
    win_rate: float | None
    races: float
    samples: float


def _latency() -> PeakEwma:
    return PeakEwma(LATENCY_DECAY)


@attrs.define
class Vitals:
    """What a balancer knows of one member: how fast, how sound, how busy.

    A call is `began`, then `answered` or `failed` or neither (cancelled: nothing is
    learnt), then `ended`.

    Attributes:
        latency: Whole calls, with their peaks.
        first_token: Time to the first token, or to the answer of a plain call.
        success: Calls that succeeded.
        races: Races that were won.
        race_latency: Seconds that its answers in races took.
        outstanding: Calls under way.
        seen: The instant of the last outcome, of a call or a race; minus infinity before
            the first.
    """

    latency: PeakEwma = attrs.field(factory=_latency)
    first_token: RotatingHistogram = attrs.field(factory=RotatingHistogram)
    success: DecayedRate = attrs.field(factory=DecayedRate)
    races: DecayedRate = attrs.field(factory=DecayedRate)
    race_latency: Ewma = attrs.field(factory=Ewma)
    outstanding: int = 0
    seen: float = attrs.field(default=-math.inf, init=False)

    def began(self) -> None:
        """Note that a call is under way."""
        self.outstanding += 1

    def ended(self) -> None:
        """Note that a call is no longer under way, however it ended."""
        self.outstanding -= 1

    def answered(self, now: float, seconds: float, first_token: float | None = None) -> None:
        """Note a success.

        Args:
            now: The present instant.
            seconds: How long the whole call took.
            first_token: Seconds to the first token; ``None`` for a plain call.
        """
        self.seen = now
        self.success.observe(True)
        self.latency.observe(now, seconds)
        self.first_token.observe(now, seconds if first_token is None else first_token)

    def failed(self, now: float, seconds: float) -> None:
        """Note a failure; it never makes the member look faster than before.

        Args:
            now: The present instant.
            seconds: How long the call took to fail.
        """
        self.seen = now
        self.success.observe(False)
        level = self.latency.level
        self.latency.observe(now, max(seconds, FIRST_FAILURE if level is None else level))

    def raced(self, won: bool, seconds: float | None, now: float) -> None:
        """Note a race that it took part in.

        Args:
            won: Whether its answer was taken.
            seconds: How long its answer took; ``None`` when there was none.
            now: The present instant.
        """
        self.seen = now
        self.races.observe(won)
        if seconds is not None:
            self.race_latency.observe(now, seconds)

    def score(self, now: float) -> float:
        """Give what one call more would have to wait for, in seconds; less is better."""
        return self.latency.score(now, self.outstanding)

    def snapshot(self, now: float) -> VitalsSnapshot:
        """Give what is known at this instant."""
        samples, races = self.success.weight, self.races.weight
        answered = self.success.state()[0] > 0.0
        return VitalsSnapshot(
            latency=self.latency.level if answered else None,
            p50=self.first_token.percentile(now, 0.5),
            p95=self.first_token.percentile(now, 0.95),
            p99=self.first_token.percentile(now, 0.99),
            success_rate=self.success.value(weight=0.0) if samples else None,
            win_rate=self.races.value(weight=0.0) if races else None,
            races=races,
            samples=samples,
        )
