"""``trio-llm ask --on-interrupt``: a stream that breaks, and another one that goes on."""

import json
from pathlib import Path

import pytest

from tests.cli.cli_runs import Cli, at_a_terminal, read_rest
from tests.cli.telling_provider import STORY

TALE = """
default = "reliable"
[providers.olga]
kind = "custom"
class = "tests.cli.telling_provider:Teller"
options = { breaks_after = 4 }
continues = true
[providers.anna]
kind = "custom"
class = "tests.cli.telling_provider:Teller"
continues = true
[balancers.reliable]
kind = "fallback"
members = ["olga", "anna"]
on_interrupt = "%s"
"""


def _tale(tmp_path: Path, policy: str = "fail") -> str:
    path = tmp_path / "tale.toml"
    path.write_text(TALE % policy)
    return str(path)


@pytest.mark.parametrize("policy", ["restart", "resume"])
def test_pipe_gets_the_story_once(cli: Cli, tmp_path: Path, policy: str) -> None:
    """Standard output has the answer alone and whole; what happened is on standard error."""
    said = cli("ask", "-c", _tale(tmp_path), "--on-interrupt", policy, "Tell.")
    assert said.code == 0
    assert said.out == f"{STORY}\n"
    expected = {
        "restart": "↻ the answer begins anew, by anna: olga broke off (the stream broke: it broke",
        "resume": "[olga broke off; anna goes on]\n",
    }
    assert expected[policy] in said.err
    assert "  the stream of olga broke; anna went on with it\n" in said.err


def test_policy_of_the_configuration_is_heeded(cli: Cli, tmp_path: Path) -> None:
    """Where a balancer says that its streams restart, a pipe gets the story once as well."""
    said = cli("ask", "-c", _tale(tmp_path, "restart"), "Tell.")
    assert said.out == f"{STORY}\n"
    assert "the answer begins anew, by anna" in said.err


def test_call_is_stronger_than_the_configuration(cli: Cli, tmp_path: Path) -> None:
    """A stream that breaks is an error where the call wants that; its words stay."""
    said = cli("ask", "-c", _tale(tmp_path, "restart"), "--on-interrupt", "fail", "Tell.")
    assert said.code == 1
    assert said.out == "Once there was a\n"
    assert "StreamInterruptedError" in said.err
    assert "--on-interrupt" in said.err


@pytest.mark.parametrize("policy", ["restart", "resume"])
def test_json_has_the_switch(cli: Cli, tmp_path: Path, policy: str) -> None:
    """The object tells who broke off, who went on, why and by which policy."""
    said = cli("ask", "-c", _tale(tmp_path), "--on-interrupt", policy, "--json", "Tell.")
    reply = json.loads(said.out)
    assert reply["text"] == STORY
    assert reply["switches"] == [
        {
            "provider": "anna",
            "model": "anna",
            "failed": "olga",
            "reason": "the stream broke: it broke off",
            "policy": policy,
        }
    ]
    assert said.err == ""


def test_json_without_a_break_has_no_switch(cli: Cli, tmp_path: Path) -> None:
    """The key is always there."""
    said = cli("ask", "-c", _tale(tmp_path), "--via", "anna", "--json", "Tell.")
    assert json.loads(said.out)["switches"] == []


@pytest.mark.parametrize("policy", ["restart", "resume"])
def test_terminal_shows_where_it_broke(
    tmp_path: Path, environment: dict[str, str], policy: str
) -> None:
    """A person sees the beginning, the mark, and the text that goes on or begins anew."""
    command, terminal = at_a_terminal(
        ["ask", "-c", _tale(tmp_path), "--on-interrupt", policy, "Tell."],
        environment | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"},
    )
    shown = read_rest(terminal).decode().replace("\r\n", "\n")
    assert command.wait(20) == 0
    if policy == "restart":
        assert shown.startswith("Once there was a\n↻ the answer begins anew, by anna: olga broke")
        assert f"\n{STORY}\n✓ anna" in shown
    else:
        told = "Once there was a [olga broke off; anna goes on] stream that broke.\n"
        assert shown.startswith(told)
