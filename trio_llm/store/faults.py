"""What SQLite says when something is wrong, in words and with a remedy."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trio_llm.errors import StoreError

_WORDS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_BUSY: "another program has locked it; end that one",
    sqlite3.SQLITE_LOCKED: "another program has locked it; end that one",
    sqlite3.SQLITE_READONLY: "it cannot be written; see who may write to it and to its folder",
    sqlite3.SQLITE_PERM: "it cannot be opened; see who may read and write it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; see that it is there, and who may write to "
    "it and to its folder",
    sqlite3.SQLITE_CORRUPT: "it is damaged; the next runtime that opens it sets it aside and "
    "begins anew",
    sqlite3.SQLITE_NOTADB: "it is no store, or damaged; the next runtime that opens it sets it "
    "aside and begins anew",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written; look at the system's log",
}

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def code_of(error: sqlite3.Error) -> int | None:
    """Give the primary result code; ``None`` where the error is not SQLite's own."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def shows_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file itself is damaged."""
    return code_of(error) in _DAMAGE or (
        getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHORT_READ
    )


def shows_lock(error: sqlite3.Error) -> bool:
    """Whether an error says that another program has locked the file."""
    return code_of(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def fault(path: Path, error: sqlite3.Error) -> StoreError:
    """Give an error of SQLite as one that names the file and the remedy."""
    words = _WORDS.get(code_of(error) or 0)
    return StoreError(f"{path}: {words} ({error})" if words else f"{path}: {error}")


class UnreadableError(Exception):
    """A row has what nobody can have written; the message says what is wrong."""


@contextmanager
def reading() -> Generator[None, None, None]:
    """Take what goes wrong with the values of a row for damage to the file.

    A flipped bit can make a text of a number, and neither SQLite nor its checks mind.

    Raises:
        UnreadableError: A value is not of its type, or means nothing.
    """
    try:
        yield
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UnreadableError(str(error) or type(error).__name__) from error


def unreadable(path: Path, error: Exception) -> StoreError:
    """Give the error for a file in which something cannot be read."""
    return StoreError(
        f"{path}: it is damaged, something in it cannot be read ({error}); move it away to begin "
        "anew"
    )
