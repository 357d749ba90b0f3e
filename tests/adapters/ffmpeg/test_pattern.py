"""The test pattern: a picture that says when it was made, in every size, codec and place."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from hlscam.adapters.ffmpeg.command import InputOptions, RecordingOptions, StreamPlan, record_command
from hlscam.adapters.ffmpeg.pattern import write_fonts
from hlscam.adapters.ffmpeg.pattern_font import code_cell_px
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from hlscam.domain.source import TestSource
from tests.rig.ffmpeg_tools import ffmpeg_path, gray_picture, packets, probe


async def draw(folder: Path, source: TestSource) -> Path:
    """Record one second of the pattern and let ffmpeg end by itself."""
    fonts = folder / "fonts, it's: [50%]"
    fonts.mkdir(parents=True)
    write_fonts(fonts, source)
    writing = RecordingOptions(
        folder=folder,
        name_pattern="drawn.mp4",
        recording_s=600,
        fragment_us=490_000,
        hybrid=True,
        title="Pattern",
        comment="",
    )
    plan = StreamPlan(video_codec=source.codec, audio=None)
    argv = record_command(ffmpeg_path(), source, InputOptions(), plan, writing, fonts)
    lines: list[str] = []
    process = await FfmpegProcess.start([*argv[:-1], "-t", "1", argv[-1]], on_line=lines.append)
    assert await process.wait() == 0, lines
    return folder / "drawn.mp4"


PATTERNS = [
    TestSource(size=(320, 180), rate=15, gop_s=0.4, audio=True),
    TestSource(size=(128, 96), rate=10, gop_s=1, audio=False, bframes=2),
    TestSource(size=(320, 180), rate=10, gop_s=0.5, audio=False, codec="hevc"),
]


async def test_pictures_say_when_they_were_made(tmp_path: Path) -> None:
    before_ms = time.time_ns() // 1_000_000
    drawn = await asyncio.gather(*(draw(tmp_path / str(index), each) for index, each in enumerate(PATTERNS)))
    after_ms = time.time_ns() // 1_000_000
    for path, source in zip(drawn, PATTERNS, strict=True):
        picture = await gray_picture(path)
        assert (picture.width, picture.height) == source.size
        made_ms = picture.clock_ms()
        assert made_ms is not None
        assert before_ms <= made_ms <= after_ms
        described = await probe(path)
        video = described.of("Video")[0]
        assert (video.codec, video.tag) == (source.codec, "hvc1" if source.codec == "hevc" else "avc1")
        assert len(described.of("Audio")) == source.audio
        frames = await packets(path)
        assert len(frames) == source.rate


@pytest.mark.parametrize("size", [(64, 64), (128, 96), (320, 180), (640, 360), (1280, 720), (1920, 1080), (3840, 2160)])
def test_the_code_fits_into_the_picture(size: tuple[int, int]) -> None:
    cell_px = code_cell_px(*size)
    assert cell_px >= 2
    assert cell_px % 2 == 0
    assert cell_px * 4 * 14 <= max(size[0], 2 * 4 * 14)
