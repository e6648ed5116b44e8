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
    """

    what: str
    remaining: float
    limit: float | None = None
    reset: float | None = None
