"""The catalog: what was recorded, asked and told from the event loop.

Every method raises CatalogError, with a hint, when the database cannot be used or refuses what it is given. CatalogLost
is for whoever keeps the books: it must be made anew (`services/catalog_care.py`), while all else is worth a retry.

Answers go by what the rows say. An open recording's row is as old as its last `put_recording`: whoever follows
the file knows more of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Select, delete, select

from hlscam.adapters.catalog import queries, statements
from hlscam.adapters.catalog.connections import Connections
from hlscam.adapters.catalog.rows import recording_of
from hlscam.adapters.catalog.schema import CAMERAS, INIT_SECTIONS, RECORDINGS
from hlscam.domain.recording import Recording
from hlscam.domain.retention import Candidate
from hlscam.errors import CatalogError


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What a camera's recordings come to. Without any, all four are 0."""

    recordings: int
    size_bytes: int
    first_wall_us: int
    last_wall_us: int


class Catalog:
    """The database of cameras, init sections and recordings. Make one with `open`."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections
        self._read = connections.read
        self._write = connections.write

    @classmethod
    async def open(cls, url: str, *, read_only: bool = False) -> Self:
        """The catalog at an SQLAlchemy URL (`sqlite:////path/catalog.sqlite`), migrated to this code's schema.

        A missing SQLite file is made, a missing folder is not: where a disk is not mounted, an empty catalog must not
        appear. How long to wait for another program's lock is `?timeout=` in seconds, 10 by default. Raises CatalogLost
        for a file that was cut or damaged, as far as a quick look tells (`health` says what is looked at, and when).

        `read_only` is for a process beside the one that writes. Nothing is made then, and what is not there yet is
        asked for again with each question.
        """
        return cls(await Connections.open(url, read_only=read_only))

    async def reopen(self) -> None:
        """Go on with the file that has this name now. Raises CatalogError, and makes none."""
        await self.connections.reopen()

    async def look(self) -> None:
        """Raise CatalogLost when the files are no longer those that were opened, or were cut."""
        await self.connections.look()

    async def close(self) -> None:
        """Finish what was asked for and let go of the database. May be called again."""
        await self.connections.close()

    @property
    def path(self) -> Path | None:
        """Its file; None for a database that is none."""
        return self.connections.path

    @property
    def shown_url(self) -> str:
        """The URL as people may see it."""
        return self.connections.shown_url

    # Init sections and cameras

    async def put_init_section(self, init_hash: str, data: bytes) -> None:
        """Keep an init section under its content's hash; one that is there stays as it is."""
        await self._write(lambda connection: statements.add_init_section(connection, init_hash, data))

    async def init_section(self, init_hash: str) -> bytes | None:
        """The bytes of ftyp + moov that have this hash."""
        query = select(INIT_SECTIONS.c.data).where(INIT_SECTIONS.c.hash == init_hash)
        return await self._read(lambda connection: connection.scalar(query))

    async def cameras(self) -> list[str]:
        """Ids of all cameras that ever had footage, configured or not, sorted."""
        query = select(CAMERAS.c.id)
        return await self._read(lambda connection: sorted(connection.scalars(query)))

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
        taken = list(recordings)
        inits = dict(init_sections or {})

        def work(connection: Connection) -> None:
            for init_hash, data in inits.items():
                statements.add_init_section(connection, init_hash, data)
            statements.put_recordings(connection, taken)

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
        return await self._read(lambda connection: statements.newest(connection, camera, segments))

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
        return await self._read(lambda connection: statements.oldest(connection, limit, after or {}))

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
                statements.add_camera(connection, camera, target_duration_s)
            for init_hash, data in init_sections.items():
                statements.add_init_section(connection, init_hash, data)
            statements.put_recordings(connection, recordings)

        await self._write(work)

    async def dump(self) -> list[tuple[object, ...]]:
        """All that recordings say, as sorted tuples that begin with the table's name: equal catalogs dump equally.

        Segment tables appear as digests. Cameras and init sections that no recording needs any more are left out,
        since `hlscam reindex` cannot know of them.
        """
        return await self._read(statements.dump)

    async def check_integrity(self) -> list[str]:
        """What SQLite finds wrong in its file (structure, types, CHECKs, keys), one line each. Reads all of it."""
        try:
            return await self._read(statements.check_integrity)
        except CatalogError as error:
            return [error.message]

    async def _all(self, query: Select[Any]) -> list[Recording]:
        return await self._read(lambda connection: [recording_of(row) for row in connection.execute(query)])

    async def _first(self, query: Select[Any]) -> Recording | None:
        found = await self._all(query)
        return found[0] if found else None
