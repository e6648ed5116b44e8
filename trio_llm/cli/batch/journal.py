"""The output of a batch: one line for each outcome, written so that a kill loses none.

A line goes to the file in one write, after its outcome is known and before the
next is taken; so what is in the file is what has been asked and answered. A line
that was cut by a crash is taken off when the batch goes on.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import attrs

from trio_llm.cli.batch.lines import Line
from trio_llm.errors import ConfigError


def _lock(descriptor: int, path: Path) -> None:
    """Keep a second batch from writing into the same file.

    Raises:
        ConfigError: Another one does.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:  # pragma: no cover - Windows has no such lock
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            ["another batch is writing to it; wait for that one, or give another -o"], str(path)
        ) from None


@attrs.define(eq=False)
class Journal:
    """The file of outcomes; a context manager.

    Args:
        path: The file.
        fresh: Whether to begin anew and drop what is in it.
        again: Whether lines that failed are to be asked again.

    Attributes:
        done: How many lines had an outcome when the batch began.
        failed: How many of those had failed.
    """

    path: Path
    fresh: bool = False
    again: bool = False
    done: int = attrs.field(default=0, init=False)
    failed: int = attrs.field(default=0, init=False)
    _known: dict[int, tuple[str, bool]] = attrs.field(
        factory=dict[int, tuple[str, bool]], init=False
    )
    _descriptor: int = attrs.field(default=-1, init=False)

    def __enter__(self) -> Self:
        """Open the file, and read what is in it.

        Raises:
            OSError: It cannot be read or written.
            ConfigError: It is no output of a batch, or another batch writes to it.
        """
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _lock(self._descriptor, self.path)
            if self.fresh:
                os.ftruncate(self._descriptor, 0)
            else:
                self._recover()
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def _recover(self) -> None:
        """Read the outcomes that are there, and take off a line that was cut."""
        whole = 0
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if not raw.endswith(b"\n"):
                    break
                whole += len(raw)
                self._take(number, raw)
        if whole != os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, whole)
        self.done = len(self._known)
        self.failed = sum(not good for _, good in self._known.values())
        if self.again:
            self._known = {line: known for line, known in self._known.items() if known[1]}

    def _take(self, number: int, raw: bytes) -> None:
        record: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(raw)
        fields = cast("dict[str, Any]", record) if isinstance(record, dict) else {}
        line, digest = fields.get("line"), fields.get("digest")
        if not isinstance(line, int) or not isinstance(digest, str):
            raise ConfigError(
                [f"line {number} is no outcome of a batch; give another -o, or --fresh"],
                str(self.path),
            )
        self._known[line] = (digest, fields.get("error") is None)

    def has(self, line: Line) -> bool:
        """Whether a line of the input has its outcome.

        Raises:
            ConfigError: It has that of another text: the input was changed.
        """
        known = self._known.get(line.number)
        if known is None:
            return False
        if known[0] != line.digest:
            fault = (
                f"its outcome of line {line.number} belongs to another text: the input "
                "was changed; give another -o, or --fresh to ask everything anew"
            )
            raise ConfigError([fault], str(self.path))
        return True

    def write(self, line: Line, outcome: Mapping[str, Any]) -> None:
        """Write the outcome of a line.

        Raises:
            OSError: The disk is full, or gone.
        """
        record: dict[str, Any] = {"line": line.number, "digest": line.digest}
        if line.id is not None:
            record["id"] = line.id
        left = memoryview(f"{json.dumps(record | dict(outcome))}\n".encode())
        while left:
            left = left[os.write(self._descriptor, left) :]


def count_lines(path: Path) -> int:
    """Count the lines of a file that are not blank."""
    with path.open("rb") as file:
        return sum(1 for raw in file if raw.strip())
