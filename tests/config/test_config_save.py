"""A configuration that is saved loads back equal."""

import math
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.config_fixture_classes import Backwards, Echo, shortest
from trio_llm.chat import Completion, Request
from trio_llm.config import (
    BreakerSettings,
    Config,
    Consensus,
    CooldownSettings,
    Degradation,
    Fallback,
    Hedge,
    LoadBalance,
    Member,
    PriceSettings,
    Provider,
    Race,
    RateLimit,
    Restart,
    Retry,
    RetryBudgetSettings,
    Simulation,
    Timeouts,
    load_config,
)
from trio_llm.config import HealthCheck as HealthCheckSettings
from trio_llm.errors import ConfigError
from trio_llm.testing import seeds

seconds = st.floats(min_value=0.001, max_value=1e6) | st.integers(1, 1000)
names = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"], exclude_characters="/"),
    min_size=1,
    max_size=8,
)
texts = st.text(max_size=12)
simulated = st.builds(
    Provider,
    st.just("simulated"),
    enabled=st.just(True),
    priority=st.integers(-5, 5),
    mailbox=st.integers(1, 9),
    max_tokens_per_request=st.none() | st.integers(1, 9),
    models=st.lists(texts.filter(bool), max_size=2),
    capabilities=st.none() | st.lists(st.sampled_from(["chat", "tools", "vision"]), max_size=3),
    timeouts=st.builds(Timeouts, seconds, seconds, seconds, seconds | st.just(math.inf)),
    retry=st.builds(
        Retry,
        st.integers(0, 3),
        seconds,
        errors=st.dictionaries(
            st.sampled_from(["RateLimitError", "ServerError"]),
            st.fixed_dictionaries({}, optional={"attempts": st.integers(0, 9)}),
            max_size=1,
        ),
    ),
    cooldown=st.builds(CooldownSettings, st.floats(0, 1), st.floats(1, 9), st.integers(1, 3)),
    breaker=st.builds(BreakerSettings, ratio=st.floats(0.1, 1.0), minimum_calls=st.integers(1, 9)),
    rate_limit=st.builds(
        RateLimit,
        st.none() | seconds,
        st.none() | seconds,
        on_limit=st.sampled_from(["wait", "fall_on"]),
        learn=st.booleans(),
    ),
    health_check=st.builds(
        HealthCheckSettings, st.none() | seconds, call=st.sampled_from(["generate", "models"])
    ),
    hold_after_cancel=st.floats(0, 9),
    context_window=st.none() | st.integers(1, 9),
    price=st.none() | st.builds(PriceSettings, st.floats(0, 9), st.floats(0, 9)),
    continues=st.none() | st.booleans(),
    simulation=st.none()
    | st.builds(Simulation, latency=seconds, text=st.none() | texts, seed=st.integers(0, 9)),
)
wired = st.builds(
    Provider,
    st.just("openai_compatible"),
    model=texts.filter(bool),
    base_url=st.sampled_from(["http://host/v1", "https://[::1]:8080"]),
    headers=st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(["1", "two"])),
    proxy=st.none() | st.just("http://proxy:3128"),
    verify=st.booleans(),
    dialect=st.none() | st.sampled_from(["anthropic", "ollama"]),
    api_version=st.none() | st.just("2024-10-21"),
    errors=st.dictionaries(
        st.sampled_from(["RateLimitError", "ServerError"]),
        st.dictionaries(st.sampled_from(["charges", "falls_through"]), st.booleans()),
    ),
)
providers = simulated | wired


def nested(members: st.SearchStrategy[Member]) -> st.SearchStrategy[Member]:
    """Give balancers over such members."""
    some = st.lists(members, min_size=1, max_size=2)
    return (
        st.builds(Race, some, timeout=st.none() | seconds)
        | st.builds(Fallback, some, max_retries=st.none() | st.integers(0, 3))
        | st.builds(LoadBalance, some, strategy=st.sampled_from(["least_busy", "random"]))
        | st.builds(Hedge, some, delay=st.none() | seconds, max_extra_calls=st.floats(0, 1))
        | st.builds(Consensus, some, quorum=st.none() | st.just(1), timeout=st.none() | seconds)
    )


configs = st.builds(
    Config,
    st.dictionaries(names, providers, min_size=1, max_size=3),
    default=st.recursive(providers, nested, max_leaves=4),
    close_deadline=seconds,
    restart=st.builds(Restart, st.integers(0, 5), seconds),
    retry_budget=st.builds(RetryBudgetSettings, st.floats(0, 1), seconds),
    degradation=st.builds(Degradation, st.booleans(), reply=st.none() | texts.filter(bool)),
)


@settings(
    max_examples=len(seeds(60, share=3)),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(configs)
def test_round_trip(tmp_path: Path, config: Config) -> None:
    """Saving and loading gives an equal configuration, nested objects and odd names included."""
    path = tmp_path / "c.toml"
    config.save(path)
    assert load_config(path, {}) == config


def test_named_balancers_round_trip(tmp_path: Path) -> None:
    """Tables of names, weights and a custom class by name survive."""
    config = Config(
        {
            "a": Provider("simulated"),
            "b": Provider("custom", cls="tests.config.config_fixture_classes:Echo"),
        },
        {
            "w": LoadBalance(["a", "b"], strategy="weighted", weights={"a": 0.75, "b": 0.25}),
            "f": Fallback(["w", "a"], primary="a", on_context_length=["h"]),
            "h": Hedge(["a", "b"], models={"a": "m"}, virtual_models={"v": {"b": "n"}}),
            "q": Race(["a", "b"], strategy="quality", judge="h", on_interrupt="resume"),
        },
        "f",
        drain_deadline=0,
    )
    config.save(tmp_path / "c.toml")
    assert load_config(tmp_path / "c.toml", {}) == config


def test_defaults_are_left_out(tmp_path: Path) -> None:
    """The file says only what differs from the defaults."""
    path = tmp_path / "c.toml"
    Config({"a": Provider("simulated", retry=Retry(attempts=2))}, default="a").save(path)
    assert path.read_text() == (
        'default = "a"\n\n[providers.a]\nkind = "simulated"\n\n[providers.a.retry]\nattempts = 2\n'
    )


def test_custom_class_is_written_by_name(tmp_path: Path) -> None:
    """A custom class is written as package.module:Class."""
    path = tmp_path / "c.toml"
    Config({"a": Provider("custom", cls=Echo, options={"prefix": "> "})}).save(path)
    assert load_config(path, {}).providers["a"] == Provider(
        "custom", cls="tests.config.config_fixture_classes:Echo", options={"prefix": "> "}
    )


def test_functions_and_selections_are_written_by_name(tmp_path: Path) -> None:
    """A scorer and a selection are written as package.module:name; what has none is refused."""
    path = tmp_path / "c.toml"
    members = [Provider("simulated", "a"), Provider("simulated", "b")]
    quality = Race(members, strategy="quality", scorer=shortest)
    Config(default=LoadBalance([quality], strategy="custom", selection=Backwards)).save(path)
    loaded = load_config(path, {}).default
    assert isinstance(loaded, LoadBalance)
    assert loaded.selection == "tests.config.config_fixture_classes:Backwards"
    assert loaded.members is not None
    (race,) = loaded.members
    assert isinstance(race, Race)
    assert race.scorer == "tests.config.config_fixture_classes:shortest"

    def local(_request: Request, _answer: Completion) -> float:
        return 1.0

    nameless = Race(members, strategy="quality", scorer=local)
    with pytest.raises(ConfigError) as caught:
        Config(default=LoadBalance([nameless], strategy="custom", selection=Backwards())).save(path)
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "default.selection",
        "default.members[0].scorer",
    ]


def test_secrets_are_never_written(tmp_path: Path) -> None:
    """Keys, callables, instances and local classes are refused by name, and nothing is written."""

    async def key() -> str:
        return "k"

    class Local:
        """Cannot be imported."""

    shared = Provider("simulated")
    config = Config(
        {
            "a": Provider("openai", api_key="sk-secret"),
            "b": Provider("openai", api_key=key),
            "c": Provider("custom", cls=Echo()),
            "d": Provider("custom", cls=Local),
            "e": Provider("custom", cls=Echo, options={"prefix": object()}),
        },
        default=Race([shared, Race([shared])]),
    )
    path = tmp_path / "c.toml"
    with pytest.raises(ConfigError) as caught:
        config.save(path)
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "providers.a.api_key",
        "providers.b.api_key",
        "providers.c.class",
        "providers.d.class",
        "default.members[1].members[0]",
    ]
    assert "sk-secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [object(), "\ud800", None])
def test_values_that_toml_lacks(tmp_path: Path, value: object) -> None:
    """A value that TOML cannot hold is a fault, and nothing is written."""
    config = Config({"e": Provider("custom", cls=Echo, options={"prefix": value})})
    with pytest.raises(ConfigError, match="cannot be written as TOML"):
        config.save(tmp_path / "c.toml")
    assert list(tmp_path.iterdir()) == []


def test_wrong_values_are_not_written(tmp_path: Path) -> None:
    """A configuration with faults in its values is refused before anything is written."""
    with pytest.raises(ConfigError, match=r"providers\.a\.mailbox: 0 is out of range"):
        Config({"a": Provider("simulated", mailbox=0)}).save(tmp_path / "c.toml")


def test_save_replaces_in_one_step(tmp_path: Path) -> None:
    """The old file is replaced with its mode kept, through a link, and no other file is left."""
    path = tmp_path / "c.toml"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    Config({"a": Provider("simulated")}).save(link)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["c.toml", "link.toml"]


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last step fails the old file stands and the temporary one is gone."""

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    path = tmp_path / "c.toml"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        Config({"a": Provider("simulated")}).save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
