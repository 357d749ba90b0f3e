"""Init sections: the tracks of real files, and bytes that name the media and nothing else."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from hlscam.errors import MediaError
from hlscam.isobmff.boxes import child_boxes, find_box
from hlscam.isobmff.init_section import AudioTrack, InitSection, VideoTrack, parse_init_section
from hlscam.isobmff.reader import read_events


def init_of(data: bytes) -> InitSection:
    first = next(read_events(data))
    assert isinstance(first, InitSection)
    return first


def first_moov(data: bytes) -> tuple[bytes, int]:
    """The old moov of a recording, growing or closed, and its offset."""
    size_bytes = int.from_bytes(data[64:68], "big")
    assert data[68:72] == b"moov"
    return data[64 : 64 + size_bytes], 64


def test_tracks_and_labels(clip: Callable[[str], bytes]) -> None:
    init = init_of(clip("h264_b_aac"))
    assert init.video == VideoTrack(track_id=1, timescale=15360, codec="avc1.4d400d", width=320, height=180)
    assert init.audio == AudioTrack(track_id=2, timescale=48000, codec="mp4a.40.2", sample_rate_hz=48000, channels=1)
    assert init.comment == '{"hlscam":1,"run":"é1"}'
    assert init.title == "Front porch"


def test_no_sound(clip: Callable[[str], bytes]) -> None:
    assert init_of(clip("h264_silent")).audio is None


def test_no_video_is_refused(clip: Callable[[str], bytes]) -> None:
    with pytest.raises(MediaError, match="no video track") as refused:
        init_of(clip("sound_only"))
    assert refused.value.box_type == "moov"


@pytest.mark.parametrize("name", ["ordinary", "faststart", "old_fragments", "cmaf"])
def test_files_that_are_not_recordings(clip: Callable[[str], bytes], name: str) -> None:
    init = init_of(clip(name))
    assert (init.video.width, init.video.height) == (320, 180)
    assert init.title == "Front porch"


def test_the_hash_is_that_of_the_data(clip: Callable[[str], bytes]) -> None:
    init = init_of(clip("h264_b_aac"))
    assert init.hash == hashlib.sha256(init.data).hexdigest()[:16]
    boxes = list(child_boxes(init.data, 0, len(init.data)))
    assert [box.type for box in boxes] == ["ftyp", "moov"]
    assert find_box(init.data, "moov/udta", 0, len(init.data)) is None
    assert find_box(init.data, "moov/mvex/trex", 0, len(init.data)) is not None


def test_normalising_is_idempotent(clip: Callable[[str], bytes]) -> None:
    init = init_of(clip("hevc_opus"))
    ftyp, moov = child_boxes(init.data, 0, len(init.data))
    again = parse_init_section(init.data[: ftyp.end], init.data[moov.offset :], moov.offset)
    assert (again.data, again.video, again.audio, again.comment) == (init.data, init.video, init.audio, "")


def test_other_labels_give_the_same_bytes(
    clip_path: Callable[[str], Path], ffmpeg: Callable[..., bytes], clip: Callable[[str], bytes], tmp_path: Path
) -> None:
    init = init_of(clip("h264_b_aac"))
    flags = "movflags=+frag_keyframe+empty_moov+default_base_moof"
    again = {}
    for comment in ("one", "another, and longer"):
        output = [*f"-c copy -map_metadata -1 -f mp4 -{flags.replace('=', ' ')}".split(), "-use_editlist", "0"]
        ffmpeg("-i", clip_path("h264_b_aac"), "-metadata", f"comment={comment}", *output, tmp_path / "x.mp4", "-y")
        again[comment] = init_of((tmp_path / "x.mp4").read_bytes())
    one, another = again.values()
    assert (one.comment, another.comment) == tuple(again)
    assert (one.data, one.hash) == (another.data, another.hash)
    assert one.video == init.video


def test_all_recordings_of_a_run_share_their_init_section(ffmpeg: Callable[..., bytes], tmp_path: Path) -> None:
    movflags = "+hybrid_fragmented+frag_keyframe+empty_moov+default_base_moof+frag_discont+negative_cts_offsets"
    source = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
    output = ["-t", "3", "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-c:a", "aac", "-f", "segment"]
    output += ["-segment_time", "1", "-reset_timestamps", "0"]
    output += ["-segment_format_options", f"movflags={movflags}:use_editlist=0"]
    ffmpeg(*source, *output, tmp_path / "%d.mp4")
    inits = [init_of(path.read_bytes()) for path in sorted(tmp_path.glob("*.mp4"))]
    assert len(inits) == 3
    for before, after in pairwise(inits):
        assert (before.data, before.hash) == (after.data, after.hash)


def test_the_movie_timescale_does_not_count(clip: Callable[[str], bytes]) -> None:
    """ffmpeg derives it anew for each file of a run, and not always alike."""
    moov, offset = first_moov(clip("h264_b_aac"))
    hashes = {
        parse_init_section(b"", replaced(moov, "mvhd", 12, rate.to_bytes(4, "big")), offset).hash
        for rate in (1000, 48000, 384000)
    }
    assert len(hashes) == 1


def test_a_counted_duration_keeps_its_timescale(clip: Callable[[str], bytes]) -> None:
    data = clip("faststart")
    box = find_box(data, "moov", 0, len(data))
    assert box is not None
    mvhd = find_box(data, "moov/mvhd", 0, len(data))
    assert mvhd is not None
    assert data[mvhd.offset : mvhd.end] in init_of(data).data


def test_times_in_version_one(clip: Callable[[str], bytes]) -> None:
    """64-bit times move the fields behind them (mvhd, tkhd, mdhd)."""
    moov, offset = first_moov(clip("h264_silent"))
    plain = parse_init_section(b"", moov, offset)
    wide = _rebuild(moov, 0, len(moov))
    assert wide != moov
    assert parse_init_section(b"", wide, offset).video == plain.video


def _rebuild(data: bytes, start: int, end: int) -> bytes:
    out = b""
    for box in child_boxes(data, start, end):
        raw = data[box.body : box.end]
        if box.type in ("moov", "trak", "mdia"):
            raw = _rebuild(data, box.body, box.end)
        elif box.type in ("mvhd", "mdhd"):
            raw = b"\1" + raw[1:4] + bytes(16) + raw[12:16] + bytes(4) + raw[16:]
        elif box.type == "tkhd":
            raw = b"\1" + raw[1:4] + bytes(16) + raw[12:20] + bytes(4) + raw[20:]
        out += struct.pack(">I4s", 8 + len(raw), box.type.encode()) + raw
    return out


def replaced(moov: bytes, path: str, at: int, new: bytes) -> bytes:
    box = find_box(moov, path, 8, len(moov))
    assert box is not None
    return moov[: box.body + at] + new + moov[box.body + at + len(new) :]


def test_size_falls_back_on_the_track_header(clip: Callable[[str], bytes]) -> None:
    moov, offset = first_moov(clip("h264_silent"))
    unsized = replaced(moov, "trak/mdia/minf/stbl/stsd", 8 + 8 + 24, bytes(4))
    video = parse_init_section(b"", unsized, offset).video
    assert (video.width, video.height) == (320, 180)


def test_trex_defaults(clip: Callable[[str], bytes]) -> None:
    moov, offset = first_moov(clip("h264_silent"))
    video = parse_init_section(b"", replaced(moov, "mvex/trex", 12, struct.pack(">3I", 512, 77, 0x10000)), offset).video
    assert (video.default_duration_ticks, video.default_size_bytes, video.default_flags) == (512, 77, 0x10000)


@pytest.mark.parametrize(
    ("path", "at", "new", "box_type", "said"),
    [
        ("trak/mdia/mdhd", 12, bytes(4), "mdhd", "timescale of 0"),
        ("trak/mdia/hdlr", -4, b"HDLR", "mdia", "no hdlr in it"),
        ("trak/mdia/minf/stbl/stsd", 8, b"\0\0\0\x07", "avc1", "less than the box's header"),
        ("trak/mdia/minf/stbl/stsd", 8, b"\0\0\xff\xff", "avc1", "past its parent"),
        ("trak/mdia", -8, b"\0\0\0\0", "mdia", "size 0"),
        ("mvex/trex", -8, b"\0\0\0\x09", "trex", "ends inside its fields"),
    ],
)
def test_damage_is_named(
    clip: Callable[[str], bytes], path: str, at: int, new: bytes, box_type: str, said: str
) -> None:
    moov, offset = first_moov(clip("h264_silent"))
    with pytest.raises(MediaError, match=said) as refused:
        parse_init_section(b"", replaced(moov, path, at, new), offset)
    assert refused.value.box_type == box_type
    named = refused.value.offset - offset
    assert moov[named + 4 : named + 8].decode() == box_type


def test_damaged_labels_are_no_labels(clip: Callable[[str], bytes]) -> None:
    moov, offset = first_moov(clip("h264_silent"))
    init = parse_init_section(b"", replaced(moov, "udta/meta", 4, b"\0\0\0\1"), offset)
    assert (init.comment, init.title) == ("", "")
    assert init.video.codec == parse_init_section(b"", moov, offset).video.codec


def test_only_a_moov_will_do() -> None:
    for not_one in (b"", b"\0\0\0\x08free"):
        with pytest.raises(MediaError, match="not a moov"):
            parse_init_section(b"", not_one, 64)
