"""Those who have left the plan: what they have counted, and the rests that they were in.

A rest is the server's business, not the actor's. Who comes next to the same account at
the same place keeps it, by the same name or with the same key, also what an old call
learns of it after the reload, and also when the provider had been taken out in between.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from trio_llm.actors import AnyCell
from trio_llm.assembly import Actor, same_account, same_key
from trio_llm.config import ResolvedProvider
from trio_llm.providers.actor import ProviderActor
from trio_llm.providers.status import NodeStatistics

MOST_REMEMBERED: Final = 64
"""How many providers that have ended are remembered, for the rests that they were in."""

MOST_NAMES: Final = 256
"""Of how many names the counts are kept apart."""

THE_REST: Final = ""
"""The name under which the counts of all further ones stand; nobody else can bear it."""


@attrs.define(eq=False)
class _Leaver:
    """An actor that has left the plan.

    Attributes:
        actor: The actor.
        resolved: What it was, if it is a provider.
        counter: Who shows its counts: itself, or the successor who has taken them over.
        has_heir: Whether a provider has come after it to the same account.
        ended: Whether nothing of it runs any more.
    """

    actor: Actor
    resolved: ResolvedProvider | None
    counter: Actor
    has_heir: bool = attrs.field(default=False, init=False)
    ended: bool = attrs.field(default=False, init=False)


@attrs.define(eq=False)
class Retirement:
    """Everyone who has left the plan of one runtime."""

    _leavers: dict[AnyCell, _Leaver] = attrs.field(factory=dict[AnyCell, _Leaver], init=False)
    _sums: dict[str, NodeStatistics] = attrs.field(factory=dict[str, NodeStatistics], init=False)

    def left(
        self, actor: Actor, resolved: ResolvedProvider | None, successor: Actor | None
    ) -> None:
        """Note that an actor is no longer in the plan.

        Args:
            actor: Who has left.
            resolved: What it was, if it is a provider.
            successor: Who has its name now; it goes on with the counts if it is of the
                same kind.
        """
        if isinstance(actor, ProviderActor):
            actor.leave()
        counter = actor
        if successor is not None and successor.go_on_counting(actor):
            counter = successor
            for leaver in self._leavers.values():
                if leaver.counter is actor:
                    leaver.counter = successor
        self._leavers[actor.cell] = _Leaver(actor, resolved, counter)

    def came(self, newcomers: Sequence[tuple[ProviderActor, ResolvedProvider]]) -> None:
        """Let providers that are new in the plan inherit from those before them.

        The heir is who has the name now; where that is another account, or nobody, it is
        who asks with the same key.
        """
        for leaver in self._leavers.values():
            was = leaver.resolved
            if leaver.has_heir or was is None:  # an heir that has left, too, passes it on
                continue
            heirs = [actor for actor, resolved in newcomers if same_account(was, resolved)]
            heirs += [actor for actor, resolved in newcomers if same_key(was, resolved)]
            if heirs and isinstance(leaver.actor, ProviderActor):
                leaver.has_heir = True
                heirs[0].inherit(leaver.actor)

    def ended(self, cell: AnyCell) -> None:
        """Note that nothing runs any more in one who has left."""
        self._leavers[cell].ended = True
        self._forget()

    def statistics(self) -> dict[str, NodeStatistics]:
        """Give the counts of those who have left, by name."""
        sums = dict(self._sums)
        _add(sums, self._leavers.values())
        return sums

    def _forget(self) -> None:
        """Keep nothing but their counts of those who can matter no more."""
        leavers = list(self._leavers.values())
        counting = [each.counter for each in leavers if not each.ended]
        ended = [each for each in leavers if each.ended and each.actor not in counting]
        rests = [each for each in ended if each.resolved is not None and not each.has_heir]
        remembered = rests[-MOST_REMEMBERED:]
        gone = [each for each in ended if each not in remembered]
        _add(self._sums, gone)
        for leaver in gone:
            del self._leavers[leaver.actor.cell]
        named = [name for name in self._sums if name != THE_REST]
        for name in named[: max(0, len(named) - MOST_NAMES)]:
            rest = self._sums.get(THE_REST, NodeStatistics())
            self._sums[THE_REST] = together(rest, self._sums.pop(name))


def _add(sums: dict[str, NodeStatistics], leavers: Iterable[_Leaver]) -> None:
    for leaver in leavers:
        if leaver.counter is leaver.actor:
            name = leaver.actor.name
            before = sums.pop(name, NodeStatistics())  # the latest comes last
            sums[name] = together(before, leaver.actor.statistics())


def together(one: NodeStatistics, other: NodeStatistics) -> NodeStatistics:
    """Add two sets of counts up; the average is that of all successes."""
    counts = {
        field.name: getattr(one, field.name) + getattr(other, field.name)
        for field in attrs.fields(NodeStatistics)
        if field.type is int
    }
    succeeded = one.succeeded + other.succeeded
    seconds = sum((each.average_latency or 0.0) * each.succeeded for each in (one, other))
    return NodeStatistics(
        **counts,
        average_latency=seconds / succeeded if succeeded else None,
        cost=one.cost + other.cost,
    )
