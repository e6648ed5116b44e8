"""A lock on a file: one process has it, or one runtime in a process."""

import contextlib
import os
from pathlib import Path
from typing import Final

import attrs

from trio_llm.disk import lock_nowait

_IN_USE: Final = b"in use\n"
_CLOSED: Final = b"closed\n"
"""The marks are of one length, so that one takes the place of the other in one write."""


@attrs.define(eq=False)
class FileLock:
    """A lock that ends with its process, however that ends.

    The file stays: to remove it would let two processes lock two files of one name. While
    what it locks is in use there is a mark in it, which a process that was killed leaves
    behind; another one says that all was closed as it should be. One that has neither locks
    what was never in use.

    Attributes:
        path: The file.
    """

    path: Path
    _descriptor: int = attrs.field(default=-1, init=False)
    _in_use: bool = attrs.field(default=False, init=False)

    @property
    def marked(self) -> bool:
        """Whether what it locks was ever in use, as far as can be seen."""
        try:
            with self.path.open("rb") as file:
                return file.read(len(_IN_USE)) in {_IN_USE, _CLOSED}
        except OSError:
            return False

    def acquire(self) -> bool:
        """Take the lock; give whether the one before gave it back, as it should.

        Raises:
            BlockingIOError: Another process has it, or another part of this one.
            OSError: The file cannot be made.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock_nowait(descriptor)
            orderly = os.read(descriptor, len(_IN_USE)) in {b"", _CLOSED}
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return orderly

    def mark(self) -> None:
        """Say that what it locks is in use; the lock is held.

        Raises:
            OSError: The mark cannot be written.
        """
        self._write(_IN_USE)
        os.fsync(self._descriptor)
        self._in_use = True

    def release(self, *, orderly: bool) -> None:
        """Give the lock back.

        Args:
            orderly: Whether what was in use has been closed as it should be.
        """
        if self._descriptor < 0:
            return
        if orderly and self._in_use:
            # A mark that stays on a full disk only costs the next one a check.
            with contextlib.suppress(OSError):
                self._write(_CLOSED)
        os.close(self._descriptor)
        self._descriptor, self._in_use = -1, False

    def _write(self, mark: bytes) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, mark)
