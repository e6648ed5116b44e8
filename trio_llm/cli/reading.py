"""What a command is given to read, so that a Ctrl-C is heard at whatever moment it comes."""

import io
import os
import select
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import typer

from trio_llm.cli.exits import ExitCode
from trio_llm.cli.terminal import Terminal

_CHUNK = 1 << 16


def read_input() -> str:
    """Read standard input to its end.

    A signal that comes right before a blocking read begins is noted by Python, and
    heard when the read ends: never, at a terminal. So the wait is for the input and
    for the byte that a signal writes, whichever comes first.

    Raises:
        UnicodeError: It is no text.
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return sys.stdin.read()
    if os.name == "nt":  # pragma: no cover - there select() is for sockets alone
        return sys.stdin.read()
    return b"".join(pieces(descriptor)).decode(sys.stdin.encoding).replace("\r\n", "\n")


def pieces(descriptor: int) -> Iterator[bytes]:
    """Give what comes from a descriptor to its end, as it comes.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            while True:
                ready, _, _ = select.select([descriptor, ours.fileno()], [], [])
                if ours.fileno() in ready:
                    ours.recv(_CHUNK)
                if descriptor in ready:
                    piece = os.read(descriptor, _CHUNK)
                    if not piece:
                        return
                    yield piece
        finally:
            signal.set_wakeup_fd(before)


def open_input(path: Path) -> tuple[BinaryIO, os.stat_result]:
    """Open a file that is read more than once; ``-`` is standard input.

    A pipe gives what it holds only once, so it is copied to a temporary file.

    Returns:
        The file, and the status of what was opened.

    Raises:
        OSError: It cannot be read.
        KeyboardInterrupt: Ctrl-C.
    """
    given = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    status = os.fstat(given.fileno())
    if stat.S_ISREG(status.st_mode):
        return given, status
    copy = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
    with given:
        for piece in pieces(given.fileno()):
            copy.write(piece)
    return copy, status


def read_prompt(words: Sequence[str] | None, system: str | None, terminal: Terminal) -> str:
    """Give the prompt of a command: its words, or standard input for ``-`` or none.

    Raises:
        typer.Exit: It is empty, or it or the system message is no text.
    """
    try:
        text = _prompt(words, terminal)
        # Python lets any byte into an argument, as a surrogate that no provider takes.
        text.encode()
        (system or "").encode()
    except UnicodeError:
        terminal.fail("the prompt is no text; give it in UTF-8")
        raise typer.Exit(ExitCode.USAGE) from None
    if not text.strip():
        terminal.fail('the prompt is empty; give one, such as "What is an actor?"')
        raise typer.Exit(ExitCode.USAGE)
    return text


def _prompt(words: Sequence[str] | None, terminal: Terminal) -> str:
    if words and list(words) != ["-"]:
        return " ".join(words)
    if sys.stdin.isatty():
        if not words:
            return ""
        terminal.note("type the prompt; an end of file (Ctrl-D) ends it")
    return read_input()
