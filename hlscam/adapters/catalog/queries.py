"""The questions the catalog answers, as SQL.

Pure: arguments in, statements out; each is one statement, so that it sees one state of the catalog. All are O(log n +
answer) but `in_range` of an unbounded range, which walks index entries (60 bytes a recording), never rows.

After the host's clock stepped back, recordings can overlap in wall time, so neighbours in an index say nothing.
Instead: what covers an instant started at most the camera's longest recording before it. Media sequences never
overlap (invariant 2), so there the neighbour decides.

A recording with no duration yet (it has just been opened) counts as the instant it starts at.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from hlscam.adapters.catalog.schema import RECORDINGS

_LARGEST = 2**63 - 1
_R = RECORDINGS.c


def _whole(number: int) -> int:
    """A number from a URL, brought into what a database holds; beyond it there is nothing to be found either way."""
    return max(-_LARGEST, min(number, _LARGEST))


def named(camera: str, name: str) -> Select[Any]:
    """The recording of that name."""
    return select(RECORDINGS).where(_R.camera == camera, _R.name == name)


def names(camera: str) -> Select[Any]:
    """Every recording's name, and whether it is closed; an index walk and a look at one small column each."""
    return select(_R.name, _R.end_reason.is_not(None)).where(_R.camera == camera)


def of_run(camera: str, run: str, before_name: str) -> Select[Any]:
    """The newest recording of a run among those named before `before_name`."""
    query = select(RECORDINGS).where(_R.camera == camera, _R.run == run, _R.name < before_name)
    return query.order_by(_R.name.desc()).limit(1)


def named_before(camera: str, name: str) -> Select[Any]:
    """The last recording named before `name`, which need not exist. Names begin with the time."""
    return select(RECORDINGS).where(_R.camera == camera, _R.name < name).order_by(_R.name.desc()).limit(1)


def named_after(camera: str, name: str) -> Select[Any]:
    """The first recording named after `name`."""
    return select(RECORDINGS).where(_R.camera == camera, _R.name > name).order_by(_R.name).limit(1)


def in_range(
    camera: str,
    *,
    from_wall_us: int | None = None,
    to_wall_us: int | None = None,
    limit: int | None = None,
    after_media_sequence: int | None = None,
) -> Select[Any]:
    """Recordings that overlap [from, to), in media_sequence order, at most `limit` of those numbered above `after`.

    Numbers are found first, in an index that holds all that is asked of it; only the rows of the answer are read.
    """
    number: ColumnElement[int] = _R.first_media_sequence
    if from_wall_us is not None or to_wall_us is not None:
        # An expression, so that SQLite searches by time and not through all numbers since `after`.
        number = number + 0
    numbers = select(_R.first_media_sequence).where(_R.camera == camera, *_overlaps(camera, from_wall_us, to_wall_us))
    if after_media_sequence is not None:
        numbers = numbers.where(number > _whole(after_media_sequence))
    if limit is not None:
        numbers = numbers.order_by(number).limit(max(0, _whole(limit)))
    return (
        select(RECORDINGS)
        .where(_R.camera == camera, _R.first_media_sequence.in_(numbers))
        .order_by(_R.first_media_sequence)
    )


def _overlaps(camera: str, from_wall_us: int | None, to_wall_us: int | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if to_wall_us is not None:
        conditions.append(_R.start_wall_us < _whole(to_wall_us))
    if from_wall_us is not None:
        from_wall_us = _whole(from_wall_us)
        conditions.append(_R.start_wall_us >= from_wall_us - _longest_wall_us(camera))
        conditions.append(or_(_R.end_wall_us > from_wall_us, _R.start_wall_us >= from_wall_us))
    return conditions


def _longest_wall_us(camera: str) -> ColumnElement[int]:
    recordings = RECORDINGS.alias("longest")
    return (
        select(recordings.c.wall_duration_us)
        .where(recordings.c.camera == camera)
        .order_by(recordings.c.wall_duration_us.desc())
        .limit(1)
        .scalar_subquery()
    )


def covering(camera: str, wall_us: int) -> Select[Any]:
    """The recording that holds the instant; of several (a clock that stepped back) the one recorded last."""
    wall_us = _whole(wall_us)
    return (
        select(RECORDINGS)
        .where(
            _R.camera == camera,
            _R.start_wall_us <= wall_us,
            _R.start_wall_us >= wall_us - _longest_wall_us(camera),
            _R.end_wall_us > wall_us,
        )
        .order_by(_R.first_media_sequence.desc())
        .limit(1)
    )


def starting_from(camera: str, wall_us: int) -> Select[Any]:
    """The first recording that starts at the instant or after it."""
    return (
        select(RECORDINGS)
        .where(_R.camera == camera, _R.start_wall_us >= _whole(wall_us))
        .order_by(_R.start_wall_us, _R.end_wall_us, _R.first_media_sequence)
        .limit(1)
    )


def holding_sequences(camera: str, first: int, end: int) -> Select[Any]:
    """Recordings that hold any of the media sequences [first, end), in order."""
    first = _whole(first)
    before = RECORDINGS.alias("before")
    holds_first = (
        select(before.c.first_media_sequence)
        .where(before.c.camera == camera, before.c.first_media_sequence <= first)
        .order_by(before.c.first_media_sequence.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(RECORDINGS)
        .where(
            _R.camera == camera,
            _R.first_media_sequence >= func.coalesce(holds_first, first),
            _R.first_media_sequence < _whole(end),
            _R.first_media_sequence + _R.segment_count > first,
            _R.segment_count > 0,
        )
        .order_by(_R.first_media_sequence)
    )


def newest_before(camera: str, media_sequence: int | None, limit: int) -> Select[Any]:
    """The last recordings numbered below `media_sequence` (None: the last of all), newest first."""
    query = select(RECORDINGS).where(_R.camera == camera)
    if media_sequence is not None:
        query = query.where(_R.first_media_sequence < _whole(media_sequence))
    return query.order_by(_R.first_media_sequence.desc()).limit(limit)


def oldest(camera: str) -> Select[Any]:
    """A camera's first recording."""
    return select(RECORDINGS).where(_R.camera == camera).order_by(_R.first_media_sequence).limit(1)


def oldest_after(camera: str, media_sequence: int | None, limit: int) -> Select[Any]:
    """What retention asks of the first recordings numbered above `media_sequence` (None: the first of all), in order.

    No segments, which are most of a row. `is_newest` tells the camera's last recording.
    """
    others = RECORDINGS.alias("others")
    newest = select(func.max(others.c.first_media_sequence)).where(others.c.camera == camera).scalar_subquery()
    query = select(
        _R.camera,
        _R.name,
        _R.first_media_sequence,
        _R.start_wall_us,
        _R.end_wall_us,
        _R.size_bytes,
        (_R.first_media_sequence == newest).label("is_newest"),
    ).where(_R.camera == camera)
    if media_sequence is not None:
        query = query.where(_R.first_media_sequence > media_sequence)
    return query.order_by(_R.first_media_sequence).limit(limit)


def still_open() -> Select[Any]:
    """Recordings that nobody closed yet, in any camera."""
    return select(RECORDINGS).where(_R.end_reason.is_(None)).order_by(_R.camera, _R.first_media_sequence)


def totals(camera: str) -> Select[int, Any, Any, Any]:
    """How many recordings, their bytes, the first start and the last end (each None without recordings)."""
    ends = (func.min(_R.start_wall_us), func.max(_R.end_wall_us))
    return select(func.count(), func.sum(_R.size_bytes), *ends).where(_R.camera == camera)
