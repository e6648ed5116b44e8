"""What a model costs, from the many units in which providers say it."""

from decimal import Decimal, InvalidOperation
from typing import Any

from trio_llm.chat import Price
from trio_llm.wire.openai_chat.hosts import hosts_of
from trio_llm.wire.values import as_object

_MILLION = Decimal(1_000_000)
_MOST_LETTERS = 40
_MOST = Decimal(1_000_000)
"""Dollars for a million tokens: beyond it a figure is a mistake, or another unit."""


def price_of(entry: dict[str, Any]) -> Price | None:
    """Give the price that a list of models states; ``None`` where it states none.

    By the token (OpenRouter, Groq: ``prompt``, ``completion``; OpenRouter also by the
    request) or by the million (Perplexity, Together, Hugging Face: ``input``, ``output``).
    A zero is a price; a figure that is missing is none. Of several hosts the dearest counts.
    """
    own = _price(as_object(entry.get("pricing")))
    if own is not None:
        return own
    stated = [_price(as_object(host.get("pricing"))) for host in hosts_of(entry)]
    prices = [price for price in stated if price is not None]
    return max(prices, key=lambda price: price.input + price.output, default=None)


def dollars(value: Any, factor: Decimal = Decimal(1)) -> Decimal | None:
    """Give an amount of dollars, a number or its text, times `factor`; ``None`` for no amount."""
    if type(value) not in (str, int, float):
        return None
    text = str(value)
    if len(text) > _MOST_LETTERS:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    # OpenRouter writes -1 where the price depends on what the request becomes.
    if not amount.is_finite() or amount < 0 or (amount and not -30 < amount.adjusted() < 30):
        return None
    amount *= factor
    # Without zeros at its end, and without an exponent.
    return amount.normalize() + Decimal(0) if amount <= _MOST else None


def _price(pricing: dict[str, Any]) -> Price | None:
    thought, request = None, Decimal(0)
    if "prompt" in pricing:
        names = ("prompt", "completion", "input_cache_read", "input_cache_write")
        paid, earned, read, written = [dollars(pricing.get(name), _MILLION) for name in names]
        # A zero means here that reasoning has no price of its own, not that it costs nothing.
        thought = dollars(pricing.get("internal_reasoning"), _MILLION) or None
        request = dollars(pricing.get("request")) or request
    else:
        names = ("input", "output", "cache_read", "cache_write")
        paid, earned, read, written = [dollars(pricing.get(name)) for name in names]
        read = dollars(pricing.get("cached_input")) if read is None else read
    if paid is None or earned is None:
        return None
    return Price(paid, earned, read, written, reasoning=thought, request=request)
