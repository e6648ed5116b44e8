"""What a balancer's members say about each other: references, weights, cycles."""

from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, cast

import attrs

from trio_llm.config.census import Census, Place
from trio_llm.config.custom import find_scorer, find_selection
from trio_llm.config.faults import Faults
from trio_llm.config.plan import ResolvedBalancer
from trio_llm.config.rules import quoted, suggestion, under
from trio_llm.config.schema import Balancer, Consensus, Fallback, LoadBalance, Provider, Race


def unknown_name(name: str, census: Census) -> str:
    """Say that nobody has this name."""
    return f"no provider named {quoted(name)}; {suggestion(name, tuple(census.places))}"


def named_besides(balancer: object) -> tuple[str, ...]:
    """Give the names, in its settings, of those whom a balancer asks besides its members."""
    names: list[str] = []
    for setting in ("judge", "embedder", "on_context_length", "on_content_filter"):
        value: object = getattr(balancer, setting, None)
        asked = cast("tuple[object, ...]", value if isinstance(value, tuple) else (value,))
        names += [each for each in asked if isinstance(each, str)]
    return tuple(names)


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
    _advisers: dict[str, dict[str, tuple[str, ...]]] = attrs.field(
        factory=dict[str, dict[str, tuple[str, ...]]], init=False
    )
    _scorers: dict[str, Callable[..., Any]] = attrs.field(
        factory=dict[str, Callable[..., Any]], init=False
    )
    _selections: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False)

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
        self._look_at_models(name, sound, place.path)
        if isinstance(sound, Fallback):
            self._primary[name] = self._primary_of(name, sound, place.path)
            self._take_adviser(name, "on_context_length", sound.on_context_length, place.path)
            self._take_adviser(name, "on_content_filter", sound.on_content_filter, place.path)
        elif isinstance(sound, LoadBalance):
            self._look_at_weights(name, sound, place.path)
            self._look_at_selection(name, sound, place.path)
        elif isinstance(sound, Consensus):
            self._look_at_weights(name, sound, place.path)
            self._look_at_votes(name, sound, place.path)
        elif isinstance(sound, Race):
            self._look_at_quality(name, sound, place.path)

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
        for name, asked in self._advisers.items():
            graph[name] += [a for names in asked.values() for a in names if a not in graph[name]]
        while True:
            try:
                return tuple(TopologicalSorter(graph).static_order())
            except CycleError as error:
                backwards: list[str] = error.args[1]
            ring = backwards[:0:-1]
            start = min(range(len(ring)), key=lambda at: list(graph).index(ring[at]))
            ring = [*ring[start:], *ring[:start]]
            self.faults.add(
                under(
                    self.census.places[ring[0]].path, self._setting(ring[0], ring[1 % len(ring)])
                ),
                f"a cycle: {' -> '.join([*ring, ring[0]])}; take one of them out",
            )
            graph[ring[-1]].remove(ring[0])

    def _setting(self, name: str, asked: str) -> str:
        """Give the setting by which one asks another."""
        for setting, names in self._advisers.get(name, {}).items():
            if asked in names and asked not in self.declared[name]:
                return setting
        return "members"

    def resolve(
        self, name: str, settings: Balancer, heights: Mapping[str, int]
    ) -> ResolvedBalancer:
        """Make one balancer whole."""
        members = self.enabled(name)
        primary = self._primary.get(name, "")
        weights: Mapping[str, float] = {}
        if isinstance(settings, LoadBalance | Consensus):
            weights = settings.weights
        advisers = {
            setting: tuple(each for each in names if self.is_enabled(each))
            for setting, names in self._advisers.get(name, {}).items()
        }
        asked = (*members, *(each for names in advisers.values() for each in names))
        return ResolvedBalancer(
            name=name,
            members=members,
            weights={member: weights.get(member, 1.0) for member in members},
            primary=primary if primary in members else next(iter(members), ""),
            height=1 + max((heights.get(each, 0) for each in asked), default=0),
            settings=settings,
            advisers=advisers,
            scorer=self._scorers.get(name),
            selection=self._selections.get(name),
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

    def _take_adviser(self, name: str, setting: str, asked: tuple[str, ...], path: str) -> None:
        """Look at the names of those who are asked besides the members."""
        place = under(path, setting)
        if self.faults.touch(place):
            return
        single = setting in {"judge", "embedder"}
        known: list[str] = []
        for index, each in enumerate(asked):
            at = place if single else under(place, index)
            if not self.census.has(each):
                if not self.census.is_broken(each):
                    self.faults.add(at, unknown_name(each, self.census))
            elif single and not self.is_enabled(each):
                self.faults.add(at, f"{quoted(each)} is not enabled; enable it, or name another")
            elif each in known:
                self.faults.add(at, f"{quoted(each)} is named twice; name it once")
            else:
                known.append(each)
        if known:
            self._advisers.setdefault(name, {})[setting] = tuple(known)

    def _look_at_models(self, name: str, balancer: Balancer, path: str) -> None:
        declared = self.declared[name]
        if not self.faults.touch(under(path, "models")):
            self._demand_members(balancer.models, declared, under(path, "models"))
        place = under(path, "virtual_models")
        if self.faults.touch(place):
            return
        for model, members in balancer.virtual_models.items():
            at = under(place, str(model))
            self._demand_members(members, declared, at)
            if self.census.has(str(model)):
                self.faults.add(at, "the name of a provider or balancer; give it another")

    def _demand_members(
        self, table: Mapping[str, Any], declared: tuple[str, ...], place: str
    ) -> None:
        for member in table:
            if member not in declared:
                hint = suggestion(str(member), declared)
                at = under(place, str(member))
                self.faults.add(at, f"no member named {quoted(str(member))}; {hint}")

    def _look_at_quality(self, name: str, race: Race, path: str) -> None:
        for setting in ("scorer", "judge"):
            place = under(path, setting)
            if getattr(race, setting) is None or self.faults.touch(place):
                continue
            if race.strategy != "quality":
                self.faults.add(
                    place, 'read by the strategy "quality" alone; set it, or leave it out'
                )
        if race.scorer is not None and race.judge is not None:
            self.faults.add(under(path, "judge"), "given together with scorer; give one")
        if race.judge is not None:
            self._take_adviser(name, "judge", (race.judge,), path)
        if race.scorer is not None:
            try:
                self._scorers[name] = find_scorer(race.scorer)
            except LookupError as error:
                self.faults.add(under(path, "scorer"), str(error))

    def _look_at_votes(self, name: str, consensus: Consensus, path: str) -> None:
        count = len(self.enabled(name))
        if consensus.quorum is not None and consensus.quorum > count:
            self.faults.add(
                under(path, "quorum"),
                f"{consensus.quorum} of {count} members; give {count} or less",
            )
        if consensus.strategy == "embedding":
            if consensus.embedder is None:
                self.faults.add(under(path, "embedder"), "missing; name a provider that embeds")
            else:
                self._take_adviser(name, "embedder", (consensus.embedder,), path)
        elif consensus.embedder is not None:
            self.faults.add(
                under(path, "embedder"),
                'read by the strategy "embedding" alone; set it, or leave it out',
            )

    def _look_at_selection(self, name: str, balancer: LoadBalance, path: str) -> None:
        place = under(path, "selection")
        if self.faults.touch(place) or self.faults.touch(under(path, "strategy")):
            return
        if balancer.strategy != "custom":
            if balancer.selection is not None:
                self.faults.add(
                    place, 'read by the strategy "custom" alone; set it, or leave it out'
                )
            return
        if balancer.selection is None:
            self.faults.add(place, "missing; name your rule as package.module:name")
            return
        try:
            self._selections[name] = find_selection(balancer.selection)
        except LookupError as error:
            self.faults.add(place, str(error))

    def _look_at_weights(self, name: str, balancer: LoadBalance | Consensus, path: str) -> None:
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
