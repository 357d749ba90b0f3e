"""The bytes that pictures are decoded from: a segment, or as much as there is of the one in progress.

A segment that does not begin with a sync sample (of a camera whose GOP is longer than a segment can be) takes those
before it, from the last one that does.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hlscam.domain.part import Part
from hlscam.domain.picture import Piece
from hlscam.domain.recording import Recording
from hlscam.isobmff.init_section import read_init_section
from hlscam.server.services import Services


@dataclass(frozen=True, slots=True)
class Progress:
    """The segment in progress: its index in its recording, and all of its parts that there are."""

    recording: Recording
    index: int
    parts: list[Part]

    @property
    def media_sequence(self) -> int:
        return self.recording.first_media_sequence + self.index

    @property
    def start_wall_us(self) -> int:
        return self.parts[0].wall_us

    @property
    def end_wall_us(self) -> int:
        return self.parts[-1].wall_us + self.parts[-1].duration_us


def in_progress(services: Services, camera: str) -> Progress | None:
    """The segment in progress, if it has a part."""
    stream = services.live.stream(camera)
    newest = stream.parts[-1] if stream.parts else None
    recording = next((each for each in stream.recordings if newest is not None and each.name == newest.name), None)
    if newest is None or recording is None or newest.media_sequence < recording.end_media_sequence:
        return None
    parts = [each for each in stream.parts if each.media_sequence == newest.media_sequence]
    return Progress(recording, newest.media_sequence - recording.first_media_sequence, parts)


async def load_piece(services: Services, recording: Recording, index: int) -> Piece:
    """A segment of a recording, and what it takes to decode it. Raises as `Footage.segment` does."""
    return await _load(services, recording, where_decoding_begins(recording, index), index + 1)


async def load_progress(services: Services, progress: Progress) -> Piece:
    """What there is of the segment in progress, and what it takes to decode it. Raises as `Footage.part` does."""
    recording, first = progress.recording, progress.index
    if first and not progress.parts[0].independent:
        first = where_decoding_begins(recording, first - 1)
    read = (services.footage.part(recording.camera, each, media_only=True) for each in progress.parts)
    return await _load(services, recording, first, progress.index, b"".join(await asyncio.gather(*read)))


def where_decoding_begins(recording: Recording, index: int) -> int:
    """The last segment up to this one that begins with a sync sample; the first of all where there is none."""
    while index and not recording.segments.independents[index]:
        index -= 1
    return index


async def _load(services: Services, recording: Recording, first: int, end: int, *further: bytes) -> Piece:
    """Segments [first, end) of a recording, and what is behind them."""
    init = read_init_section(await services.footage.init_section(recording.init_hash))
    segments = await asyncio.gather(*(_segment(services, recording, at) for at in range(first, end)))
    return Piece.of(recording, first, [*segments, *further], init)


async def _segment(services: Services, recording: Recording, index: int) -> bytes:
    key = (recording.camera, recording.name, index)
    return await services.cache.get(key, lambda: services.footage.segment(recording, index))
