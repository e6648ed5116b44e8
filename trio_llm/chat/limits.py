"""What a provider says, in the headers of a response, of how much it will still take."""

import attrs


@attrs.frozen
class RateWindow:
    """One limit of a provider as one response stated it.

    Attributes:
        what: What it counts: ``requests`` or ``tokens``.
        remaining: How much may still be used before the reset.
        limit: How much the provider allows in all, or ``None`` if it does not say.
        reset: Seconds until the provider has filled it again, or ``None`` if it does
            not say.
        gradual: Whether it fills evenly until then, so that one more is to be had long
            before; otherwise nothing comes back before the reset.
    """

    what: str
    remaining: float
    limit: float | None = None
    reset: float | None = None
    gradual: bool = False

    @property
    def next_one(self) -> float | None:
        """Seconds until one that is used up gives one more, or ``None`` if nothing says."""
        if self.reset is None or not self.gradual or not self.limit:
            return self.reset
        return self.reset / max(1.0, self.limit)
