"""Footage as servers see it: the catalog's rows and the live edge as one row, and the way from a number to bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from hlscam.adapters.archive import Archive, HeldRecording
from hlscam.adapters.catalog.store import Catalog
from hlscam.domain.config import Config
from hlscam.domain.part import Part, parts_of_segment
from hlscam.domain.recording import Recording
from hlscam.domain.run import run_of_name
from hlscam.errors import ArchiveError, Gone, HlscamError, NotFound
from hlscam.server.segment_cache import SegmentCache
from hlscam.services.live import LiveStreams

_RECORDINGS_KEPT = 64
_INIT_SECTIONS_KEPT = 256


class Footage:
    """Answers "which recordings" and "which bytes". Keeps a few closed recordings and init sections at hand."""

    def __init__(
        self, config: Config, archive: Archive, catalog: Catalog, live: LiveStreams, cache: SegmentCache
    ) -> None:
        self._config = config
        self._archive = archive
        self._catalog = catalog
        self._live = live
        self._cache = cache
        self._closed: OrderedDict[tuple[str, str], Recording] = OrderedDict()
        self._inits: OrderedDict[str, bytes] = OrderedDict()

    async def cameras(self) -> list[str]:
        """Configured cameras in their order, then those of which only footage is left."""
        configured = list(self._config.cameras)
        return [*configured, *(each for each in await self._catalog.cameras() if each not in self._config.cameras)]

    async def check_camera(self, camera: str) -> None:
        """Raises NotFound for a camera that is neither configured nor in the archive."""
        if camera not in self._config.cameras and camera not in await self._catalog.cameras():
            raise NotFound(f"there is no camera {camera!r}", hint="GET /api/v1/cameras lists them")

    async def recordings(
        self,
        camera: str,
        *,
        from_wall_us: int | None = None,
        to_wall_us: int | None = None,
        from_media_sequence: int | None = None,
        after_media_sequence: int | None = None,
        limit: int | None = None,
    ) -> list[Recording]:
        """The recordings that overlap [from, to), in order, the one in progress as far as it is now.

        `from_media_sequence` is a segment's number: the first recording is the one that holds it, or where retention
        removed that, the first after it. `after_media_sequence`, for pages, is a recording's first number: those above.

        What the live edge holds is never behind the catalog, and rows may have been read before it moved on (a roll
        closes one recording and begins another), so it stands in place of all rows from its first recording on.
        """
        if from_media_sequence is not None:
            after_media_sequence = await self._first_of_holding(camera, from_media_sequence) - 1
        rows = await self._catalog.recordings(
            camera,
            from_wall_us=from_wall_us,
            to_wall_us=to_wall_us,
            after_media_sequence=after_media_sequence,
            limit=limit,
        )
        edge = self._live.stream(camera).recordings
        older = [row for row in rows if not edge or row.first_media_sequence < edge[0].first_media_sequence]
        newer = [each for each in edge if _overlaps(each, from_wall_us, to_wall_us, after_media_sequence)]
        return [*older, *newer][:limit]

    async def with_neighbours(self, camera: str, from_wall_us: int, to_wall_us: int) -> tuple[list[Recording], bool]:
        """`recordings`, with the one before and the one after them; and whether any are after them.

        A range that lies in a hole has none but these two.
        """
        found = await self.recordings(camera, from_wall_us=from_wall_us, to_wall_us=to_wall_us)
        edge = self._live.stream(camera).recordings
        after = next((each for each in edge if each.start_wall_us >= to_wall_us), None)
        if not edge or edge[0].start_wall_us >= to_wall_us:
            after = await self._catalog.next_recording_after(camera, to_wall_us) or after
        below = found[0].first_media_sequence if found else after.first_media_sequence if after else None
        before = next((each for each in reversed(edge) if below is None or each.first_media_sequence < below), None)
        before = before or await self._catalog.newest_before(camera, below)
        return [*([before] if before else []), *found, *([after] if after else [])], after is not None

    def is_listed(self, camera: str, media_sequence: int) -> bool:
        """Whether the newest segment has this number or a higher one."""
        newest = self._live.stream(camera).newest
        return newest is not None and newest.end_media_sequence > media_sequence

    async def locate(self, camera: str, media_sequence: int) -> tuple[Recording, int]:
        """The recording that holds a segment, and the segment's index in it.

        Raises Gone for a number that retention removed, NotFound for one that never was.
        """
        await self.check_camera(camera)
        at_hand = [*self._live.stream(camera).recordings, *self._closed.values()]
        for recording in at_hand:
            if recording.camera == camera and _holds(recording, media_sequence):
                return recording, media_sequence - recording.first_media_sequence
        found = await self._catalog.recording_at_sequence(camera, media_sequence)
        if found is None:
            raise await self._refusal(camera, media_sequence)
        if not found.is_open:  # an open one may have got longer by the next request
            self._closed[camera, found.name] = found
        while len(self._closed) > _RECORDINGS_KEPT:
            self._closed.popitem(last=False)
        return found, media_sequence - found.first_media_sequence

    async def segment(self, recording: Recording, index: int) -> bytes:
        """A segment's bytes. The first after a discontinuity has its init section in front: VLC loads no second map.

        Raises Gone when retention has removed the recording since it was located, ArchiveError when it cannot be read.
        """
        data = await self.media(recording, index)
        if index == 0 and recording.starts_run:
            return await self.init_section(recording.init_hash) + data
        return data

    async def media(self, recording: Recording, index: int) -> bytes:
        """A segment's fragments alone, as they lie in the recording. Raises as `segment` does."""
        size_bytes = recording.segments.sizes_bytes[index]
        number = recording.first_media_sequence + index
        return await self._read(recording.camera, recording.name, recording.offset_of(index), size_bytes, number)

    async def _read(self, camera: str, name: str, offset: int, size_bytes: int, media_sequence: int) -> bytes:
        try:
            return await self._archive.read(camera, name, offset, size_bytes)
        except ArchiveError:
            self._closed.pop((camera, name), None)
            if await self._catalog.recording(camera, name) is None:
                raise await self._refusal(camera, media_sequence) from None
            raise

    async def part(self, camera: str, part: Part, *, media_only: bool = False) -> bytes:
        """A part's bytes, read once for all who ask. The first of a run has its init section in front, as its segment.

        With `media_only` it never has. Raises as `segment` does.
        """
        read = partial(self._read, camera, part.name, part.offset, part.size_bytes, part.media_sequence)
        data = await self._cache.get((camera, part.name, part.offset, part.size_bytes), read)
        return await self.init_section(part.init_hash) + data if part.opens_run and not media_only else data

    async def parts(self, camera: str, media_sequence: int) -> Sequence[Part]:
        """The parts of a segment, live or of the archive; of the one in progress those it has. Raises as `locate`."""
        live = [each for each in self._live.stream(camera).parts if each.media_sequence == media_sequence]
        if live:
            return live
        recording, index = await self.locate(camera, media_sequence)
        init, data = await self.init_section(recording.init_hash), await self.media(recording, index)
        return await self._archive.run(lambda: parts_of_segment(recording, index, data, init))

    async def init_section(self, init_hash: str) -> bytes:
        """An init section by its hash. Raises NotFound.

        The live edge knows a new one first: it is listed with the first part, its row comes with a whole segment.
        """
        known = self._inits.get(init_hash)
        if known is not None:
            return known
        data = self._live.init_section(init_hash) or await self._catalog.init_section(init_hash)
        if data is None:
            raise NotFound(f"there is no init section {init_hash!r}")
        self._inits[init_hash] = data
        while len(self._inits) > _INIT_SECTIONS_KEPT:
            self._inits.popitem(last=False)
        return data

    async def recording(self, camera: str, name: str) -> Recording:
        """A recording by its file name. Raises Gone or NotFound."""
        await self.check_camera(camera)
        for each in self._live.stream(camera).recordings:
            if each.name == name:
                return each
        found = await self._catalog.recording(camera, name)
        if found is not None:
            return found
        raise await self._refusal_of_name(camera, name)

    async def hold(self, recording: Recording) -> HeldRecording:
        """A recording's file, to be read to its end and closed. Raises Gone, or ArchiveError, as `segment` does."""
        try:
            return await self._archive.hold(recording.camera, recording.name)
        except ArchiveError:
            if await self._catalog.recording(recording.camera, recording.name) is None:
                raise await self._refusal_of_name(recording.camera, recording.name) from None
            raise

    async def _first_of_holding(self, camera: str, media_sequence: int) -> int:
        """The first number of the recording that holds a segment; the segment's own where none does."""
        for recording in self._live.stream(camera).recordings:
            if _holds(recording, media_sequence):
                return recording.first_media_sequence
        found = await self._catalog.recording_at_sequence(camera, media_sequence)
        return media_sequence if found is None else found.first_media_sequence

    async def _refusal(self, camera: str, media_sequence: int) -> HlscamError:
        """Gone for a number below the oldest, or in a hole that retention left beside what is protected."""
        oldest = await self._catalog.oldest(camera)
        newest = self._live.stream(camera).newest
        if oldest is not None and (
            (media_sequence < oldest.first_media_sequence and _was_trimmed(oldest))
            or (newest is not None and oldest.first_media_sequence <= media_sequence < newest.first_media_sequence)
        ):
            return Gone(f"segment {media_sequence} of camera {camera!r} was removed by retention")
        return NotFound(f"camera {camera!r} has no segment {media_sequence}")

    async def _refusal_of_name(self, camera: str, name: str) -> HlscamError:
        """Gone for a name where numbers are missing between its neighbours, or in front of the oldest."""
        before, after = await self._catalog.neighbours(camera, name)
        if run_of_name(name) is not None and after is not None:
            is_missing = before.end_media_sequence != after.first_media_sequence if before else _was_trimmed(after)
            if is_missing:
                return Gone(f"recording {name!r} was removed by retention")
        return NotFound(f"camera {camera!r} has no recording {name!r}")


def _holds(recording: Recording, media_sequence: int) -> bool:
    return recording.first_media_sequence <= media_sequence < recording.end_media_sequence


def _was_trimmed(oldest: Recording) -> bool:
    """Whether something older than the oldest recording has been: a camera's very first run follows nothing."""
    return not (oldest.starts_run and oldest.discontinuity_sequence == 0)


def _overlaps(recording: Recording, from_us: int | None, to_us: int | None, after: int | None) -> bool:
    return (
        (from_us is None or recording.end_wall_us > from_us)
        and (to_us is None or recording.start_wall_us < to_us)
        and (after is None or recording.first_media_sequence > after)
    )
