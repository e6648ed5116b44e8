"""The output of a batch: one line for each outcome, written so that a kill loses none.

A line goes to the file in one write, after its outcome is known and before the
next is taken; so what is in the file is what has been asked and answered. A line
that was cut by a crash is taken off when the batch goes on.
"""

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import attrs

from trio_llm.cli.batch.lines import Line
from trio_llm.disk import lock_nowait
from trio_llm.errors import ConfigError

_MODE: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND
_START: Final = b'{"line": '
"""How every line of the file begins."""


def _lock(descriptor: int, path: Path) -> None:
    """Keep a second batch from writing into the same file.

    Raises:
        ConfigError: Another one does.
    """
    try:
        lock_nowait(descriptor)
        # Another batch may just have put a new file in the place of the one opened.
        taken = not os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        taken = True
    if taken:
        raise ConfigError(
            ["another batch is writing to it; wait for that one, or give another -o"], str(path)
        )


def _opened(path: Path, source: os.stat_result) -> int:
    """Open a file of outcomes, or make it.

    Raises:
        ConfigError: It cannot be opened, is the input, or can hold no outcomes.
    """
    if str(path) == "-":
        fault = "the output must be a file, in which a batch finds where it stopped; give another"
        raise ConfigError([fault], "-o -")
    try:
        descriptor = os.open(path, _MODE, 0o644)
    except OSError as error:
        fault = f"cannot be opened ({error.strerror}); give another -o"
        raise ConfigError([fault], str(path)) from None
    found = os.fstat(descriptor)
    fault = ""
    if os.path.samestat(found, source):
        fault = "is the input, too; give another -o"
    elif not stat.S_ISREG(found.st_mode):
        fault = "no regular file, in which a batch could find where it stopped; give another -o"
    if fault:
        os.close(descriptor)
        raise ConfigError([fault], str(path))
    return descriptor


@attrs.frozen
class _Outcome:
    """What is known of a line that has an outcome.

    Attributes:
        digest: The fingerprint of the line.
        good: Whether it was answered.
        place: Where the outcome stands in the file, counted in lines from 0.
    """

    digest: str
    good: bool
    place: int


def _is_cut(raw: bytes) -> bool:
    """Whether a line without an end is what a crash left: it begins as an outcome does."""
    if raw[: len(_START)] != _START[: len(raw)]:
        return False
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return True
    return False


@attrs.define(eq=False)
class Journal:
    """The file of outcomes; a context manager.

    Args:
        path: The file.
        source: The status of the input, which is not to be written to.
        fresh: Whether to begin anew and drop what is in it.
        again: Whether lines that failed are to be asked again.

    """

    path: Path
    source: os.stat_result
    fresh: bool = False
    again: bool = False
    _known: dict[int, _Outcome] = attrs.field(factory=dict[int, _Outcome], init=False)
    _failed: bool = attrs.field(default=False, init=False)
    _descriptor: int = attrs.field(default=-1, init=False)

    def __enter__(self) -> Self:
        """Open the file, and read what is in it.

        Raises:
            OSError: It cannot be read or written.
            ConfigError: It cannot be opened, is the input or no output of a batch, or
                another batch writes to it.
        """
        self._descriptor = _opened(self.path, self.source)
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
        whole, unended = 0, False
        with self.path.open("rb") as file:
            for place, raw in enumerate(file):
                unended = not raw.endswith(b"\n")
                if unended and _is_cut(raw):
                    unended = False
                    break
                whole += len(raw)
                self._take(place, raw)
        if whole != os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, whole)
        if unended:  # an editor took the last line's end away; the next must not join it
            os.write(self._descriptor, b"\n")
        if self.again:
            good = {line: known for line, known in self._known.items() if known.good}
            self._failed = len(good) < len(self._known)
            self._known = good

    def _take(self, place: int, raw: bytes) -> None:
        record: Any = None
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(raw)
        fields = cast("dict[str, Any]", record) if isinstance(record, dict) else {}
        line, digest = fields.get("line"), fields.get("digest")
        if type(line) is not int or not isinstance(digest, str):
            raise ConfigError(
                [f"line {place + 1} is no outcome of a batch; give another -o, or --fresh"],
                str(self.path),
            )
        self._known[line] = _Outcome(digest, fields.get("error") is None, place)

    def forget_failures(self) -> None:
        """Take the failures that are to be asked again out of the file.

        So each line keeps one outcome. A new file takes the place of the old one in one
        step; whatever happens, no answer is lost.

        Raises:
            OSError: The new file cannot be written; it names the file.
        """
        if not self._failed:
            return
        kept = {known.place for known in self._known.values()}
        target = self.path.resolve()
        new = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        descriptor = os.open(new, _MODE | os.O_EXCL, 0o644)
        try:
            _lock(descriptor, new)
            with target.open("rb") as file:
                for place, raw in enumerate(file):
                    if place in kept:
                        self._append(descriptor, raw)
            os.fsync(descriptor)
            new.chmod(target.stat().st_mode & 0o7777)
            new.replace(target)
        except BaseException:
            os.close(descriptor)
            new.unlink(missing_ok=True)
            raise
        os.close(self._descriptor)
        self._descriptor = descriptor

    def has(self, line: Line) -> bool:
        """Whether a line of the input has its outcome.

        Raises:
            ConfigError: It has that of another text: the input was changed.
        """
        known = self._known.get(line.number)
        if known is None:
            return False
        if known.digest != line.digest:
            remedy = "" if known.good else "--retry-failed to ask it again, "
            fault = (
                f"its outcome of line {line.number} belongs to another text: the input "
                f"was changed; give {remedy}another -o, or --fresh to ask everything anew"
            )
            raise ConfigError([fault], str(self.path))
        return True

    def write(self, line: Line, outcome: Mapping[str, Any]) -> None:
        """Write the outcome of a line.

        Raises:
            OSError: The disk is full, or gone; it names the file.
        """
        record: dict[str, Any] = {"line": line.number, "digest": line.digest}
        if line.id is not None:
            record["id"] = line.id
        self._append(self._descriptor, f"{json.dumps(record | dict(outcome))}\n".encode())

    def _append(self, descriptor: int, text: bytes) -> None:
        left = memoryview(text)
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
