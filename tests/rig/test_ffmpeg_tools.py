"""The clip maker makes what was asked for, and the readers see it, errors too."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal

import pytest

from tests.rig.ffmpeg_tools import decode, first_pts, gray_picture, make_clip, packets, pictures, probe


@pytest.mark.parametrize(
    ("codec", "audio", "tags"),
    [("h264", "aac", ["avc1", "mp4a"]), ("hevc", "none", ["hvc1"]), ("h264", "opus", ["avc1", "Opus"])],
)
async def test_a_clip_is_what_was_asked_for(
    tmp_path: Path, codec: Literal["h264", "hevc"], audio: Literal["none", "aac", "opus"], tags: list[str]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=2, codec=codec, audio=audio)
    seen = await probe(clip)
    assert [stream.tag for stream in seen.streams] == tags
    video = seen.of("Video")[0]
    assert (video.codec, video.width, video.height, video.rate) == (codec, 320, 180, 25)
    assert seen.duration_s == pytest.approx(2, abs=0.05)
    decoded = await decode(clip)
    assert (decoded.frames, decoded.errors) == (50, [])
    assert decoded.duration_s == pytest.approx(2, abs=0.05)


async def test_sound_alone_and_pcm(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "sound.mkv", seconds=1, codec="none", audio="pcm")
    (stream,) = (await probe(clip)).streams
    assert (stream.kind, stream.codec, stream.sample_rate_hz, stream.channels) == ("Audio", "pcm_alaw", 8000, "mono")
    assert (await decode(clip)).frames == 0


async def test_packets_come_in_decode_order_and_pictures_in_presentation_order(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1, b_frames=2)
    coded, shown = await packets(clip), await pictures(clip)
    assert len(coded) == len(shown) == 25
    assert [packet.dts_s for packet in coded] == sorted(packet.dts_s for packet in coded)
    assert [packet.pts_s for packet in coded] != sorted(packet.pts_s or 0 for packet in coded)
    assert [picture.pts_s for picture in shown] == [Fraction(at, 25) for at in range(25)]
    assert len({picture.md5 for picture in shown}) == 25


async def test_times_are_the_source_s_own(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "late.ts", seconds=1, options=["-output_ts_offset", "100", "-muxdelay", "0"])
    assert await first_pts(clip) == pytest.approx(100, abs=0.05)


async def test_decode_stops_where_it_is_told_to(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=2)
    decoded = await decode(clip, duration_s=1)
    assert (decoded.frames, decoded.duration_s) == (25, 1.0)


async def test_damage_is_seen(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=2)
    spoilt = bytearray(clip.read_bytes())
    spoilt[len(spoilt) // 2 : len(spoilt) // 2 + 20_000] = b"\x55" * 20_000
    clip.write_bytes(spoilt)
    assert (await decode(clip)).errors


async def test_what_is_not_media_is_refused_in_ffmpeg_s_words(tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_text("these are words")
    assert "Invalid data" in " ".join((await decode(tmp_path / "words.mp4")).errors)
    with pytest.raises(AssertionError, match="Invalid data"):
        await probe(tmp_path / "words.mp4")


async def test_a_picture_in_grey(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=2)
    first, later = await gray_picture(clip), await gray_picture(clip, at_s=1)
    assert (first.width, first.height, len(first.gray)) == (320, 180, 320 * 180)
    assert first != later
