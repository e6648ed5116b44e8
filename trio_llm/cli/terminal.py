"""Where the command line writes: answers to standard output, everything else to error."""

import json
import os
import sys
from typing import Any, TextIO

import attrs
from rich.console import Console, RenderableType
from rich.text import Text

_WIDE = 160
"""Columns of a table that goes into a file or a pipe, where nothing wraps."""

_UNCUT = 100_000
"""Columns of a remark that goes there: a tree cuts what is wider, and a remedy is at an end."""

_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}


def printable(text: str) -> str:
    """Take out what could steer a terminal: a model's answer is not to be trusted."""
    return text.translate(_CONTROL)


class _Console(Console):
    """A console that lets a closed pipe be handled where the process ends."""

    def on_broken_pipe(self) -> None:
        """Pass it on; rich would leave with an exit code of its own."""
        raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError


def _console(*, stderr: bool) -> Console:
    console = _Console(stderr=stderr, highlight=False, emoji=False)
    if stderr:
        if not _is_tty(sys.stderr):
            console.width = _UNCUT
    elif not _is_tty(sys.stdout) and "COLUMNS" not in os.environ:
        console.width = _WIDE
    return console


def _is_tty(stream: TextIO) -> bool:
    return stream.isatty()


@attrs.define(eq=False)
class Terminal:
    """The two streams of the process.

    Attributes:
        out: Standard output, for tables.
        err: Standard error, for remarks and failures.
    """

    out: Console = attrs.field(factory=lambda: _console(stderr=False), init=False)
    err: Console = attrs.field(factory=lambda: _console(stderr=True), init=False)
    _midline: bool = attrs.field(default=False, init=False)

    @property
    def live(self) -> bool:
        """Whether a person looks at standard error, so that a spinner makes sense.

        Rich's own answer would count FORCE_COLOR, which is about colour alone.
        """
        return _is_tty(sys.stderr) and not self.err.is_dumb_terminal

    @property
    def shown(self) -> bool:
        """Whether a person looks at standard output."""
        return _is_tty(sys.stdout) and not self.out.is_dumb_terminal

    @property
    def read_by_a_person(self) -> bool:
        """Whether standard output is a terminal, be it a dumb one."""
        return _is_tty(sys.stdout)

    def answer(self, piece: str) -> None:
        """Write a piece of an answer at once; to a terminal without control characters."""
        if not piece:
            return
        sys.stdout.write(printable(piece) if _is_tty(sys.stdout) else piece)
        sys.stdout.flush()
        self._midline = not piece.endswith("\n")

    def end_answer(self) -> None:
        """End the line of an answer, if it is not at its end."""
        if self._midline:
            self.answer("\n")

    def document(self, value: Any) -> None:
        """Write one JSON object to standard output."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def json_line(self, value: Any) -> None:
        """Write one JSON object to a line of standard output, at once."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def line(self, text: Text) -> None:
        """Write one line to standard output, whole and at once."""
        self.out.print(text, soft_wrap=True)
        sys.stdout.flush()

    def table(self, renderable: RenderableType) -> None:
        """Show something on standard output."""
        self.out.print(renderable)

    def remark(self, renderable: RenderableType) -> None:
        """Show something on standard error, below whatever the answer has written."""
        self.end_answer()
        # At a terminal lines break between words; in a log each remark stays one line.
        self.err.print(renderable, soft_wrap=not _is_tty(sys.stderr))

    def mark(self, text: str) -> None:
        """Say something amid an answer, which goes on.

        At a terminal that has both streams it stands in the answer's own line; elsewhere
        it is a line on standard error, and standard output has the answer alone.
        """
        inline = _is_tty(sys.stdout) and _is_tty(sys.stderr)
        before, end = (" ", "") if inline else ("", "\n")
        self.err.print(Text(before + printable(text), "dim"), end=end, soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something that is no failure."""
        self.remark(Text.assemble(("note: ", "cyan"), printable(text)))

    def fail(self, text: str) -> None:
        """Say what went wrong."""
        self.remark(Text.assemble(("error: ", "bold red"), printable(text)))

    def hint(self, text: str) -> None:
        """Say what to do about it."""
        self.remark(Text.assemble(("hint: ", "yellow"), printable(text)))

    def say_plainly(self, text: str) -> None:
        """Write a text to standard error as it is."""
        self.end_answer()
        self.err.print(Text(printable(text)), soft_wrap=True)

    def interrupted(self) -> None:
        """Say that Ctrl-C was heard; the terminal shows ``^C`` on the line before."""
        if self.live:
            self._midline = False
            self.err.print()
        self.remark(Text("interrupted", "yellow"))
