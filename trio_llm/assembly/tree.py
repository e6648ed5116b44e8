"""The tree of actors: who is in it, and in which order they start."""

import attrs

from trio_llm.actors import AnyCell, Cell, RestartIntensity
from trio_llm.assembly.balancers import balancer_actor
from trio_llm.assembly.providers import provider_actor
from trio_llm.assembly.surroundings import Surroundings
from trio_llm.balancing import BalancerActor
from trio_llm.config import Plan
from trio_llm.lifecycle import ActorLog
from trio_llm.providers.actor import ProviderActor


@attrs.frozen
class Tree:
    """The actors of a runtime, members before the balancers that ask them.

    Attributes:
        nodes: Every provider and balancer by name.
        providers: Every provider in declared order; one with several keys is one.
        cells: Their cells, in the order in which they start.
        default: The name of the one that is asked by default.
    """

    nodes: dict[str, ProviderActor | BalancerActor]
    providers: tuple[ProviderActor | BalancerActor, ...]
    cells: tuple[AnyCell, ...]
    default: str


def build(plan: Plan, around: Surroundings) -> Tree:
    """Make every actor that the plan names."""
    nodes: dict[str, ProviderActor | BalancerActor] = {}
    log = ActorLog(around.events, nodes)
    cells: list[AnyCell] = []
    seed = around.rng.getrandbits(64)
    for name in plan.order:
        if name in plan.balancers:
            balancer = plan.balancers[name]
            room = balancer.settings.mailbox
            actor: ProviderActor | BalancerActor = balancer_actor(
                balancer, nodes, plan.config, around, seed
            )
        else:
            provider = plan.providers[name]
            if not provider.settings.enabled:
                continue
            room = provider.settings.max_concurrency + provider.settings.mailbox
            actor = provider_actor(provider, plan.config, around, seed)
        nodes[name] = actor
        restart = plan.config.restart
        actor.cell = Cell(
            actor,
            capacity=room,
            intensity=RestartIntensity(
                restart.max_restarts, restart.window, restart.backoff, restart.max_backoff
            ),
            lifecycle=log,
        )
        cells.append(actor.cell)
    rings = {name: each for name, each in plan.balancers.items() if each.is_provider}
    keyed = {member for ring in rings.values() for member in ring.members}
    whole = [
        node
        for name, node in nodes.items()
        if name in rings or (name in plan.providers and name not in keyed)
    ]
    return Tree(nodes, tuple(whole), tuple(cells), plan.default)
