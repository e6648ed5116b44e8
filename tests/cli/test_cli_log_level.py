"""The command line logs nothing unless it is told to; its own words are another matter."""

import logging
from pathlib import Path

import pytest

from tests.cli.cli_runs import Cli, Process


@pytest.fixture
def chatty(tmp_path: Path) -> str:
    """Write a configuration that wants everything logged, in a fallback that falls back."""
    path = tmp_path / "chatty.toml"
    path.write_text(
        """
preset = "development"
[logging.rooms]
providers = "DEBUG"
[providers.moody]
kind = "simulated"
cooldown = { after_failures = 1 }
simulation = { latency = 0.001, failure_rate = 1.0 }
[providers.spare]
kind = "simulated"
simulation = { latency = 0.001 }
[balancers.safe]
kind = "fallback"
members = ["moody", "spare"]
"""
    )
    return str(path)


def test_without_the_option_nothing_is_logged(process: Process, chatty: str) -> None:
    """Whatever the configuration says, standard error has only what the command says itself."""
    done = process("ask", "-c", chatty, "hello")
    assert done.returncode == 0
    assert "trio_llm." not in done.stderr
    assert "rests for" not in done.stderr


def test_with_it_lines_go_to_standard_error(process: Process, chatty: str) -> None:
    """What is as urgent as the level or more is told, in lines of text."""
    done = process("--log-level", "info", "ask", "-c", chatty, "hello")
    assert done.returncode == 0
    assert "INFO     trio_llm.balancing: call 1: safe: goes on after moody failed" in done.stderr
    assert "WARNING  trio_llm.providers: call 1: moody: rests for" in done.stderr
    assert "DEBUG" not in done.stderr
    assert "trio_llm." not in done.stdout


def test_a_level_that_there_is_not_is_refused(cli: Cli) -> None:
    """A misspelt level ends the command, with the nearest one."""
    said = cli("--log-level", "waring", "ask", "hello")
    assert (said.code, said.out) == (2, "")
    assert '--log-level: no level "WARING"; did you mean "WARNING"?' in said.err


def test_a_command_leaves_the_loggers_as_they_were(cli: Cli, chatty: str) -> None:
    """In a process that goes on, the option holds for its command alone."""
    logger = logging.getLogger("trio_llm")
    before = (logger.level, list(logger.handlers), logger.propagate)
    for option in ([], ["--log-level", "debug"]):
        assert cli(*option, "ask", "-c", chatty, "hello").code == 0
        assert (logger.level, list(logger.handlers), logger.propagate) == before
