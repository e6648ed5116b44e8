"""Prices that will be asked for, at hand before the first call."""

from trio_llm.config import Plan
from trio_llm.ledger import installed_book
from trio_llm.providers.kind import UNPRICED


async def prices_at_hand(plan: Plan) -> None:
    """Open the installed price book where a provider's prices come from it.

    That takes a few tenths of a second the first time, in a thread; without it the first
    attempt that is booked would hold up all others for so long.
    """
    if any(
        provider.price is None and provider.settings.enabled and provider.kind.name not in UNPRICED
        for provider in plan.providers.values()
    ):
        await installed_book()
