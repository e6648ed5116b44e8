"""A lock on a file: one process has it, or one runtime in a process."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

import attrs

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_IN_USE: Final = b"in use\n"
_CLOSED: Final = b"closed\n"
"""The marks are of one length, so that one takes the place of the other in one write."""

_PLACE: Final = 1 << 30
"""Where the locked byte lies on Windows: past the mark, which others may read."""


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
            _lock(descriptor)
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


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
        os.lseek(descriptor, 0, os.SEEK_SET)

else:

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
