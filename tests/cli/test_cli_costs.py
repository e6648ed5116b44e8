"""What calls cost, in ``ask``, ``compare`` and ``batch``."""

import json
from pathlib import Path

import pytest

from tests.cli.cli_runs import Cli

PRICED = """
default = "fast"
[providers.swift]
kind = "simulated"
simulation = { latency = 0.001, gap = 0, text = "one two three four" }
price = { input = 1000, output = 2000 }
[providers.slow]
kind = "simulated"
simulation = { latency = 60 }
price = { input = 5000, output = 5000 }
[providers.failing]
kind = "simulated"
simulation = { latency = 0.001, failure_rate = 1.0, fail_with = "MalformedResponseError" }
price = { input = 1000, output = 1000 }
[providers.unpriced]
kind = "custom"
class = "tests.cli.interrupting_provider:Interrupting"
options = { at = 0 }
[balancers.fast]
kind = "race"
members = ["swift", "slow"]
"""


@pytest.fixture
def priced(tmp_path: Path) -> str:
    """Write a race of a provider that answers, at $0.009 a call, and of one that never does."""
    path = tmp_path / "priced.toml"
    path.write_text(PRICED)
    return str(path)


def test_a_call_costs_what_its_attempts_do(cli: Cli, priced: str) -> None:
    """The summary has the sum, the tree what each attempt cost; a loser is marked."""
    said = cli("ask", "-c", priced, "--verbose", "hello")
    assert said.code == 0
    tree = {line.split()[1]: line for line in said.err.splitlines() if line.startswith(("├", "└"))}
    assert ", 5 tokens, $0.009" in tree["swift"]
    assert ", >=$0.025, lost" in tree["slow"]
    summary = next(line for line in said.err.splitlines() if line.startswith("✓"))
    assert ">=$0.034, cancelled: slow" in summary.replace(" · ", ", ")


def test_json_has_the_cost_of_each_attempt(cli: Cli, priced: str) -> None:
    """The attempts add up to the call; all digits, and how sure they are."""
    reply = json.loads(cli("ask", "-c", priced, "--json", "hello").out)
    attempts = [(attempt["cost"], attempt["certainty"]) for attempt in reply["attempts"]]
    assert attempts[0] == ("0.009", "exact")
    assert attempts[1][1] == "at least"
    assert float(reply["cost"]) == pytest.approx(sum(float(cost) for cost, _ in attempts))
    assert reply["certainty"] == "at least"


def test_compare_has_a_column_of_costs(cli: Cli, priced: str) -> None:
    """It is empty where no price is known, and $0 where nothing is charged."""
    names = "swift,unpriced"
    data = json.loads(cli("compare", "-c", priced, "--providers", names, "--json", "hi").out)
    assert data["swift"]["cost"] == "0.009"
    assert (data["unpriced"]["cost"], data["unpriced"]["certainty"]) == (None, None)
    rows = cli("compare", "-c", priced, "--providers", names, "hi").out.splitlines()
    swift = next(row for row in rows if "swift" in row)
    assert swift.split("│")[4].strip() == "$0.0090"
    unpriced = next(row for row in rows if "unpriced" in row)
    assert unpriced.split("│")[4].strip() == ""


@pytest.mark.parametrize(
    ("via", "code", "closing"),
    [
        ("swift", 0, "2 answered, 0 failed; 10 tokens, $0.018, "),
        ("unpriced", 0, "2 answered, 0 failed; 0 tokens, cost unknown, "),
        ("failing", 1, "0 answered, 2 failed; 0 tokens, >=$"),
    ],
)
def test_a_batch_counts_what_it_costs(
    cli: Cli, priced: str, tmp_path: Path, via: str, code: int, closing: str
) -> None:
    """Lines that failed after the server had worked on them are paid for, too."""
    source = tmp_path / "in.jsonl"
    source.write_text('"one"\n"two"\n')
    output = tmp_path / "out.jsonl"
    said = cli("batch", str(source), "-o", str(output), "-c", priced, "--via", via)
    assert said.code == code
    assert closing in said.err
