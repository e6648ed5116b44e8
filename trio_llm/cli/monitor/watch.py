"""What a monitor has seen: the last probe of each provider, and what changed of late."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from trio_llm import events
from trio_llm.cli.amounts import duration
from trio_llm.cli.terminal import printable
from trio_llm.errors import ProviderUnavailableError
from trio_llm.runtime import Health

COUNTED: Final = 200
"""Probes of each provider that percentiles and shares are of."""

KEPT: Final = 50
"""Changes that are remembered; a terminal shows fewer."""

_TOLD: Final = (
    events.BreakerChanged,
    events.ProviderRecovered,
    events.CooldownStarted,
    events.ActorCrashed,
    events.ActorRestarted,
    events.ActorDown,
)


@attrs.frozen
class Probed:
    """One probe.

    Attributes:
        at: When it ended, on Trio's clock.
        round: In which round.
        health: What it found.
    """

    at: float
    round: int
    health: Health

    @property
    def refused(self) -> str | None:
        """Why nothing was sent; ``None`` if the provider was asked."""
        error = self.health.error
        if isinstance(error, ProviderUnavailableError) and not error.attempts:
            return error.code or "unavailable"
        return None


@attrs.frozen
class Record:
    """How the probes of one provider went, the last ones.

    Those that were refused before anything was sent are left out.
    """

    _probes: deque[Health] = attrs.field(factory=lambda: deque[Health](maxlen=COUNTED), init=False)

    def add(self, health: Health) -> None:
        """Take a probe into account."""
        self._probes.append(health)

    @property
    def success_rate(self) -> float | None:
        """The share that was answered; ``None`` without any."""
        if not self._probes:
            return None
        return sum(health.healthy for health in self._probes) / len(self._probes)

    def percentile(self, share: float) -> float | None:
        """Give the seconds within which this share of the answers came, by nearest rank."""
        times = sorted(health.latency for health in self._probes if health.healthy)
        return times[max(0, math.ceil(share * len(times)) - 1)] if times else None

    def as_data(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {
            "count": len(self._probes),
            "success_rate": self.success_rate,
            "p50": self.percentile(0.5),
            "p95": self.percentile(0.95),
        }


@attrs.frozen
class Change:
    """Something that a person wants to know of.

    Attributes:
        at: When, on Trio's clock.
        name: The provider.
        what: What happened, in words.
        is_good: Whether that is good news; ``None`` for neither.
    """

    at: float
    name: str
    what: str
    is_good: bool | None = None


@attrs.define
class Watch:
    """Takes probes and records, and passes each on.

    Args:
        names: The providers, in the order of their rows.
        on_probe: Is given each probe.
        on_event: Is given each record that is told, with its words.
    """

    names: tuple[str, ...]
    on_probe: Callable[[Probed, Record], None]
    on_event: Callable[[events.Event, Change], None]
    records: dict[str, Record] = attrs.field(factory=dict[str, Record], init=False)
    last: dict[str, Probed] = attrs.field(factory=dict[str, Probed], init=False)
    changes: deque[Change] = attrs.field(factory=lambda: deque[Change](maxlen=KEPT), init=False)
    rounds: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.records.update({name: Record() for name in self.names})

    def probed(self, probe: Probed) -> None:
        """Take a probe into account."""
        name = probe.health.name
        before = self.last.get(name)
        self.last[name] = probe
        if probe.refused is None:
            self.records[name].add(probe.health)
        if _is_news(before, probe):
            error = probe.health.error
            said = printable(str(error)).removeprefix(f"{name}: ")
            what = f"probe failed: {said} [{type(error).__name__}]"
            self.changes.append(Change(probe.at, name, what, False))
        self.on_probe(probe, self.records[name])

    def observe(self, event: events.Event) -> None:
        """Take a record into account."""
        if event.actor in self.names and isinstance(event, _TOLD):
            change = Change(event.time, event.actor, *_words(event))
            self.changes.append(change)
            self.on_event(event, change)

    @property
    def all_healthy(self) -> bool:
        """Whether everybody answered the last probe."""
        return all(name in self.last and self.last[name].health.healthy for name in self.names)


def _is_news(before: Probed | None, probe: Probed) -> bool:
    """Whether a failure is another one than the last, or the first."""
    if probe.health.healthy or probe.refused is not None:
        return False
    if before is None or before.health.healthy:
        return True
    return str(before.health.error) != str(probe.health.error)


def _words(event: events.Event) -> tuple[str, bool | None]:
    if isinstance(event, events.BreakerChanged):
        old, new = (word.replace("_", " ") for word in (event.old, event.new))
        good = {"closed": True, "half_open": None}.get(event.new, False)
        return f"breaker {old} → {new} ({printable(event.reason)})", good
    if isinstance(event, events.ProviderRecovered):
        return f"recovered after {duration(event.after_seconds)}", True
    if isinstance(event, events.CooldownStarted):
        rest = duration(event.until - event.time)
        return f"rests for {rest} ({printable(event.reason)})", False
    if isinstance(event, events.ActorCrashed):
        return f"its actor crashed: {printable(event.error)}", False
    if isinstance(event, events.ActorRestarted):
        return "its actor was restarted", None
    return "its actor stays down", False


def event_data(event: events.Event) -> dict[str, Any]:
    """Give a record's own fields as plain values."""
    own = {field.name for field in attrs.fields(type(event))} - {"time", "call", "path"}
    return {"event": event.kind, "name": event.actor} | {
        name: value for name, value in attrs.asdict(event, recurse=False).items() if name in own
    }
