"""How the file of a store is opened: checked, set aside if damaged, brought up to date."""

import datetime as dt
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs

from trio_llm.errors import StoreError
from trio_llm.store.booking import outstanding
from trio_llm.store.faults import code_of, fault, shows_damage
from trio_llm.store.schema import APPLICATION, COLUMNS, MIGRATIONS, migrate, version_of

_logger = logging.getLogger("trio_llm.store")

_SMALL: Final = 64 * 2**20
"""A file of up to so many bytes is checked whenever it is opened: about 0.1 s at that size.
A larger one is when it was not closed as it should be."""

_PATIENCE: Final = 5.0
"""Seconds to wait for another program that has locked the file."""


class DamagedError(Exception):
    """The file is damaged; the message says how that shows."""


@attrs.frozen
class Opening:
    """How a file is to be opened.

    Attributes:
        path: The file.
        synchronous: ``normal`` or ``full``, as in SQLite.
        wall_clock: Gives the time of day, in seconds since the epoch.
    """

    path: Path
    synchronous: str = "normal"
    wall_clock: Callable[[], float] = time.time

    def read(self) -> sqlite3.Connection:
        """Open the file for reading alone; nothing is made or changed.

        Raises:
            StoreError: It cannot be opened, is damaged, or is of another version.
        """
        try:
            connection = connect(self.path, "ro")
            try:
                version = inspect(connection, thorough=False)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            if code_of(error) != sqlite3.SQLITE_CANTOPEN or not self._lies_still():
                raise fault(self.path, error) from error
            return self._read_still()
        except DamagedError as error:
            raise StoreError(f"{self.path}: it is damaged ({error})") from error
        return self._current(connection, version)

    def _lies_still(self) -> bool:
        """Whether the file is whole without a log: nobody has it open then."""
        return self.path.is_file() and not Path(f"{self.path}-wal").exists()

    def _read_still(self) -> sqlite3.Connection:
        """Open a file in a place where not even the files beside it can be made."""
        try:
            connection = connect(self.path, "ro&immutable=1")
            try:
                return self._current(connection, inspect(connection, thorough=False))
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise fault(self.path, error) from error
        except DamagedError as error:
            raise StoreError(f"{self.path}: it is damaged ({error})") from error

    def _current(self, connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
        if version == len(MIGRATIONS):
            return connection
        connection.close()
        raise StoreError(
            f"{self.path}: it has not been begun, or is of an older version; let a runtime open it"
        )

    def write(self, *, orderly: bool) -> sqlite3.Connection:
        """Open the file, or make it; a damaged one is set aside.

        Args:
            orderly: Whether it was closed as it should be.

        Raises:
            StoreError: It cannot be opened or made, or is not ours.
        """
        try:
            return self._checked(orderly=orderly)
        except DamagedError as error:
            self._set_aside(str(error))
        try:
            return self._checked(orderly=True)
        except DamagedError as error:
            raise StoreError(
                f"{self.path}: a new file was damaged at once ({error}); check the disk"
            ) from error

    def _checked(self, *, orderly: bool) -> sqlite3.Connection:
        """Open the file, or make it.

        Raises:
            DamagedError: It is damaged.
            StoreError: It cannot be opened or made, or is not ours.
        """
        self._make()
        try:
            self._examine(thorough=not orderly or self.path.stat().st_size <= _SMALL)
            return self._prepared()
        except sqlite3.Error as error:
            if shows_damage(error) or self._has_strange_head(error):
                raise DamagedError(str(error)) from error
            raise fault(self.path, error) from error

    def _make(self) -> None:
        """Make an empty file that only its owner reads, if there is none.

        Not by way of the database: that would leave it to the umask. And a file that is
        there is not opened here: closing it would end the locks of a reader in this process.
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise StoreError(f"{self.path}: it is no regular file; give another path") from None
            if not os.access(self.path, os.R_OK | os.W_OK):
                raise StoreError(
                    f"{self.path}: it cannot be read and written; see who may"
                ) from None

    def _examine(self, *, thorough: bool) -> None:
        """Look at the file through a connection that changes nothing in it.

        Raises:
            DamagedError: It is damaged.
            StoreError: It is that of another program, or of a newer version.
            sqlite3.Error: It cannot be read.
        """
        try:
            with closing(connect(self.path, "ro")) as connection:
                inspect(connection, thorough=thorough)
        except sqlite3.Error as error:
            code = code_of(error)
            if code in {None, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG}:
                raise DamagedError(str(error)) from error
            # What was cut off while the file was made is mended by opening it for writing.
            if code not in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
                raise

    def _prepared(self) -> sqlite3.Connection:
        """Open it for writing and bring it up to date."""
        connection = connect(self.path, "rw")
        try:
            version = inspect(connection, thorough=False)
            if version == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            self._begin_log(connection)
            connection.execute(f"PRAGMA synchronous = {self.synchronous}")
            connection.execute("PRAGMA journal_size_limit = 16777216")
            migrate(connection, version)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_log(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"{self.path}: its file system allows no log; use a local disk")

    def _has_strange_head(self, error: sqlite3.Error) -> bool:
        """Whether SQLite takes the file for read-only because of a format it does not know."""
        if code_of(error) != sqlite3.SQLITE_READONLY:
            return False
        with self.path.open("rb") as file:
            return file.read(20)[18:] not in {b"\x01\x01", b"\x02\x02"}

    def _set_aside(self, reason: str) -> None:
        """Rename the file, and those that belong to it; nothing is deleted.

        Raises:
            StoreError: It cannot be renamed.
        """
        moment = dt.datetime.fromtimestamp(self.wall_clock(), dt.UTC)
        name = f"{self.path}.damaged-{moment:%Y%m%dT%H%M%SZ}"
        number, aside = 1, name
        while os.path.lexists(aside):
            number += 1
            aside = f"{name}-{number}"
        try:
            # The log goes first: it must not be taken for that of the new file.
            for suffix in ("-wal", "-shm", "-journal", ""):
                beside = Path(f"{self.path}{suffix}")
                if beside.exists():
                    beside.rename(f"{aside}{suffix}")
        except OSError as error:
            raise StoreError(
                f"{self.path}: it is damaged ({reason}) and cannot be set aside "
                f"({error.strerror}); move it away"
            ) from error
        _logger.warning(
            "%s is damaged (%s); it was set aside as %s, and a new one was begun",
            self.path,
            reason,
            aside,
        )


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Connect to a file that is there.

    Any thread may use the connection, one at a time.
    """
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=_PATIENCE,
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
            raise DamagedError(verdict)
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
    """Look whether the tables are what they should be, and what is under way can be read."""
    for table, columns in COLUMNS.items():
        connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")  # noqa: S608 - names of ours
    try:
        outstanding(connection)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise DamagedError(f"a reservation cannot be read: {error}") from error
