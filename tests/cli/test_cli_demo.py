"""``trio-llm demo``: six scenes against real servers, with measured figures."""

import os
import re
import signal

import pytest
import trio
from rich.console import Console
from trio.testing import MockClock

from tests.cli.cli_runs import Cli, Process, at_a_terminal, read_rest, read_until
from trio_llm import events
from trio_llm.cli.demo.timeline import Timeline


def test_demo_into_a_pipe_is_plain_and_complete(process: Process) -> None:
    """Without a terminal every picture is there once, without control characters."""
    done = process("demo", "--fast")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    for title in (
        "1. Race",
        "2. Hedge",
        "3. Consensus",
        "4. Circuit breaker",
        "5. Load balance",
        "6. Broken stream",
    ):
        assert done.stdout.count(title) == 1
    assert "saw the connection close before answering" in done.stdout
    assert re.search(
        r"anna was late after \d+ ms, so otto was asked, too; otto answered", done.stdout
    )
    assert '2 of 3 votes are for one answer: "Paris", in the words of anna.' in done.stdout
    assert done.stdout.count("closed, by one probe") == 1
    assert re.search(r"█+░[░▓]*▓█+  █ closed  ░ open  ▓ half open", done.stdout)
    assert done.stdout.count("anna ✗ OverloadedError → otto ✓") >= 2
    assert "60 calls in " in done.stdout
    assert "failed after" in done.stdout
    assert (
        '"Once there was a stream that broke [anna goes on] off, and nobody had to hear the '
        'beginning twice."'
    ) in done.stdout
    assert 'partial text "Once there was a stream that broke "' in done.stdout
    assert "; 0 connections are still open." in done.stdout


@pytest.mark.parametrize("exempt", [None, "example.com"])
def test_demo_ignores_a_proxy_of_the_environment(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, exempt: str | None
) -> None:
    """The servers are on this machine: a proxy that leads nowhere does no harm, and stays set."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    if exempt is not None:
        monkeypatch.setenv("no_proxy", exempt)
    said = cli("demo", "--fast")
    assert said.code == 0
    assert "saw the connection close before answering" in said.out
    assert os.environ.get("no_proxy") == exempt


def test_interrupt_amid_the_demo(environment: dict[str, str]) -> None:
    """Ctrl-C while a picture moves gives the cursor back and ends with 130."""
    command, terminal = at_a_terminal(["demo"], environment)
    seen = read_until(terminal, b"1.20 s")  # the axis of the first picture
    command.send_signal(signal.SIGINT)
    seen += read_rest(terminal)
    assert command.wait(10) == 130
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert b"interrupted" in seen
    assert b"Traceback" not in seen


async def test_timeline_draws_bars_to_scale(autojump_clock: MockClock) -> None:  # noqa: ARG001 - it is the clock of the test
    """A bar begins where its attempt began, is thin to the first token and thick after it."""
    timeline = Timeline(("a", "b"), span=10.0, width=20)
    start = trio.current_time()
    timeline.observe(events.AttemptStarted(start + 5.0, 1, ("r", "b"), 1, None))
    timeline.observe(events.AttemptStarted(start, 1, ("r", "a"), 1, None))
    timeline.observe(events.FirstToken(start + 4.0, 1, ("r", "a"), 1, 4.0))
    timeline.observe(events.AttemptSucceeded(start + 8.0, 1, ("r", "a"), 1, 8.0))
    await trio.sleep(7.5)
    timeline.observe(events.AttemptCancelled(start + 7.5, 1, ("r", "b"), 1, 2.5, "lost"))
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(timeline.picture())
    lines = [re.sub(r"\s+$", "", line) for line in capture.get().splitlines()]
    assert lines == [
        " a  ────────████████      succeeded after 8.00 s",
        " b            ━━━━━       cancelled after 2.50 s, lost",
        "    0············10.00 s",
    ]
