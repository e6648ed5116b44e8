"""Prices that strategies will ask for, at hand before the first call."""

from typing import Final

from trio_llm.config import Hedge, LoadBalance, Plan
from trio_llm.ledger import installed_book
from trio_llm.providers.kind import UNPRICED

_BY_COST: Final = frozenset({"least_cost", "adaptive"})


async def prices_at_hand(plan: Plan) -> None:
    """Open the installed price book where a strategy goes by it.

    That takes a few tenths of a second the first time, in a thread; without it the first
    call that is priced would hold up all others for so long.
    """
    by_cost = any(
        isinstance(balancer.settings, Hedge)
        or (isinstance(balancer.settings, LoadBalance) and balancer.settings.strategy in _BY_COST)
        for balancer in plan.balancers.values()
    )
    looked_up = any(
        provider.price is None and provider.kind.name not in UNPRICED
        for provider in plan.providers.values()
    )
    if by_cost and looked_up:
        await installed_book()
