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
from typing import Final

import attrs

from trio_llm.errors import StoreError
from trio_llm.store.faults import code_of, fault, shows_damage
from trio_llm.store.inspection import DamagedError, connect, inspect
from trio_llm.store.schema import MIGRATIONS, migrate, stamp

_logger = logging.getLogger("trio_llm.store")

_SMALL: Final = 64 * 2**20
"""A file of up to so many bytes is checked whenever it is opened: about 0.1 s at that size.
A larger one is when it was not closed as it should be."""


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
        """Open the file for reading alone; nothing in it is changed.

        SQLite may leave an empty log beside it, which the next runtime removes.

        Raises:
            StoreError: It cannot be opened, is damaged, or is of another version.
        """
        try:
            try:
                return self._reading("ro")
            except sqlite3.Error as error:
                if code_of(error) != sqlite3.SQLITE_CANTOPEN or not self._lies_still():
                    raise
                # In a place where not even the files beside it can be made.
                return self._reading("ro&immutable=1")
        except sqlite3.Error as error:
            raise fault(self.path, error) from error
        except (DamagedError, UnicodeDecodeError) as error:
            raise StoreError(f"{self.path}: it is damaged ({error})") from error

    def _lies_still(self) -> bool:
        """Whether the file is whole without a log: nobody has it open then."""
        return self.path.is_file() and not Path(f"{self.path}-wal").exists()

    def _reading(self, mode: str) -> sqlite3.Connection:
        connection = connect(self.path, mode)
        try:
            version = inspect(connection, thorough=False)
        except BaseException:
            connection.close()
            raise
        if version == len(MIGRATIONS):
            return connection
        connection.close()
        raise StoreError(
            f"{self.path}: it is empty, or of an older version; let a runtime open it first"
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
        except UnicodeDecodeError as error:  # in a name that SQLite would have told us of
            raise DamagedError(str(error)) from error

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
            # Nothing new, but written: a file that SQLite only reads is found now, not later.
            connection.execute(f"PRAGMA user_version = {stamp(len(MIGRATIONS))}")
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
