"""Files that are written as a whole, and files that only one at a time may write."""

import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_PLACE: Final = 1 << 30
"""Where the locked byte lies on Windows: past the content, which others may read."""


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of what was there; it keeps the mode of that.

    A reader sees the old content or the new, never a part.

    The content is on the disk before the name leads to it. Where this raises, what was
    there is untouched, and nothing is left besides.

    Args:
        path: The file; a link is followed.
        content: All that will be in it.

    Raises:
        OSError: It cannot be written.
    """
    target = Path(os.path.realpath(path))  # which says nothing of a link to itself
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


if sys.platform == "win32":

    def lock_nowait(descriptor: int) -> None:
        """Lock an open file, for as long as it is open.

        Raises:
            BlockingIOError: Another process has it locked, or another part of this one.
        """
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
        os.lseek(descriptor, 0, os.SEEK_SET)

else:

    def lock_nowait(descriptor: int) -> None:
        """Lock an open file, for as long as it is open.

        Raises:
            BlockingIOError: Another process has it locked, or another part of this one.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
