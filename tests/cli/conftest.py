"""What the tests of the command line share: a clean environment, and two ways to run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.cli_books import NOW, Books
from tests.cli.cli_runs import FOREIGN, ROOT, Cli, Process, Said
from trio_llm.cli import stored
from trio_llm.cli.app import app


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in FOREIGN:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def cli() -> Cli:
    """Run a command in this process."""

    def run(*arguments: str, stdin: str | None = None) -> Said:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        return Said(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def environment() -> dict[str, str]:
    """Give the environment for a command in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


@pytest.fixture
def process(environment: dict[str, str]) -> Process:
    """Run the real entry point in a process of its own."""

    def run(*arguments: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "trio_llm", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment | more,
        )

    return run


@pytest.fixture
def failing(tmp_path: Path) -> str:
    """Write a fallback over a race, in which every provider fails in its own way."""
    path = tmp_path / "failing.toml"
    path.write_text(
        """
default = "reliable"
[providers.quick]
kind = "simulated"
simulation = { latency = 0.001, failure_rate = 1.0 }
[providers.steady]
kind = "simulated"
simulation = { latency = 0.002, failure_rate = 1.0, fail_with = "AuthenticationError" }
[providers.spare]
kind = "simulated"
simulation = { latency = 0.003, failure_rate = 1.0, fail_with = "RateLimitError" }
[balancers.fast]
kind = "race"
members = ["quick", "steady"]
[balancers.reliable]
kind = "fallback"
members = ["fast", "spare"]
"""
    )
    return str(path)


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """Write a race of a quick provider against one that never comes to its answer."""
    path = tmp_path / "quick.toml"
    path.write_text(
        """
default = "fast"
[providers.quick]
kind = "simulated"
models = ["simulated", "other"]
simulation = { latency = 0.001, gap = 0.001, text = "four pieces of text" }
[providers.slow]
kind = "simulated"
models = ["simulated"]
simulation = { latency = 60 }
[providers.off]
kind = "simulated"
enabled = false
[balancers.fast]
kind = "race"
members = ["quick", "slow"]
"""
    )
    return str(path)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    """Give a folder for books, and have commands take the time of day from there."""
    monkeypatch.setattr(stored, "wall_clock", lambda: NOW)
    return Books(tmp_path)
