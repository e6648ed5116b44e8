"""Makes the actor of one balancer: its members and its strategy."""

from collections.abc import Mapping

from trio_llm.assembly.surroundings import Surroundings
from trio_llm.balancing import (
    BalancerActor,
    FallbackStrategy,
    LoadBalanceStrategy,
    RaceStrategy,
    Strategy,
)
from trio_llm.balancing.load_balance import Order, Random, RoundRobin, Weighted
from trio_llm.config import Config, Fallback, Race, ResolvedBalancer
from trio_llm.providers.actor import ProviderActor


def balancer_actor(
    resolved: ResolvedBalancer,
    nodes: Mapping[str, ProviderActor | BalancerActor],
    config: Config,
    around: Surroundings,
    seed: int,
) -> BalancerActor:
    """Make the actor of a balancer; its cell is made by whoever starts it."""
    return BalancerActor(
        resolved.name,
        resolved.settings.kind,
        _strategy(resolved),
        [nodes[name] for name in resolved.members],
        mailbox=resolved.settings.mailbox,
        close_deadline=config.close_deadline,
        wall_clock=around.wall_clock,
        seed=seed,
        is_provider=resolved.is_provider,
    )


def _strategy(resolved: ResolvedBalancer) -> Strategy:
    settings = resolved.settings
    if isinstance(settings, Race):
        return RaceStrategy(settings.timeout)
    if isinstance(settings, Fallback):
        return FallbackStrategy(settings.max_retries, resolved.members.index(resolved.primary))
    order: Order
    if settings.strategy == "weighted":
        order = Weighted(resolved.weights)
    elif settings.strategy == "random":
        order = Random()
    else:
        order = RoundRobin()
    return LoadBalanceStrategy(order, passes_on=resolved.passes_on)
