"""Makes the actor of one balancer: its members, its models and its strategy."""

from collections.abc import Mapping

from trio_llm.assembly.strategies import strategy_of
from trio_llm.assembly.surroundings import Surroundings
from trio_llm.balancing import BalancerActor
from trio_llm.balancing.routing import Models
from trio_llm.chat import OnInterrupt
from trio_llm.config import Config, ResolvedBalancer
from trio_llm.providers.actor import ProviderActor


def balancer_actor(
    resolved: ResolvedBalancer,
    nodes: Mapping[str, ProviderActor | BalancerActor],
    config: Config,
    around: Surroundings,
    seed: int,
) -> BalancerActor:
    """Make the actor of a balancer; its cell is made by whoever starts it."""
    settings = resolved.settings
    advisers = {
        setting: tuple(nodes[name] for name in names)
        for setting, names in resolved.advisers.items()
    }
    return BalancerActor(
        resolved.name,
        settings.kind,
        strategy_of(resolved, advisers),
        [nodes[name] for name in resolved.members],
        mailbox=settings.mailbox,
        close_deadline=config.close_deadline,
        wall_clock=around.wall_clock,
        seed=seed,
        is_provider=resolved.is_provider,
        models=Models(settings.models, settings.virtual_models),
        on_interrupt=OnInterrupt(settings.on_interrupt),
        advisers=[node for row in advisers.values() for node in row],
    )
