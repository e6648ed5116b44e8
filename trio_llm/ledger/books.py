"""The price book that is at hand, opened when the first figure is wanted."""

from functools import cache

import trio

from trio_llm.blocking import off_the_loop
from trio_llm.ledger.genai import GenaiPrices
from trio_llm.ledger.prices import NoPrices, PriceBook


@cache
def open_book() -> PriceBook:
    """Give the prices of the extra ``prices``, or none where it is not installed.

    The first time that takes a few tenths of a second.
    """
    try:
        return GenaiPrices()
    except ImportError:
        return NoPrices()


async def installed_book() -> PriceBook:
    """Give the same book without holding the event loop up.

    The first time the package is imported in a thread, so that calls under way go on. A
    virtual clock would run away meanwhile, so under one it is imported in place.
    """
    if open_book.cache_info().currsize == 0:
        return await off_the_loop(open_book)
    await trio.lowlevel.checkpoint()
    return open_book()
