"""Fragments: real ones against ffmpeg's demuxer, and built ones for what ffmpeg does not write."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path

import pytest

from hlscam.errors import MediaError
from hlscam.isobmff.fragment import Fragment, parse_fragment, parse_prft
from hlscam.isobmff.init_section import AudioTrack, InitSection, VideoTrack
from hlscam.isobmff.reader import read_events

PACKET = re.compile(rb"^0, +(-?\d+), +(-?\d+), +(\d+), +(\d+), 0x\w+(?:, F=0x(\w+))?", re.MULTILINE)


def fragments_of(data: bytes) -> list[Fragment]:
    return [event for event in read_events(data) if isinstance(event, Fragment)]


def packets(ffmpeg: Callable[..., bytes], *source: str | Path, stdin: bytes | None = None) -> list[tuple[int, ...]]:
    """(dts, pts, duration, size, key) of each video packet as ffmpeg reads it, in ticks of the track."""
    text = ffmpeg("-copyts", *source, "-map", "0:v", "-c", "copy", "-f", "framecrc", "-", stdin=stdin)
    return [(*map(int, hit.groups()[:4]), int(hit[5] is None)) for hit in PACKET.finditer(text)]


@pytest.mark.parametrize("name", ["h264_b_aac", "h264_silent", "hevc_opus", "av1_aac", "old_fragments", "cmaf"])
def test_ffmpeg_counts_the_same(
    clip: Callable[[str], bytes], clip_path: Callable[[str], Path], ffmpeg: Callable[..., bytes], name: str
) -> None:
    fragments = fragments_of(clip(name))
    theirs = packets(ffmpeg, "-i", clip_path(name))
    assert sum(fragment.sample_count for fragment in fragments) == len(theirs) > 15
    assert [size for fragment in fragments for size in fragment.sample_sizes] == [packet[3] for packet in theirs]
    assert sum(f.sync_bytes for f in fragments) == sum(size for *_, size, key in theirs if key)
    assert sum(f.non_sync_bytes for f in fragments) == sum(size for *_, size, key in theirs if not key)
    assert sum(f.duration_ticks for f in fragments) == sum(packet[2] for packet in theirs)
    # A closed file starts at 0 wherever its run stands, and with B-frames its decode times then start below.
    decode_shift = theirs[0][0] - fragments[0].decode_ticks
    shown_shift = min(packet[1] for packet in theirs) - min(f.min_presentation_ticks for f in fragments)
    first = 0
    for fragment in fragments:
        mine = theirs[first : first + fragment.sample_count]
        first += fragment.sample_count
        if not mine:  # the rest of the sound, at the very end
            continue
        assert fragment.decode_ticks + decode_shift == mine[0][0]
        assert fragment.starts_with_sync == bool(mine[0][4])
        assert fragment.min_presentation_ticks + shown_shift == min(pts for _, pts, *_ in mine)
        assert fragment.max_presentation_ticks + shown_shift == max(pts + length for _, pts, length, *_ in mine)


@pytest.mark.parametrize("name", ["h264_b_aac", "h264_silent", "hevc_opus", "av1_aac"])
def test_fragments_follow_each_other(clip: Callable[[str], bytes], name: str) -> None:
    data = clip(name)
    fragments = fragments_of(data)
    assert len(fragments) >= 3
    for before, after in pairwise(fragments):
        assert after.offset == before.end
        assert after.decode_ticks == before.end_decode_ticks
        if before.audio_decode_ticks is not None:
            assert after.audio_decode_ticks == before.audio_decode_ticks + before.audio_duration_ticks
    produced = [fragment.prft_wall_us for fragment in fragments if fragment.sample_count]
    assert all(wall_us is not None and wall_us > 1_500_000_000_000_000 for wall_us in produced)
    assert produced == sorted(produced, key=lambda wall_us: wall_us or 0)
    starts = [data[fragment.offset + 4 : fragment.offset + 8] for fragment in fragments]
    assert starts == [b"moof" if fragment.prft_wall_us is None else b"prft" for fragment in fragments]
    assert fragments[0].starts_with_sync


@pytest.mark.parametrize("name", ["h264_b_aac", "h264_silent", "hevc_opus", "hevc10_silent", "av1_aac", "small"])
def test_init_section_and_fragments_decode(
    clip: Callable[[str], bytes], ffmpeg: Callable[..., bytes], name: str
) -> None:
    """Any range from a sync fragment on, behind the init section, is a whole film."""
    data = clip(name)
    init, *rest = read_events(data)
    assert isinstance(init, InitSection)
    fragments = [event for event in rest if isinstance(event, Fragment)]
    for start in [index for index, fragment in enumerate(fragments) if fragment.starts_with_sync]:
        film = init.data + data[fragments[start].offset : fragments[-1].end]
        decode = ["-xerror", "-i", "pipe:0", "-fps_mode", "passthrough", "-f", "framecrc", "-"]
        decoded = ffmpeg(*decode, stdin=film)
        shown = re.findall(rb"^0, ", decoded, re.MULTILINE)
        assert len(shown) == sum(fragment.sample_count for fragment in fragments[start:])
        theirs = packets(ffmpeg, "-i", "pipe:0", stdin=film)
        assert theirs[0][0] == fragments[start].decode_ticks
        assert theirs[-1][0] + theirs[-1][2] == fragments[-1].end_decode_ticks


def init(*, audio: bool = True, duration: int = 0, size: int = 0, flags: int = 0) -> InitSection:
    video = VideoTrack(
        track_id=7,
        timescale=90000,
        codec="avc1",
        width=2,
        height=2,
        default_duration_ticks=duration,
        default_size_bytes=size,
        default_flags=flags,
    )
    sound = AudioTrack(track_id=9, timescale=48000, codec="Opus", sample_rate_hz=48000, channels=2)
    return InitSection(b"", "", video, sound if audio else None, "", "")


def box(kind: str, body: bytes, *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind.encode(), 16 + len(body)) + body
    return struct.pack(">I4s", 8 + len(body), kind.encode()) + body


def tfhd(track: int, fields: dict[int, int] | None = None) -> bytes:
    fields = fields or {}
    body = struct.pack(">II", sum(fields), track)
    return box("tfhd", body + b"".join(struct.pack(">Q" if bit == 1 else ">I", fields[bit]) for bit in sorted(fields)))


def tfdt(ticks: int, version: int = 1) -> bytes:
    return box("tfdt", struct.pack(">IQ" if version else ">II", version << 24, ticks))


def trun(rows: list[dict[int, int]], first_flags: int | None = None, *, version: int = 1, data_at: int = 0) -> bytes:
    """`rows` map the flag bit of a field to its value; composition offsets may be negative."""
    flags = sum(rows[0]) if rows else 0
    head = b""
    if data_at:
        flags |= 0x01
        head += struct.pack(">i", data_at)
    if first_flags is not None:
        flags |= 0x04
        head += struct.pack(">I", first_flags)
    body = struct.pack(">II", version << 24 | flags, len(rows)) + head
    return box("trun", body + b"".join(struct.pack(">I", row[bit] & 0xFFFFFFFF) for row in rows for bit in sorted(row)))


def moof(*trafs: bytes, large: bool = False) -> bytes:
    body = box("mfhd", bytes(8)) + b"".join(box("traf", traf, large=large) for traf in trafs)
    return box("moof", body, large=large)


DURATION, SIZE, FLAGS, OFFSET = 0x100, 0x200, 0x400, 0x800
NON_SYNC = 0x01010000
SAMPLES = [(3000, 900, 0x02000000, 0), (3003, 50, NON_SYNC, 6006), (2997, 40, NON_SYNC, -3003), (3000, 30, NON_SYNC, 0)]


@pytest.mark.parametrize("present", list(product([False, True], repeat=4)))
@pytest.mark.parametrize("where", ["trex", "tfhd"])
@pytest.mark.parametrize("first_flags", [None, 0x02000000])
@pytest.mark.parametrize("data_at", [0, 120])
def test_every_combination_of_fields(
    present: tuple[bool, ...], where: str, first_flags: int | None, data_at: int
) -> None:
    """Each field of a sample is its own, or the fragment's default, or the track's."""
    bits = [bit for bit, there in zip((DURATION, SIZE, FLAGS, OFFSET), present, strict=True) if there]
    rows = [dict(zip((DURATION, SIZE, FLAGS, OFFSET), sample, strict=True)) for sample in SAMPLES]
    defaults = (1500, 11, NON_SYNC)
    track = init(duration=1500, size=11, flags=NON_SYNC) if where == "trex" else init(duration=1, size=1, flags=0)
    fields = dict(zip((0x08, 0x10, 0x20), defaults, strict=True)) if where == "tfhd" else {}
    head = tfhd(7, {0x01: 1 << 40, 0x02: 1, **fields})
    run = trun([{bit: row[bit] for bit in bits} for row in rows], first_flags, data_at=data_at)

    fragment = parse_fragment(moof(head + tfdt(90000) + run), 0, track)

    durations = [row[DURATION] if DURATION in bits else defaults[0] for row in rows]
    sizes = [row[SIZE] if SIZE in bits else defaults[1] for row in rows]
    flags = [row[FLAGS] if FLAGS in bits else defaults[2] for row in rows]
    if first_flags is not None:
        flags[0] = first_flags
    shown = [90000 + sum(durations[:index]) + (row[OFFSET] if OFFSET in bits else 0) for index, row in enumerate(rows)]
    assert (fragment.decode_ticks, fragment.duration_ticks, fragment.sample_count) == (90000, sum(durations), 4)
    assert fragment.sample_sizes == tuple(sizes)
    assert fragment.starts_with_sync is (flags[0] & 0x10000 == 0)
    assert fragment.sync_bytes == sum(s for s, f in zip(sizes, flags, strict=True) if not f & 0x10000)
    assert fragment.sync_bytes + fragment.non_sync_bytes == sum(sizes)
    assert fragment.min_presentation_ticks == min(shown)
    assert fragment.max_presentation_ticks == max(s + d for s, d in zip(shown, durations, strict=True))


def bare_trun(count: int) -> bytes:
    """A run whose samples have no fields of their own."""
    return box("trun", struct.pack(">II", 0, count))


def test_runs_and_track_fragments_add_up() -> None:
    rows = [{DURATION: 3000, SIZE: 10, FLAGS: 0}, {DURATION: 3000, SIZE: 5, FLAGS: NON_SYNC}]
    other = [{DURATION: 960}] * 3
    made = moof(
        tfhd(9) + tfdt(4800) + trun(other) + trun(other),
        tfhd(7) + tfdt(1 << 33) + trun(rows) + trun(rows[1:]),
        tfhd(7) + tfdt(5) + trun(rows[:1]),
        tfhd(8) + tfdt(1) + trun(rows),
    )
    fragment = parse_fragment(made, 500, init(), start=468, end=500 + len(made) + 8 + 30, prft_wall_us=42)
    assert fragment == Fragment(
        offset=468,
        size_bytes=len(made) + 32 + 38,
        decode_ticks=1 << 33,
        duration_ticks=12000,
        starts_with_sync=True,
        sample_count=4,
        sync_bytes=20,
        non_sync_bytes=10,
        sample_sizes=(10, 5, 5, 10),
        min_presentation_ticks=1 << 33,
        max_presentation_ticks=(1 << 33) + 12000,
        prft_wall_us=42,
        audio_decode_ticks=4800,
        audio_duration_ticks=5760,
        audio_sample_ticks=960,
    )


def test_large_boxes_and_old_decode_times() -> None:
    traf = tfhd(7, {0x08: 3000, 0x10: 7}) + tfdt(0xFFFFFFFF, version=0) + bare_trun(2)
    small, large = (parse_fragment(moof(traf, large=form), 0, init()) for form in (False, True))
    assert (small.decode_ticks, small.duration_ticks, small.sample_sizes) == (0xFFFFFFFF, 6000, (7, 7))
    assert (large.decode_ticks, large.duration_ticks, large.sample_sizes) == (0xFFFFFFFF, 6000, (7, 7))


def test_sound_alone_keeps_the_picture_s_time() -> None:
    made = moof(tfhd(9) + tfdt(96000) + trun([{DURATION: 960}] * 5))
    followed = parse_fragment(made, 0, init(), expected_decode_ticks=170000)
    assert (followed.decode_ticks, followed.duration_ticks, followed.sample_count) == (170000, 0, 0)
    assert (followed.starts_with_sync, followed.sample_sizes) == (False, ())
    assert (followed.audio_decode_ticks, followed.audio_duration_ticks) == (96000, 4800)
    assert parse_fragment(made, 0, init()).decode_ticks == 180000  # two seconds of 90 kHz
    assert parse_fragment(made, 0, init(audio=False)).decode_ticks == 0


@pytest.mark.parametrize(
    ("runs", "last_ticks"),
    [
        (trun([{DURATION: 1024}, {DURATION: 1024}, {DURATION: 960}]), 960),
        (trun([{DURATION: 960}]) + trun([{DURATION: 1024}]), 1024),
        (bare_trun(3), 1024),
        (trun([{DURATION: 960}]) + bare_trun(0), 960),
        (bare_trun(0), 0),
    ],
    ids=["own", "of the last run", "default", "no sample behind it", "none"],
)
def test_how_long_the_last_sample_of_sound_lasts(runs: bytes, last_ticks: int) -> None:
    fragment = parse_fragment(moof(tfhd(9, {0x08: 1024}) + tfdt(0) + runs), 0, init())
    assert fragment.audio_sample_ticks == last_ticks


def test_sound_may_begin_before_zero() -> None:
    made = moof(tfhd(9) + tfdt((1 << 64) - 1024) + trun([{DURATION: 960}] * 5))
    fragment = parse_fragment(made, 0, init())
    assert (fragment.audio_decode_ticks, fragment.decode_ticks) == (-1024, 0)


def test_a_missing_decode_time_is_the_expected_one() -> None:
    made = moof(tfhd(7, {0x08: 3000}) + bare_trun(1))
    assert parse_fragment(made, 0, init(), expected_decode_ticks=123).decode_ticks == 123


@pytest.mark.parametrize(
    ("made", "box_type", "said"),
    [
        (moof(struct.pack(">I4sQ", 64, b"tfhd", 7)), "tfhd", "past its parent"),
        (moof(tfhd(7) + b"\0\0\0\0trun"), "trun", "size 0"),
        (moof(tfhd(7) + b"\0\0\0\1trun" + bytes(8)), "trun", "less than the box's header"),
        (moof(box("tfhd", b"\0\0\0\x08\0\0\0\x07")), "tfhd", "ends inside its fields"),
        (moof(tfhd(7) + box("tfdt", b"\1\0\0\0\0\0\0\0")), "tfdt", "ends inside its fields"),
        (moof(tfhd(7) + box("tfdt", b"")), "tfdt", "ends inside its fields"),
        (moof(tfhd(7) + box("trun", struct.pack(">IIII", 0x300, 2, 1, 1))), "trun", "ends inside its fields"),
        (moof(tfhd(7) + bare_trun(0xFFFFFFFF)), "trun", "more than a fragment can have"),
        (moof(tfhd(7) + tfdt(1 << 63)), "moof", "beyond reason"),
        (moof(tfhd(7, {0x08: 0xFFFFFFFF}) + bare_trun(2)), "moof", "beyond reason"),
        (moof(tfhd(7, {0x10: 99}) + bare_trun(2)), "moof", "198 bytes, more than its mdat has"),
    ],
)
def test_damage_is_named(made: bytes, box_type: str, said: str) -> None:
    with pytest.raises(MediaError, match=said) as refused:
        parse_fragment(made, 1000, init(), end=1000 + len(made) + 108)
    assert refused.value.box_type == box_type
    at = refused.value.offset - 1000
    assert made[at + 4 : at + 8].decode() == box_type


def test_producer_time() -> None:
    def prft(seconds: int, fraction: int) -> bytes:
        return box("prft", struct.pack(">IIIIQ", 1 << 24, 1, seconds, fraction, 0))

    assert parse_prft(prft(2_208_988_800 + 1_700_000_000, 1 << 31), 0) == 1_700_000_000_500_000
    assert parse_prft(prft(1000, 0), 0) == ((1 << 32) - 2_208_988_800 + 1000) * 1_000_000  # after February 2036
    with pytest.raises(MediaError, match="prft"):
        parse_prft(prft(0, 0)[:24], 0)
