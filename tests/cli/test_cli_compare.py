"""``trio-llm compare``: the answers of several providers, side by side."""

import json

from tests.cli.cli_runs import Cli


def test_every_provider_answers(cli: Cli) -> None:
    """Without names every enabled provider is asked, in declared order."""
    said = cli("compare", "--json", "What", "is", "an", "actor?")
    assert said.code == 0
    found = json.loads(said.out)
    assert list(found) == ["sim-1", "sim-2", "sim-3"]
    for name, reply in found.items():
        assert reply["provider"] == name
        assert "You asked: 'What is an actor?'" in reply["text"]
        assert reply["cost"] is None


def test_the_table_has_latency_tokens_and_answer(cli: Cli) -> None:
    """A person gets one row for each provider."""
    said = cli("compare", "--providers", "sim-2,sim-1", "hello")
    assert said.code == 0
    assert said.out.index("sim-2") < said.out.index("sim-1")
    assert "sim-3" not in said.out
    assert " ms" in said.out
    assert "This is sim-1, a simulated provider." in said.out


def test_one_that_fails_hides_no_other(cli: Cli, failing: str) -> None:
    """Each failure stands in its row, with its class; the exit code is 1."""
    said = cli("compare", "-c", failing, "--providers", "quick,steady", "hello")
    assert said.code == 1
    assert "[ServerError]" in said.out
    assert "[AuthenticationError]" in said.out


def test_a_name_that_nobody_bears(cli: Cli) -> None:
    """An unknown name is a usage error with the nearest known one."""
    said = cli("compare", "--providers", "sim-9", "hello")
    assert said.code == 2
    assert "did you mean" in said.err
