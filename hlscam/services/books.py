"""`hlscam reindex` and `hlscam check`: the catalog made anew from the files; files, catalog, invariants compared.

Both only read footage. `reindex` needs the archive for itself and seals recordings that were never closed, as a start
of the server would; `check` may run beside a recording server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import m3u8

from hlscam.adapters.archive import Archive
from hlscam.adapters.archive_lock import archive_lock
from hlscam.adapters.boot import boot_id
from hlscam.adapters.catalog.store import Catalog
from hlscam.clock import SystemClock
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.config import Config
from hlscam.domain.listing import media_playlist
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.run import run_of_name
from hlscam.domain.timeline import Span, numbering_faults
from hlscam.errors import ArchiveError, CatalogError
from hlscam.services.adoption import sealed_recordings
from hlscam.services.catalog_care import open_catalog
from hlscam.services.keeper import Kept, Refused, Scan, read_sealed, scan, take_in
from hlscam.services.notebook import Notebook
from hlscam.services.progress import Progress

_LISTING_ENDED_BEFORE = (EndReason.SERVER_CRASHED, EndReason.CLOCK_STEPPED)
"""A power cut in the middle of a segment, or a clock that leapt: what is in the file behind that is in no segment."""


async def reindex_archive(config: Config, progress: Progress) -> list[str]:
    """Make the catalog anew. Returns what could not be taken in, one sentence each. Raises HlscamError."""
    archive = Archive(config.archive.path)
    try:
        async with archive_lock(config.archive.path):
            kept, wrong = await _read_archive(archive, config, progress)
            catalog = await open_catalog(config.catalog_url, SystemClock(), to_rebuild=True)
            try:
                inits = {each.init.hash: each.init.data for each in kept}
                targets = {each.recording.camera: each.recording.target_duration_s for each in kept}
                await catalog.rebuild([each.recording for each in kept], inits, targets)
            finally:
                await catalog.close()
    finally:
        archive.close()
    return wrong


async def _read_archive(archive: Archive, config: Config, progress: Progress) -> tuple[list[Kept], list[str]]:
    kept: list[Kept] = []
    wrong: list[str] = []
    for camera in await archive.cameras():
        names = await archive.names(camera)
        found: dict[str, Kept] = {}
        unsealed: list[str] = []
        async for asked, sealed in sealed_recordings(archive, camera, names):
            found |= sealed
            unsealed += [name for name in asked if name not in sealed]
            progress.tell(f"reindex {camera}", len(found) + len(unsealed), len(names))
        wrong += await _take_in_unsealed(archive, config, camera, unsealed, found)
        kept += sorted(found.values(), key=lambda each: each.recording.first_media_sequence)
    return kept, wrong


async def _take_in_unsealed(
    archive: Archive, config: Config, camera: str, names: list[str], found: dict[str, Kept]
) -> list[str]:
    """Seal what was never closed, as a start of the server would, and add it to `found`; what cannot be taken in."""
    wrong: list[str] = []
    notes = await Notebook(archive, camera).load() or CameraNotes()
    whole_segments = notes.may_miss_footage(await asyncio.to_thread(boot_id))
    rows = await _rows_known(config, camera, names)
    for name in names:
        earlier = [each for each in found if each < name and run_of_name(each) == run_of_name(name)]
        before = found[max(earlier)].recording if earlier else None
        known = notes.anchor(name) or rows.get(name)
        taken = await take_in(archive, camera, name, before=before, known=known, whole_segments=whole_segments)
        if isinstance(taken, Refused):
            wrong.append(f"{camera}/{name}: is left as it is: {taken.why}")
        else:
            found[name] = taken
    return wrong


async def _rows_known(config: Config, camera: str, names: list[str]) -> dict[str, Recording]:
    """What the old catalog, if it can still be read, said of recordings that cannot speak for themselves."""
    if not names:
        return {}
    try:
        catalog = await Catalog.open(config.catalog_url)
    except CatalogError:
        return {}
    try:
        rows = [await catalog.recording(camera, name) for name in names]
    except CatalogError:
        return {}
    finally:
        await catalog.close()
    return {row.name: row for row in rows if row is not None}


async def check_archive(config: Config, progress: Progress) -> list[str]:
    """Compare files, catalog and invariants. Returns what is wrong, one sentence each. Raises HlscamError."""
    archive = Archive(config.archive.path)
    catalog = await Catalog.open(config.catalog_url, read_only=True)
    try:
        wrong = [f"catalog: {each}" for each in await catalog.check_integrity()]
        recording_now = await _is_recording(config.archive.path)
        for camera in sorted({*await archive.cameras(), *await catalog.cameras()}):
            wrong += await _check_camera(archive, catalog, camera, progress, recording_now=recording_now)
    finally:
        await catalog.close()
        archive.close()
    return wrong


async def _is_recording(root: Path) -> bool:
    try:
        async with archive_lock(root):
            return False
    except ArchiveError:
        return True


async def _check_camera(
    archive: Archive, catalog: Catalog, camera: str, progress: Progress, *, recording_now: bool
) -> list[str]:
    rows = await catalog.recordings(camera)
    closed = [row for row in rows if not row.is_open]
    try:
        names = set(await archive.names(camera))
    except ArchiveError as error:
        return [f"{camera}: {error.message}"]
    wrong: list[str] = []
    for done, row in enumerate(closed, start=1):
        progress.tell(f"check {camera}", done, len(closed))
        faults = await _check_recording(archive, catalog, row)
        wrong += [f"{camera}/{row.name}: {fault}" for fault in faults]
    if not recording_now:
        wrong += [
            f"{camera}/{row.name}: was never closed: start the server, or run reindex" for row in rows if row.is_open
        ]
        known = {row.name for row in rows}
        wrong += [f"{camera}/{name}: is not in the catalog: start the server, or run reindex" for name in names - known]
    wrong += [f"{camera}/{fault}" for fault in numbering_faults(rows)]
    wrong += [f"{camera}: {fault}" for fault in _playlist_faults(closed)]
    return wrong


async def _check_recording(archive: Archive, catalog: Catalog, row: Recording) -> list[str]:
    try:
        found = await scan(archive, row.camera, row.name)
        sealed = await read_sealed(archive, row.camera, row.name)
    except OSError as error:
        if await catalog.recording(row.camera, row.name) is None:
            return []  # retention has removed it since the rows were read
        return [f"cannot be read: {error.strerror}"]
    faults = [found.damage.message] if found.damage else []
    faults += _file_faults(row, found)
    init = await catalog.init_section(row.init_hash)
    if init is None:
        faults.append(f"its init section {row.init_hash} is not in the catalog")
    elif found.init is not None and found.init.data != init:
        faults.append("its init section is not the one in the catalog")
    if sealed is None:
        faults.append("has no box of its own: run reindex")
    elif sealed.recording != row:
        faults.append("its own box and its catalog row differ: run reindex")
    return faults


def _file_faults(row: Recording, found: Scan) -> Iterator[str]:
    """What the fragments say against the row."""
    if found.size_bytes != row.size_bytes:
        yield f"has {found.size_bytes} bytes, its row says {row.size_bytes}"
    if not found.fragments:
        yield "holds no whole fragment"
        return
    if any(before.end != after.offset for before, after in pairwise(found.fragments)):
        yield "its fragments do not lie end to end"
    pictures = [each.decode_ticks for each in found.fragments if each.sample_count]
    if any(before >= after for before, after in pairwise(pictures)):
        yield "its fragments go back in time"
    starts = {each.offset: each for each in found.fragments}
    offsets = list(accumulate(row.segments.sizes_bytes, initial=row.first_offset))
    elapsed = list(accumulate(row.segments.durations_ticks, initial=0))
    for index, offset in enumerate(offsets[:-1]):
        fragment = starts.get(offset)
        if fragment is None:
            yield f"segment {row.first_media_sequence + index} does not begin at a fragment"
            return
        if bool(row.segments.independents[index]) != fragment.starts_with_sync:
            yield f"segment {row.first_media_sequence + index} is not as independent as its row says"
        if fragment.decode_ticks - row.first_decode_ticks != elapsed[index]:
            yield f"segment {row.first_media_sequence + index} does not start when its row says"
    listed = [each for each in found.fragments if each.end <= offsets[-1]]
    may_go_on = row.end_reason in _LISTING_ENDED_BEFORE and offsets[-1] in starts
    if not listed or (offsets[-1] != found.fragments[-1].end and not may_go_on):
        yield f"its segments end at byte {offsets[-1]}, its fragments at {found.fragments[-1].end}"
        return
    elapsed_ticks = starts[offsets[-1]].decode_ticks if offsets[-1] in starts else listed[-1].end_decode_ticks
    if elapsed_ticks - row.first_decode_ticks != row.duration_ticks:
        yield f"lasts {elapsed_ticks - row.first_decode_ticks} ticks, its row says {row.duration_ticks}"


def _playlist_faults(closed: list[Recording]) -> Iterator[str]:
    """Whether an independent reader finds in the playlist what the rows say."""
    if not closed:
        return
    spans = [Span(row, 0, len(row.segments)) for row in closed]
    parsed = m3u8.loads(media_playlist(spans, ended=True).render())
    count = sum(len(row.segments) for row in closed)
    if len(parsed.segments) != count:
        yield f"its playlist lists {len(parsed.segments)} segments, not {count}"
    too_long = [each.uri for each in parsed.segments if int(each.duration + 0.5) > parsed.target_duration]
    if too_long:
        yield f"segments longer than the target duration: {', '.join(too_long[:5])}"
