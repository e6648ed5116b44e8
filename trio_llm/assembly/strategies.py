"""Makes the strategy of one balancer."""

from collections.abc import Mapping

from trio_llm.balancing import FallbackStrategy, LoadBalanceStrategy, RaceStrategy, Strategy
from trio_llm.balancing.load_balance import Order, Random, RoundRobin, Weighted
from trio_llm.config import Fallback, LoadBalance, Race, ResolvedBalancer
from trio_llm.providers.node import Node


def strategy_of(resolved: ResolvedBalancer, advisers: Mapping[str, tuple[Node, ...]]) -> Strategy:
    """Make the strategy of a balancer.

    Args:
        resolved: The balancer.
        advisers: By setting, those whom it asks besides its members.
    """
    settings = resolved.settings
    if isinstance(settings, Race):
        return RaceStrategy(settings.timeout)
    if isinstance(settings, Fallback):
        return FallbackStrategy(
            settings.max_retries,
            resolved.members.index(resolved.primary),
            advisers.get("on_context_length", ()),
            advisers.get("on_content_filter", ()),
        )
    if isinstance(settings, LoadBalance):
        return LoadBalanceStrategy(_order(settings, resolved), passes_on=resolved.passes_on)
    raise TypeError(f"no strategy for {settings.kind}")


def _order(settings: LoadBalance, resolved: ResolvedBalancer) -> Order:
    if settings.strategy == "weighted":
        return Weighted(resolved.weights)
    if settings.strategy == "random":
        return Random()
    return RoundRobin()
