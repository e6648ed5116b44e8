"""Files that are written as a whole: a reader sees the old content or the new, never a part."""

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in the place of what was there; it keeps the mode of that.

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
