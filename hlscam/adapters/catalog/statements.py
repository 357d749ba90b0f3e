"""What a connection is asked for or told, where one statement of `queries.py` is not enough.

All of it runs in the catalog's threads, inside the transaction of the connection it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from hlscam.adapters.catalog import queries
from hlscam.adapters.catalog.rows import comparable, recording_of, row_of
from hlscam.adapters.catalog.schema import CAMERAS, INIT_SECTIONS, RECORDINGS
from hlscam.domain.recording import Recording
from hlscam.domain.retention import Candidate, Keep

_ROWS_AT_ONCE = 500
_NEWEST_AT_ONCE = 4


def add_camera(connection: Connection, camera: str, target_duration_s: int) -> None:
    # One writer, so looking first is safe, and every database can do it.
    if connection.scalar(select(CAMERAS.c.id).where(CAMERAS.c.id == camera)) is None:
        connection.execute(insert(CAMERAS).values(id=camera, target_duration_s=target_duration_s))


def add_init_section(connection: Connection, init_hash: str, data: bytes) -> None:
    if connection.scalar(select(INIT_SECTIONS.c.hash).where(INIT_SECTIONS.c.hash == init_hash)) is None:
        connection.execute(insert(INIT_SECTIONS).values(hash=init_hash, data=data))


def put_recordings(connection: Connection, recordings: Iterable[Recording]) -> None:
    known: set[str] = set()
    for batch in _batches(recordings):
        for recording in batch:
            if recording.camera not in known:
                add_camera(connection, recording.camera, recording.target_duration_s)
                known.add(recording.camera)
        _replace(connection, batch)


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


def newest(connection: Connection, camera: str, segments: int) -> list[Recording]:
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


def oldest(connection: Connection, limit: int, after: Mapping[str, int]) -> list[Candidate]:
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
        keep=Keep.NEWEST if row.is_newest else None,
    )


def dump(connection: Connection) -> list[tuple[object, ...]]:
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


def check_integrity(connection: Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    found = [str(line) for line in connection.exec_driver_sql("PRAGMA integrity_check").scalars() if line != "ok"]
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return found + [f"row {row[1]} of {row[0]} names one that is not in {row[2]}" for row in orphans]
