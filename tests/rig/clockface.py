"""Reads machine-readable time out of a picture, so that a test can say how old a shown picture is.

The test pattern camera carries a band of black and white square cells from its top-left corner on
(`hlscam/adapters/ffmpeg/pattern_font.py` draws it). A glyph is 4 cells wide: the bits of a digit, most significant
left, white for 1; and two cells high: below each cell stands its opposite, so that every digit proves itself:

    marker 1010 | 13 decimal digits: UTC Unix milliseconds

Cells are large and only their middle is read, so what compression does to edges, chroma and shades does not matter; a
picture that mixes two times, or shows something else, fails on a cell that equals the one below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

DIGITS = 13
MARKER = 0b1010
CELLS = 4 * (1 + DIGITS)
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
        cell_px = cell_px_of(self.width, full_height or self.height)
        return read_clock(self.gray, self.width, self.height, cell_px)


def cell_px_of(width: int, height: int) -> int:
    """The edge of a cell in a picture: a 45th of its height, even, as far as its width holds the band."""
    return max(2, min(height // 45, width // CELLS) // 2 * 2)


def glyphs_of(time_ms: int) -> list[int]:
    """The band's 14 glyphs (0 to 15 each) for UTC Unix milliseconds."""
    digits = [int(digit) for digit in f"{time_ms:0{DIGITS}d}"]
    if len(digits) != DIGITS:
        raise ValueError(f"{time_ms} ms does not fit {DIGITS} digits")
    return [MARKER, *digits]


def band_rows(time_ms: int, cell_px: int, *, black: int = 16, white: int = 235) -> list[bytes]:
    """The band's pixel rows, `2 * cell_px` of them."""
    bits = [glyph >> shift & 1 for glyph in glyphs_of(time_ms) for shift in (3, 2, 1, 0)]
    upper, lower = (b"".join(bytes([white if bit ^ row else black]) * cell_px for bit in bits) for row in range(ROWS))
    return [upper] * cell_px + [lower] * cell_px


def read_clock(gray: bytes, width: int, height: int, cell_px: int) -> int | None:
    """UTC Unix milliseconds that the band in the top-left corner says, or None when there is no whole band."""
    if width < CELLS * cell_px or height < ROWS * cell_px or len(gray) < width * ROWS * cell_px:
        return None
    bits, opposites = (
        [_cell_is_white(gray, width, cell_px, cell, row) for cell in range(CELLS)] for row in range(ROWS)
    )
    if any(bit is opposite for bit, opposite in zip(bits, opposites, strict=True)):
        return None
    marker, *digits = [_number(bits[at : at + 4]) for at in range(0, CELLS, 4)]
    if marker != MARKER or max(digits) > 9:
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
