"""When a provider must rest: monotone and escalating."""

import math

import attrs

LONGEST_WAIT = 24 * 3600.0
"""The longest wait that a provider may ask for, in seconds; a typing error must not be kept."""


@attrs.define
class Cooldown:
    """A rest after failures.

    It begins after `after_failures` charged failures in a row, or at once where
    the provider asks for it. Each rest in a row is twice as long as the last, up
    to `maximum`. A running rest is never shortened; failures of requests that
    were already under way when it began do not lengthen the next one.

    Args:
        initial: Length of the first rest, in seconds.
        maximum: Longest rest by escalation, in seconds. A wait that the provider
            asks for is kept even when it is longer.
        after_failures: Charged failures in a row that start a rest.

    Attributes:
        until: When the rest ends; minus infinity when there was none.
        failures: Charged failures in a row.
    """

    initial: float = 5.0
    maximum: float = 300.0
    after_failures: int = 3
    until: float = attrs.field(default=-math.inf, init=False)
    failures: int = attrs.field(default=0, init=False)
    _level: int = attrs.field(default=0, init=False)

    def remaining(self, now: float) -> float:
        """Seconds of rest left; 0 when there is none."""
        return max(0.0, self.until - now)

    def rest(self, now: float, seconds: float) -> None:
        """Rest at least so long from now; a running rest that is longer stays as it is."""
        self.until = max(self.until, now + seconds)

    def rest_as_asked(self, now: float, retry_after: float) -> None:
        """Rest at least as long as the provider asks, in seconds, up to `LONGEST_WAIT`."""
        self.rest(now, min(retry_after, LONGEST_WAIT))

    def failed(
        self,
        now: float,
        *,
        charge: bool,
        at_once: bool = False,
        retry_after: float | None = None,
        due: bool = False,
        stretch: float = 1.0,
    ) -> bool:
        """Note a failure; give whether a rest began or was prolonged.

        Args:
            now: The present instant.
            charge: Whether it counts against the provider.
            at_once: Whether to rest even after a single one.
            retry_after: Seconds that the provider asked for; made an absolute
                instant here and now.
            due: Whether the caller has found that a rest is due, also beside one
                that runs.
            stretch: Factor, 1 or more, by which a rest is lengthened that the
                provider did not ask for.
        """
        before = self.until
        if charge:
            self.failures += 1
        counted = at_once or (charge and self.failures >= self.after_failures)
        if due or (counted and now >= self.until):
            own = min(self.initial * 2.0 ** min(self._level, 64), self.maximum)
            self._level += 1
            if retry_after is None or not at_once:
                self.rest(now, own * stretch)
        if retry_after is not None:
            self.rest_as_asked(now, retry_after)
        return self.until > before

    def succeeded(self, now: float) -> None:
        """Note a success: the failures are forgotten, a running rest is not."""
        self.failures = 0
        if now >= self.until:
            self._level = 0

    def has_the_rules_of(self, other: "Cooldown") -> bool:
        """Whether both come from the same settings."""
        return (self.initial, self.maximum, self.after_failures) == (
            other.initial,
            other.maximum,
            other.after_failures,
        )

    def inherit(self, other: "Cooldown") -> None:
        """Take over the rest, failures and escalation of another, where they are greater."""
        self.until = max(self.until, other.until)
        self.failures = max(self.failures, other.failures)
        self._level = max(self._level, other._level)  # noqa: SLF001 - another of its kind
