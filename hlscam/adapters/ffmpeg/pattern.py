"""The test pattern: a camera for people who have none, and for the tests.

ffmpeg's `testsrc2` with two running UTC clocks drawn at the moment each frame is made: one for people, and one
that machines read (`pattern_font.py`), by which latency and program date time are measured.

Pictures and sound are one input, as they are with a camera. ffmpeg reads each input in a thread of its own: of two,
the sound came in bursts, when a picture did, and every fragment was on disk a picture later (**measured**: 44 to 60 ms
at 25 pictures a second, 103 ms at 10). The tone's times are moved on by what an AAC encoder holds back, so that a
packet of it is there when its time has come: 23 ms then, at every rate.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

from hlscam.adapters.ffmpeg.pattern_font import clock_font, code_cell_px, code_font
from hlscam.domain.source import TestSource

PATTERN_AUDIO_RATE_HZ = 48_000
_AAC_DELAY_SAMPLES = 2 * 1024
_BITS_PER_PIXEL = 0.1


def write_fonts(folder: Path, source: TestSource) -> None:
    """Put the fonts that this pattern needs into `folder`. Blocks: call it off the loop."""
    cell_px, dot_px = code_cell_px(*source.size), _clock_dot_px(source)
    (folder / _code_name(cell_px)).write_text(code_font(cell_px), encoding="ascii")
    (folder / _clock_name(dot_px)).write_text(clock_font(dot_px), encoding="ascii")


def pattern_streams(source: TestSource, fonts: Path) -> tuple[list[Any], dict[str, Any]]:
    """The pattern's streams and their encoding options, for `ffmpeg.output`."""
    width, height = source.size
    graph = f"testsrc2=size={width}x{height}:rate={source.rate}[out0]"
    if source.audio:
        graph += f";sine=frequency=440:beep_factor=4:sample_rate={PATTERN_AUDIO_RATE_HZ}[out1]"
    made = ffmpeg.input(graph, f="lavfi", re=None)
    streams = [_with_clocks(made["v:0"], source, fonts)]
    encoding = _video_encoding(source)
    if source.audio:
        tone = made["a:0"].filter("volume", 0.1)
        streams.append(tone.filter("asetpts", f"PTS+{_AAC_DELAY_SAMPLES}/{PATTERN_AUDIO_RATE_HZ}/TB"))
        encoding |= {"c:a": "aac", "b:a": "64k"}
    return streams, encoding


def _with_clocks(video: Any, source: TestSource, fonts: Path) -> Any:
    cell_px, dot_px = code_cell_px(*source.size), _clock_dot_px(source)
    box = {"fontcolor": "white", "box": 1, "boxcolor": "black"}
    code = video.filter(
        "drawtext",
        fontfile=str(fonts / _code_name(cell_px)),
        fontsize=2 * cell_px,
        text="M%{gmtime:%s%3N}",
        x=0,
        y=0,
        **box,
    )
    return code.filter(
        "drawtext",
        fontfile=str(fonts / _clock_name(dot_px)),
        fontsize=8 * dot_px,
        text=r"%{gmtime:%Y-%m-%d %H\:%M\:%S.%3N} UTC",
        x="(w-tw)/2",
        y="h-3*th",
        boxborderw=2 * dot_px,
        **box,
    )


def _video_encoding(source: TestSource) -> dict[str, Any]:
    """A low-delay H.264 or HEVC stream with a constant GOP, as a good camera makes it."""
    width, height = source.size
    kbps = source.bit_rate_kbps or max(width * height * source.rate * _BITS_PER_PIXEL // 1000, 100)
    keyframes = {"g": source.gop_frames, "pix_fmt": "yuv420p"}
    keyframes |= {"b:v": f"{kbps:.0f}k", "maxrate": f"{kbps:.0f}k", "bufsize": f"{kbps:.0f}k"}
    if source.codec == "hevc":
        parameters = f"keyint={source.gop_frames}:min-keyint={source.gop_frames}:scenecut=0:bframes={source.bframes}"
        quiet = f"{parameters}:open-gop=0:log-level=error"
        return {"c:v": "libx265", "preset": "ultrafast", "tag:v": "hvc1", "x265-params": quiet, **keyframes}
    tuning = {"x264-params": "rc-lookahead=0:sync-lookahead=0"} if source.bframes else {"tune": "zerolatency"}
    same_gop = {"keyint_min": source.gop_frames, "sc_threshold": 0, "bf": source.bframes}
    return {"c:v": "libx264", "preset": "ultrafast", **tuning, **same_gop, **keyframes}


def _clock_dot_px(source: TestSource) -> int:
    width, height = source.size
    return max(1, min(height // 180, width // 200))


def _code_name(cell_px: int) -> str:
    return f"code-{cell_px}.bdf"


def _clock_name(dot_px: int) -> str:
    return f"clock-{dot_px}.bdf"
