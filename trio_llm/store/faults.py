"""What SQLite says when something is wrong, in words and with a remedy."""

import sqlite3
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


def fault(path: Path, error: sqlite3.Error) -> StoreError:
    """Give an error of SQLite as one that names the file and the remedy."""
    words = _WORDS.get(code_of(error) or 0)
    return StoreError(f"{path}: {words} ({error})" if words else f"{path}: {error}")


def unreadable(path: Path, error: Exception) -> StoreError:
    """Give the error for a row that nobody can have written."""
    return StoreError(
        f"{path}: it is damaged: a row cannot be read ({error}); move the file away to begin anew"
    )
