"""Takes finished recordings into the archive's books: box, then row, then live edge, in that order.

The box goes first, so that a row never says `closed` of a file that cannot speak for itself. The same code closes a
recording that ffmpeg has just ended, takes in one that a crash left behind, and reads back one that is already
sealed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial

from hlscam.adapters.archive import Archive, RecordingFile
from hlscam.domain.camera_notes import Anchor
from hlscam.domain.part import Part, parts_of_segment
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.recording_facts import from_box, to_box
from hlscam.domain.recording_index import RunIndex
from hlscam.domain.run import RunIdentity
from hlscam.errors import MediaError
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.isobmff.reader import RecordingBox
from hlscam.isobmff.recording_box import encode_recording_box
from hlscam.units import ticks_to_us

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A closed recording and the init section its segments need; `was_torn` if nobody had closed it before."""

    recording: Recording
    init: InitSection
    was_torn: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not taken in, and why. `unreadable`: nobody could play it, here or elsewhere."""

    why: str
    unreadable: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """All that a file holds. `whole_bytes` is where its last whole box ends; `damage` says why reading stopped."""

    init: InitSection | None
    fragments: list[Fragment]
    box: RecordingBox | None
    whole_bytes: int
    size_bytes: int
    last_write_wall_us: int
    damage: MediaError | None


def scan_file(file: RecordingFile) -> Scan:
    """Read a whole recording. Blocks; never raises for bad bytes, it tells them."""
    written = file.read_new()
    return Scan(
        init=file.reader.init,
        fragments=[each for each in written.events if isinstance(each, Fragment)],
        box=next((each for each in written.events if isinstance(each, RecordingBox)), None),
        whole_bytes=file.whole_bytes,
        size_bytes=written.size_bytes,
        last_write_wall_us=written.last_write_wall_us,
        damage=None if written.damage and file.ends_in_zeros() else written.damage,
    )


async def scan(archive: Archive, camera: str, name: str) -> Scan:
    """Read a whole recording of the archive. Raises FileNotFoundError."""
    file = await archive.follow(camera, name)
    try:
        return await archive.run(lambda: scan_file(file))
    finally:
        file.close()


async def read_sealed(archive: Archive, camera: str, name: str) -> Kept | None:
    """A closed recording, told by its own box alone; None when it has none that can be believed."""
    return await archive.run(lambda: read_sealed_file(archive, camera, name))


def read_sealed_file(archive: Archive, camera: str, name: str) -> Kept | None:
    """`read_sealed` for whoever reads many in one go. Blocks. Raises OSError."""
    file = RecordingFile(archive.path(camera, name))
    try:
        found, size_bytes = file.read_sealed(), file.path.stat().st_size
    except MediaError:
        return None
    finally:
        file.close()
    if found is None:
        return None
    init, box = found
    recording = _read_box(camera, name, box, size_bytes)
    return Kept(recording, init) if recording is not None and recording.init_hash == init.hash else None


async def read_parts(archive: Archive, recording: Recording, indices: range, init: InitSection) -> list[Part]:
    """The parts of some segments of a recording, as they were when live. Raises ArchiveError or MediaError."""
    offset = recording.offset_of(indices.start)
    parts: list[Part] = []
    for index in indices:
        size_bytes = recording.segments.sizes_bytes[index]
        data = await archive.read(recording.camera, recording.name, offset, size_bytes)
        parts += await archive.run(partial(parts_of_segment, recording, index, data, init.data))
        offset += size_bytes
    return parts


async def seal(archive: Archive, recording: Recording, *, whole_bytes: int) -> Recording:
    """Make an ordinary MP4 file of a recording that has ended, however it did, and give it its own box.

    Returns it with its final size. Raises OSError; the file is as good as before then.
    """
    box = encode_recording_box(*to_box(recording))
    sealing = archive.seal(recording.camera, recording.name, whole_bytes=whole_bytes, box=box)
    return replace(recording, size_bytes=await asyncio.shield(sealing))


async def take_in(
    archive: Archive,
    camera: str,
    name: str,
    *,
    before: Recording | None,
    known: Recording | Anchor | None,
    whole_segments: bool = False,
) -> Kept | Refused:
    """Bring a recording that nobody follows into the books, sealing it if it never was.

    `before` is the recording before it in its run, if one is known; `known` is what the camera's notes or the catalog
    said of it while it was open, if anything: its numbers and times stand, because players have seen them. A file that
    is not a recording of ours is refused, and left as it is. With `whole_segments` a last segment whose end is not in
    the file gets no number: players may have seen it longer than it is now. It stays in the file.

    A damaged file counts up to the damage and is not touched: a box would have to stand where footage may still be.
    One that cannot be sealed now is kept as an open one. Raises OSError when the file cannot be read.
    """
    sealed = await read_sealed(archive, camera, name)
    if sealed is not None:
        return sealed
    found = await scan(archive, camera, name)
    if found.init is None:
        return Refused(found.damage.message if found.damage else "it is not an MP4 file", unreadable=True)
    identity = RunIdentity.from_comment(found.init.comment)
    if identity is None or identity.camera != camera:
        return Refused("hlscam did not write it for this camera", unreadable=False)
    if not any(each.sample_count for each in found.fragments):
        return Refused(found.damage.message if found.damage else "it holds no picture", unreadable=True)
    recording = _reckon(identity, name, found, before, known, whole_segments=whole_segments)
    if recording is None:
        return Refused("the power went before its first segment was on the disk", unreadable=True)
    if found.damage is not None:
        log.error("%s/%s is damaged, and kept up to there: %s", camera, name, found.damage.message)
        return Kept(replace(recording, size_bytes=found.whole_bytes), found.init, was_torn=True)
    whole_bytes = found.whole_bytes if found.box is None else found.box.offset
    try:
        final = await seal(archive, recording, whole_bytes=whole_bytes)
    except OSError as error:
        log.error("%s/%s could not be sealed: %s; it is at the next start", camera, name, error.strerror)
        return Kept(replace(recording, end_reason=None, size_bytes=whole_bytes), found.init, was_torn=True)
    log.info("%s/%s was never closed: kept %d segments", camera, name, len(recording.segments))
    return Kept(final, found.init, was_torn=True)


def _read_box(camera: str, name: str, box: RecordingBox, size_bytes: int) -> Recording | None:
    try:
        recording = from_box(*box.decode(), size_bytes=size_bytes)
    except (MediaError, ValueError) as error:
        log.warning("%s/%s: its own box is damaged and is written again: %s", camera, name, error)
        return None
    return recording if (recording.camera, recording.name) == (camera, name) else None


def _reckon(
    identity: RunIdentity,
    name: str,
    found: Scan,
    before: Recording | None,
    known: Recording | Anchor | None,
    *,
    whole_segments: bool,
) -> Recording | None:
    assert found.init is not None
    run = RunIndex(identity)
    if before:
        run.resume_after(before)
    anchor = Anchor.of(known, cut_for_s=run.target_duration_s) if isinstance(known, Recording) else known
    if before is None and anchor is None:
        last = found.fragments[-1]
        end_us = ticks_to_us(last.end_decode_ticks, found.init.video.timescale)
        run.clock.observe(end_us, found.last_write_wall_us)
    index = run.open_recording(name, found.init, anchor=anchor)
    for fragment in found.fragments:
        index.add(fragment, arrival_wall_us=None)
    return index.finish(
        EndReason.SERVER_CRASHED,
        size_bytes=found.size_bytes,
        last_write_wall_us=found.last_write_wall_us,
        whole_segments=whole_segments,
    )
