"""The catalog: what was recorded, asked and told from the event loop.

All SQL runs in threads: one that writes, so that writes happen one after the other in the order they were asked for,
and a few that read, each call on a connection of its own with one consistent state. A call that is cancelled stops
waiting, but a write that was asked for still happens.

Every method raises CatalogError, with a hint, when the database cannot be used or refuses what it is given. CatalogLost
is for whoever keeps the books: it must be made anew (`services/catalog_care.py`), while all else is worth a retry.
The writer looks before each write whether the files are still those it has open; a reader follows to the new file.

Answers go by what the rows say. An open recording's row is as old as its last `put_recording`: whoever follows
the file knows more of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Connection, Row, Select, bindparam, delete, insert, select

from hlscam.adapters.catalog import migrate, queries
from hlscam.adapters.catalog.engine import READERS, empty_log, open_engine, parse_url, plainly, shown
from hlscam.adapters.catalog.health import damage_of
from hlscam.adapters.catalog.rows import REBUILD_HINT, comparable, recording_of, row_of
from hlscam.adapters.catalog.schema import CAMERAS, INIT_SECTIONS, RECORDINGS
from hlscam.adapters.catalog.sqlite_file import Mark, path_of
from hlscam.domain.recording import Recording
from hlscam.domain.retention import Candidate, Keep
from hlscam.errors import CatalogError, CatalogLost

T = TypeVar("T")

_ROWS_AT_ONCE = 500
_NEWEST_AT_ONCE = 4
_KNOWN = "hlscam_schema_is_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a camera's recordings come to. Without any, all four are 0."""

    recordings: int
    size_bytes: int
    first_wall_us: int
    last_wall_us: int


class Catalog:
    """The database of cameras, init sections and recordings. Make one with `open`."""

    def __init__(self, url: URL, *, read_only: bool) -> None:
        self.path = path_of(url)
        """Its file; None for a database that is none."""
        self.on_lost: Callable[[CatalogLost], None] = lambda _: None
        """Called, on the loop, whenever a question or a change finds that the catalog must be made anew."""
        self._url = url
        self._reader = open_engine(url, writes=False)
        self._writer = None if read_only else open_engine(url, writes=True)
        self._read_threads = ThreadPoolExecutor(READERS, "catalog-read")
        self._write_thread = ThreadPoolExecutor(1, "catalog-write")
        self._mark: Mark | None = None
        self._opened = 0
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, read_only: bool = False) -> Self:
        """The catalog at an SQLAlchemy URL (`sqlite:////path/catalog.sqlite`), migrated to this code's schema.

        A missing SQLite file is made, a missing folder is not: where a disk is not mounted, an empty catalog must not
        appear. How long to wait for another program's lock is `?timeout=` in seconds, 10 by default. Raises CatalogLost
        for a file that was cut or damaged, as far as a quick look tells (`health` says what is looked at, and when).

        `read_only` is for a process beside the one that writes. Nothing is made then, and what is not there yet is
        asked for again with each question.
        """
        catalog = cls(parse_url(url), read_only=read_only)
        try:
            if read_only:
                with contextlib.suppress(CatalogError):
                    await catalog._in(catalog._read_threads, catalog._hold_readers)
            else:
                await catalog._in(catalog._write_thread, catalog._open_checked)
        except BaseException:
            await catalog.close()
            raise
        return catalog

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
        self._reader.dispose()  # what looked at the file before it had a log would miss it once it is deleted
        self._hold_readers()

    def _open_writer(self) -> None:
        if self._writer is None:
            raise _read_only()
        self._writer.dispose()
        migrate.upgrade(self._reader, self._writer)
        if self.path is not None:
            self._mark = Mark.of(self.path)
        self._opened += 1

    def _hold_readers(self) -> None:
        """Connect all readers: when the file is deleted, they go on with the one they have."""
        with contextlib.ExitStack() as held:
            for _ in range(READERS if self.path else 0):
                held.enter_context(self._reader.connect())

    def _let_go_of_the_old_file(self) -> None:
        """Have idle readers notice a new file now (they take turns); the others do when they are asked next."""
        with contextlib.suppress(CatalogError), plainly(self._url):
            for _ in range(READERS):
                self._reader.connect().close()

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
        self._reader.dispose()
        self._write_thread.shutdown()
        if self._writer is not None:
            if self._opened:
                with contextlib.suppress(CatalogError), plainly(self._url):
                    self._refuse_a_lost_file()
                    empty_log(self._writer)
            self._writer.dispose()

    # Init sections and cameras

    async def put_init_section(self, init_hash: str, data: bytes) -> None:
        """Keep an init section under its content's hash; one that is there stays as it is."""
        await self._write(lambda connection: _add_init_section(connection, init_hash, data))

    async def init_section(self, init_hash: str) -> bytes | None:
        """The bytes of ftyp + moov that have this hash."""
        query = select(INIT_SECTIONS.c.data).where(INIT_SECTIONS.c.hash == init_hash)
        return await self._read(lambda connection: connection.scalar(query))

    async def cameras(self) -> list[str]:
        """Ids of all cameras that ever had footage, configured or not, sorted."""
        query = select(CAMERAS.c.id)
        return await self._read(lambda connection: sorted(connection.scalars(query)))

    async def set_target_duration(self, camera: str, target_duration_s: int) -> None:
        """Fix EXT-X-TARGETDURATION of a camera, for ever: raises CatalogError when it already has another one."""

        def work(connection: Connection) -> None:
            _add_camera(connection, camera, target_duration_s)
            fixed_s = connection.scalar(select(CAMERAS.c.target_duration_s).where(CAMERAS.c.id == camera))
            if fixed_s != target_duration_s:
                raise CatalogError(
                    f"camera {camera!r} has a target duration of {fixed_s} s for ever, not {target_duration_s} s",
                    hint="cut its segments to the one it has, or give the camera a new id",
                )

        await self._write(work)

    async def target_duration(self, camera: str) -> int | None:
        """EXT-X-TARGETDURATION of a camera in seconds, None while it is not measured."""
        query = select(CAMERAS.c.target_duration_s).where(CAMERAS.c.id == camera)
        return await self._read(lambda connection: connection.scalar(query))

    # Recordings: telling

    async def put_recording(self, recording: Recording) -> None:
        """Insert a recording or replace the one of that camera and name. Its init section must be there already.

        A camera that is new takes the recording's target duration as its own.
        """
        await self.put_recordings([recording])

    async def put_recordings(
        self, recordings: Iterable[Recording], init_sections: Mapping[str, bytes] | None = None
    ) -> None:
        """`put_recording` for many, with the init sections that they need: all or none."""
        taken = [as_it_is_now(recording) for recording in recordings]
        inits = dict(init_sections or {})

        def work(connection: Connection) -> None:
            for init_hash, data in inits.items():
                _add_init_section(connection, init_hash, data)
            _put_recordings(connection, taken)

        await self._write(work)

    async def remove_recording(self, camera: str, name: str) -> None:
        """Forget a recording; one that is not there is no error."""
        statement = delete(RECORDINGS).where(RECORDINGS.c.camera == camera, RECORDINGS.c.name == name)
        await self._write(lambda connection: connection.execute(statement))

    # Recordings: asking

    async def recording(self, camera: str, name: str) -> Recording | None:
        """The recording of that name."""
        return await self._first(queries.named(camera, name))

    async def recording_names(self, camera: str) -> dict[str, bool]:
        """Every recording's name, and whether it is closed."""
        query = queries.names(camera)
        return await self._read(lambda connection: {name: bool(closed) for name, closed in connection.execute(query)})

    async def recording_before(self, camera: str, run: str, name: str) -> Recording | None:
        """The recording of a run that comes before the one called `name`."""
        return await self._first(queries.of_run(camera, run, name))

    async def neighbours(self, camera: str, name: str) -> tuple[Recording | None, Recording | None]:
        """The recordings that come before and after `name`, by their names; one of that name need not be there."""
        return (
            await self._first(queries.named_before(camera, name)),
            await self._first(queries.named_after(camera, name)),
        )

    async def recordings(
        self,
        camera: str,
        *,
        from_wall_us: int | None = None,
        to_wall_us: int | None = None,
        limit: int | None = None,
        after_media_sequence: int | None = None,
    ) -> list[Recording]:
        """Recordings that overlap the half-open range of wall time, in media_sequence order.

        For pages: at most `limit`, of those whose first media_sequence is above `after_media_sequence`.
        An empty range overlaps nothing; a recording without duration counts as the instant it starts at.
        """
        if from_wall_us is not None and to_wall_us is not None and from_wall_us >= to_wall_us:
            return []
        query = queries.in_range(
            camera,
            from_wall_us=from_wall_us,
            to_wall_us=to_wall_us,
            limit=limit,
            after_media_sequence=after_media_sequence,
        )
        return await self._all(query)

    async def recordings_by_sequence(self, camera: str, first: int, end: int) -> list[Recording]:
        """Recordings that hold any of the media sequences [first, end), in order."""
        return await self._all(queries.holding_sequences(camera, first, end)) if first < end else []

    async def recording_at_sequence(self, camera: str, media_sequence: int) -> Recording | None:
        """The recording that holds this segment."""
        return await self._first(queries.holding_sequences(camera, media_sequence, media_sequence + 1))

    async def recording_at(self, camera: str, wall_us: int) -> Recording | None:
        """The recording that holds this instant; of several (a clock that stepped back) the one recorded last."""
        return await self._first(queries.covering(camera, wall_us))

    async def next_recording_after(self, camera: str, wall_us: int) -> Recording | None:
        """The first recording that starts at this instant or after it: where to go on from a hole."""
        return await self._first(queries.starting_from(camera, wall_us))

    async def newest(self, camera: str, segments: int) -> list[Recording]:
        """The last recordings that together hold at least so many segments (all, if they hold fewer), in order."""
        return await self._read(lambda connection: _newest(connection, camera, segments))

    async def newest_before(self, camera: str, media_sequence: int | None) -> Recording | None:
        """The last recording numbered below `media_sequence` (None: the last of all)."""
        return await self._first(queries.newest_before(camera, media_sequence, 1))

    async def oldest(self, camera: str) -> Recording | None:
        """The recording with the lowest media_sequence: the next to go."""
        return await self._first(queries.oldest(camera))

    async def oldest_recordings(self, limit: int, after: Mapping[str, int] | None = None) -> list[Candidate]:
        """At most `limit` recordings of all cameras, oldest first, as retention looks at them.

        For pages: of each camera only those whose first media_sequence is above its number in `after`. A camera's own
        come in the order of their numbers, whatever its clock said.
        """
        return await self._read(lambda connection: _oldest(connection, limit, after or {}))

    async def open_recordings(self) -> list[Recording]:
        """Recordings that nobody closed yet, of all cameras."""
        return await self._all(queries.still_open())

    async def totals(self, camera: str) -> Totals:
        """Count, bytes and ends of a camera's recordings, from an index alone."""
        query = queries.totals(camera)
        count, size_bytes, first_wall_us, last_wall_us = await self._read(
            lambda connection: tuple(connection.execute(query).one())
        )
        return Totals(
            recordings=count,
            size_bytes=int(size_bytes or 0),
            first_wall_us=first_wall_us or 0,
            last_wall_us=last_wall_us or 0,
        )

    # The whole

    async def rebuild(
        self,
        recordings: Iterable[Recording],
        init_sections: Mapping[str, bytes],
        target_durations_s: Mapping[str, int],
    ) -> None:
        """Replace everything in one transaction: readers see the old catalog until the new one is whole.

        When `recordings` raises, the old one stays. It is walked in the writer's thread while nobody else can write,
        so what is slow (reading files) should be done before. A camera without a target duration gets its first
        recording's.
        """

        def work(connection: Connection) -> None:
            for table in (RECORDINGS, INIT_SECTIONS, CAMERAS):
                connection.execute(delete(table))
            for camera, target_duration_s in target_durations_s.items():
                _add_camera(connection, camera, target_duration_s)
            for init_hash, data in init_sections.items():
                _add_init_section(connection, init_hash, data)
            _put_recordings(connection, recordings)

        await self._write(work)

    async def dump(self) -> list[tuple[object, ...]]:
        """All that recordings say, as sorted tuples that begin with the table's name: equal catalogs dump equally.

        Segment tables appear as digests. Cameras and init sections that no recording needs any more are left out,
        since `hlscam reindex` cannot know of them.
        """
        return await self._read(_dump)

    async def check_integrity(self) -> list[str]:
        """What SQLite finds wrong in its file (structure, types, CHECKs, keys), one line each. Reads all of it."""
        try:
            return await self._read(_check_integrity)
        except CatalogError as error:
            return [error.message]

    # Threads

    async def _all(self, query: Select[Any]) -> list[Recording]:
        return await self._read(lambda connection: [recording_of(row) for row in connection.execute(query)])

    async def _first(self, query: Select[Any]) -> Recording | None:
        found = await self._all(query)
        return found[0] if found else None

    async def _read(self, work: Callable[[Connection], T]) -> T:
        def in_thread() -> T:
            with self._reader.connect() as connection:
                is_new = not connection.info.get(_KNOWN)
                if is_new:
                    migrate.refuse_others(connection)
                    connection.info[_KNOWN] = True
                found = work(connection)
            if is_new:
                self._let_go_of_the_old_file()
            return found

        return await self._in(self._read_threads, in_thread)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        writer = self._writer
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


def _add_camera(connection: Connection, camera: str, target_duration_s: int) -> None:
    # One writer, so looking first is safe, and every database can do it.
    if connection.scalar(select(CAMERAS.c.id).where(CAMERAS.c.id == camera)) is None:
        connection.execute(insert(CAMERAS).values(id=camera, target_duration_s=target_duration_s))


def _add_init_section(connection: Connection, init_hash: str, data: bytes) -> None:
    if connection.scalar(select(INIT_SECTIONS.c.hash).where(INIT_SECTIONS.c.hash == init_hash)) is None:
        connection.execute(insert(INIT_SECTIONS).values(hash=init_hash, data=data))


def _put_recordings(connection: Connection, recordings: Iterable[Recording]) -> None:
    known: set[str] = set()
    for batch in _batches(recordings):
        for recording in batch:
            if recording.camera not in known:
                _add_camera(connection, recording.camera, recording.target_duration_s)
                known.add(recording.camera)
        _replace(connection, batch)


def as_it_is_now(recording: Recording) -> Recording:
    """A copy that the writer's thread can read while the event loop appends segments to an open recording."""
    return recording if not recording.is_open else replace(recording, segments=deepcopy(recording.segments))


def _replace(connection: Connection, recordings: list[Recording]) -> None:
    latest = {(recording.camera, recording.name): recording for recording in recordings}
    connection.execute(
        delete(RECORDINGS).where(RECORDINGS.c.camera == bindparam("c"), RECORDINGS.c.name == bindparam("n")),
        [{"c": camera, "n": name} for camera, name in latest],
    )
    connection.execute(insert(RECORDINGS), [row_of(recording) for recording in latest.values()])


def _batches(recordings: Iterable[Recording]) -> Iterator[list[Recording]]:
    source = iter(recordings)
    while batch := list(islice(source, _ROWS_AT_ONCE)):
        yield batch


def _newest(connection: Connection, camera: str, segments: int) -> list[Recording]:
    found: list[Recording] = []
    missing, before = segments, None
    while missing > 0:
        rows = connection.execute(queries.newest_before(camera, before, _NEWEST_AT_ONCE)).all()
        for row in rows:
            if missing > 0:
                found.append(recording_of(row))
                missing -= row.segment_count
        if len(rows) < _NEWEST_AT_ONCE:
            break
        before = rows[-1].first_media_sequence
    return found[::-1]


def _oldest(connection: Connection, limit: int, after: Mapping[str, int]) -> list[Candidate]:
    """The heads of all cameras' rows of recordings, merged."""
    rows = [
        map(_candidate_of, connection.execute(queries.oldest_after(camera, after.get(camera), limit)).all())
        for camera in sorted(connection.scalars(select(CAMERAS.c.id)))
    ]
    return list(islice(merge(*rows, key=lambda each: each.start_wall_us), limit))


def _candidate_of(row: Row[Any]) -> Candidate:
    return Candidate(
        camera=row.camera,
        name=row.name,
        first_media_sequence=row.first_media_sequence,
        start_wall_us=row.start_wall_us,
        end_wall_us=row.end_wall_us,
        size_bytes=row.size_bytes,
        keep=Keep.OPEN if row.is_open else Keep.NEWEST if row.is_newest else None,
    )


def _dump(connection: Connection) -> list[tuple[object, ...]]:
    used = select(RECORDINGS.c.init_hash)
    seen = select(RECORDINGS.c.camera)
    lines: list[tuple[object, ...]] = [
        *(("cameras", *row) for row in connection.execute(select(CAMERAS).where(CAMERAS.c.id.in_(seen)))),
        *(
            ("init_sections", *row)
            for row in connection.execute(select(INIT_SECTIONS).where(INIT_SECTIONS.c.hash.in_(used)))
        ),
        *(("recordings", *comparable(row)) for row in connection.execute(select(RECORDINGS))),
    ]
    return sorted(lines, key=lambda line: tuple(map(str, line[:3])))


def _check_integrity(connection: Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    found = [str(line) for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars() if line != "ok"]
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return found + [f"row {row[1]} of {row[0]} names one that is not in {row[2]}" for row in orphans]
