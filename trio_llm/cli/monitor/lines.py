"""What a monitor writes where no table can be: a line for each probe and each change."""

import time
from collections.abc import Sequence
from typing import Any

import attrs
import trio
from rich.text import Text

from trio_llm import events
from trio_llm.cli.attempts import seconds
from trio_llm.cli.monitor.watch import Change, Probed, Record, event_data
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.providers.status import ProviderStatus
from trio_llm.runtime import Runtime


@attrs.frozen
class Day:
    """Tells the time of day of an instant on Trio's clock."""

    _start: float = attrs.field(factory=lambda: time.time() - trio.current_time(), init=False)

    def epoch(self, instant: float) -> float:
        """Give it in seconds since the epoch."""
        return self._start + instant

    def clock(self, instant: float) -> str:
        """Give it as a person reads it."""
        return time.strftime("%H:%M:%S", time.localtime(self.epoch(instant)))


def statuses_of(runtime: Runtime, names: Sequence[str]) -> list[ProviderStatus]:
    """Give how the providers of these names fare, in their order."""
    by_name = {status.name: status for status in runtime.status()}
    return [by_name[name] for name in names]


@attrs.frozen
class Lines:
    """Writes a line for each probe and each change."""

    terminal: Terminal
    runtime: Runtime
    day: Day = attrs.field(factory=Day, init=False)

    def probed(self, probe: Probed, record: Record) -> None:  # noqa: ARG002 - for those who count
        """Write a probe."""
        health = probe.health
        line = Text(f"{self.day.clock(probe.at)} {health.name}: ")
        if probe.refused is not None:
            line.append(f"not asked, it is {probe.refused}", "yellow")
        elif health.error is None:
            line.append("ok", "green").append(f" after {seconds(health.latency)}")
        else:
            said = printable(str(health.error)).removeprefix(f"{health.name}: ")
            line.append("failed", "red").append(f" after {seconds(health.latency)}: {said}")
            line.append(f" [{type(health.error).__name__}]", "dim")
        self.terminal.line(line)

    def changed(self, event: events.Event, change: Change) -> None:  # noqa: ARG002 - its words
        """Write a change."""
        self.terminal.line(Text(f"{self.day.clock(change.at)} {change.name}: {change.what}"))


@attrs.frozen
class JsonLines(Lines):
    """Writes each probe and each record as one JSON object on a line of its own."""

    def probed(self, probe: Probed, record: Record) -> None:
        """Write a probe, and how the provider fares after it."""
        health = probe.health
        (status,) = statuses_of(self.runtime, [health.name])
        self._write(
            {
                "type": "probe",
                "time": self.day.epoch(probe.at),
                "round": probe.round,
                "name": health.name,
                "healthy": health.healthy,
                "latency": health.latency,
                "model": health.model,
                "asked": probe.refused is None,
                "error": None if health.error is None else str(health.error),
                "error_class": None if health.error is None else type(health.error).__name__,
                "probes": record.as_data(),
                "status": attrs.asdict(status),
            }
        )

    def changed(self, event: events.Event, change: Change) -> None:
        """Write a record."""
        data = event_data(event)
        if "until" in data:
            data["until"] = self.day.epoch(data["until"])
        self._write(
            {"type": "event", "time": self.day.epoch(event.time), **data, "in_words": change.what}
        )

    def _write(self, value: dict[str, Any]) -> None:
        self.terminal.json_line(value)
