"""Reads machine-readable time out of a picture, so that a test can say how old a shown picture is.

The test pattern camera carries a band of black and white square cells from its top-left corner on, one cell high. A
glyph is 4 cells wide: the bits of a hexadecimal digit, most significant left, white for 1. The band is 15 glyphs:

    marker 1010 | 13 decimal digits: UTC Unix milliseconds | parity: the exclusive or of the 13 digits

Cells are large and only their middle is read, so what compression does to edges, chroma and shades does not matter; a
picture that mixes two times, or shows something else, fails on the marker, on a digit above 9 or on the parity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

DIGITS = 13
MARKER = 0b1010
CELLS = 4 * (1 + DIGITS + 1)
_THRESHOLD = 128


@dataclass(frozen=True, slots=True)
class Picture:
    """A grey picture: `gray` has `width * height` bytes, row by row from the top, 0 is black."""

    width: int
    height: int
    gray: bytes

    def clock_ms(self, full_height: int | None = None) -> int | None:
        """The clock in this picture, or None. `full_height` when only its top rows are here."""
        return read_clock(self.gray, self.width, self.height, cell_px_of(full_height or self.height))


def cell_px_of(height: int) -> int:
    """The side of a cell in a picture `height` pixels high: a 45th of it, even, at least 4."""
    return max(4, height // 45 // 2 * 2)


def glyphs_of(time_ms: int) -> list[int]:
    """The band's 15 glyphs (0 to 15 each) for UTC Unix milliseconds."""
    digits = [int(digit) for digit in f"{time_ms:0{DIGITS}d}"]
    if len(digits) != DIGITS:
        raise ValueError(f"{time_ms} ms does not fit {DIGITS} digits")
    return [MARKER, *digits, reduce(xor, digits)]


def band_row(time_ms: int, cell_px: int, *, black: int = 16, white: int = 235) -> bytes:
    """One pixel row of the band; the band is this row `cell_px` times."""
    bits = (glyph >> shift & 1 for glyph in glyphs_of(time_ms) for shift in (3, 2, 1, 0))
    return b"".join(bytes([white if bit else black]) * cell_px for bit in bits)


def read_clock(gray: bytes, width: int, height: int, cell_px: int) -> int | None:
    """UTC Unix milliseconds that the band in the top-left corner says, or None when there is no whole band."""
    if width < CELLS * cell_px or height < cell_px or len(gray) < width * cell_px:
        return None
    bits = [_cell_is_white(gray, width, cell_px, cell) for cell in range(CELLS)]
    glyphs = [_number(bits[at : at + 4]) for at in range(0, CELLS, 4)]
    marker, digits, parity = glyphs[0], glyphs[1:-1], glyphs[-1]
    if marker != MARKER or max(digits) > 9 or reduce(xor, digits) != parity:
        return None
    return int("".join(map(str, digits)))


def _cell_is_white(gray: bytes, width: int, cell_px: int, cell: int) -> bool:
    """Whether the mean of the middle half of a cell is above the threshold."""
    margin, side = cell_px // 4, cell_px - 2 * (cell_px // 4)
    left = cell * cell_px + margin
    total = sum(sum(gray[row * width + left : row * width + left + side]) for row in range(margin, margin + side))
    return total >= _THRESHOLD * side * side


def _number(bits: list[bool]) -> int:
    return reduce(lambda number, bit: number * 2 + bit, bits, 0)
