"""Whether a file is a store of this library, and still the one that was opened."""

import stat
from pathlib import Path
from typing import Final

import attrs

from trio_llm.errors import StoreError
from trio_llm.store.file_lock import FileLock

_HEAD: Final = b"SQLite format 3\0"
"""What every database of SQLite begins with; see "The Database Header" in its file format."""


def lock_of(path: Path) -> FileLock:
    """Give the lock that belongs to a file."""
    return FileLock(path.with_name(f"{path.name}.lock"))


def check_may_be_ours(path: Path) -> None:
    """See that a file is none that somebody else would miss; nothing is made or changed.

    It may be ours if it is not there yet, or empty, or begins as a database does, or if the
    lock beside it has our mark: then it was a store once, whatever has become of it.

    Raises:
        StoreError: It is some other file.
        OSError: It cannot be read.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return
    with path.open("rb") as file:
        head = file.read(len(_HEAD))
    if head != _HEAD and not lock_of(path).marked:
        raise StoreError(
            f"{path}: it is no store of this library, and was left as it is; give another path "
            "(the path under [store], or --store)"
        )


@attrs.frozen
class Identity:
    """The very file that was opened.

    Attributes:
        path: Where it was.
        device: The number of its device.
        inode: Its number on that device.
    """

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Identity":
        """Look which file is at a path now.

        Raises:
            OSError: There is none.
        """
        found = path.stat()
        return cls(path, found.st_dev, found.st_ino)

    def check(self) -> None:
        """See that it is still there: what is written to a file without a name is lost.

        Raises:
            StoreError: It was deleted, moved or replaced, or its folder was.
        """
        try:
            if Identity.of(self.path) == self:
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # it cannot be looked at, but what is open can be written
            return
        raise StoreError(
            f"{self.path}: it was deleted, moved or replaced while it was open; put it back: "
            "what is booked meanwhile waits for that, and is lost when the runtime is closed first"
        )
