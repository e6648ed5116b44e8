"""``trio-llm config``: write, show, check."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.cli_runs import Cli
from trio_llm.config import check, load_config, starter_toml


def test_init_writes_what_loads(cli: Cli, tmp_path: Path) -> None:
    """The file that is written loads, and the next command is said."""
    path = tmp_path / "first.toml"
    said = cli("config", "init", str(path))
    assert said.code == 0
    assert path.read_text() == starter_toml()
    assert load_config(path).simulated
    assert "trio-llm ask -c" in said.err


def test_every_example_in_the_first_file_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the comment signs taken away, all settings are known, and go together."""
    lines = [re.sub(r"^# (?=\[|[a-z_]+ = )", "", line) for line in starter_toml().splitlines()]
    path = tmp_path / "all.toml"
    path.write_text("\n".join(lines))
    for variable in ("OPENAI_API_KEY", "GROQ_KEY_1", "GROQ_KEY_2", "HOUSE_API_KEY"):
        monkeypatch.setenv(variable, "opens-nothing")
    plan = check(load_config(path))
    kinds = {balancer.settings.kind for balancer in plan.balancers.values()}
    assert kinds == {"race", "hedge", "consensus", "fallback", "load_balance"}
    assert plan.config.degradation.stale
    assert plan.providers["openai"].settings.rate_limit.requests_per_minute == 500


def test_init_does_not_overwrite(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there stays as it is without --force."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trio_llm.toml"
    path.write_text("mine")
    said = cli("config", "init")
    assert said.code == 2
    assert "trio_llm.toml is there already; --force replaces it" in said.err
    assert path.read_text() == "mine"
    assert cli("config", "init", "--force").code == 0
    assert path.read_text() == starter_toml()


def test_init_where_nothing_can_be_written(cli: Cli, tmp_path: Path) -> None:
    """A folder that does not exist is said in words."""
    said = cli("config", "init", str(tmp_path / "nowhere" / "first.toml"))
    assert said.code == 2
    assert "cannot be written: No such file or directory" in said.err


def test_show_the_tree_and_the_settings(cli: Cli, failing: str) -> None:
    """The call tree and every provider's settings are shown."""
    said = cli("config", "show", "-c", failing)
    assert said.code == 0
    assert said.out.splitlines()[1:4] == [
        "reliable (fallback) one after the other",
        "├── fast (race) first_wins: the first useful answer",
        "│   ├── quick (simulated simulated)",
    ]
    assert "connect 5, first_token 60, idle 60, total 600" in said.out


def test_show_hides_every_secret(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, the values of headers and the address of a proxy are never shown."""
    monkeypatch.setenv("HOUSE_API_KEY", "sk-never-shown")
    path = tmp_path / "house.toml"
    path.write_text(
        """
[providers.house]
kind = "openai_compatible"
base_url = "https://llm.example.com/v1"
model = "some-model"
api_key_env = "HOUSE_API_KEY"
proxy = "http://user:never-shown@proxy.example.com:3128"
headers = { X-Team = "never-shown" }
"""
    )
    for form in ([], ["--json"]):
        said = cli("config", "show", "-c", str(path), *form)
        assert said.code == 0
        assert "HOUSE_API_KEY" in said.out
        assert "X-Team" in said.out
        assert "never-shown" not in said.out + said.err
    assert json.loads(cli("config", "show", "-c", str(path), "--json").out)["default"] == "house"


def test_check_lists_every_fault(cli: Cli, tmp_path: Path) -> None:
    """Every fault stands on its own line, with its path and the remedy."""
    path = tmp_path / "wrong.toml"
    path.write_text('[providers.a]\nkind = "opnai"\n[balancers.b]\nkind = "race"\nmembers = ["c"]')
    said = cli("config", "check", "-c", str(path))
    assert said.code == 2
    assert said.out == ""
    assert "2 faults" in said.err
    assert 'providers.a.kind: no kind "opnai"; did you mean "openai"?' in said.err
    assert 'balancers.b.members[0]: no provider named "c"' in said.err


def test_check_of_a_good_one(cli: Cli, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is good is counted; the path may come from TRIO_LLM_CONFIG."""
    monkeypatch.setenv("TRIO_LLM_CONFIG", failing)
    said = cli("config", "check")
    assert said.code == 0
    assert said.out == f"ok: {failing}: 3 providers, 2 balancers, default reliable\n"


def test_how_shapes_are_asked_for_is_shown(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the way that is used, whether it was said or is the kind's own."""
    monkeypatch.setenv("DEEPSEEK_API_KEY", "k-0123456789")
    path = tmp_path / "llm.toml"
    path.write_text(
        '[providers.own]\nkind = "deepseek"\n'
        '[providers.said]\nkind = "deepseek"\nstructured_output = "tool"\n'
        '[providers.sim]\nkind = "simulated"\n'
    )
    settings = json.loads(cli("config", "show", "--json", "-c", str(path)).out)["settings"]
    ways = {name: of["structured_output"] for name, of in settings.items()}
    assert ways == {"own": "prompt", "said": "tool", "sim": None}
