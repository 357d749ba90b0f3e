"""ffmpeg as the tests' clip maker and as the reader that must be pleased.

One binary does it all, the one that `imageio_ffmpeg` carries: it has no ffprobe beside it, so `probe` reads what
`ffmpeg -i` says, `packets` and `pictures` read its `framemd5` muxer, and `decode` decodes everything and
counts. `decode` is strict: whatever ffmpeg says at level "error" is an error. What is missing altogether (whole packets
of a transport stream, say) ffmpeg does not call an error, so compare `frames` too.

`make_clip` blocks (it is for set-up, and takes well under a second for small clips); the readers are async, because
what they read is often served by the test's own event loop.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

import imageio_ffmpeg

from hlscam.bench.clockface import Picture

Source = str | Path
_NO_PTS = -(1 << 63)
_AS_TIMED = ["-fps_mode", "passthrough", "-enc_time_base", "demux"]


@cache
def ffmpeg_path() -> str:
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@dataclass(frozen=True, slots=True)
class Output:
    """How an ffmpeg ended and what it said."""

    returncode: int
    stdout: bytes
    stderr: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came out of decoding every stream.

    `frames` counts pictures; `duration_s` is the time of the end of what was decoded, from its start.
    """

    frames: int
    duration_s: float
    errors: list[str]


@dataclass(frozen=True, slots=True)
class Packet:
    """One line of `framemd5`: times in seconds, and None where ffmpeg had no presentation time."""

    dts_s: Fraction
    pts_s: Fraction | None
    duration_s: Fraction
    size_bytes: int
    md5: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as `ffmpeg -i` describes it; what does not apply is 0. `detail` is its whole line."""

    kind: str
    codec: str
    tag: str
    width: int
    height: int
    rate: float
    sample_rate_hz: int
    channels: str
    detail: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A file or URL as `ffmpeg -i` describes it. `duration_s` is None where it has none (live)."""

    duration_s: float | None
    start_s: float
    streams: list[Stream]

    def of(self, kind: Literal["Video", "Audio"]) -> list[Stream]:
        return [stream for stream in self.streams if stream.kind == kind]


async def run_ffmpeg(arguments: Sequence[str | Path], *, timeout_s: float = 60) -> Output:
    """Run ffmpeg to its end. Raises AssertionError after `timeout_s`; it is killed then."""
    command = [ffmpeg_path(), "-nostdin", "-hide_banner", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        raise AssertionError(f"ffmpeg did not end within {timeout_s} s: {' '.join(command[1:])}") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode is not None
    return Output(process.returncode, out, err.decode(errors="replace"))


def make_clip(
    path: Path,
    *,
    seconds: float = 4,
    size: str = "320x180",
    rate: int = 25,
    gop: int = 25,
    b_frames: int = 0,
    codec: Literal["h264", "hevc", "none"] = "h264",
    audio: Literal["none", "aac", "opus", "pcm"] = "none",
    options: Sequence[str] = (),
) -> Path:
    """Write a moving pattern (and a tone) to `path`, whose suffix chooses the container; `options` go last."""
    command = [ffmpeg_path(), "-nostdin", "-v", "error", "-y"]
    if codec != "none":
        command += ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]
    if audio != "none":
        command += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]
    command += [*_video_options(codec, gop, b_frames), *_audio_options(audio), "-t", str(seconds)]
    done = subprocess.run([*command, *options, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ffmpeg could not make {path.name}: {done.stderr}"
    return path


def make_noise(path: Path) -> Path:
    """Write two seconds of some 8 Mbit/s to `path`: a pattern in which little can be compressed, to fill disks with."""
    noise = ["-vf", "noise=alls=80:allf=t", "-b:v", "8M", "-maxrate", "8M", "-bufsize", "4M"]
    return make_clip(path, seconds=2, size="320x180", rate=20, gop=10, options=noise)


def _video_options(codec: str, gop: int, b_frames: int) -> list[str]:
    shape = ["-pix_fmt", "yuv420p", "-preset", "ultrafast", "-g", str(gop), "-bf", str(b_frames)]
    if codec == "h264":
        return ["-c:v", "libx264", *shape, "-x264-params", "scenecut=0:open-gop=0"]
    if codec == "hevc":
        quiet = "scenecut=0:open-gop=0:log-level=error:pools=1:frame-threads=1"
        return ["-c:v", "libx265", "-tag:v", "hvc1", *shape, "-x265-params", quiet]
    return ["-vn"]


def _audio_options(audio: str) -> list[str]:
    encoders = {"aac": ["-c:a", "aac"], "opus": ["-c:a", "libopus"], "pcm": ["-c:a", "pcm_alaw", "-ar", "8000"]}
    return encoders.get(audio, ["-an"])


async def decode(
    source: Source, *, duration_s: float | None = None, options: Sequence[str] = (), timeout_s: float = 60
) -> Decoded:
    """Decode all of `source`, or its first `duration_s`; `options` stand in front of the input."""
    done = await run_ffmpeg(
        [
            *("-v", "error", "-progress", "pipe:1", "-stats_period", "60", *options, *_first(duration_s), "-i", source),
            *("-map", "0:v?", "-map", "0:a?", *_AS_TIMED, "-f", "null", "-"),
        ],
        timeout_s=timeout_s,
    )
    progress = dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)
    errors = [line for line in done.stderr.splitlines() if line.strip()]
    if done.returncode and not errors:
        errors = [f"ffmpeg ended with {done.returncode}"]
    end_us = progress.get("out_time_us", "N/A")
    return Decoded(int(progress.get("frame", 0)), 0.0 if end_us == "N/A" else int(end_us) / 1e6, errors)


async def packets(
    source: Source, *, stream: str = "v:0", duration_s: float | None = None, options: Sequence[str] = ()
) -> list[Packet]:
    """The packets of one stream in decode order, with the source's own times; nothing is decoded."""
    return await _framemd5(source, stream, [*options, *_first(duration_s)], ["-c", "copy"])


async def pictures(
    source: Source, *, stream: str = "v:0", duration_s: float | None = None, options: Sequence[str] = ()
) -> list[Packet]:
    """The decoded frames of one stream in presentation order; equal pictures have equal `md5`."""
    return await _framemd5(source, stream, [*options, *_first(duration_s)], _AS_TIMED)


async def first_pts(source: Source, *, stream: str = "v:0") -> float:
    """When the first frame of a stream is shown, in seconds of the source's own timeline."""
    shown = await _framemd5(source, stream, [], [*_AS_TIMED, "-frames", "1"])
    assert shown, f"{source} has no frame in stream {stream}"
    assert shown[0].pts_s is not None, f"the first frame of {source} has no time"
    return float(shown[0].pts_s)


def _first(duration_s: float | None) -> list[str]:
    """An *input* option: as an output option, `-t` counts from 0 when `-copyts` keeps the source's times."""
    return [] if duration_s is None else ["-t", str(duration_s)]


async def _framemd5(source: Source, stream: str, before: Sequence[str], after: Sequence[str]) -> list[Packet]:
    done = await run_ffmpeg(
        ["-v", "error", *before, "-copyts", "-i", source, "-map", f"0:{stream}", *after, "-f", "framemd5", "-"]
    )
    assert done.returncode == 0, f"ffmpeg could not read {source}: {done.stderr}"
    text = done.stdout.decode()
    base = re.search(r"^#tb 0: (\d+)/(\d+)", text, re.MULTILINE)
    assert base, f"ffmpeg named no time base for {source}: {text[:300]}"
    tick_s = Fraction(int(base[1]), int(base[2]))
    return [_packet(line, tick_s) for line in text.splitlines() if line and not line.startswith("#")]


def _packet(line: str, tick_s: Fraction) -> Packet:
    _, dts, pts, duration, size, md5 = (field.strip() for field in line.split(",")[:6])
    shown_s = None if int(pts) == _NO_PTS else int(pts) * tick_s
    return Packet(int(dts) * tick_s, shown_s, int(duration) * tick_s, int(size), md5)


async def probe(source: Source, *, options: Sequence[str] = ()) -> Probe:
    """What is in `source`. Raises AssertionError when ffmpeg finds no stream."""
    said = (await run_ffmpeg([*options, "-i", source])).stderr
    described = said.split("At least one output file", 1)[0]
    streams = [_stream(line.strip()) for line in described.splitlines() if line.strip().startswith("Stream #")]
    assert streams, f"ffmpeg finds nothing in {source}: {said[-500:]}"
    duration = re.search(r"Duration: (\d+):(\d+):([\d.]+)", described)
    start = re.search(r"Duration: .*?, start: (-?[\d.]+)", described)
    return Probe(
        int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else None,
        float(start[1]) if start else 0.0,
        streams,
    )


def _stream(line: str) -> Stream:
    head = re.search(r"(Video|Audio|Data|Subtitle|Attachment): (\w+)", line)
    tag = re.search(r"\((\w{4}) / 0x[0-9A-F]+\)", line)
    size = re.search(r"[ ,](\d{2,5})x(\d{2,5})\b", line)
    rate = re.search(r"([\d.]+) fps", line)
    sound = re.search(r"(\d+) Hz, ([\w.]+)", line)
    return Stream(
        kind=head[1] if head else "",
        codec=head[2] if head else "",
        tag=tag[1] if tag else "",
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
        rate=float(rate[1]) if rate else 0.0,
        sample_rate_hz=int(sound[1]) if sound else 0,
        channels=sound[2] if sound else "",
        detail=line,
    )


async def gray_picture(source: Source, *, at_s: float | None = None, options: Sequence[str] = ()) -> Picture:
    """One picture of a file, image or URL in grey: the first, or the one shown `at_s` seconds after the start."""
    seek = ["-ss", str(at_s)] if at_s is not None else []
    done = await run_ffmpeg(
        [
            *("-v", "error", *options, *seek, "-i", source, "-frames:v", "1"),
            *("-pix_fmt", "gray", "-c:v", "pgm", "-f", "image2pipe", "-"),
        ]
    )
    head = re.match(rb"P5\s(\d+) (\d+)\s255\s", done.stdout)
    assert head, f"ffmpeg got no picture out of {source}: {done.stderr}"
    width, height = int(head[1]), int(head[2])
    gray = done.stdout[head.end() :]
    assert len(gray) == width * height, f"ffmpeg gave {len(gray)} bytes for {width}x{height}"
    return Picture(width, height, gray)
