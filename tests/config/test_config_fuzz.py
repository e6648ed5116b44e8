"""Whatever is written into a configuration, loading gives a Config or a ConfigError."""

import copy
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_llm.config import Config, Fallback, LoadBalance, Plan, Provider, Race, check, load_config
from trio_llm.errors import ConfigError
from trio_llm.testing import seeds

SOUND: dict[str, Any] = {
    "default": "top",
    "close_deadline": 1.0,
    "restart": {"max_restarts": 3, "window": 60},
    "retry_budget": {"share": 0.2, "per_second": 10},
    "degradation": {"stale": True, "reply": "later"},
    "providers": {
        "a": {
            "kind": "simulated",
            "timeouts": {"connect": 5},
            "cooldown": {"initial": 1, "maximum": 2},
            "breaker": {"ratio": 0.5, "window": 60, "jitter": 0.1},
            "rate_limit": {"requests_per_minute": 60, "on_limit": "wait", "learn": True},
            "health_check": {"interval": 30, "call": "models"},
            "retry": {"attempts": 1, "errors": {"RateLimitError": {"attempts": 2}}},
            "price": {"input": 0.1, "output": 0.2},
            "prices": {
                "m*": [
                    {"input": 1, "since": "2026-01-01"},
                    {"input": 2, "above": 9, "since": "2026-01-01"},
                ],
                "n": {"input": "0.5", "request": 0.01},
            },
            "hold_after_cancel": 1,
            "context_window": 4096,
            "continues": False,
            "simulation": {"latency": 0.1, "fail_with": "ServerError"},
            "models": ["m"],
            "capabilities": ["chat"],
        },
        "b": {
            "kind": "openai_compatible",
            "base_url": "http://host/v1",
            "model": "m",
            "api_key_env": "LAB_KEY",
            "headers": {"x-team": "lab"},
            "proxy": "http://proxy:3128",
            "verify": True,
            "dialect": "openai_chat",
            "api_version": "2024-10-21",
            "errors": {"RateLimitError": {"charges": True, "retries": False}},
        },
        "d": {"kind": "groq", "api_key_envs": ["LAB_KEY", "LAB_KEY_2"]},
        "c": {
            "kind": "custom",
            "class": "tests.config.config_fixture_classes:Echo",
            "options": {"prefix": ""},
        },
    },
    "balancers": {
        "spread": {
            "kind": "load_balance",
            "strategy": "weighted",
            "members": ["a", "b"],
            "weights": {"a": 1, "b": 2},
        },
        "top": {
            "kind": "fallback",
            "members": ["spread", {"kind": "race", "members": ["c", {"kind": "simulated"}]}],
            "primary": 0,
            "max_retries": 1,
            "on_context_length": ["agreed"],
            "on_interrupt": "restart",
        },
        "agreed": {
            "kind": "consensus",
            "strategy": "embedding",
            "members": ["a", "b", "c"],
            "embedder": "a",
            "quorum": 2,
            "threshold": 0.8,
        },
        "late": {
            "kind": "hedge",
            "members": ["a", "b"],
            "models": {"b": "large"},
            "virtual_models": {"best": {"a": "m", "b": "large"}},
            "percentile": 0.9,
        },
        "good": {
            "kind": "race",
            "strategy": "quality",
            "members": ["a", "b"],
            "judge": "c",
            "grace_period": 0.5,
        },
        "mine": {
            "kind": "load_balance",
            "strategy": "custom",
            "members": ["a", "b"],
            "selection": "tests.config.config_fixture_classes:Backwards",
            "affinity": True,
        },
    },
}
LISTED: dict[str, Any] = {
    "providers": [
        {"name": "a", "type": "simulated", "timeout": 5, "capabilities": ["chat"]},
        {"name": "b", "type": "ollama", "timeouts": {"connect": 1}, "default_model": "m"},
    ],
    "manager": {"fallback_enabled": True},
}
ENVIRON = {"LAB_KEY": "k", "LAB_KEY_2": "k2"}

words = st.sampled_from(
    ["a", "spread", "top", "race", "simulated", "kind", "members", "chat", "é/"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def slots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Walk over every place of a document that can hold another value."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    elif isinstance(value, list):
        entries = list(enumerate(value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    for key, inner in entries:
        yield value, key
        yield from slots(inner)


def plan_of(document: dict[str, Any]) -> Plan | None:
    """Give the plan of a document, or see that its faults are sentences on one line."""
    faults: tuple[str, ...] = ("",)
    try:
        return check(load_config(document, ENVIRON), ENVIRON)
    except ConfigError as error:
        faults = error.faults
    assert faults
    assert all(fault and fault.isprintable() for fault in faults)
    return None


@pytest.mark.parametrize("document", [SOUND, LISTED])
def test_the_documents_are_sound(document: dict[str, Any]) -> None:
    """What the other tests damage loads while it is whole."""
    assert check(load_config(document, ENVIRON), ENVIRON).order


@settings(max_examples=len(seeds(300, share=4)), deadline=None)
@given(st.sampled_from([SOUND, LISTED]), st.integers(0, 10_000), values)
def test_any_value_anywhere(document: dict[str, Any], place: int, value: object) -> None:
    """Any value in any place of a sound document gives a plan or a list of faults."""
    damaged = copy.deepcopy(document)
    places = list(slots(damaged))
    table, key = places[place % len(places)]
    table[key] = value
    plan = plan_of(damaged)
    if plan is not None:
        assert set(plan.order) == {*plan.providers, *plan.balancers}


@settings(max_examples=len(seeds(50, share=2)), deadline=None)
@given(st.dictionaries(words | st.text(max_size=4), values, max_size=3))
def test_any_mapping(document: dict[str, Any]) -> None:
    """Any mapping at all gives a Config or a ConfigError."""
    plan_of(document)


@pytest.mark.parametrize("cls", [Provider, Race, Fallback, LoadBalance, Config])
def test_no_setting_takes_an_object(cls: type[attrs.AttrsInstance]) -> None:
    """Every setting of every record says so when it is given an object of no known type."""
    for field in attrs.fields(cls):
        name = field.name
        base: dict[str, Any] = {"kind": "simulated"} if cls is Provider else {}
        record: Any = cls(**{**base, name: object()})
        config = record if cls is Config else Config(default=record)
        path = "class" if name == "cls" else name
        path = path if cls is Config else f"default.{path}"
        with pytest.raises(ConfigError) as caught:
            check(config, {})
        assert any(fault.startswith(f"{path}: ") for fault in caught.value.faults), path
