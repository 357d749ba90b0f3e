"""The clock band: what is painted is read, and what is not a whole band is refused."""

from __future__ import annotations

import time
from pathlib import Path

import ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlscam.adapters.ffmpeg.pattern import pattern_streams, write_fonts
from hlscam.adapters.ffmpeg.pattern_font import code_cell_px
from hlscam.bench.clockface import CELLS, Picture, read_clock
from hlscam.domain.source import TestSource
from tests.rig.clockface import band_rows
from tests.rig.ffmpeg_tools import ffmpeg_path, gray_picture, run_ffmpeg

NOW_MS = 1_795_385_400_123


def paint(time_ms: int, width: int, height: int, *, black: int = 16, white: int = 235) -> bytearray:
    """A mid-grey picture with the band of this time."""
    rows = band_rows(time_ms, code_cell_px(width, height), black=black, white=white)
    shades = bytes([99]) * width
    picture = bytearray(b"".join((row + shades)[:width] for row in rows))
    return picture + shades * (height - len(rows))


@pytest.mark.parametrize(
    ("width", "height", "cell_px"),
    [(1280, 720, 16), (1920, 1080, 24), (640, 480, 10), (640, 360, 8), (320, 180, 4), (160, 90, 2), (192, 108, 2)],
)
def test_cell_grows_with_the_picture(width: int, height: int, cell_px: int) -> None:
    assert code_cell_px(width, height) == cell_px


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (640, 360), (320, 180), (240, 180)])
def test_reads_what_was_painted(width: int, height: int) -> None:
    gray = bytes(paint(NOW_MS, width, height))
    assert Picture(width, height, gray).clock_ms() == NOW_MS


@given(time_ms=st.integers(0, 10**13 - 1), noise=st.lists(st.integers(-90, 90), min_size=64, max_size=64))
def test_reads_through_noise_and_faded_levels(time_ms: int, noise: list[int]) -> None:
    gray = paint(time_ms, 320, 180, black=40, white=216)
    for at in range(320 * 8):
        gray[at] = min(255, max(0, gray[at] + noise[at * 7 % 64] // 2))
    assert read_clock(bytes(gray), 320, 180, 4) == time_ms


@given(time_ms=st.integers(0, 10**13 - 1), cell=st.integers(0, CELLS - 1), row=st.integers(0, 1))
def test_refuses_any_one_flipped_cell(time_ms: int, cell: int, row: int) -> None:
    gray = paint(time_ms, 320, 180)
    for y in range(row * 4, row * 4 + 4):
        for x in range(cell * 4, cell * 4 + 4):
            gray[y * 320 + x] = 251 - gray[y * 320 + x]
    assert read_clock(bytes(gray), 320, 180, 4) is None


def test_refuses_pictures_without_a_whole_band() -> None:
    band = bytes(paint(NOW_MS, 320, 180))
    assert read_clock(bytes(320 * 180), 320, 180, 4) is None
    assert read_clock(b"\xff" * 320 * 180, 320, 180, 4) is None
    assert read_clock(band, 223, 180, 4) is None
    assert read_clock(band[: 320 * 7], 320, 7, 4) is None
    assert read_clock(band[:100], 320, 180, 4) is None


def test_reads_the_top_rows_alone() -> None:
    band = bytes(paint(NOW_MS, 1280, 720))[: 1280 * 32]
    assert Picture(1280, 32, band).clock_ms(full_height=720) == NOW_MS


async def test_reads_the_pattern_as_ffmpeg_draws_and_encodes_it(tmp_path: Path) -> None:
    """The font, the filter graph and the encoder together: a real frame of the test pattern."""
    source = TestSource(size=(640, 360), rate=10, audio=False)
    write_fonts(tmp_path, source)
    (stream,), encoding = pattern_streams(source, tmp_path)
    clip = tmp_path / "clip.mp4"
    argv = ffmpeg.compile(ffmpeg.output(stream, str(clip), t=1, **encoding), cmd=[ffmpeg_path()])
    before_ms = time.time_ns() // 1_000_000
    await run_ffmpeg(argv[1:])
    shown_ms = (await gray_picture(clip)).clock_ms()
    assert shown_ms is not None
    assert before_ms <= shown_ms <= time.time_ns() // 1_000_000
