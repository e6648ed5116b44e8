"""What a balancer's members say about each other: references, weights, cycles."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

import attrs

from trio_llm.config.census import Census, Place
from trio_llm.config.faults import Faults
from trio_llm.config.plan import ResolvedBalancer
from trio_llm.config.rules import quoted, suggestion, under
from trio_llm.config.schema import Balancer, Fallback, LoadBalance, Provider


def unknown_name(name: str, census: Census) -> str:
    """Say that nobody has this name."""
    return f"no provider named {quoted(name)}; {suggestion(name, tuple(census.places))}"


@attrs.define
class Membership:
    """Who is a member of whom.

    Args:
        census: Everyone by name.
        everyone: The enabled providers by priority, the members of a balancer
            that names none.
        faults: Where faults go.
    """

    census: Census
    everyone: tuple[str, ...]
    faults: Faults
    declared: dict[str, tuple[str, ...]] = attrs.field(
        factory=dict[str, tuple[str, ...]], init=False
    )
    _primary: dict[str, str] = attrs.field(factory=dict[str, str], init=False)

    def add(self, name: str, place: Place) -> None:
        """Look at one balancer: its members, and what it says of each."""
        balancer = place.node
        if isinstance(balancer, Provider):
            return
        path = under(place.path, "members")
        if path in self.faults.places:
            self.declared[name] = ()
        elif balancer.members is None:
            self.declared[name] = self.everyone
            if not self.everyone:
                self.faults.add(path, "missing, and there is no enabled provider; name a member")
        else:
            self.declared[name] = self._names(balancer, path)
            known = all(self.census.has(member) for member in balancer.members)
            if known and not self.enabled(name):
                self.faults.add(path, "none of them is enabled; enable one, or name another")
        if self.faults.touch(path):
            return
        sound = self.faults.mended(balancer, place.path)
        if isinstance(sound, Fallback):
            self._primary[name] = self._primary_of(name, sound, place.path)
        elif isinstance(sound, LoadBalance):
            self._look_at_weights(name, sound, place.path)

    def _names(self, balancer: Balancer, path: str) -> tuple[str, ...]:
        first: dict[str, int] = {}
        for index, member in enumerate(balancer.members or ()):
            place = under(path, index)
            if place in self.faults.places:
                continue
            if not self.census.has(member):
                if isinstance(member, str) and not self.census.is_broken(member):
                    self.faults.add(place, unknown_name(member, self.census))
                continue
            name = self.census.name_of(member)
            if name in first:
                self.faults.add(
                    place, f"{quoted(name)} is already members[{first[name]}]; name it once"
                )
            first.setdefault(name, index)
        return tuple(first)

    def is_enabled(self, name: str) -> bool:
        """Whether a name is not that of a provider that is switched off."""
        node = self.census.places[name].node if name in self.census.places else None
        return not isinstance(node, Provider) or node.enabled is not False

    def enabled(self, name: str) -> tuple[str, ...]:
        """Give those members of a balancer that are enabled."""
        return tuple(member for member in self.declared[name] if self.is_enabled(member))

    def order(self) -> tuple[str, ...]:
        """Give all names, members before balancers; every cycle is a fault."""
        graph: dict[str, list[str]] = {name: [] for name in self.census.places}
        graph.update({name: list(members) for name, members in self.declared.items()})
        while True:
            try:
                return tuple(TopologicalSorter(graph).static_order())
            except CycleError as error:
                backwards: list[str] = error.args[1]
            ring = backwards[:0:-1]
            start = min(range(len(ring)), key=lambda at: list(graph).index(ring[at]))
            ring = [*ring[start:], *ring[:start]]
            self.faults.add(
                under(self.census.places[ring[0]].path, "members"),
                f"a cycle: {' -> '.join([*ring, ring[0]])}; take one of them out",
            )
            graph[ring[-1]].remove(ring[0])

    def resolve(
        self, name: str, settings: Balancer, heights: Mapping[str, int]
    ) -> ResolvedBalancer:
        """Make one balancer whole."""
        members = self.enabled(name)
        primary = self._primary.get(name, "")
        weights: Mapping[str, float] = {}
        if isinstance(settings, LoadBalance):
            weights = settings.weights
        return ResolvedBalancer(
            name=name,
            members=members,
            weights={member: weights.get(member, 1.0) for member in members},
            primary=primary if primary in members else next(iter(members), ""),
            height=1 + max((heights.get(member, 0) for member in members), default=0),
            settings=settings,
        )

    def _primary_of(self, name: str, fallback: Fallback, path: str) -> str:
        wanted, declared = fallback.primary, self.declared[name]
        place = under(path, "primary")
        if isinstance(wanted, str):
            if wanted not in declared:
                hint = suggestion(wanted, declared)
                self.faults.add(place, f"no member named {quoted(wanted)}; {hint}")
            return wanted
        if 0 <= wanted < len(declared):
            return declared[wanted]
        self.faults.add(place, f"{wanted} is out of range; give 0 to {len(declared) - 1}")
        return ""

    def _look_at_weights(self, name: str, balancer: LoadBalance, path: str) -> None:
        declared, weights = self.declared[name], balancer.weights
        place = under(path, "weights")
        if self.faults.touch(place) or self.faults.touch(under(path, "strategy")):
            return
        if balancer.strategy != "weighted":
            if weights:
                self.faults.add(
                    place,
                    'read by the strategy "weighted" alone; set it, or leave weights out',
                )
            return
        for member in weights:
            if member not in declared:
                hint = suggestion(member, declared)
                self.faults.add(under(place, member), f"no member named {quoted(member)}; {hint}")
        for member in declared:
            if member not in weights:
                self.faults.add(
                    under(place, member),
                    "missing; give every member a weight, 0 for only in need",
                )
        if weights and not any(weights.values()):
            self.faults.add(place, "all are 0; give one member more")
