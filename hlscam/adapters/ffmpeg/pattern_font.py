"""Two bitmap fonts of our own for the test pattern's clock, so that it needs no font on the machine.

ffmpeg's drawtext reads any font that FreeType reads, BDF among them, if its glyphs have 8 bits per pixel. The `clock`
font is a plain 5x7 one for people. The `code` font writes machine-readable time: each digit is four square cells
with its bits, most significant left, white for 1, above four cells with the same bits inverted, so that every
digit proves itself; `M` (bits 1010) marks where it begins. `hlscam/bench/clockface.py` reads it from any picture.
"""

from __future__ import annotations

_ROWS_5X7 = {
    "0": "01110 10001 10011 10101 11001 10001 01110",
    "1": "00100 01100 00100 00100 00100 00100 01110",
    "2": "01110 10001 00001 00010 00100 01000 11111",
    "3": "11111 00010 00100 00010 00001 10001 01110",
    "4": "00010 00110 01010 10010 11111 00010 00010",
    "5": "11111 10000 11110 00001 00001 10001 01110",
    "6": "00110 01000 10000 11110 10001 10001 01110",
    "7": "11111 00001 00010 00100 01000 01000 01000",
    "8": "01110 10001 10001 01110 10001 10001 01110",
    "9": "01110 10001 10001 01111 00001 00010 01100",
    ":": "00000 00100 00100 00000 00100 00100 00000",
    "-": "00000 00000 00000 11111 00000 00000 00000",
    ".": "00000 00000 00000 00000 00000 01100 01100",
    " ": "00000 00000 00000 00000 00000 00000 00000",
    "U": "10001 10001 10001 10001 10001 10001 01110",
    "T": "11111 00100 00100 00100 00100 00100 00100",
    "C": "01110 10001 10000 10000 10000 10001 01110",
}
MARK_BITS = 0b1010
CODE_GLYPHS = 14
"""The mark and 13 digits of Unix milliseconds."""
CELLS_IN_HEIGHT = 45


def code_cell_px(width: int, height: int) -> int:
    """The edge of a code cell for a picture: a 45th of its height, even, as far as its width holds 14 glyphs."""
    return max(2, min(height // CELLS_IN_HEIGHT, width // (4 * CODE_GLYPHS)) // 2 * 2)


def clock_font(scale_px: int) -> str:
    """The people's font as BDF text; a glyph is 6 by 8 dots of `scale_px` pixels."""
    glyphs = {sign: [row + "0" for row in rows.split()] + ["000000"] for sign, rows in _ROWS_5X7.items()}
    return _bdf("clock", glyphs, scale_px)


def code_font(cell_px: int) -> str:
    """The machines' font as BDF text; a glyph is 4 by 2 cells of `cell_px` pixels."""
    values = {str(digit): digit for digit in range(10)} | {"M": MARK_BITS}
    return _bdf("code", {sign: [f"{bits:04b}", f"{bits ^ 0b1111:04b}"] for sign, bits in values.items()}, cell_px)


def _bdf(name: str, glyphs: dict[str, list[str]], scale_px: int) -> str:
    """Glyph Bitmap Distribution Format 2.1 with 8 bits per pixel (the fourth number of SIZE)."""
    rows = next(iter(glyphs.values()))
    width_px, height_px = len(rows[0]) * scale_px, len(rows) * scale_px
    lines = [
        "STARTFONT 2.1",
        f"FONT -hlscam-{name}-medium-r-normal--{height_px}-{height_px * 10}-75-75-c-{width_px * 10}-iso10646-1",
        f"SIZE {height_px} 72 72 8",
        f"FONTBOUNDINGBOX {width_px} {height_px} 0 0",
        "STARTPROPERTIES 4",
        f"FONT_ASCENT {height_px}",
        "FONT_DESCENT 0",
        'CHARSET_REGISTRY "ISO10646"',
        'CHARSET_ENCODING "1"',
        "ENDPROPERTIES",
        f"CHARS {len(glyphs)}",
    ]
    for sign, dots in glyphs.items():
        lines += [f"STARTCHAR U+{ord(sign):04X}", f"ENCODING {ord(sign)}", "SWIDTH 1000 0", f"DWIDTH {width_px} 0"]
        lines += [f"BBX {width_px} {height_px} 0 0", "BITMAP"]
        for row in dots:
            lines += ["".join(("FF" if dot == "1" else "00") * scale_px for dot in row)] * scale_px
        lines.append("ENDCHAR")
    return "\n".join([*lines, "ENDFONT", ""])
