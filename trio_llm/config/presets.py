"""What the presets stand for: they fill in what is not set, and nothing else.

`Config.save` keeps the word; what it stands for is looked up where it is needed.
"""

from types import MappingProxyType
from typing import Final

import attrs

from trio_llm.config.accounting import LoggingSettings
from trio_llm.config.tree import Config


@attrs.frozen
class Preset:
    """What one preset fills in.

    Attributes:
        level: For `LoggingSettings.level`.
        format: For `LoggingSettings.format`.
        metrics: For `TelemetrySettings.metrics`.
    """

    level: str | None = None
    format: str | None = None
    metrics: bool = False


PRESETS: Final = MappingProxyType(
    {
        "development": Preset("DEBUG", "text", metrics=True),
        "production": Preset("INFO", "json", metrics=True),
    }
)
_NONE: Final = Preset()


def effective_logging(config: Config) -> LoggingSettings:
    """Give what is logged: what is set, or else what the preset says."""
    settings, preset = config.logging, _preset(config)
    return attrs.evolve(
        settings,
        level=preset.level if settings.level is None else settings.level,
        format=preset.format if settings.format is None else settings.format,
    )


def effective_metrics(config: Config) -> bool:
    """Whether counters and histograms are kept: as is set, or else as the preset says."""
    metrics = config.telemetry.metrics
    return _preset(config).metrics if metrics is None else metrics


def _preset(config: Config) -> Preset:
    return _NONE if config.preset is None else PRESETS[config.preset]
