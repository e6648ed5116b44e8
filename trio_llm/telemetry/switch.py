"""What a runtime counts and traces by itself: as its configuration says, from open to close."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from trio_llm.config import Config
from trio_llm.config.presets import effective_metrics
from trio_llm.errors import ConfigError
from trio_llm.events import EventStream
from trio_llm.telemetry.metrics import Metrics
from trio_llm.telemetry.snapshot import MetricsSnapshot

if TYPE_CHECKING:
    from trio_llm.telemetry.tracing import Tracing


@attrs.define(eq=False)
class Telemetry:
    """The observers that a configuration asks for.

    Attributes:
        events: What they observe.
        clock: Seconds since the epoch.
    """

    events: EventStream
    clock: Callable[[], float]
    _metrics: Metrics | None = attrs.field(default=None, init=False)
    _tracing: "Tracing | None" = attrs.field(default=None, init=False)
    _stop_counting: Callable[[], None] | None = attrs.field(default=None, init=False)
    _stop_tracing: list[Callable[[], None]] = attrs.field(
        factory=list[Callable[[], None]], init=False
    )

    def apply(self, config: Config) -> None:
        """Count and trace as a configuration says; what it leaves as it was goes on."""
        settings = config.telemetry
        self.events.content = settings.content
        self._count(wanted=effective_metrics(config))
        self._trace(wanted=settings.opentelemetry, content=settings.content)

    def stop(self) -> None:
        """Observe nothing any more; what was counted can still be read."""
        if self._stop_counting is not None:
            self._stop_counting()
        self._trace(wanted=False, content=False)

    def snapshot(self) -> MetricsSnapshot:
        """Give what was counted.

        Raises:
            ConfigError: Nothing is counted.
        """
        if self._metrics is None:
            raise ConfigError(
                ["telemetry.metrics: off, so nothing is counted; set it to true"], "call"
            )
        return self._metrics.snapshot()

    def _count(self, *, wanted: bool) -> None:
        if wanted and self._stop_counting is None:
            self._metrics = Metrics()
            self._stop_counting = self.events.subscribe(self._metrics)
        elif not wanted and self._stop_counting is not None:
            self._stop_counting()
            self._metrics = self._stop_counting = None

    def _trace(self, *, wanted: bool, content: bool) -> None:
        if wanted and self._tracing is None:
            # Imported here: they need an extra, which the configuration has asked for.
            from trio_llm.telemetry.otel_metrics import OtelMetrics  # noqa: PLC0415
            from trio_llm.telemetry.tracing import Tracing  # noqa: PLC0415

            clock = None if self.clock is time.time else self.clock
            self._tracing = Tracing(content=content, clock=clock)
            observers = (self._tracing, OtelMetrics())
            self._stop_tracing = [self.events.subscribe(observer) for observer in observers]
        elif self._tracing is not None:
            self._tracing.content = content
            if not wanted:
                for stop in self._stop_tracing:
                    stop()
                self._tracing.close()
                self._tracing = None


@contextmanager
def watching(
    events: EventStream, clock: Callable[[], float], config: Config
) -> Generator[Telemetry, None, None]:
    """Count and trace as a configuration says for as long as the block is open."""
    telemetry = Telemetry(events, clock)
    telemetry.apply(config)
    del config  # those who leave the plan are not kept by this frame
    try:
        yield telemetry
    finally:
        telemetry.stop()
