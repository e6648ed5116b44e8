"""The log of a world as data, and its canonical form."""

from collections.abc import Iterable

import attrs

from trio_llm.events import Event


@attrs.frozen
class Entry:
    """One thing that happened: when, to whom, what, and its particulars."""

    time: float
    actor: str
    kind: str
    fields: tuple[tuple[str, object], ...] = ()


def entry_of(event: Event) -> Entry:
    """Turn an event into an entry; its path becomes the actor."""
    fields = {
        field.name: getattr(event, field.name)
        for field in attrs.fields(type(event))
        if field.name not in {"time", "path"}
    }
    return Entry(event.time, "/".join(event.path), event.kind, tuple(sorted(fields.items())))


def canonical(log: Iterable[Entry]) -> list[Entry]:
    """Sort what happened in one instant by actor and kind.

    Tasks of one instant may run in any order, so the raw log may differ between
    schedules. For calls that do not contend for the same place, the canonical log
    may not.
    """
    return sorted(log, key=lambda entry: (entry.time, entry.actor, entry.kind, repr(entry.fields)))
