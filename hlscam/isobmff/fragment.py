"""Fragments: one `moof` and the `mdat` behind it (ISO/IEC 14496-12 8.8), as a live reader needs them.

This is the hot path: every half second of every camera passes through `parse_fragment`. A track run's samples are
rows of big-endian 32-bit fields, so a run is turned into one array at once and its columns are slices of that; Python
looks at single samples only where it has to.

Times are those of the *video* track, since that is what segments are cut by. A fragment without video samples (sound
went on while the picture stalled) has duration 0, sample_count 0, and the decode time at which the next
picture is expected: a sum of durations still adds up, and a check for continuity still holds.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, repeat
from typing import NamedTuple

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import child_header
from hlscam.isobmff.init_section import AudioTrack, InitSection, VideoTrack

_MOST_SAMPLES = 1_000_000  # in one fragment; a hostile count costs nothing to write when its samples have no fields
_LONGEST_TICKS = (1 << 32) - 1  # of one fragment; 13 hours at 90 kHz
_LATEST_TICKS = 1 << 60  # four hundred thousand years at 90 kHz, and still a signed 64-bit number in other units
_BEFORE_ZERO = 1 << 63  # sound that begins before 0 (an encoder's priming) is written so, though tfdt is unsigned
_NON_SYNC = 0x10000  # sample_is_non_sync_sample (ISO/IEC 14496-12 8.8.3.1)
_UNIX_FROM_NTP_S = 2_208_988_800
_NTP_ERA_S = 1 << 32

_header = struct.Struct(">I4s").unpack_from
_two_words = struct.Struct(">II").unpack_from
_word = struct.Struct(">I").unpack_from
_long = struct.Struct(">Q").unpack_from


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment of a recording.

    Bytes `[offset, offset + size_bytes)` of the file are the whole fragment: its `styp` or `prft` if it has one,
    `moof` and `mdat`. Ticks are of the video track's timescale but for `audio_*`, which are of the audio track's.
    Decoding runs from `decode_ticks` for `duration_ticks`; presentation from `min_presentation_ticks` to
    `max_presentation_ticks`, the end of the sample that is shown last. `sample_sizes` are the video samples' bytes in
    decode order, `sync_bytes` and `non_sync_bytes` their sums. `prft_wall_us` is the producer's UTC as its `prft` has
    it, None without one; `audio_decode_ticks` is None when the fragment has no sound; `audio_sample_ticks` is how long
    its last sample lasts.
    """

    offset: int
    size_bytes: int
    decode_ticks: int
    duration_ticks: int
    starts_with_sync: bool
    sample_count: int
    sync_bytes: int
    non_sync_bytes: int
    sample_sizes: tuple[int, ...]
    min_presentation_ticks: int
    max_presentation_ticks: int
    prft_wall_us: int | None
    audio_decode_ticks: int | None
    audio_duration_ticks: int
    audio_sample_ticks: int

    @property
    def end(self) -> int:
        """One past the fragment's last byte in the file."""
        return self.offset + self.size_bytes

    @property
    def end_decode_ticks(self) -> int:
        """The decode time of the sample that follows."""
        return self.decode_ticks + self.duration_ticks


class _Run:
    """What one track's boxes in the fragment add up to; `defaults` are (duration, size, flags) of samples to come."""

    __slots__ = ("decode_ticks", "defaults", "duration_ticks", "flags", "last_ticks", "offsets", "sizes", "steps")

    def __init__(self) -> None:
        self.decode_ticks: int | None = None
        self.defaults = (0, 0, 0)
        self.duration_ticks = 0
        self.last_ticks = 0
        self.sizes: list[int] = []
        self.flags: list[int] = []
        self.offsets: list[int] = []
        self.steps: list[int] = []


def parse_fragment(
    moof: bytes,
    moof_offset: int,
    init: InitSection,
    *,
    start: int | None = None,
    end: int | None = None,
    prft_wall_us: int | None = None,
    expected_decode_ticks: int | None = None,
) -> Fragment:
    """The fragment whose whole `moof` box is given.

    `moof_offset` is its place in the file; `start` the fragment's (that of its `prft`), `end` its mdat's end; both
    default to the moof's own. `expected_decode_ticks`, the end of the fragment before, stands in where the moof gives
    no video decode time; without it the audio's is converted. Raises MediaError.
    """
    video, audio = _runs(moof, moof_offset, init)
    decode_ticks = video.decode_ticks
    if decode_ticks is None:
        decode_ticks = _stand_in(expected_decode_ticks, audio, init)
    offset = moof_offset if start is None else start
    moof_end = moof_offset + len(moof)
    total_bytes = sum(video.sizes)
    if end is not None and total_bytes > end - moof_end:
        raise MediaError(
            f"its video samples take {total_bytes} bytes, more than its mdat has", box_type="moof", offset=moof_offset
        )
    if decode_ticks > _LATEST_TICKS or video.duration_ticks > _LONGEST_TICKS:
        raise MediaError("its decode time or duration is beyond reason", box_type="moof", offset=moof_offset)
    sync_bytes = sum(size for size, flags in zip(video.sizes, video.flags, strict=True) if not flags & _NON_SYNC)
    earliest, latest = _presentation(video, decode_ticks)
    return Fragment(
        offset,
        (moof_end if end is None else end) - offset,
        decode_ticks,
        video.duration_ticks,
        bool(video.flags) and not video.flags[0] & _NON_SYNC,
        len(video.sizes),
        sync_bytes,
        total_bytes - sync_bytes,
        tuple(video.sizes),
        earliest,
        latest,
        prft_wall_us,
        audio.decode_ticks,
        audio.duration_ticks,
        audio.last_ticks,
    )


class Sample(NamedTuple):
    """A video sample: when it is shown, how much later that is than it is decoded, and whether it decodes alone."""

    shown_ticks: int
    offset_ticks: int
    is_sync: bool


def parse_samples(moof: bytes, moof_offset: int, init: InitSection) -> list[Sample]:
    """The video samples of a fragment whose whole `moof` box is given, in decode order. Raises MediaError."""
    video, _ = _runs(moof, moof_offset, init)
    decoded = accumulate(video.steps, initial=video.decode_ticks or 0)
    return [
        Sample(ticks + offset, offset, not flags & _NON_SYNC)
        for ticks, offset, flags in zip(decoded, video.offsets, video.flags, strict=False)
    ]


def parse_prft(prft: bytes, offset: int) -> int:
    """UTC in microseconds since 1970 of a whole `prft` box (ISO/IEC 14496-12 8.16.5). Raises MediaError.

    NTP's 32-bit seconds start again in 2036; values that lie before 1970 are of that next era.
    """
    if len(prft) < 28:
        raise MediaError("the box ends inside its fields", box_type="prft", offset=offset)
    whole_s, fraction = _two_words(prft, 16)
    unix_s = whole_s - _UNIX_FROM_NTP_S
    if unix_s < 0:
        unix_s += _NTP_ERA_S
    return int(unix_s * 1_000_000 + (fraction * 1_000_000 >> 32))


def _runs(moof: bytes, moof_offset: int, init: InitSection) -> tuple[_Run, _Run]:
    """What a whole `moof` says of the video and of the audio track."""
    video, audio = _Run(), _Run()
    body = 16 if moof[:4] == b"\0\0\0\1" else 8
    for kind, at, stop in _children(moof, body, len(moof), moof_offset):
        if kind == b"traf":
            _track_fragment(moof, at, stop, moof_offset, init, video, audio)
    return video, audio


def _children(data: bytes, at: int, end: int, base: int) -> list[tuple[bytes, int, int]]:
    """(type, body, end) of each box in `data[at:end]`, as indices; `child_boxes` without its objects."""
    found = []
    while at < end:
        if end - at >= 8:
            size_bytes, kind = _header(data, at)
            if 8 <= size_bytes <= end - at:
                found.append((kind, at + 8, at + size_bytes))
                at += size_bytes
                continue
        header = child_header(data, at, end, base=base)
        found.append((header.type.encode("latin-1"), header.body - base, header.end - base))
        at = header.end - base
    return found


def _track_fragment(moof: bytes, at: int, stop: int, base: int, init: InitSection, video: _Run, audio: _Run) -> None:
    """Add one `traf` (ISO/IEC 14496-12 8.8.6) to the run of its track; other tracks than the two pass by."""
    run: _Run | None = None
    for kind, body_at, body_stop in _children(moof, at, stop, base):
        body = moof[body_at:body_stop]
        try:
            if kind == b"tfhd":
                run = _track_fragment_header(body, init, video, audio)
                if run is None:
                    return
            elif run is None:
                continue
            elif kind == b"tfdt" and run.decode_ticks is None:
                run.decode_ticks = _long(body, 4)[0] if body[0] == 1 else _word(body, 4)[0]
                if run is audio and run.decode_ticks >= _BEFORE_ZERO:
                    run.decode_ticks -= 2 * _BEFORE_ZERO
            elif kind == b"trun":
                _track_run(body, run, wanted=run is video)
        except (struct.error, IndexError):
            raise MediaError(
                "the box ends inside its fields", box_type=kind.decode("latin-1"), offset=base + body_at - 8
            ) from None
        except _TooManySamples as refusal:
            raise MediaError(str(refusal), box_type="trun", offset=base + body_at - 8) from None


def _track_fragment_header(body: bytes, init: InitSection, video: _Run, audio: _Run) -> _Run | None:
    """The run that a `tfhd` (8.8.7) opens, with its defaults set; None for a track that does not count."""
    flags, track_id = _two_words(body, 0)
    track: VideoTrack | AudioTrack
    if track_id == init.video.track_id:
        track, run = init.video, video
    elif init.audio is not None and track_id == init.audio.track_id:
        track, run = init.audio, audio
    else:
        return None
    layout, places = _tfhd_layout(flags & 0x3B)
    fields = (
        *layout.unpack_from(body, 8),
        track.default_duration_ticks,
        track.default_size_bytes,
        track.default_flags,
    )
    run.defaults = (fields[places[0]], fields[places[1]], fields[places[2]])
    return run


@cache
def _tfhd_layout(flags: int) -> tuple[struct.Struct, tuple[int, int, int]]:
    """How the optional fields of a `tfhd` lie, and where duration, size and flags are among them.

    The caller appends the track's own three defaults, so an absent field is found behind the ones that are there.
    """
    present = [bit for bit in (0x01, 0x02, 0x08, 0x10, 0x20) if flags & bit]
    places = [present.index(bit) if bit in present else len(present) + n for n, bit in enumerate((0x08, 0x10, 0x20))]
    layout = ">" + "".join("Q" if bit == 0x01 else "I" for bit in present)
    return struct.Struct(layout), (places[0], places[1], places[2])


class _TooManySamples(Exception):
    """A count of samples that no fragment has."""


def _track_run(body: bytes, run: _Run, *, wanted: bool) -> None:
    """Add one `trun` (8.8.8) to a run: durations always, single samples only of the `wanted` track."""
    flags, count = _two_words(body, 0)
    if count + len(run.sizes) > _MOST_SAMPLES:
        raise _TooManySamples(f"{count} samples are more than a fragment can have")
    default_duration, default_size, default_flags = run.defaults
    rows_at = 8 + (4 if flags & 0x01 else 0)
    first_flags: int | None = None
    if flags & 0x04:
        first_flags = _word(body, rows_at)[0]
        rows_at += 4
    width = (flags >> 8 & 0xF).bit_count()
    rows = _rows(body[rows_at : rows_at + 4 * width * count], width * count)
    column = 0
    durations: Iterable[int] = repeat(default_duration, count)
    total_ticks, last_ticks = default_duration * count, default_duration
    if flags & 0x100 and count:
        durations = rows[0::width]
        total_ticks, last_ticks = sum(durations), durations[-1]
        column = 1
    if not count:
        return
    run.duration_ticks += total_ticks
    run.last_ticks = last_ticks
    if not wanted:
        return
    run.steps.extend(durations)
    if flags & 0x200:
        run.sizes.extend(rows[column::width])
        column += 1
    else:
        run.sizes.extend(repeat(default_size, count))
    first = len(run.flags)
    if flags & 0x400:
        run.flags.extend(rows[column::width])
        column += 1
    else:
        run.flags.extend(repeat(default_flags, count))
    if first_flags is not None:
        run.flags[first] = first_flags
    if flags & 0x800:
        # Signed in version 1. Version 0 is unsigned, but no offset needs its top bit, and some writers mean a sign.
        run.offsets.extend(array("i", rows[column::width].tobytes()))
    else:
        run.offsets.extend(repeat(0, count))


def _rows(raw: bytes, fields: int) -> array[int]:
    if len(raw) < 4 * fields:
        raise IndexError
    rows = array("I", raw)
    if sys.byteorder == "little":
        rows.byteswap()
    return rows


def _presentation(run: _Run, decode_ticks: int) -> tuple[int, int]:
    """Earliest presentation time and the end of the latest."""
    if not any(run.offsets):
        return decode_ticks, decode_ticks + run.duration_ticks
    earliest = latest = decode_ticks + run.offsets[0]
    for step_ticks, offset_ticks in zip(run.steps, run.offsets, strict=True):
        shown_ticks = decode_ticks + offset_ticks
        decode_ticks += step_ticks
        if shown_ticks < earliest:
            earliest = shown_ticks
        if shown_ticks + step_ticks > latest:
            latest = shown_ticks + step_ticks
    return earliest, latest


def _stand_in(expected_decode_ticks: int | None, audio: _Run, init: InitSection) -> int:
    if expected_decode_ticks is not None:
        return expected_decode_ticks
    if audio.decode_ticks is None or init.audio is None:
        return 0
    return max(0, audio.decode_ticks) * init.video.timescale // init.audio.timescale
