"""Parts: the fragments at the live edge, each with the segment it belongs to (Partial Segments, RFC 8216bis 3).

A part is known the moment its fragment is whole; the segment that it belongs to may be seconds from its end. Its
*position*, the segment's media_sequence and its own index in that, can be told from the live edge and from the archive
alike, and never changes.

Sound that comes while the picture stands still has fragments of its own, which last no time. They are joined to the
fragment with pictures that follows, so that every part takes time; at a segment's end there is none, and what is left
is a part without duration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hlscam.domain.position import PartPosition
from hlscam.domain.recording import Recording
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import RecordingReader
from hlscam.units import ticks_to_us


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a part lies: the segment's index in its recording, the part's in its segment, and its last fragment."""

    segment: int
    index: int
    offset: int
    last: Fragment

    @property
    def size_bytes(self) -> int:
        return self.last.end - self.offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part as players are told of it.

    Bytes `[offset, offset + size_bytes)` of the recording called `name`, served with the init section in front when it
    `opens_run`. Ticks are of `timescale`, the video track's; decoding runs from `start_ticks` for `duration_ticks`.
    `wall_us` is its program date time. `independent`: it begins with a sync sample.
    """

    media_sequence: int
    index: int
    name: str
    offset: int
    size_bytes: int
    start_ticks: int
    duration_ticks: int
    timescale: int
    independent: bool
    wall_us: int
    init_hash: str
    opens_run: bool

    @property
    def position(self) -> PartPosition:
        """Parts in order have positions in order."""
        return PartPosition(self.media_sequence, self.index)

    @property
    def duration_us(self) -> int:
        return ticks_to_us(self.duration_ticks, self.timescale)

    @classmethod
    def of(cls, recording: Recording, cut: Cut) -> Part:
        """What a cut of a recording is to players."""
        fragment = cut.last
        return cls(
            media_sequence=recording.first_media_sequence + cut.segment,
            index=cut.index,
            name=recording.name,
            offset=cut.offset,
            size_bytes=cut.size_bytes,
            start_ticks=fragment.decode_ticks,
            duration_ticks=fragment.duration_ticks,
            timescale=recording.timescale,
            independent=fragment.starts_with_sync,
            wall_us=recording.wall_us_at(fragment.decode_ticks - recording.first_decode_ticks),
            init_hash=recording.init_hash,
            opens_run=recording.starts_run and cut.segment == 0 and cut.index == 0,
        )


class PartCutter:
    """Fragments in, each with its segment's index; cuts out."""

    def __init__(self) -> None:
        self._segment = 0
        self._index = 0
        self._sound: list[Fragment] = []

    def push(self, segment: int, fragment: Fragment) -> Iterator[Cut]:
        """Take the next fragment of a recording; the parts that are whole now."""
        if segment != self._segment:
            yield from self.finish()
            self._segment, self._index = segment, 0
        if fragment.sample_count:
            yield self._cut(fragment)
        else:
            self._sound.append(fragment)

    def finish(self) -> Iterator[Cut]:
        """The segment has ended: what is left of it."""
        if self._sound:
            yield self._cut(self._sound[-1])

    def _cut(self, last: Fragment) -> Cut:
        offset = self._sound[0].offset if self._sound else last.offset
        cut = Cut(self._segment, self._index, offset, last)
        self._index += 1
        self._sound.clear()
        return cut


def parts_of_segment(recording: Recording, index: int, data: bytes, init: bytes) -> Sequence[Part]:
    """The parts of a whole segment, from its bytes in the recording and the init section: as they were when live.

    Offsets are those in the file. Raises MediaError.
    """
    cutter = PartCutter()
    at = recording.offset_of(index) - len(init)
    fragments = [replace(each, offset=each.offset + at) for each in fragments_of_segment(data, init)]
    cuts = [cut for each in fragments for cut in cutter.push(index, each)]
    return [Part.of(recording, each) for each in [*cuts, *cutter.finish()]]


def fragments_of_segment(data: bytes, init: bytes) -> list[Fragment]:
    """The fragments of a whole segment; offsets are those in its init section and its bytes end to end.

    Raises MediaError.
    """
    events = RecordingReader().feed(init + data, len(init) + len(data))
    return [each for each in events if isinstance(each, Fragment)]
