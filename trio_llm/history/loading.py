"""Reads a performance file. One that is damaged is set aside; nothing is ever deleted."""

import os
import stat
from itertools import count
from pathlib import Path

import attrs

from trio_llm.history.form import LARGEST, HistoryFormError, read
from trio_llm.policy.history import Record


@attrs.frozen
class Loaded:
    """What came of reading a file; where there is none, nothing.

    Attributes:
        records: What it held.
        dropped: How many further records in it could not be used.
        damage: Why it is no history; empty if it is one.
        unusable: Why nothing may be put in its place; empty if something may.
    """

    records: tuple[Record, ...] = ()
    dropped: int = 0
    damage: str = ""
    unusable: str = ""


def load(path: Path) -> Loaded:
    """Read a file; this waits for the disk.

    A file that cannot be read, or is damaged and cannot be renamed, stays where it is.
    """
    try:
        content = _content(path)
    except FileNotFoundError:
        return Loaded()
    except (OSError, ValueError) as error:
        return Loaded(unusable=f"it cannot be read ({error})")
    try:
        records, dropped = read(content)
    except HistoryFormError as form:
        try:
            place = set_aside(path)
        except OSError as error:
            return Loaded(unusable=f"{form}, and it cannot be renamed ({error})")
        return Loaded(damage=f"{form}; it is now {place.name}")
    return Loaded(tuple(records), dropped)


def set_aside(path: Path) -> Path:
    """Rename a file to one of the same name and ``.damaged``; give its new place.

    Where that name is taken, a number comes after it.

    Raises:
        OSError: It cannot be renamed.
    """
    target = Path(os.path.realpath(path))
    for number in count(1):
        place = target.with_name(f"{target.name}.damaged{f'-{number}' if number > 1 else ''}")
        try:
            place.touch(exist_ok=False)  # so that no other process takes the name meanwhile
        except FileExistsError:
            continue
        try:
            target.replace(place)
        except OSError:
            place.unlink()
            raise
        return place
    raise AssertionError  # pragma: no cover - the numbers have no end


def _content(path: Path) -> bytes:
    """Give what is in a file, or a little more than can be in a history.

    Raises:
        OSError: It cannot be read, or is no file.
        ValueError: It is no path.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no regular file")  # a pipe would have us wait
    with path.open("rb") as file:
        return file.read(LARGEST + 1)
