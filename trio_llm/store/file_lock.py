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
_PLACE: Final = 1 << 30
"""Where the locked byte lies on Windows: past the mark, which others may read."""


@attrs.define(eq=False)
class FileLock:
    """A lock that ends with its process, however that ends.

    The file stays: to remove it would let two processes lock two files of one name. While
    the lock is held there is a mark in it, which a process that was killed leaves behind.

    Attributes:
        path: The file.
    """

    path: Path
    _descriptor: int = attrs.field(default=-1, init=False)

    def acquire(self) -> bool:
        """Take the lock; give whether the one before gave it back, as it should.

        Raises:
            BlockingIOError: Another process has it, or another part of this one.
            OSError: The file cannot be made.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
            orderly = not os.read(descriptor, len(_IN_USE))
            if orderly:
                os.write(descriptor, _IN_USE)
                os.fsync(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return orderly

    def release(self, *, orderly: bool) -> None:
        """Give the lock back.

        Args:
            orderly: Whether to take the mark off.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        if orderly:
            # A mark that stays on a full disk only costs the next one a check.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
        os.close(descriptor)


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
