"""``trio-llm status`` and ``trio-llm check``: who is there, and who answers."""

import json

import pytest

from tests.cli.cli_runs import Cli


def test_status_shows_providers_and_balancers(cli: Cli, quick: str) -> None:
    """Both tables, the disabled provider and the default are shown; nobody is asked."""
    said = cli("status", "-c", quick)
    assert said.code == 0
    assert said.err == f"note: every provider in {quick} is simulated; no model is asked\n"
    for word in ("quick", "off (disabled)", "fast", "race", "quick, slow", "default: fast"):
        assert word in said.out


def test_status_says_whether_the_key_is_set(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named and never its value; the address and model are those of the kind."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-shown")
    for form in ([], ["--json"]):
        said = cli("status", *form)
        assert said.code == 0
        assert "OPENAI_API_KEY" in said.out
        assert "https://api.openai.com/v1" in said.out
        assert "never-shown" not in said.out + said.err
    provider = json.loads(cli("status", "--json").out)["providers"][0]
    assert provider["key_set"] is True
    assert provider["model"] == "gpt-4o-mini"


def test_check_asks_everybody_at_once(cli: Cli, quick: str) -> None:
    """The named ones are asked; all well means 0."""
    said = cli("check", "-c", quick, "quick", "fast", "quick")
    assert said.code == 0
    assert said.out.count("ok") == 2
    assert said.err == f"note: every provider in {quick} is simulated; no model is asked\n"


def test_check_fails_when_one_fails(cli: Cli, failing: str) -> None:
    """One that fails means exit code 1, and its row says why and what to do."""
    said = cli("check", "-c", failing)
    assert said.code == 1
    assert said.out.count("failed") == 3
    assert "a simulated failure [ServerError]" in said.out
    assert "check the key" in said.out


def test_check_as_json(cli: Cli, failing: str) -> None:
    """The same is there as data."""
    said = cli("check", "-c", failing, "--json", "steady")
    assert said.code == 1
    (health,) = json.loads(said.out)
    assert health["name"] == "steady"
    assert health["healthy"] is False
    assert health["error_class"] == "AuthenticationError"
    assert health["latency"] > 0


def test_check_of_an_unknown_name(cli: Cli, quick: str) -> None:
    """A wrong name ends it before anything is asked."""
    said = cli("check", "-c", quick, "quick", "quack")
    assert said.code == 2
    assert said.out == ""
    assert 'none is named "quack"; did you mean "quick"?' in said.err
