"""Prices as the library speaks of them."""

from decimal import Decimal
from typing import Final, Protocol

import attrs

from trio_llm.chat import Price, Usage

_MILLION: Final = Decimal(1_000_000)


@attrs.frozen
class Listing:
    """What a source says of one model; ``None`` where it says nothing.

    Attributes:
        price: What it costs.
        context_window: Input tokens that it takes at most.
        name: A name for people.
    """

    price: Price | None = None
    context_window: int | None = None
    name: str | None = None


class PriceBook(Protocol):
    """A source of prices."""

    def find(self, kind: str, model: str, /) -> Listing | None:
        """Look a model up.

        Args:
            kind: The kind of its provider, as in the catalogue of kinds.
            model: Its name, as the provider knows it.
        """
        ...


class NoPrices:
    """A source that knows nothing."""

    def find(self, _kind: str, _model: str) -> Listing | None:
        """Find nothing."""
        return None


def amount(price: Price, usage: Usage) -> Decimal:
    """Give what a use of tokens costs, in US dollars, exactly.

    Tokens read from the provider's cache, or written to it, cost their own price where
    there is one, and that of other input tokens where there is none.
    """
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    cached = price.input if price.cached_input is None else price.cached_input
    written = price.input if price.cache_write is None else price.cache_write
    parts = (
        (max(0, plain), price.input),
        (usage.cached_tokens, cached),
        (usage.cache_write_tokens, written),
        (usage.output_tokens, price.output),
    )
    return sum((tokens * rate for tokens, rate in parts), Decimal(0)) / _MILLION
