"""Connections to the catalog's database, and its failures in plain words.

On SQLite there are two engines over one file: one connection that writes and a few that only read. In WAL mode a
reader sees the last commit and never waits for the writer. Python's sqlite3 would begin transactions by rules of its
own (never before a SELECT or DDL), so it is told to keep out and every transaction says BEGIN itself: readers get one
consistent state, migrations are all or nothing, and the writer takes its lock at once (IMMEDIATE) and not when it
is too late to wait for it.

`synchronous=NORMAL` does not sync at each commit: a power cut may undo the last ones, and never damages the file.
That is enough, because the recordings say all that the catalog says.

A reader whose file is no longer the one of that name connects anew before its next question. While there is no file
of that name it goes on with the one it has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InvalidRequestError,
    NoSuchModuleError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.pool import ConnectionPoolEntry

from hlscam.adapters.catalog.rows import REBUILD_HINT
from hlscam.adapters.catalog.sqlite_file import FileId, connect, file_id
from hlscam.errors import CatalogError, CatalogLost, CatalogRefused

READERS = 4
_BUSY_TIMEOUT_S = 10.0
_FILE = "hlscam_file"


def parse_url(text: str) -> URL:
    """The database URL. Raises CatalogError for one that cannot be a catalog."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise CatalogError(
            "the catalog's URL cannot be read", hint="write it like sqlite:////var/lib/hlscam/catalog.sqlite"
        ) from error
    in_memory = url.database in (None, "", ":memory:") or "mode=memory" in text
    if url.get_backend_name() == "sqlite" and in_memory:
        raise CatalogError(
            "a catalog in memory cannot be shared by its connections",
            hint="name a file: sqlite:////var/lib/hlscam/catalog.sqlite",
        )
    if url.get_backend_name() == "sqlite" and str(url.database).startswith("file:"):
        raise CatalogError("the catalog's URL cannot be a SQLite URI", hint="write sqlite:////path/catalog.sqlite")
    return url


def open_engine(url: URL, *, writes: bool) -> Engine:
    """An engine for the one writer or for the readers; it connects later. Raises CatalogError without a driver."""
    options: dict[str, Any] = {"pool_size": 1 if writes else READERS, "max_overflow": 0}
    if url.get_backend_name() != "sqlite":
        options["pool_pre_ping"] = True
    elif "timeout" not in url.query:
        options["connect_args"] = {"timeout": _BUSY_TIMEOUT_S}
    try:
        engine = create_engine(url, **options)
    except (NoSuchModuleError, ImportError, TypeError, ValueError) as error:
        raise CatalogError(
            f"no driver for the catalog at {shown(url)}: {error}", hint="install it beside hlscam, or use sqlite:///"
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, writes=writes)
    return engine


def _prepare_sqlite(engine: Engine, *, writes: bool) -> None:
    pragmas = ["foreign_keys = ON", "synchronous = NORMAL"] + ([] if writes else ["query_only = ON"])
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    @event.listens_for(engine, "do_connect")
    def on_do_connect(
        _dialect: Dialect, record: ConnectionPoolEntry, arguments: tuple[str], options: dict[str, Any]
    ) -> sqlite3.Connection:
        connection, record.info[_FILE] = connect(arguments[0], pragmas, create=writes, **options)
        return connection

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    if not writes:
        _follow_the_file(engine)


def _follow_the_file(engine: Engine) -> None:
    """Have readers connect anew when another file has the catalog's name, and never fall back to one before it."""
    newest: FileId | None = None

    @event.listens_for(engine, "checkout")
    def on_checkout(_connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
        nonlocal newest
        newest = file_id(engine.url.database or "") or newest
        if newest is not None and record.info[_FILE] != newest:
            raise DisconnectionError("the catalog's file is another one now")


def turn_on_wal(writer: Engine) -> None:
    """Write-ahead log, a property of the file from then on; no such thing elsewhere than in SQLite.

    File systems without shared memory (network mounts) keep the old journal: correct, but readers wait for writes.
    """
    if writer.dialect.name == "sqlite":
        with closing(writer.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA journal_mode = WAL")


def empty_log(writer: Engine) -> None:
    """Bring the write-ahead log into the file, as far as nobody reads from it: so ends a stop in order."""
    if writer.dialect.name == "sqlite":
        with closing(writer.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA busy_timeout = 1000")
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def shown(url: URL) -> str:
    """The URL as people may see it."""
    return url.render_as_string(hide_password=True)


_SQLITE_LOSSES = {
    "SQLITE_NOTADB": ("is not a SQLite database", f"check the path, or {REBUILD_HINT}"),
    "SQLITE_CORRUPT": ("is damaged", REBUILD_HINT),
    "SQLITE_IOERR_SHORT_READ": ("was cut", REBUILD_HINT),
    "SQLITE_READONLY_DBMOVED": ("is gone", REBUILD_HINT),
}
_SQLITE_FAILURES = {
    "SQLITE_BUSY": ("is locked by another program", "stop the other program, or wait until it is done"),
    "SQLITE_LOCKED": ("is locked by another program", "stop the other program, or wait until it is done"),
    "SQLITE_CANTOPEN": ("cannot be opened", "the folder must exist, and hlscam's user must be able to write in it"),
    "SQLITE_READONLY": ("cannot be written", "give hlscam's user the right to write the file and its folder"),
    "SQLITE_PERM": ("cannot be opened", "give hlscam's user the right to read and write it"),
    "SQLITE_FULL": ("cannot grow: the disk is full", "free some space; recordings go on being indexed after that"),
    "SQLITE_IOERR": ("cannot be read or written", "check the disk it is on"),
}


@contextmanager
def plainly(url: URL) -> Iterator[None]:
    """Whatever the database raises inside becomes one CatalogError that says what to do."""
    try:
        yield
    except IntegrityError as error:
        raise CatalogRefused(f"the catalog refuses this: {error.orig}") from error
    except (DBAPIError, sqlite3.Error) as error:
        raise _told(url, getattr(error, "orig", None) or error) from error
    except (InvalidRequestError, NoConnectionFree) as error:  # what the pool raises after several attempts
        raise _told(url, error) from error
    except OSError as error:
        raise CatalogError(f"the catalog {shown(url)} cannot be looked up: {error.strerror}") from error
    except (OverflowError, UnicodeError) as error:
        raise CatalogRefused(f"the catalog cannot hold this: {error}") from error


def _told(url: URL, cause: BaseException) -> CatalogError:
    name = getattr(cause, "sqlite_errorname", "")
    for kind, failures in ((CatalogLost, _SQLITE_LOSSES), (CatalogError, _SQLITE_FAILURES)):
        for prefix, (what, hint) in failures.items():
            if name.startswith(prefix):
                return kind(f"the catalog {shown(url)} {what} ({cause})", hint=hint)
    # SQLite has no code of their own for text that is none, and for a schema that is not ours.
    if str(cause).startswith(("Could not decode", "no such table", "no such column")):
        return CatalogLost(f"the catalog {shown(url)} is damaged ({cause})", hint=REBUILD_HINT)
    return CatalogError(f"the catalog {shown(url)} cannot be used: {cause}", hint="check that the database runs")
