"""The file of a SQLite catalog: connections that know which file they are to, and whether it still is that one.

Somebody may delete or replace it under us, and so do we when it is made anew. SQLite notices nothing: it goes on with
the files that it has open. So a connection is given the id (device and inode) of its file, and whoever uses it looks
whether the name still leads there.

The log and its index (`-wal`, `-shm`) belong to the file but are found by name, when a connection first reads. One that
has opened the old file and then finds the new one's log would read rubbish. Therefore a connection reads at once, and
is taken only if the file was the same before and after. Closing the last connection to a file that has moved leaves
the log of the new one alone (SQLite looks: `databaseIsUnmoved` in its pager.c).

While there are connections, nothing else here may open the file: closing any descriptor of it drops all the locks
that SQLite holds on it in this process (fcntl(2)).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias
from urllib.parse import quote

from sqlalchemy import URL

from hlscam.errors import CatalogError

FileId: TypeAlias = tuple[int, int]
"""Device and inode. No other file gets them as long as anybody has this one open."""

SUFFIXES = ("", "-wal", "-shm")
"""The database, its write-ahead log, and the index of that."""

_ATTEMPTS = 5
_MISSING = (FileNotFoundError, NotADirectoryError)


def path_of(url: URL) -> Path | None:
    """The catalog's file; None for a database that is none."""
    return Path(url.database or "").absolute() if url.get_backend_name() == "sqlite" else None


def file_id(path: Path | str) -> FileId | None:
    """Which file has this name now; None where there is none. Raises OSError when it cannot be looked up."""
    try:
        status = os.stat(path)  # noqa: PTH116 (asked before every read, and Path takes three times as long)
    except _MISSING:
        return None
    return status.st_dev, status.st_ino


def connect(path: str, pragmas: Sequence[str], *, create: bool, **options: Any) -> tuple[sqlite3.Connection, FileId]:
    """A connection that begins no transaction by itself, and the file that it is to.

    A missing file is made by `create` alone. Raises CatalogError where there is none, and sqlite3.Error.
    """
    for _ in range(_ATTEMPTS):
        before = file_id(path)
        if before is None and not create:
            raise CatalogError(f"the catalog {path} is not there yet", hint="is `hlscam record` running? It makes it")
        try:
            connection = _connect(path, "rwc" if create else "rw", pragmas, options)
        except sqlite3.Error:
            if before is None or file_id(path) == before:
                raise
            continue  # it was replaced in the middle of it
        if before is not None and file_id(path) == before:
            return connection, before
        connection.close()
    raise CatalogError(f"the catalog {path} is being replaced all the time", hint="another program does that")


def _connect(path: str, mode: str, pragmas: Sequence[str], options: dict[str, Any]) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(f"file:{quote(path)}?mode={mode}", uri=True, **options)
    try:
        connection.isolation_level = None
        for pragma in (*pragmas, "schema_version"):  # the last one reads, so that the log is found
            connection.execute(f"PRAGMA {pragma}").close()
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True)
class Mark:
    """The files as they were when the writer last looked."""

    ids: tuple[FileId | None, ...]
    size_bytes: int

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """The files as they are now; None when the database itself is gone."""
        try:
            status = path.stat()
        except _MISSING:
            return None
        beside = (file_id(f"{path}{suffix}") for suffix in SUFFIXES[1:])
        return cls(((status.st_dev, status.st_ino), *beside), status.st_size)

    def lost(self, now: Mark | None) -> str:
        """What has happened to the catalog between then and `now`; empty when all is well.

        Nothing of a catalog that is open goes away by itself, and its file never gets shorter: it is never vacuumed.
        """
        if now is None:
            return "is gone"
        if any(then is not None and then != later for then, later in zip(self.ids, now.ids, strict=True)):
            return "was replaced, or its -wal or -shm file was"
        return "was cut" if now.size_bytes < self.size_bytes else ""
