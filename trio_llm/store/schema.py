"""The tables of a store on disk, and how a file comes to have them."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

APPLICATION: Final = 0x74_72_6C_6D
"""What marks a database file as one of this library."""

_TOKENS: Final = """
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
"""

_FIRST: Final = (
    """
    CREATE TABLE subjects (
        id INTEGER PRIMARY KEY,
        provider TEXT NOT NULL,
        kind TEXT NOT NULL,
        model TEXT NOT NULL,
        user TEXT NOT NULL,
        operation TEXT NOT NULL,
        tags TEXT NOT NULL,
        UNIQUE (provider, kind, model, user, operation, tags)
    )
    """,
    # By time first, so that a span of it is read in one piece. An amount is a whole number of
    # microdollars, and what is over in picodollars, as 64 bits of picodollars alone end at nine
    # million dollars; both are missing where the price is not known.
    f"""
    CREATE TABLE charges (
        quarter INTEGER NOT NULL,
        id TEXT NOT NULL UNIQUE,
        time REAL NOT NULL,
        subject INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        call INTEGER NOT NULL,
        {_TOKENS}
        certainty INTEGER NOT NULL,
        microseconds INTEGER NOT NULL,
        microdollars INTEGER,
        picodollars INTEGER,
        PRIMARY KEY (quarter, id)
    ) WITHOUT ROWID
    """,
    f"""
    CREATE TABLE folded (
        quarter INTEGER NOT NULL,
        subject INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        succeeded INTEGER NOT NULL,
        unpriced INTEGER NOT NULL,
        {_TOKENS}
        certainty INTEGER NOT NULL,
        microseconds INTEGER NOT NULL,
        microdollars INTEGER NOT NULL,
        picodollars INTEGER NOT NULL,
        PRIMARY KEY (quarter, subject, outcome)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE reservations (
        id TEXT NOT NULL PRIMARY KEY,
        time REAL NOT NULL,
        subject INTEGER NOT NULL,
        call INTEGER NOT NULL,
        estimate TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE answers (
        key BLOB NOT NULL PRIMARY KEY,
        created REAL NOT NULL,
        expires REAL NOT NULL,
        used INTEGER NOT NULL,
        size INTEGER NOT NULL,
        content BLOB NOT NULL
    )
    """,
    "CREATE INDEX answers_by_use ON answers (used, size)",
    "CREATE INDEX answers_by_end ON answers (expires, size)",
)

MIGRATIONS: tuple[Sequence[str], ...] = (_FIRST,)
"""What leads from each version to the next; new ones are added at the end."""

COLUMNS: Final = {
    "subjects": "id, provider, kind, model, user, operation, tags",
    "charges": "quarter, id, time, subject, outcome, call, input_tokens, output_tokens, "
    "cached_tokens, cache_write_tokens, reasoning_tokens, certainty, microseconds, "
    "microdollars, picodollars",
    "folded": "quarter, subject, outcome, attempts, succeeded, unpriced, input_tokens, "
    "output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, certainty, "
    "microseconds, microdollars, picodollars",
    "reservations": "id, time, subject, call, estimate",
    "answers": "key, created, expires, used, size, content",
}
"""The tables of the newest version, and their columns."""


def stamp(version: int) -> int:
    """Give what stands in a file of a version: its number twice, so that a flipped bit shows."""
    return version << 16 | version


def version_of(found: int) -> int | None:
    """Give the version of a stamp; ``None`` for one that nobody wrote."""
    version = found & 0xFFFF
    return version if found == stamp(version) else None


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Do all of the block, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of a version to the newest, each step in one transaction."""
    for number, statements in enumerate(MIGRATIONS[version:], version + 1):
        with transaction(connection):
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {stamp(number)}")


def give_back(connection: sqlite3.Connection) -> None:
    """Give space back to the file system, once a quarter of the file is free."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if free * 4 > pages:
        # Each step frees one page and gives a row without columns, at which `execute` stops.
        connection.executescript("PRAGMA incremental_vacuum")
