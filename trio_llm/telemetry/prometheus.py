"""Metrics in Prometheus' terms, by its own client library (the extra ``prometheus``).

No server is started here: `prometheus_text` gives what the application's own server answers
at ``/metrics``, and `prometheus_collector` is for a registry that it has already. Names
follow Prometheus' conventions: ``trio_llm_`` before, the unit behind, ``_total`` at counters.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

from trio_llm.policy import BreakerState
from trio_llm.providers.status import ProviderStatus
from trio_llm.telemetry.extras import needs_extra
from trio_llm.telemetry.metrics import Metrics
from trio_llm.telemetry.records import Counter, Gauge, Histogram
from trio_llm.telemetry.snapshot import MetricsSnapshot

try:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector
except ImportError as missing:
    raise needs_extra("prometheus_text", "prometheus") from missing

PREFIX: Final = "trio_llm_"


class MeteredRuntime(Protocol):
    """What is needed of a `Runtime`."""

    def metrics(self) -> MetricsSnapshot:
        """Give what was measured."""
        ...

    def status(self) -> tuple[ProviderStatus, ...]:
        """Give a snapshot of every provider and balancer."""
        ...


Source: TypeAlias = Metrics | MetricsSnapshot | MeteredRuntime


def prometheus_text(source: Source) -> str:
    """Give all metrics in Prometheus' text format, version 0.0.4.

    An answer to a scrape has the content type ``text/plain; version=0.0.4; charset=utf-8``
    (``prometheus_client.CONTENT_TYPE_LATEST``). With very many models the page takes some
    milliseconds: ``await trio.to_thread.run_sync(prometheus_text, llm.metrics())`` writes it
    beside the event loop.

    Args:
        source: A runtime, whose providers' present state is given as well; or `Metrics`, or
            what either of them measured up to now.

    Raises:
        ConfigError: The runtime counts nothing: ``telemetry.metrics`` is off.
        ImportError: The extra ``prometheus`` is not installed.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(prometheus_collector(source))
    return generate_latest(registry).decode()


def prometheus_collector(source: Source) -> Collector:
    """Give a collector that ``prometheus_client.REGISTRY.register`` takes.

    It reads the figures whenever the registry is scraped.

    Args:
        source: As for `prometheus_text`. A runtime can be read from its own Trio tasks only;
            `Metrics` in any thread, such as that of ``prometheus_client``'s server.

    Raises:
        ImportError: The extra ``prometheus`` is not installed.
    """
    return _Collector(source)


class _Collector(Collector):
    """Translates a snapshot for each scrape."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        """Give nothing: the names are known when figures are."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Give every metric as it is now."""
        source = self._source
        if isinstance(source, MetricsSnapshot):
            snapshot = source
        else:
            snapshot = source.snapshot() if isinstance(source, Metrics) else source.metrics()
        for metric in snapshot:
            if isinstance(metric, Histogram):
                yield _histogram(metric)
            elif isinstance(metric, Gauge):
                yield _gauge(metric)
            else:
                yield _counter(metric)
        if not isinstance(source, Metrics | MetricsSnapshot):
            yield from _states(source.status())


def _name(metric: Counter[int] | Counter[Decimal] | Gauge | Histogram) -> str:
    what = metric.what
    return f"{PREFIX}{what.name}_{what.unit}" if what.unit else f"{PREFIX}{what.name}"


def _counter(metric: Counter[int] | Counter[Decimal]) -> Metric:
    family = CounterMetricFamily(_name(metric), metric.what.says, labels=metric.what.labels)
    for key, value in metric.values.items():
        family.add_metric(key, float(value))
    return family


def _gauge(metric: Gauge) -> Metric:
    family = GaugeMetricFamily(_name(metric), metric.what.says, labels=metric.what.labels)
    for key, value in metric.values.items():
        family.add_metric(key, value)
    return family


def _histogram(metric: Histogram) -> Metric:
    family = HistogramMetricFamily(_name(metric), metric.what.says, labels=metric.what.labels)
    for key, spread in metric.series.items():
        reached, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip((*spread.bounds, "+Inf"), spread.counts, strict=True):
            reached += count
            buckets.append((str(bound), reached))
        family.add_metric(key, buckets, spread.total)
    return family


def _states(statuses: Iterable[ProviderStatus]) -> Iterator[Metric]:
    """Give how every provider and balancer is now."""
    nodes = list(statuses)
    gauges = (
        ("in_flight", "Requests running now.", [float(node.in_flight) for node in nodes]),
        ("queued", "Requests waiting for a place.", [float(node.queued) for node in nodes]),
        ("occupied", "Whether every place is taken.", [float(node.occupied) for node in nodes]),
        ("cooldown_seconds", "Rest that is left.", [node.cooldown_remaining for node in nodes]),
    )
    for name, says, values in gauges:
        family = GaugeMetricFamily(f"{PREFIX}node_{name}", says, labels=("node", "kind"))
        for node, value in zip(nodes, values, strict=True):
            family.add_metric((node.name, node.kind), value)
        yield family
    breakers = GaugeMetricFamily(
        f"{PREFIX}breaker_state",
        "Which state a provider's circuit breaker is in: 1 for that one, 0 for the others.",
        labels=("provider", "state"),
    )
    for node in nodes:
        if not node.members:
            for state in BreakerState:
                breakers.add_metric((node.name, state.value), float(node.breaker == state.value))
    yield breakers
