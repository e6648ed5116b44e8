"""What becomes an event of a call's span, and what of it is told.

This is a list of what may be told: a record that is not in it, or a field of one, stays
out. Sentences that providers wrote may quote a prompt, so they need the leave for content.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from trio_llm import events
from trio_llm.telemetry.attributes import Attributes

TOLD: Final[Mapping[type[events.Event], tuple[str, ...]]] = MappingProxyType(
    {
        events.WinnerChosen: ("winner", "hedged"),
        events.LoserCancelled: ("loser",),
        events.LoserDiscarded: ("loser",),
        events.AdviceMissing: ("adviser", "member"),
        events.VoteCast: ("member", "group"),
        events.ConsensusReached: ("winner",),
        events.HedgeStarted: ("member", "after"),
        events.HedgeSuppressed: ("reason",),
        events.FellBack: ("failed",),
        events.StreamSwitched: ("failed", "provider", "policy"),
        events.CooldownStarted: (),
        events.BreakerChanged: ("old", "new"),
        events.CleanupOverran: (),
        events.Degraded: ("how", "error"),
        events.BudgetAlert: ("budget", "threshold"),
        events.BudgetExceeded: ("budget", "how"),
        events.CacheHit: ("age", "stale"),
        events.CacheMissed: (),
        events.CacheStored: ("size", "evicted"),
        events.FlightJoined: ("waiters",),
    }
)
"""The records that are told, with those of their fields that never hold content."""

_QUOTING: Final[Mapping[type[events.Event], tuple[str, ...]]] = MappingProxyType(
    {
        events.AdviceMissing: ("reason",),
        events.FellBack: ("reason",),
        events.CooldownStarted: ("reason",),
        events.BreakerChanged: ("reason",),
    }
)
"""Fields that may quote what was asked or answered."""


@attrs.frozen
class Happening:
    """An event of a span."""

    name: str
    attributes: Attributes


def _named(record: type[events.Event]) -> str:
    return "trio_llm." + re.sub(r"(?<!^)(?=[A-Z])", "_", record.__name__).lower()


_NAMES: Final = {record: _named(record) for record in TOLD}


def happening(event: events.Event, *, content: bool) -> Happening | None:
    """Give what a span is told of a record; ``None`` if nothing.

    Args:
        event: The record.
        content: Whether it may hold what was asked and answered.
    """
    record = type(event)
    fields = TOLD.get(record)
    if fields is None:
        return None
    if content:
        fields = (*fields, *_QUOTING.get(record, ()))
    attributes: Attributes = {"trio_llm.actor": event.actor}
    for field in fields:
        attributes[f"trio_llm.{field}"] = getattr(event, field)
    if isinstance(event, events.CooldownStarted):
        attributes["trio_llm.seconds"] = event.until - event.time
    return Happening(_NAMES[record], attributes)
