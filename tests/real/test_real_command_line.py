"""The command line asks real servers, from a file, in a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest
import trio

from tests.real.real_server import CONTEXT, ENDLESS, KEY, Server, idle, needs_socket_table

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
PROMPT = "bade kilo"
FILE = """\
default = "reliable"

[providers.first]
kind = "llamacpp"
base_url = "{first}"
api_key_env = "REAL_KEY"

[providers.second]
kind = "openai_compatible"
base_url = "{second}"
api_key_env = "REAL_KEY"
model = "syllables"
max_tokens_per_request = 8

[balancers.reliable]
kind = "fallback"
members = ["first", "second"]
"""


@attrs.frozen
class Said:
    """What a command wrote and with which code it ended."""

    code: int
    out: str
    err: str


def _command(servers: Sequence[Server], folder: Path, words: Sequence[str]) -> list[str]:
    path = folder / "trio-llm.toml"
    path.write_text(FILE.format(first=servers[0].url, second=servers[1].url))
    name, *rest = words
    return [sys.executable, "-m", "trio_llm", name, "--config", str(path), *rest]


def _environment() -> dict[str, str]:
    # Wide enough that no line is folded.
    return dict(os.environ) | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "REAL_KEY": KEY}


async def _run(
    servers: Sequence[Server], folder: Path, *words: str, stdin: str | None = None
) -> Said:
    with trio.fail_after(30):
        done = await trio.run_process(
            _command(servers, folder, words),
            stdin=b"" if stdin is None else stdin.encode(),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=_environment(),
        )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


async def _run_until(
    servers: Sequence[Server],
    folder: Path,
    *words: str,
    wanted: int,
    then: Callable[[trio.Process], None],
) -> Said:
    """Run a command, and do something to it once it has written some words."""
    process = await trio.lowlevel.open_process(
        _command(servers, folder, words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    out = err = b""
    try:
        with trio.fail_after(30):
            async with process.stdout, process.stderr:
                while len(out.split()) < wanted:
                    piece = await process.stdout.receive_some()
                    assert piece, await process.stderr.receive_some()
                    out += piece
                then(process)
                async for piece in process.stdout:
                    out += piece
                async for piece in process.stderr:
                    err += piece
            code = await process.wait()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
    return Said(code, out.decode(), err.decode())


async def test_ask(servers: list[Server], tmp_path: Path) -> None:
    """The answer is on standard output; who gave it, and for how many tokens, is beside it."""
    asked = ("ask", "--max-tokens", "12", "--temperature", "0", PROMPT)
    streamed = await _run(servers, tmp_path, *asked)
    plain = await _run(servers, tmp_path, "ask", "--no-stream", *asked[1:])
    for said in (streamed, plain):
        assert said.code == 0, said.err
        assert len(said.out.split()) == 12
        assert "first (syllables)" in said.err
        assert re.search(r"\d+ tokens in, 12 out", said.err)
    assert streamed.out == plain.out


async def test_ask_for_json(servers: list[Server], tmp_path: Path) -> None:
    """--json gives the reply as data, with the counts of tokens and every attempt."""
    said = await _run(servers, tmp_path, "ask", "--json", "--via", "second", PROMPT)
    assert said.code == 0, said.err
    reply = json.loads(said.out)
    assert (reply["provider"], reply["model"]) == ("second", "syllables")
    assert reply["finish_reason"] == "length"
    assert reply["usage"]["output_tokens"] == 8
    assert reply["usage"]["input_tokens"] > 0
    assert [attempt["outcome"] for attempt in reply["attempts"]] == ["succeeded"]


async def test_ask_in_a_race(servers: list[Server], tmp_path: Path) -> None:
    """--race asks both servers; --verbose shows how it ended for each."""
    words = ("ask", "--race", "first,second", "--verbose", "--max-tokens", "8", PROMPT)
    said = await _run(servers, tmp_path, *words)
    assert said.code == 0, said.err
    assert len(said.out.split()) == 8
    assert re.search(r"\b(first|second) succeeded", said.err)
    assert re.search(r"\b(first|second) (cancelled|discarded)", said.err)


async def test_ask_too_much(servers: list[Server], tmp_path: Path) -> None:
    """A prompt beyond the context ends with 1 and the server's reason; nobody else is asked."""
    said = await _run(servers, tmp_path, "ask", stdin="ba " * CONTEXT)
    assert (said.code, said.out) == (1, "")
    assert "exceeds the available context size" in said.err
    assert "second" not in said.err


async def test_ask_when_a_server_was_killed(mortals: list[Server], tmp_path: Path) -> None:
    """The other server answers, and the failure of the first is said; `check` names it."""
    healthy = await _run(mortals, tmp_path, "check")
    mortals[0].kill()
    said = await _run(mortals, tmp_path, "ask", PROMPT)
    found = await _run(mortals, tmp_path, "check", "--json")
    assert healthy.code == 0, healthy.out + healthy.err
    assert said.code == 0, said.err
    assert len(said.out.split()) == 8
    assert "first (ConnectionFailedError)" in said.err
    assert found.code == 1
    assert {one["name"]: (one["healthy"], one["error_class"]) for one in json.loads(found.out)} == {
        "first": (False, "ConnectionFailedError"),
        "second": (True, None),
    }


async def test_a_server_is_killed_amid_the_answer(mortals: list[Server], tmp_path: Path) -> None:
    """What had arrived stays on standard output; the command ends with 1 and says why."""
    words = ("ask", "--max-tokens", str(ENDLESS), PROMPT)
    said = await _run_until(mortals, tmp_path, *words, wanted=5, then=lambda _: mortals[0].kill())
    assert said.code == 1
    assert 5 <= len(said.out.split()) < ENDLESS
    assert "StreamInterruptedError" in said.err
    assert "Traceback" not in said.err


@needs_socket_table
async def test_interrupt_amid_the_answer(servers: list[Server], tmp_path: Path) -> None:
    """Ctrl-C ends the command with 130, its connection, and the server's writing."""
    before = await servers[0].reached(idle)
    words = ("ask", "--max-tokens", str(ENDLESS), PROMPT)
    said = await _run_until(
        servers, tmp_path, *words, wanted=5, then=lambda process: process.send_signal(signal.SIGINT)
    )
    assert said.code == 130
    assert "interrupted" in said.err
    assert "Traceback" not in said.err
    assert await servers[0].connections() == 0
    after = await servers[0].reached(idle)
    assert after.written - before.written < ENDLESS
