"""How many pictures the groups of a camera have, as its newest footage tells: parts are cut so that they fit into them.

A camera does not announce it, and no catalog holds it; the last few segments say it as they lie on the disk.
"""

from __future__ import annotations

import logging

from hlscam.adapters.archive import Archive
from hlscam.domain.low_latency import group_pictures
from hlscam.domain.part import fragments_of_segment
from hlscam.domain.recording import Recording
from hlscam.errors import HlscamError
from hlscam.isobmff.fragment import Fragment
from hlscam.services.live import LiveStream

log = logging.getLogger(__name__)

_SEGMENTS = 3


async def measured_gop(archive: Archive, stream: LiveStream) -> int | None:
    """The pictures of each group, where segments hold several that are alike; None where they do not, or cannot tell.

    A recording's last segment is left out: it ends where the recording was cut.
    """
    recording = next((each for each in reversed(stream.recordings) if len(each.segments) > 1), None)
    init = stream.inits.get(recording.init_hash) if recording else None
    if recording is None or init is None:
        return None
    last = len(recording.segments) - 1
    try:
        rows = [await _fragments(archive, recording, index, init) for index in range(max(0, last - _SEGMENTS), last)]
    except HlscamError as error:
        log.warning("camera %s: its groups of pictures cannot be measured: %s", stream.camera, error.message)
        return None
    return group_pictures(rows)


async def _fragments(archive: Archive, recording: Recording, index: int, init: bytes) -> list[Fragment]:
    size_bytes = recording.segments.sizes_bytes[index]
    data = await archive.read(recording.camera, recording.name, recording.offset_of(index), size_bytes)
    return await archive.run(lambda: fragments_of_segment(data, init))
