"""The clock band: what is painted is read, and what is not a whole band is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rig.clockface import CELLS, Picture, cell_px_of, glyphs_of, read_clock

NOW_MS = 1_795_385_400_123


def paint(glyphs: list[int], width: int, height: int, *, black: int = 16, white: int = 235) -> bytearray:
    """A mid-grey picture with the band of these glyphs."""
    cell_px = cell_px_of(height)
    bits = [glyph >> shift & 1 for glyph in glyphs for shift in (3, 2, 1, 0)]
    row = b"".join(bytes([white if bit else black]) * cell_px for bit in bits) + bytes([99]) * width
    return bytearray(row[:width] * cell_px + bytes([99]) * width * (height - cell_px))


@pytest.mark.parametrize(("height", "cell_px"), [(720, 16), (1080, 24), (480, 10), (360, 8), (180, 4), (90, 4)])
def test_cell_grows_with_the_picture(height: int, cell_px: int) -> None:
    assert cell_px_of(height) == cell_px


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (640, 360), (320, 180), (240, 180)])
def test_reads_what_was_painted(width: int, height: int) -> None:
    gray = bytes(paint(glyphs_of(NOW_MS), width, height))
    assert Picture(width, height, gray).clock_ms() == NOW_MS


@given(time_ms=st.integers(0, 10**13 - 1), noise=st.lists(st.integers(-90, 90), min_size=64, max_size=64))
def test_reads_through_noise_and_faded_levels(time_ms: int, noise: list[int]) -> None:
    gray = paint(glyphs_of(time_ms), 320, 180, black=40, white=216)
    for at in range(320 * 4):
        gray[at] = min(255, max(0, gray[at] + noise[at * 7 % 64] // 2))
    assert read_clock(bytes(gray), 320, 180, 4) == time_ms


@given(time_ms=st.integers(0, 10**13 - 1), cell=st.integers(0, CELLS - 1))
def test_refuses_any_one_flipped_cell(time_ms: int, cell: int) -> None:
    glyphs = glyphs_of(time_ms)
    glyphs[cell // 4] ^= 1 << cell % 4
    assert read_clock(bytes(paint(glyphs, 320, 180)), 320, 180, 4) is None


def test_refuses_pictures_without_a_whole_band() -> None:
    band = bytes(paint(glyphs_of(NOW_MS), 320, 180))
    assert read_clock(bytes(320 * 180), 320, 180, 4) is None
    assert read_clock(b"\xff" * 320 * 180, 320, 180, 4) is None
    assert read_clock(band, 239, 180, 4) is None
    assert read_clock(band[: 320 * 3], 320, 3, 4) is None
    assert read_clock(band[:100], 320, 180, 4) is None


def test_reads_the_top_rows_alone() -> None:
    band = bytes(paint(glyphs_of(NOW_MS), 1280, 720))[: 1280 * 16]
    assert Picture(1280, 16, band).clock_ms(full_height=720) == NOW_MS


def test_refuses_a_time_of_too_many_digits() -> None:
    with pytest.raises(ValueError, match="13 digits"):
        glyphs_of(10**13)
