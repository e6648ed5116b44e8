"""What a use of tokens costs: exact decimals, from a price and the counts.

The counts are those of `Usage`: the input includes what was read from a cache and what
was written to it, the output includes reasoning.
"""

from decimal import Decimal
from typing import Final

from trio_llm.chat import Cost, Price, PriceTier, Usage
from trio_llm.chat.cost import EXACT, rounded

_times: Final = EXACT.multiply
_plus_times: Final = EXACT.fma
_MILLIONTH: Final = Decimal("1e-6")


def cost_of(price: Price, usage: Usage) -> Cost:
    """Give what an attempt cost whose tokens the provider has counted; that is exact."""
    return Cost(amount(price, usage))


def amount(price: Price, usage: Usage) -> Decimal:
    """Give what a use of tokens costs, in US dollars, rounded once, to `trio_llm.chat.cost.PICO`.

    A price that is not stated is that of the input or of the output. Where the parts of a
    count are more than the whole, all of the parts are paid for.
    """
    read, written = usage.input_tokens, usage.output_tokens
    rates = rates_at(price, read) if price.tiers else price
    dollars = _times(rates.input, _rest(read, usage.cached_tokens, usage.cache_write_tokens))
    if usage.cached_tokens:
        cached = rates.cached_input
        rate = rates.input if cached is None else cached
        dollars = _plus_times(rate, usage.cached_tokens, dollars)
    if usage.cache_write_tokens:
        kept = rates.cache_write
        rate = rates.input if kept is None else kept
        dollars = _plus_times(rate, usage.cache_write_tokens, dollars)
    if rates.reasoning is not None:
        dollars = _plus_times(rates.reasoning, usage.reasoning_tokens, dollars)
        written = _rest(written, usage.reasoning_tokens)
    return _whole(price, _plus_times(rates.output, written, dollars))


def estimated(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    """Give what so many tokens cost when none is cached and none is spent on reasoning.

    Args:
        price: What the model costs.
        input_tokens: How many it is expected to read.
        output_tokens: How many it is expected to write.
    """
    rates = rates_at(price, input_tokens) if price.tiers else price
    dollars = _plus_times(rates.output, output_tokens, _times(rates.input, input_tokens))
    return _whole(price, dollars)


def rates_at(price: Price, input_tokens: int) -> Price | PriceTier:
    """Give what holds for an input of that length: the highest tier that it is above."""
    rates: Price | PriceTier = price
    for tier in price.tiers:
        if input_tokens <= tier.above:
            break
        rates = tier
    return rates


def _rest(whole: int, first: int, second: int = 0) -> int:
    rest = whole - first - second
    return rest if rest > 0 else 0  # noqa: FURB136 - a call costs more than this


def _whole(price: Price, millionths: Decimal) -> Decimal:
    dollars = _times(millionths, _MILLIONTH)
    return rounded(EXACT.add(dollars, price.request) if price.request else dollars)
