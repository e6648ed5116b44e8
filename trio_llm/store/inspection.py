"""A look at the file of a store: whether it is ours, whole, and of which version."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from trio_llm.errors import StoreError
from trio_llm.store.booking import outstanding
from trio_llm.store.faults import UnreadableError
from trio_llm.store.kept import KeptAnswers
from trio_llm.store.schema import APPLICATION, COLUMNS, MIGRATIONS, version_of

PATIENCE: Final = 5.0
"""Seconds to wait for another program that has locked the file."""


class DamagedError(Exception):
    """The file is damaged; the message says how that shows."""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Connect to a file that is there.

    Any thread may use the connection, one at a time.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # The file may be damaged, and is none that SQLite should run functions for.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def inspect(connection: sqlite3.Connection, *, thorough: bool) -> int:
    """Give the version of a file; 0 for an empty one.

    Args:
        connection: A connection to it.
        thorough: Whether to check every page.

    Raises:
        DamagedError: It is damaged.
        StoreError: It is that of another program, or of a newer version.
        sqlite3.Error: It cannot be read.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    names: list[tuple[Any]] = connection.execute("SELECT name FROM sqlite_master").fetchall()
    if not (application or found or names):
        return 0
    if thorough:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise DamagedError(" ".join(str(verdict).split()))
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    if application != APPLICATION:
        if {"charges", "reservations"} & {name for (name,) in names}:
            raise DamagedError("the mark of the application is wrong")
        raise StoreError(f"{file}: it is the database of another program; give another path")
    version = version_of(found)
    if not version:
        raise DamagedError("the number of the version is wrong")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{file}: it is of version {version}, and this library knows versions up to "
            f"{len(MIGRATIONS)}; update the library, or give another path"
        )
    if version == len(MIGRATIONS):
        _probe(connection)
    return version


def _probe(connection: sqlite3.Connection) -> None:
    """Look whether the tables are what they should be, and what an open begins with can be read."""
    for table, columns in COLUMNS.items():
        connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")  # noqa: S608 - names of ours
    try:
        outstanding(connection)
        KeptAnswers(connection)
    except UnreadableError as error:
        raise DamagedError(str(error)) from error
