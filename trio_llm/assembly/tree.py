"""The tree of actors: who is in it, who asks whom, and in which order they start."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import attrs

from trio_llm.actors import ActorState, AnyCell, Cell, RestartIntensity
from trio_llm.assembly.balancers import balancer_actor
from trio_llm.assembly.providers import provider_actor
from trio_llm.assembly.sameness import same_balancer, same_provider, same_surroundings
from trio_llm.assembly.surroundings import Surroundings
from trio_llm.balancing import BalancerActor
from trio_llm.config import Plan
from trio_llm.lifecycle import ActorLog
from trio_llm.providers.actor import ProviderActor

Actor: TypeAlias = ProviderActor | BalancerActor


@attrs.frozen(eq=False)
class Tree:
    """The actors of one generation of the configuration; it never changes.

    Attributes:
        plan: What it was built from.
        nodes: Every provider and balancer by name, members before the balancers that
            ask them.
        providers: Every provider in declared order; one with several keys is one.
        cells: The cells of those that were made for it, in the order in which they start.
        uses: Whom each of these asks.
    """

    plan: Plan
    nodes: Mapping[str, Actor]
    providers: tuple[Actor, ...]
    cells: tuple[AnyCell, ...]
    uses: Mapping[AnyCell, tuple[AnyCell, ...]]


def build(plan: Plan, around: Surroundings, earlier: Tree | None = None) -> Tree:
    """Make every actor that a plan names, but for those that an earlier tree has already.

    A provider is taken over when nothing that is said of it has changed, and a balancer
    when besides that all whom it asks are taken over. One that is down is made anew.
    """
    work = _Build(plan, around, earlier)
    for name in plan.order:
        work.add(name)
    rings = {name: each for name, each in plan.balancers.items() if each.is_provider}
    keyed = {member for ring in rings.values() for member in ring.members}
    whole = [
        node
        for name, node in work.nodes.items()
        if name in rings or (name in plan.providers and name not in keyed)
    ]
    return Tree(
        plan,
        MappingProxyType(work.nodes),
        tuple(whole),
        tuple(work.uses),
        MappingProxyType(work.uses),
    )


@attrs.define(eq=False)
class _Build:
    """The work on one tree."""

    plan: Plan
    around: Surroundings
    earlier: Tree | None
    nodes: dict[str, Actor] = attrs.field(factory=dict[str, Actor], init=False)
    uses: dict[AnyCell, tuple[AnyCell, ...]] = attrs.field(
        factory=dict[AnyCell, tuple[AnyCell, ...]], init=False
    )

    def add(self, name: str) -> None:
        """Take an actor over, or make it, unless it is not enabled."""
        if name in self.plan.balancers:
            self.nodes[name] = self._balancer(name)
        elif self.plan.providers[name].settings.enabled:
            self.nodes[name] = self._provider(name)

    def _balancer(self, name: str) -> BalancerActor:
        plan, around = self.plan, self.around
        resolved = plan.balancers[name]
        advisers = [each for row in resolved.advisers.values() for each in row]
        asked = [self.nodes[each] for each in (*resolved.members, *advisers)]
        old = self._earlier(name)
        if (
            self.earlier is not None
            and isinstance(old, BalancerActor)
            and same_balancer(self.earlier.plan.balancers[name], resolved)
            and all(self.earlier.nodes.get(node.name) is node for node in asked)
        ):
            return old
        actor = balancer_actor(resolved, self.nodes, plan.config, around, around.seed)
        self._house(actor, resolved.settings.mailbox, asked)
        return actor

    def _provider(self, name: str) -> ProviderActor:
        plan, around = self.plan, self.around
        resolved = plan.providers[name]
        old = self._earlier(name)
        if (
            self.earlier is not None
            and isinstance(old, ProviderActor)
            and same_provider(self.earlier.plan.providers[name], resolved)
        ):
            return old
        actor = provider_actor(resolved, plan.config, around, around.seed)
        settings = resolved.settings
        self._house(actor, settings.max_concurrency + settings.mailbox, ())
        return actor

    def _earlier(self, name: str) -> Actor | None:
        """Give the actor of a name that could be taken over."""
        if self.earlier is None or not same_surroundings(
            self.earlier.plan.config, self.plan.config
        ):
            return None
        old = self.earlier.nodes.get(name)
        return None if old is None or old.cell.state is ActorState.DOWN else old

    def _house(self, actor: Actor, room: int, asked: Sequence[Actor]) -> None:
        """Give an actor its cell."""
        restart = self.plan.config.restart
        actor.cell = Cell(
            actor,
            capacity=room,
            intensity=RestartIntensity(
                restart.max_restarts, restart.window, restart.backoff, restart.max_backoff
            ),
            lifecycle=ActorLog(self.around.events, actor),
        )
        self.uses[actor.cell] = tuple([node.cell for node in asked])
