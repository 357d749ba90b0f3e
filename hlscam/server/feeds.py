"""Footage on its way to a decoder: from any segment on, through recordings, runs and holes.

At the live edge it goes part by part, as soon as each is whole.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from hlscam.domain.part import Part
from hlscam.domain.recording import Recording
from hlscam.errors import FileMissing, Gone
from hlscam.isobmff.init_section import read_init_section
from hlscam.server.pieces import where_decoding_begins
from hlscam.server.services import Services
from hlscam.services.live import LiveStream
from hlscam.services.motion import Feed

_FAR_BEHIND_SEGMENTS = 3
"""Whoever shows what is live and is so far behind the newest gives up what lies between."""


def feeds_live(services: Services, camera: str) -> AsyncGenerator[Feed]:
    """The footage from the newest segment on that decoding can begin with. What cannot be kept up with is left out."""
    return _Feeding(services, camera, live=True).run()


def feeds_from(services: Services, camera: str, media_sequence: int) -> AsyncGenerator[Feed]:
    """The footage from a segment on, or from the first after it that there is; it has no end.

    It begins earlier where that segment does not begin with a sync sample. Raises ArchiveError, CatalogError and
    MediaError.
    """
    return _Feeding(services, camera, number=media_sequence).run()


class _Feeding:
    """Where the feeding of one decoder stands: at segment `number`, of which so many parts and bytes were fed."""

    def __init__(self, services: Services, camera: str, *, number: int = 0, live: bool = False) -> None:
        self._services = services
        self._camera = camera
        self._stream: LiveStream = services.live.stream(camera)
        self._live = live
        self._awaited = False
        self._recording: Recording | None = None
        self._begin(self._newest_to_begin_with() if live else number)

    async def run(self) -> AsyncGenerator[Feed]:
        while True:
            version = self._stream.version
            if self._live and self._listed_below - self._number > _FAR_BEHIND_SEGMENTS:
                self._begin(self._newest_to_begin_with())
            for part in self._new_parts():
                recording = self._recording_of(part)
                if recording is None:
                    break
                yield await self._feed_part(recording, part)
            if self._number < self._listed_below:
                feed = await self._rest_of_segment()
                if feed is not None:
                    yield feed
            elif self._stream.version == version and not self._leapt():
                await self._stream.wait_changed()
                self._awaited = True

    @property
    def _listed_below(self) -> int:
        newest = self._stream.newest
        return newest.end_media_sequence if newest is not None else 0

    def _begin(self, number: int) -> None:
        self._number, self._fed_parts, self._fed_bytes = number, 0, 0
        self._begins, self._awaited = True, False

    def _newest_to_begin_with(self) -> int:
        parts = self._stream.parts
        alone = [each.media_sequence for each in parts if each.index == 0 and each.independent]
        return max([*alone, self._listed_below - 1, 0])

    def _new_parts(self) -> list[Part]:
        """The parts of the segment that were not fed yet, if decoding can go on with them."""
        parts = [each for each in self._stream.parts if each.media_sequence == self._number]
        if not parts or parts[0].index or (self._begins and not parts[0].independent):
            return []
        return parts[self._fed_parts :]

    def _leapt(self) -> bool:
        """Whether what comes next has a higher number (a power cut took some along); then we stand there."""
        ahead = next((each.media_sequence for each in self._stream.parts if each.media_sequence > self._number), None)
        if ahead is not None:
            self._begin_next(ahead)
        return ahead is not None

    def _begin_next(self, number: int) -> None:
        self._number, self._fed_parts, self._fed_bytes = number, 0, 0

    def _recording_of(self, part: Part) -> Recording | None:
        return next((each for each in self._stream.recordings if each.name == part.name), None)

    async def _feed_part(self, recording: Recording, part: Part) -> Feed:
        media = await self._services.footage.part(self._camera, part, media_only=True)
        self._fed_parts += 1
        self._fed_bytes += len(media)
        self._begins = False
        return await self._feed(recording, part.media_sequence, media)

    async def _rest_of_segment(self) -> Feed | None:
        """What was not fed of a segment that is listed, or of the next one that there is; None when that is nothing."""
        recording = await self._find()
        if recording is None:
            return None
        index = max(self._number - recording.first_media_sequence, 0)
        if self._begins:
            index, self._begins = where_decoding_begins(recording, index), False
        number = recording.first_media_sequence + index
        fed_bytes = self._fed_bytes if number == self._number else 0
        self._begin_next(number + 1)
        if fed_bytes == recording.segments.sizes_bytes[index]:
            return None
        try:
            media = await self._services.footage.media(recording, index)
        except (Gone, FileMissing):
            self._begin_next(recording.end_media_sequence)
            return None
        return await self._feed(recording, number, media[fed_bytes:])

    async def _find(self) -> Recording | None:
        """The recording of the segment, or of the first after it."""
        known = [*self._stream.recordings, *([self._recording] if self._recording else [])]
        for each in known:
            if each.first_media_sequence <= self._number < each.end_media_sequence:
                self._recording = each
                return each
        found = await self._services.footage.recordings(self._camera, from_media_sequence=self._number, limit=1)
        self._recording = found[0] if found else None
        return self._recording

    async def _feed(self, recording: Recording, number: int, media: bytes) -> Feed:
        init = read_init_section(await self._services.footage.init_section(recording.init_hash))
        return Feed(
            run=recording.run,
            init=init,
            media_sequence=number,
            media=media,
            wall_us_at=lambda shown_ticks: recording.wall_us_at(shown_ticks - recording.first_decode_ticks),
            awaited=self._awaited,
        )
