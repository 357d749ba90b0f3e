"""The connections to the catalog's database, and the threads that all SQL runs in.

One thread writes, so that writes happen one after the other in the order they were asked for, and a few read, each call
on a connection of its own with one consistent state. A call that is cancelled stops waiting, but a write that was asked
for still happens. The writer looks before each write whether the files are still those it has open; a reader follows to
the new file.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Self, TypeVar

from sqlalchemy import URL, Connection

from hlscam.adapters.catalog import migrate
from hlscam.adapters.catalog.engine import READERS, empty_log, open_engine, parse_url, plainly, shown
from hlscam.adapters.catalog.health import damage_of
from hlscam.adapters.catalog.rows import REBUILD_HINT
from hlscam.adapters.catalog.sqlite_file import Mark, path_of
from hlscam.errors import CatalogError, CatalogLost

T = TypeVar("T")

_KNOWN = "hlscam_schema_is_known"


class Connections:
    """One writer and a few readers. Make them with `open`."""

    def __init__(self, url: URL, *, read_only: bool) -> None:
        self.path = path_of(url)
        """Its file; None for a database that is none."""
        self.on_lost: Callable[[CatalogLost], None] = lambda _: None
        """Called, on the loop, whenever a question or a change finds that the catalog must be made anew."""
        self._url = url
        self.reader = open_engine(url, writes=False)
        self.writer = None if read_only else open_engine(url, writes=True)
        self._read_threads = ThreadPoolExecutor(READERS, "catalog-read")
        self._write_thread = ThreadPoolExecutor(1, "catalog-write")
        self._mark: Mark | None = None
        self._opened = 0
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, read_only: bool) -> Self:
        """Connect to the database; `Catalog.open` says what that means."""
        connections = cls(parse_url(url), read_only=read_only)
        try:
            if read_only:
                with contextlib.suppress(CatalogError):
                    await connections._in(connections._read_threads, connections._hold_readers)
            else:
                await connections._in(connections._write_thread, connections._open_checked)
        except BaseException:
            await connections.close()
            raise
        return connections

    async def reopen(self) -> None:
        """Go on with the file that has this name now. Raises CatalogError, and makes none."""

        def in_thread() -> None:
            if self.path is not None and not self.path.exists():
                raise self._loss("is gone")
            self._open_writer()
            self._let_go_of_the_old_file()

        await self._in(self._write_thread, in_thread)

    async def look(self) -> None:
        """Raise CatalogLost when the files are no longer those that were opened, or were cut."""
        await self._in(self._write_thread, self._refuse_a_lost_file)

    async def close(self) -> None:
        """Finish what was asked for and let go of the database. May be called again."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._shut_down)

    @property
    def shown_url(self) -> str:
        """The URL as people may see it."""
        return shown(self._url)

    def _open_checked(self) -> None:
        damage = damage_of(self.path) if self.path else ""
        if damage:
            raise self._loss(damage)
        self._open_writer()
        self.reader.dispose()  # what looked at the file before it had a log would miss it once it is deleted
        self._hold_readers()

    def _open_writer(self) -> None:
        if self.writer is None:
            raise _read_only()
        self.writer.dispose()
        migrate.upgrade(self.reader, self.writer)
        if self.path is not None:
            self._mark = Mark.of(self.path)
        self._opened += 1

    def _hold_readers(self) -> None:
        """Connect all readers: when the file is deleted, they go on with the one they have."""
        with contextlib.ExitStack() as held:
            for _ in range(READERS if self.path else 0):
                held.enter_context(self.reader.connect())

    def _let_go_of_the_old_file(self) -> None:
        """Have idle readers notice a new file now (they take turns); the others do when they are asked next."""
        with contextlib.suppress(CatalogError), plainly(self._url):
            for _ in range(READERS):
                self.reader.connect().close()

    def _refuse_a_lost_file(self) -> None:
        if self._mark is None or self.path is None:
            return
        now = Mark.of(self.path)
        what = self._mark.lost(now)
        if what or now is None:
            raise self._loss(what)
        self._mark = replace(self._mark, size_bytes=now.size_bytes)

    def _loss(self, what: str) -> CatalogLost:
        return CatalogLost(f"the catalog {self.shown_url} {what}", hint=REBUILD_HINT)

    def _shut_down(self) -> None:
        self._read_threads.shutdown()
        self.reader.dispose()
        self._write_thread.shutdown()
        if self.writer is not None:
            if self._opened:
                with contextlib.suppress(CatalogError), plainly(self._url):
                    self._refuse_a_lost_file()
                    empty_log(self.writer)
            self.writer.dispose()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` finds on a reader's connection."""

        def in_thread() -> T:
            with self.reader.connect() as connection:
                is_new = not connection.info.get(_KNOWN)
                if is_new:
                    migrate.refuse_others(connection)
                    connection.info[_KNOWN] = True
                found = work(connection)
            if is_new:
                self._let_go_of_the_old_file()
            return found

        return await self._in(self._read_threads, in_thread)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as one transaction of the writer. Raises CatalogLost where its file is another one now."""
        writer = self.writer
        if writer is None:
            raise _read_only()

        def in_thread() -> T:
            self._refuse_a_lost_file()
            with writer.begin() as connection:
                return work(connection)

        return await self._in(self._write_thread, in_thread)

    async def _in(self, executor: Executor, work: Callable[[], T]) -> T:
        if self._closed:
            raise CatalogError("the catalog is closed")
        opened = self._opened

        def told_plainly() -> T:
            with plainly(self._url):
                return work()

        try:
            return await asyncio.get_running_loop().run_in_executor(executor, told_plainly)
        except CatalogLost as error:
            if opened == self._opened:  # and not of the file before
                self.on_lost(error)
            raise


def _read_only() -> CatalogError:
    return CatalogError("the catalog is only read here", hint="it is `hlscam record` that writes it")
