"""What a run of the command line gives, and the environment that it is given."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import attrs

from trio_llm.providers.catalogue import KINDS

ROOT = Path(__file__).parents[2]
FOREIGN = {"TRIO_LLM_CONFIG", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONWARNINGS"} | {
    variable for kind in KINDS.values() for variable in kind.variables
}
"""Variables of the environment that would change what a command does."""


@attrs.frozen
class Said:
    """What a command wrote and with which code it ended."""

    code: int
    out: str
    err: str


Cli: TypeAlias = Callable[..., Said]
Process: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]


def at_a_terminal(
    arguments: list[str], environment: dict[str, str]
) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a command at a terminal; give it and our end of the terminal."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "trio_llm", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    )
    os.close(theirs)
    return command, ours


def read_until(terminal: int, wanted: bytes) -> bytes:
    """Read what a command writes until something is in it."""
    seen = b""
    while wanted not in seen:
        seen += os.read(terminal, 4096)
    return seen


def read_rest(terminal: int) -> bytes:
    """Read to the end, and close our end of the terminal."""
    seen = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other side is gone: how a Linux terminal says end of file
            piece = b""
        if not piece:
            os.close(terminal)
            return seen
        seen += piece
