"""Groups of pictures, as recordings on the disk tell them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from hlscam.adapters.archive import Archive
from hlscam.domain.recording import Recording
from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from hlscam.services.gop import measured_gop
from hlscam.services.keeper import Kept, read_sealed
from hlscam.services.live import LiveStream
from tests.services.conftest import Life

GOP_PICTURES = 5


@pytest_asyncio.fixture
async def archive(life: Life) -> AsyncIterator[Archive]:
    opened = Archive(life.root)
    yield opened
    opened.close()


async def longest(archive: Archive) -> Kept:
    """A camera's longest recording. Each of its segments is one group of pictures."""
    found = [await read_sealed(archive, "loop", name) for name in await archive.names("loop")]
    return max((each for each in found if each is not None), key=lambda each: len(each.recording.segments))


def by_two(table: SegmentTable) -> SegmentTable:
    """The same bytes in segments of two groups each."""
    pairs = zip(list(table)[0::2], list(table)[1::2], strict=False)
    return SegmentTable.of(
        SegmentEntry(first.size_bytes + second.size_bytes, first.duration_ticks + second.duration_ticks, 0, True)
        for first, second in pairs
    )


def stream_of(kept: Kept, *recordings: Recording) -> LiveStream:
    stream = LiveStream("loop", 30)
    stream.inits[kept.init.hash] = kept.init.data
    stream.load(recordings)
    return stream


async def test_the_segments_of_the_newest_recording_tell(archive: Archive) -> None:
    """One that has a single segment does not: it may have been cut short."""
    kept = await longest(archive)
    recording = replace(kept.recording, segments=by_two(kept.recording.segments))
    begun = replace(recording, name="begun.mp4", segments=SegmentTable.of([recording.segments[0]]))
    assert await measured_gop(archive, stream_of(kept, recording)) == GOP_PICTURES
    assert await measured_gop(archive, stream_of(kept, recording, begun)) == GOP_PICTURES
    assert await measured_gop(archive, stream_of(kept, kept.recording)) is None, "one group a segment"


@pytest.mark.parametrize("lost", ["nothing recorded", "the file", "the init section", "its bytes"])
async def test_what_cannot_be_read_tells_nothing(archive: Archive, lost: str) -> None:
    kept = await longest(archive)
    recording = replace(kept.recording, segments=by_two(kept.recording.segments))
    found = {
        "nothing recorded": stream_of(kept),
        "the file": stream_of(kept, replace(recording, name="gone.mp4")),
        "the init section": stream_of(kept, replace(recording, init_hash="f" * 16)),
        "its bytes": stream_of(kept, replace(recording, first_offset=recording.first_offset + 9)),
    }
    assert await measured_gop(archive, found[lost]) is None
