"""The process around a command: interrupts, closed pipes, the extra that is missing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.cli_runs import Cli, Process, at_a_terminal, read_rest, read_until

ENDLESS = """
[providers.endless]
kind = "simulated"
simulation = { latency = 0.01, gap = 0.01, chunks = 4000, text = "%s" }
"""


@pytest.fixture
def endless(tmp_path: Path) -> str:
    """Write a provider whose answer takes 40 seconds."""
    path = tmp_path / "endless.toml"
    path.write_text(ENDLESS % ("tick " * 8000))
    return str(path)


def test_interrupt_amid_a_stream(endless: str, environment: dict[str, str]) -> None:
    """Ctrl-C while an answer is written cancels the call and ends with 130, in words."""
    command, terminal = at_a_terminal(["ask", "-c", endless, "hello"], environment)
    read_until(terminal, b"tick")
    command.send_signal(signal.SIGINT)
    rest = read_rest(terminal)
    assert command.wait(10) == 130
    assert b"interrupted" in rest
    assert b"Traceback" not in rest


def test_interrupt_gives_the_cursor_back(tmp_path: Path, environment: dict[str, str]) -> None:
    """Ctrl-C while a spinner turns leaves the terminal as it was."""
    path = tmp_path / "slow.toml"
    path.write_text('[providers.slow]\nkind = "simulated"\nsimulation = { latency = 60 }\n')
    command, terminal = at_a_terminal(["check", "-c", str(path)], environment)
    seen = read_until(terminal, b"waiting for slow")
    command.send_signal(signal.SIGINT)
    seen += read_rest(terminal)
    assert command.wait(10) == 130
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b"Traceback" not in seen


def test_no_promptat_a_terminal_is_a_usage_error(environment: dict[str, str]) -> None:
    """At a terminal nobody waits for input in silence: the remedy is said instead."""
    command, terminal = at_a_terminal(["ask"], environment)
    seen = read_rest(terminal)
    assert command.wait(10) == 2
    assert b"the prompt is empty" in seen


def test_interrupt_while_waiting_for_input(environment: dict[str, str]) -> None:
    """Ctrl-C ends the reading of a prompt from a terminal."""
    command, terminal = at_a_terminal(["ask", "-"], environment)
    read_until(terminal, b"type the prompt")
    os.write(terminal, b"half a question\n")
    command.send_signal(signal.SIGINT)
    rest = read_rest(terminal)
    assert command.wait(10) == 130
    assert b"Traceback" not in rest


def test_input_that_is_no_text(environment: dict[str, str]) -> None:
    """Bytes that are no text are refused in words."""
    done = subprocess.run(
        [sys.executable, "-m", "trio_llm", "ask"],
        input=b"\xff\xfe",
        capture_output=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr == b"error: the prompt is no text; give it in UTF-8\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["ask", "hello"], ["status"], ["ask", "--json", "hello"]])
def test_output_that_cannot_be_written(arguments: list[str], environment: dict[str, str]) -> None:
    """A full disk is a failure in words, not silence and not a traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "trio_llm", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: cannot write: No space left on device"
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_closed_pipe_is_quiet(endless: str, environment: dict[str, str]) -> None:
    """A reader that has enough (``| head -c 4``) ends the command without a complaint."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "trio_llm", "ask", "-c", endless, "hello"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.read(4) == b"tick"
        command.stdout.close()
        complaints = command.stderr.read().decode()
        assert command.wait(10) == 0
    assert len(complaints.splitlines()) == 1
    assert complaints.startswith("note: every provider in")


def test_closed_pipe_of_a_table_is_quiet(environment: dict[str, str]) -> None:
    """A table whose reader is gone before it is written ends quietly, too."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "trio_llm", "status"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        env=environment,
        timeout=60,
    )
    os.close(write)
    assert done.returncode == 0
    assert done.stderr.splitlines()[0].startswith(b"note: simulated")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_missing_extra_is_one_line(package: str, environment: dict[str, str]) -> None:
    """Without typer or rich the command says which extra to install, and ends with 2."""
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from trio_llm.cli.__main__ import main\n"
        "sys.exit(main(['ask', 'hello']))"
    )
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"trio-llm: the command line needs {package}; "
        'install it with: pip install "trio-llm[cli]"\n'
    )


def test_library_does_not_need_the_extra(environment: dict[str, str]) -> None:
    """The library is imported where neither typer nor rich can be."""
    program = (
        "import sys; sys.modules['typer'] = sys.modules['rich'] = None\n"
        "import trio_llm, trio_llm.testing"
    )
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-c", program], check=True, env=environment
    )


def test_version_and_help(process: Process, cli: Cli) -> None:
    """--version names the version; --help of every command has examples and exit codes."""
    assert process("--version").stdout.startswith("trio-llm ")
    for command in (
        ["ask"],
        ["status"],
        ["check"],
        ["monitor"],
        ["demo"],
        ["top"],
        ["usage"],
        ["budget"],
        ["cache"],
        ["cache", "stats"],
        ["cache", "clear"],
        ["models", "list"],
        ["config"],
        ["config", "init"],
    ):
        shown = cli(*command, "--help")
        assert shown.code == 0
        assert "Examples" in shown.out
        assert "130 interrupted" in " ".join(shown.out.split())


def test_unknown_command_is_a_usage_error(process: Process) -> None:
    """A command that does not exist ends with 2, and nothing is on standard output."""
    done = process("aks")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "aks" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_standard_stream(closed: str, environment: dict[str, str]) -> None:
    """A process that was started without one of its streams works all the same."""
    done = subprocess.run(  # noqa: S602 - a shell closes streams
        f'"{sys.executable}" -m trio_llm ask hello {closed}',
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert ("sim-2" in done.stdout) is (closed != ">&-")
    assert ("sim-2" in done.stderr) is (closed != "2>&-")


def test_no_standard_input_is_an_empty_prompt(environment: dict[str, str]) -> None:
    """Where the prompt should come from a standard input that is closed, there is none."""
    done = subprocess.run(  # noqa: S602 - a shell closes streams
        f'"{sys.executable}" -m trio_llm ask <&-',
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert done.returncode == 2
    assert "the prompt is empty" in done.stderr


def test_faults_in_a_pipe_are_whole(tmp_path: Path, process: Process) -> None:
    """What goes into a log is not cut at the width of a terminal that is not there."""
    path = tmp_path / "wrong.toml"
    path.write_text('[providers.a]\nkind = "simulated"\nwrong = 1\nmailbox = 0\n')
    done = process("config", "check", "-c", str(path), COLUMNS="40")
    assert done.returncode == 2
    assert "2 faults" in done.stderr
    assert "known are kind, name, " in done.stderr
    assert ", simulation\n" in done.stderr
