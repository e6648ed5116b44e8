"""``trio-llm compare``: the answers of several providers, side by side."""

import json
import re

import pytest

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
        assert (reply["cost"], reply["certainty"]) == ("0", "exact")


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


def test_the_question_may_come_from_standard_input(cli: Cli) -> None:
    """A dash, or no words at all, reads it there; an empty one is refused."""
    for words in (["-"], []):
        said = cli("compare", "--json", *words, stdin="from a pipe")
        assert "You asked: 'from a pipe'" in json.loads(said.out)["sim-1"]["text"]
    said = cli("compare", stdin=" \n")
    assert said.code == 2
    assert "the prompt is empty; give one" in said.err


@pytest.mark.parametrize("arguments", [["a\udcff"], ["hello", "--system", "a\udcff"]])
def test_bytes_that_are_no_text_are_refused(cli: Cli, arguments: list[str]) -> None:
    """Nobody is asked what no provider could take."""
    said = cli("compare", *arguments)
    assert said.code == 2
    assert said.err == "error: the prompt is no text; give it in UTF-8\n"


def test_a_list_of_nobody_is_not_everybody(cli: Cli) -> None:
    """An empty list of names is refused, lest every provider be asked."""
    said = cli("compare", "--providers", ",", "hello")
    assert said.code == 2
    assert "--providers names nobody" in said.err


def test_a_narrow_terminal_gets_paragraphs(
    cli: Cli, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a table would break every word, each answer stands under its name."""
    monkeypatch.setenv("COLUMNS", "40")
    said = cli("compare", "--providers", "sim-2", "hello")
    first, *rest = said.out.splitlines()
    assert re.fullmatch(r"sim-2 · simulated · \d+ ms · \d+ tokens", first)
    assert " ".join(rest).startswith("This is sim-2, a simulated provider.")
    said = cli("compare", "-c", failing, "--providers", "quick", "hello")
    assert said.out.splitlines()[0] == "quick"
    assert "Error]" in said.out
