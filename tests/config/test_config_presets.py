"""A preset fills in what is not set, and stays a word."""

from pathlib import Path

import attrs
import pytest

from trio_llm import ConfigError, LoggingSettings, Provider, TelemetrySettings, load_config
from trio_llm.config import Config, check
from trio_llm.config.presets import PRESETS, effective_logging, effective_metrics


@pytest.mark.parametrize(
    ("preset", "level", "form", "metrics"),
    [
        (None, None, None, False),
        ("development", "DEBUG", "text", True),
        ("production", "INFO", "json", True),
    ],
)
def test_a_preset_fills_in_what_is_not_set(
    preset: str | None, level: str | None, form: str | None, metrics: bool
) -> None:
    """What is set goes before the preset, setting by setting."""
    config = Config(preset=preset)
    assert effective_logging(config) == LoggingSettings(level=level, format=form)
    assert effective_metrics(config) is metrics
    own = LoggingSettings(level="ERROR", rooms={"cache": "DEBUG"})
    filled = effective_logging(Config(preset=preset, logging=own))
    assert filled == attrs.evolve(own, format=form)
    off = Config(preset=preset, telemetry=TelemetrySettings(metrics=not metrics))
    assert effective_metrics(off) is not metrics


def test_every_preset_that_can_be_named_exists() -> None:
    """The words that a configuration takes are those that stand for something."""
    for word in PRESETS:
        check(Config(default=Provider("simulated"), preset=word))
    with pytest.raises(ConfigError, match="did you mean"):
        check(Config(default=Provider("simulated"), preset="developement"))


def test_a_preset_is_saved_as_its_word(tmp_path: Path) -> None:
    """What the word stands for is not written down, so that it can change."""
    path = tmp_path / "config.toml"
    path.write_text('preset = "production"\n[providers.house]\nkind = "simulated"\n')
    config = load_config(path)
    config.save(path)
    assert load_config(path) == config
    assert effective_logging(config).format == "json"
    text = path.read_text()
    assert 'preset = "production"' in text
    assert "logging" not in text
    assert "telemetry" not in text
