"""Reads machine-readable time out of a picture, so that one can say how old a shown picture is.

The test pattern carries a band of black and white square cells from its top-left corner on
(`hlscam/adapters/ffmpeg/pattern_font.py` draws it). A glyph is 4 cells wide: the bits of a digit, most significant
left, white for 1; and two cells high: below each cell stands its opposite, so that every digit proves itself:

    mark 1010 | 13 decimal digits: UTC Unix milliseconds

Cells are large and only their middle is read, so what compression does to edges, chroma and shades does not matter; a
picture that mixes two times, or shows something else, fails on a cell that equals the one below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from hlscam.adapters.ffmpeg.pattern_font import CODE_GLYPHS, MARK_BITS, code_cell_px

CELLS = 4 * CODE_GLYPHS
ROWS = 2
_THRESHOLD = 128


@dataclass(frozen=True, slots=True)
class Picture:
    """A grey picture: `gray` has `width * height` bytes, row by row from the top, 0 is black."""

    width: int
    height: int
    gray: bytes

    def clock_ms(self, full_height: int | None = None) -> int | None:
        """The clock in this picture, or None. `full_height` when only its top rows are here."""
        cell_px = code_cell_px(self.width, full_height or self.height)
        return read_clock(self.gray, self.width, self.height, cell_px)


def read_clock(gray: bytes, width: int, height: int, cell_px: int) -> int | None:
    """UTC Unix milliseconds that the band in the top-left corner says, or None when there is no whole band."""
    if width < CELLS * cell_px or height < ROWS * cell_px or len(gray) < width * ROWS * cell_px:
        return None
    bits, opposites = (
        [_cell_is_white(gray, width, cell_px, cell, row) for cell in range(CELLS)] for row in range(ROWS)
    )
    if any(bit is opposite for bit, opposite in zip(bits, opposites, strict=True)):
        return None
    mark, *digits = [_number(bits[at : at + 4]) for at in range(0, CELLS, 4)]
    if mark != MARK_BITS or max(digits) > 9:
        return None
    return int("".join(map(str, digits)))


def _cell_is_white(gray: bytes, width: int, cell_px: int, cell: int, row: int) -> bool:
    """Whether the mean of the middle half of a cell is above the threshold."""
    margin, side = cell_px // 4, cell_px - 2 * (cell_px // 4)
    left, top = cell * cell_px + margin, row * cell_px + margin
    total = sum(sum(gray[y * width + left : y * width + left + side]) for y in range(top, top + side))
    return total >= _THRESHOLD * side * side


def _number(bits: list[bool]) -> int:
    return reduce(lambda number, bit: number * 2 + bit, bits, 0)
