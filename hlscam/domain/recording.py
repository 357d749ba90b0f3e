"""Recordings and runs: the facts, as the catalog and each recording's own box keep them.

A *run* is what one ffmpeg process wrote without a hole: its recordings follow each other on one decode timeline.
A *recording* is one file. It is `open` while ffmpeg writes it and closed after, and then never changes.

Everything here can be read back from the file alone (its init section, its fragments and its `uuid` box), which is
what makes the catalog a cache. Segment `k` of a recording has media_sequence `first_media_sequence + k`.

Wall time runs linearly within a recording: the first sample is at `start_wall_us`, and one second of media
takes `1 + slew_ppb / 1e9` seconds of wall time, so that a camera whose clock runs fast or slow is followed without
a step (the next recording starts where this one ends).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hlscam.domain.segment_table import SegmentTable
from hlscam.units import US_PER_S


class EndReason(StrEnum):
    """Why a recording ends, and why nothing is recorded after it. Only `ROLLED` is followed by more of the same run.

    `STOPPED`: the server was stopped in order. `CRASHED`: ffmpeg ended by itself. `SERVER_CRASHED`: a start of the
    server found the recording unclosed. `CLOCK_STEPPED`: the host's clock stepped, or the camera's cannot be used.
    `DISABLED` ends no recording: it is a gap's reason only.
    """

    ROLLED = "rolled"
    STOPPED = "stopped"
    SERVER_CRASHED = "server_crashed"
    SOURCE_ENDED = "source_ended"
    UNREACHABLE = "unreachable"
    AUTHENTICATION = "authentication"
    SOURCE_REFUSED = "source_refused"
    STALLED = "stalled"
    CRASHED = "crashed"
    DISK_FULL = "disk_full"
    DISABLED = "disabled"
    CLOCK_STEPPED = "clock_stepped"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """What is in a recording: RFC 6381 codec strings, picture and sound.

    Audio fields are empty or 0 when there is no sound. `bit_rate_bps` counts all bytes of all fragments.
    """

    video_codec: str
    width: int
    height: int
    frame_rate: float
    bit_rate_bps: int
    audio_codec: str = ""
    audio_sample_rate_hz: int = 0
    audio_channels: int = 0

    @property
    def codecs(self) -> str:
        """The CODECS attribute (RFC 8216bis 4.4.6.2)."""
        return f"{self.video_codec},{self.audio_codec}" if self.audio_codec else self.video_codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One MP4 file of the archive.

    `name` is the file's name without folder, unique per camera. Ticks are of `timescale`, the video track's.
    `first_offset` is the byte at which the first segment starts; segments follow each other from there.
    `starts_run`: its first segment is the first of a discontinuity and is served with the init section in
    front. `target_duration_s` is EXT-X-TARGETDURATION as its segments were cut for. `gap_reason` says why there is a
    hole in wall time before it: only the first recording of a run has one, and not the camera's very first.
    """

    camera: str
    name: str
    run: str
    first_media_sequence: int
    discontinuity_sequence: int
    starts_run: bool
    init_hash: str
    start_wall_us: int
    slew_ppb: int
    timescale: int
    first_decode_ticks: int
    duration_ticks: int
    first_offset: int
    size_bytes: int
    target_duration_s: int
    media: MediaFacts
    segments: SegmentTable = field(default_factory=SegmentTable)
    end_reason: EndReason | None = None
    gap_reason: EndReason | None = None

    @property
    def is_open(self) -> bool:
        return self.end_reason is None

    @property
    def end_media_sequence(self) -> int:
        """One past the last segment's number."""
        return self.first_media_sequence + len(self.segments)

    @property
    def end_wall_us(self) -> int:
        return self.wall_us_at(self.duration_ticks)

    def offset_of(self, index: int) -> int:
        """Where a segment begins in the file."""
        return self.first_offset + sum(self.segments.sizes_bytes[:index])

    def wall_us_at(self, elapsed_ticks: int) -> int:
        """UTC of the sample `elapsed_ticks` after the first one."""
        return self.start_wall_us + slewed_us(elapsed_ticks, self.timescale, self.slew_ppb)


def slewed_us(elapsed_ticks: int, timescale: int, slew_ppb: int) -> int:
    """Wall microseconds that `elapsed_ticks` of media take under a slew; integer arithmetic, so exact for ever."""
    return elapsed_ticks * US_PER_S * (1_000_000_000 + slew_ppb) // (timescale * 1_000_000_000)
