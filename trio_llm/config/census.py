"""Who is in a configuration: every provider and balancer, and its name."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from trio_llm.config.faults import Faults
from trio_llm.config.rules import is_table, is_word, quoted, under
from trio_llm.config.schema import BALANCERS, Balancer, Member, Provider

_MEMBERS: Final = (Provider, *BALANCERS)


@attrs.frozen
class Place:
    """Where a provider or balancer stands.

    Attributes:
        path: The path in the configuration.
        node: The provider or balancer.
        key: Its key, when it stands in one of the two tables of names.
    """

    path: str
    node: Provider | Balancer
    key: str | None = None


def _inside(path: str, node: object) -> Iterator[Place]:
    if not isinstance(node, _MEMBERS):
        return
    yield Place(path, node)
    if not isinstance(node, Provider) and isinstance(node.members, tuple):
        for index, member in enumerate(node.members):
            yield from _inside(under(under(path, "members"), index), member)


def occurrences(
    providers: Mapping[str, Provider], balancers: Mapping[str, Balancer], default: object
) -> Iterator[Place]:
    """Walk the tree, depth first, in declared order; a shared object comes up each time."""
    for table, entries in (("providers", providers), ("balancers", balancers)):
        for key, entry in entries.items() if is_table(entries) else ():
            for place in _inside(under(table, str(key)), entry):
                own = place.node is entry
                yield attrs.evolve(place, key=str(key)) if own else place
    yield from _inside("default", default)


@attrs.define
class Census:
    """Every provider and balancer under one unique name.

    An object without a name of its own gets one that depends on the
    configuration alone: a provider that of its kind, a balancer its kind and a
    number, both counted until one is free; the default is ``default``.
    """

    places: dict[str, Place] = attrs.field(factory=dict[str, Place], init=False)
    _broken: frozenset[str] = frozenset()
    _names: dict[int, str] = attrs.field(factory=dict[int, str], init=False)

    def name_of(self, member: Member) -> str:
        """Give the name by which a member is known."""
        return member if isinstance(member, str) else self._names[id(member)]

    def has(self, member: Member) -> bool:
        """Whether a member is one of those counted."""
        name = member if isinstance(member, str) else self._names.get(id(member))
        return name in self.places

    def is_broken(self, member: Member) -> bool:
        """Whether a member's entry is no provider or balancer, which is a fault of its own."""
        return isinstance(member, str) and member in self._broken

    def take(self, places: list[Place], faults: Faults) -> None:
        """Give a name to everyone; those with one of their own first."""
        anonymous: list[Place] = []
        for place in places:
            own = place.key if place.key is not None else place.node.name
            if own is None:
                anonymous.append(place)
            else:
                self._register(place, own, faults)
        for place in anonymous:
            if id(place.node) not in self._names:
                self._set(place, self._free_name(place))

    def _set(self, place: Place, name: str) -> None:
        self._names[id(place.node)] = name
        self.places[name] = place

    def _register(self, place: Place, name: Any, faults: Faults) -> None:
        node = place.node
        if not isinstance(name, str):
            # The check of the setting itself says so; the tree needs a name anyway.
            self._names[id(node)] = str(name)
            return
        if place.key is not None and node.name is not None and node.name != name:
            faults.add(
                under(place.path, "name"),
                f"{quoted(str(node.name))} is not the key {quoted(name)}; leave `name` out",
            )
        if not name or "/" in name or not name.isprintable():
            faults.add(
                place.path,
                f'the name {quoted(name)} cannot be used; give one without "/" and line breaks',
            )
        self._names.setdefault(id(node), name)
        other = self.places.setdefault(name, place)
        both_keys = other.key is not None and place.key is not None
        if other is not place and (both_keys or other.node != node):
            faults.add(
                place.path,
                f"the name {quoted(name)} is taken by {other.path}; rename one of them",
            )

    def _free_name(self, place: Place) -> str:
        node = place.node
        if place.path == "default" and "default" not in self.places:
            return "default"
        kind = node.kind if is_word(node.kind) else "provider"
        number = 1
        while True:
            bare = isinstance(node, Provider) and number == 1
            name = kind if bare else f"{kind}-{number}"
            if name not in self.places:
                return name
            number += 1
