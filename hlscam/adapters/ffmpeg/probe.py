"""What a source sends, asked before it is recorded: which video, which sound, so that the command fits it.

The ffmpeg wheel has no ffprobe, so ffmpeg is asked to describe the input; its `Stream #` lines have kept their form
for 15 years. The answer is kept by the recorder until a run fails without a picture.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

from hlscam.adapters.ffmpeg.command import InputOptions, StreamPlan, probe_command
from hlscam.adapters.ffmpeg.diagnosis import diagnose
from hlscam.adapters.ffmpeg.pattern import PATTERN_AUDIO_RATE_HZ
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from hlscam.domain.recording import EndReason
from hlscam.domain.source import Source, TestSource
from hlscam.errors import SourceError

PROBE_TIMEOUT_S = 30.0
RECORDABLE_VIDEO = ("h264", "hevc", "av1")
_COPYABLE_AUDIO = ("aac", "opus")
_STREAM = re.compile(r"^Stream #0:\d+.*?: (Video|Audio): (\w+)(.*)$")
_RATE = re.compile(r", (\d+) Hz")
_FRAME_RATE = re.compile(r", (\d+(?:\.\d+)?) fps")


async def probe(
    binary: str, source: Source, reading: InputOptions, *, audio: str, on_line: Callable[[str], None]
) -> StreamPlan:
    """How to record `source`. `audio` is the configured wish: "auto", "aac" or "none".

    Raises SourceError saying what is wrong with the source.
    """
    if isinstance(source, TestSource):
        return StreamPlan(
            video_codec=source.codec,
            audio="aac" if source.audio else None,
            audio_rate_hz=PATTERN_AUDIO_RATE_HZ if source.audio else 0,
            frame_rate=source.rate,
        )
    lines: list[str] = []
    process = await FfmpegProcess.start(probe_command(binary, source, reading), on_line=lines.append)
    try:
        code = await asyncio.wait_for(process.wait(), PROBE_TIMEOUT_S)
    except TimeoutError:
        message = f"the camera accepts the connection but sent no picture within {PROBE_TIMEOUT_S:.0f} s"
        raise SourceError(message, reason=EndReason.STALLED, hint="check or restart the camera") from None
    finally:
        await process.kill()
    for line in lines:
        on_line(line)
    return plan_streams(lines, code, audio=audio)


def plan_streams(lines: Sequence[str], exit_code: int, *, audio: str) -> StreamPlan:
    """The plan for the streams that ffmpeg described. Raises SourceError."""
    found = [match for match in map(_STREAM.match, lines) if match]
    videos = [(match[2], _FRAME_RATE.search(match[3])) for match in found if match[1] == "Video"]
    if not found:
        why = diagnose([line for line in lines if not line.startswith("At least one output")], exit_code)
        raise SourceError(why.message, reason=why.reason, hint=why.hint)
    if not videos:
        raise SourceError(
            "the source has no video", reason=EndReason.SOURCE_REFUSED, hint="use the camera's video stream"
        )
    video_codec, fps = videos[0]
    if video_codec not in RECORDABLE_VIDEO:
        raise SourceError(
            f"its video is {video_codec}, which players of HLS do not take",
            reason=EndReason.SOURCE_REFUSED,
            hint="set the camera to H.264 (or HEVC)",
        )
    frame_rate = float(fps[1]) if fps else 0.0
    sounds = [(match[2], _RATE.search(match[3])) for match in found if match[1] == "Audio"]
    if not sounds or audio == "none":
        return StreamPlan(video_codec=video_codec, audio=None, frame_rate=frame_rate)
    codec, rate = sounds[0]
    return StreamPlan(
        video_codec=video_codec,
        audio="copy" if audio == "auto" and codec in _COPYABLE_AUDIO else "aac",
        audio_rate_hz=int(rate[1]) if rate else 0,
        frame_rate=frame_rate,
        is_opus=codec == "opus",
    )
