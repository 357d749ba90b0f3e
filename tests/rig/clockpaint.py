"""Paints the clock band that `clockface.py` reads, for the rig's own RTSP camera and clips.

The product's test pattern draws the same band with a font and ffmpeg's `drawtext`; this painter is independent of it.
"""

from __future__ import annotations

from tests.rig.clockface import glyphs_of


def band_rows(time_ms: int, cell_px: int, *, black: int = 16, white: int = 235) -> list[bytes]:
    """The band's pixel rows from the top: `cell_px` rows of cells, then as many of their opposites."""
    bits = [glyph >> shift & 1 for glyph in glyphs_of(time_ms) for shift in (3, 2, 1, 0)]
    cells = b"".join(bytes([white if bit else black]) * cell_px for bit in bits)
    opposites = b"".join(bytes([black if bit else white]) * cell_px for bit in bits)
    return [cells] * cell_px + [opposites] * cell_px
