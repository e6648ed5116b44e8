"""What a runtime did, in numbers and spans: metrics, Prometheus, OpenTelemetry.

>>> from trio_llm.telemetry import prometheus_text  # the extra `prometheus`
>>> page = prometheus_text(llm)

`Metrics` needs nothing else. `prometheus_text` and `prometheus_collector` need the extra
``prometheus``, `Tracing` and `OtelMetrics` the extra ``otel``; each is imported when it is
first asked for, and an `ImportError` names the extra that is missing.
"""

import importlib
import sys
import typing

from trio_llm._face import show_at
from trio_llm.telemetry.metrics import Metrics as Metrics
from trio_llm.telemetry.records import Counter as Counter
from trio_llm.telemetry.records import Description as Description
from trio_llm.telemetry.records import Distribution as Distribution
from trio_llm.telemetry.records import Gauge as Gauge
from trio_llm.telemetry.records import Histogram as Histogram
from trio_llm.telemetry.snapshot import MetricsSnapshot as MetricsSnapshot
from trio_llm.telemetry.snapshot import ModelUse as ModelUse

if typing.TYPE_CHECKING:
    from trio_llm.telemetry.otel_metrics import OtelMetrics as OtelMetrics
    from trio_llm.telemetry.prometheus import prometheus_collector as prometheus_collector
    from trio_llm.telemetry.prometheus import prometheus_text as prometheus_text
    from trio_llm.telemetry.tracing import Tracing as Tracing

_WITH_AN_EXTRA = {
    "OtelMetrics": "otel_metrics",
    "Tracing": "tracing",
    "prometheus_collector": "prometheus",
    "prometheus_text": "prometheus",
}

__all__ = [
    "Counter",
    "Description",
    "Distribution",
    "Gauge",
    "Histogram",
    "Metrics",
    "MetricsSnapshot",
    "ModelUse",
    "OtelMetrics",
    "Tracing",
    "prometheus_collector",
    "prometheus_text",
]


def __getattr__(name: str) -> typing.Any:
    """Import what needs an extra when it is first asked for."""
    module = _WITH_AN_EXTRA.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    thing = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    thing.__module__ = __name__
    globals()[name] = thing
    return thing


show_at(sys.modules[__name__])
del show_at, sys
