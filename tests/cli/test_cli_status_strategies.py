"""``trio-llm status``: strategies and safeguards in its tables, as a tree and as data."""

import json
from pathlib import Path

import pytest

from tests.cli.cli_runs import Cli

HOUSE = """
default = "top"
[degradation]
stale = true
[providers.a]
kind = "simulated"
rate_limit = { requests_per_minute = 60 }
context_window = 8000
[providers.b]
kind = "simulated"
[providers.alone]
kind = "simulated"
[balancers.fast]
kind = "hedge"
delay = 0.4
members = ["a", "b"]
[balancers.top]
kind = "fallback"
members = ["fast", "a"]
primary = "a"
on_context_length = ["b"]
"""


@pytest.fixture
def house(tmp_path: Path) -> str:
    """Write a fallback over a hedge, with a specialist and a provider that nobody asks."""
    path = tmp_path / "house.toml"
    path.write_text(HOUSE)
    return str(path)


def test_tables_have_strategies_and_safeguards(cli: Cli, house: str) -> None:
    """Words stand in the tables; a provider of which nothing is special is not in the second."""
    said = cli("status", "-c", house)
    assert said.code == 0
    for expected in (
        "Limits and safeguards",
        "60 requests/min; beyond that it waits",
        "context window 8,000",
        "the next one too, if nobody answers within 0.4 s",
        "a request that is too long goes to b",
        "when nobody can answer: the last good answer to the same request, up to 1 h 00 min old",
    ):
        assert expected in said.out
    second = said.out[said.out.index("Limits") : said.out.index("Balancers")]
    assert "│ b " not in second


def test_tree_has_the_default_at_the_root(cli: Cli, house: str) -> None:
    """Members stand below, then specialists; what is told of a provider is told once."""
    said = cli("status", "-c", house, "--tree")
    assert said.code == 0
    assert said.out.splitlines() == [
        "top (fallback) one after the other",
        "a first · a request that is too long goes to b",
        "├── fast (hedge) the next one too, if nobody answers within 0.4 s",
        "│   at most 10% more calls and 10% more cost",
        "│   ├── a (simulated simulated)",
        "│   │   60 requests/min; beyond that it waits · context window 8,000",
        "│   └── b (simulated simulated)",
        "├── a (simulated simulated)",
        "└── b (simulated simulated), takes what is too long",
        "alone (simulated simulated), asked by its name alone",
        "when nobody can answer: the last good answer to the same request, up to 1 h 00 min old",
    ]


def test_json_has_every_setting(cli: Cli, house: str) -> None:
    """Providers have their limits and safeguards, balancers all settings and their words."""
    said = json.loads(cli("status", "-c", house, "--json").out)
    provider = next(each for each in said["providers"] if each["name"] == "a")
    assert provider["rate_limit"]["requests_per_minute"] == 60
    assert provider["breaker"]["ratio"] == 0.5
    assert provider["cooldown"]["after_failures"] == 3
    assert provider["health_check"]["interval"] is None
    assert provider["context_window"] == 8000
    balancers = {each["name"]: each for each in said["balancers"]}
    assert balancers["fast"]["settings"]["delay"] == 0.4
    assert balancers["fast"]["settings"]["max_extra_calls"] == 0.1
    assert balancers["fast"]["strategy"] is None
    top = balancers["top"]["settings"]
    assert (top["primary"], top["on_context_length"], top["on_interrupt"]) == ("a", ["b"], "fail")
    assert balancers["top"]["in_words"][1] == "a first"
    assert said["degradation"] == {
        "stale": True,
        "stale_for": 3600.0,
        "entries": 256,
        "reply": None,
    }


def test_json_has_shares_and_names_of_code(cli: Cli, tmp_path: Path) -> None:
    """Weights are there as shares, too; a scorer by its name; a judge as one name."""
    path = tmp_path / "more.toml"
    path.write_text(
        """
default = "spread"
[providers.a]
kind = "simulated"
[providers.b]
kind = "simulated"
[balancers.spread]
kind = "load_balance"
strategy = "weighted"
members = ["a", "b"]
weights = { a = 3, b = 1 }
[balancers.scored]
kind = "race"
strategy = "quality"
scorer = "tests.cli.test_cli_strategies:longest"
members = ["a", "b"]
[balancers.judged]
kind = "race"
strategy = "quality"
judge = "b"
members = ["a"]
"""
    )
    said = json.loads(cli("status", "-c", str(path), "--json").out)
    balancers = {each["name"]: each["settings"] for each in said["balancers"]}
    assert balancers["spread"]["shares"] == {"a": 0.75, "b": 0.25}
    assert balancers["scored"]["scorer"] == "tests.cli.test_cli_strategies:longest"
    assert balancers["judged"]["judge"] == "b"


@pytest.mark.parametrize("form", [[], ["--tree"]])
def test_narrow_terminal_cuts_nothing_off(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, house: str, form: list[str]
) -> None:
    """At 50 columns lines break between words; none is wider, and no word is lost."""
    monkeypatch.setenv("COLUMNS", "50")
    shown = cli("status", "-c", house, *form).out
    assert max(len(line) for line in shown.splitlines()) <= 50
    flat = " ".join("".join(c for c in shown if c not in "│├└─┃").split())
    assert "…" not in flat
    for word in ("requests/min", "8,000", "too long"):
        assert word in flat
