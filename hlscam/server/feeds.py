"""Footage on its way to a decoder: segment after segment, from any of them on, through recordings, runs and holes, and
at the live edge as it comes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from hlscam.domain.recording import Recording
from hlscam.errors import Gone
from hlscam.isobmff.init_section import read_init_section
from hlscam.server.services import Services
from hlscam.services.motion import Feed

_FAR_BEHIND_SEGMENTS = 3
"""Whoever shows what is live and is so far behind the newest gives up what lies between."""


def feeds_live(services: Services, camera: str) -> AsyncGenerator[Feed]:
    """The footage from the newest segment on. What cannot be kept up with is left out."""
    newest = services.live.stream(camera).newest
    return feeds_from(services, camera, newest.end_media_sequence - 1 if newest else 0, live=True)


async def feeds_from(
    services: Services, camera: str, media_sequence: int, *, live: bool = False
) -> AsyncGenerator[Feed]:
    """The footage from a segment on, or from the first after it that there is; it has no end.

    It begins earlier where that segment does not begin with a sync sample. Raises ArchiveError, CatalogError and
    MediaError.
    """
    stream = services.live.stream(camera)
    number, awaited, begins = media_sequence, False, True
    recording: Recording | None = None
    while True:
        version = stream.version
        if live and stream.newest is not None and stream.newest.end_media_sequence - number > _FAR_BEHIND_SEGMENTS:
            number, awaited, begins = stream.newest.end_media_sequence - 1, False, True
        if recording is None or not recording.first_media_sequence <= number < recording.end_media_sequence:
            recording = next(iter(await services.footage.recordings(camera, from_media_sequence=number, limit=1)), None)
        if recording is None or number >= recording.end_media_sequence:
            if stream.version == version:
                await stream.wait_changed()
                awaited = True
            continue
        index = max(number - recording.first_media_sequence, 0)
        if begins:
            index, begins = _where_decoding_begins(recording, index), False
        try:
            yield await _feed(services, recording, index, awaited=awaited)
            number = recording.first_media_sequence + index + 1
        except Gone:
            number, recording = recording.end_media_sequence, None


def _where_decoding_begins(recording: Recording, index: int) -> int:
    while index and not recording.segments.independents[index]:
        index -= 1
    return index


async def _feed(services: Services, recording: Recording, index: int, *, awaited: bool) -> Feed:
    init = read_init_section(await services.footage.init_section(recording.init_hash))
    data = await services.cache.get(
        (recording.camera, recording.name, index), lambda: services.footage.segment(recording, index)
    )
    return Feed(
        run=recording.run,
        init=init,
        media_sequence=recording.first_media_sequence + index,
        media=data.removeprefix(init.data),
        wall_us_at=lambda shown_ticks: recording.wall_us_at(shown_ticks - recording.first_decode_ticks),
        awaited=awaited,
    )
