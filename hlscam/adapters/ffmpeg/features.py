"""Which ffmpeg this is, and what it can do. The default is the one that the imageio-ffmpeg wheel carries."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass

import imageio_ffmpeg

from hlscam.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """A usable ffmpeg: its absolute path, its version, and whether it can write hybrid MP4 (7.1 and later)."""

    binary: str
    version: str
    hybrid: bool


async def find_ffmpeg(path: str | None) -> Ffmpeg:
    """The configured ffmpeg, or the one from imageio-ffmpeg. Raises ConfigError when it does not run."""
    binary = await locate_ffmpeg(path)
    version_text = await _output(binary, "-version")
    muxer_text = await _output(binary, "-hide_banner", "-h", "muxer=mp4")
    match = re.match(r"ffmpeg version (\S+)", version_text)
    if match is None or "frag_keyframe" not in muxer_text:
        raise ConfigError(f"ffmpeg.path: {binary} is not an ffmpeg that can write MP4")
    return Ffmpeg(binary, match[1], "hybrid_fragmented" in muxer_text)


async def locate_ffmpeg(path: str | None) -> str:
    """The absolute path of the ffmpeg to use, not run. Raises ConfigError when there is none."""
    return await asyncio.to_thread(_locate, path)


def _locate(path: str | None) -> str:
    if path is None:
        try:
            return str(imageio_ffmpeg.get_ffmpeg_exe())
        except RuntimeError:
            raise ConfigError(
                "imageio-ffmpeg has no ffmpeg for this machine", hint="set ffmpeg.path to an installed one"
            ) from None
    found = shutil.which(path)
    if found is None:
        raise ConfigError(f"ffmpeg.path: {path} is not a program", hint="leave it out to use the built-in ffmpeg")
    return found


async def _output(*argv: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        raise ConfigError(f"ffmpeg.path: {argv[0]} cannot be run: {error.strerror}") from None
    out, _ = await process.communicate()
    return out.decode("utf-8", "replace")
