"""Paints the test pattern's clock band, for pictures of our own making; `hlscam/bench/clockface.py` reads it.

Also run by the system's python3 (`rtsp_server.py`), so it needs nothing that is installed.
"""

from __future__ import annotations

from hlscam.adapters.ffmpeg.pattern_font import CODE_GLYPHS, MARK_BITS
from hlscam.bench.clockface import ROWS

DIGITS = CODE_GLYPHS - 1


def glyphs_of(time_ms: int) -> list[int]:
    """The band's 14 glyphs (0 to 15 each) for UTC Unix milliseconds."""
    digits = [int(digit) for digit in f"{time_ms:0{DIGITS}d}"]
    if len(digits) != DIGITS:
        raise ValueError(f"{time_ms} ms does not fit {DIGITS} digits")
    return [MARK_BITS, *digits]


def band_rows(time_ms: int, cell_px: int, *, black: int = 16, white: int = 235) -> list[bytes]:
    """The band's pixel rows, `2 * cell_px` of them."""
    bits = [glyph >> shift & 1 for glyph in glyphs_of(time_ms) for shift in (3, 2, 1, 0)]
    upper, lower = (b"".join(bytes([white if bit ^ row else black]) * cell_px for bit in bits) for row in range(ROWS))
    return [upper] * cell_px + [lower] * cell_px
