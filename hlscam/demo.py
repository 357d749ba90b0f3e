"""The demo: a test-pattern camera with sound, and a clip that it makes itself, looped as a second camera."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from hlscam.adapters.ffmpeg.features import find_ffmpeg
from hlscam.adapters.ffmpeg.process import FfmpegProcess
from hlscam.domain.config import Config, demo_config
from hlscam.errors import ArchiveError, HlscamError

_CLIP_S = 20


async def prepare_demo(folder: Path, *, tell: Callable[[str], None] = lambda _: None) -> Config:
    """The demo's configuration, its clip made if it is not there yet. Raises HlscamError."""
    clip = folder / "garden.mp4"
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(
            f"the demo's folder {folder} cannot be made: {error.strerror}", hint="name another one with --demo-folder"
        ) from None
    if not await asyncio.to_thread(clip.is_file):
        tell(f"making the demo's clip, {clip} ...")
        await make_clip(clip)
    return demo_config(folder / "archive", clip)


async def make_clip(clip: Path) -> None:
    """Twenty seconds of slowly moving colours with a soft sound, B-frames included, as a phone would film it."""
    unfinished = clip.with_suffix(".part.mp4")
    ffmpeg = await find_ffmpeg(None)
    lines: list[str] = []
    video = "gradients=size=960x540:rate=25:speed=0.01:nb_colors=4:seed=7,format=yuv420p"
    argv = [ffmpeg.binary, "-hide_banner", "-loglevel", "error", "-y"]
    argv += ["-f", "lavfi", "-t", str(_CLIP_S), "-i", video]
    argv += ["-f", "lavfi", "-t", str(_CLIP_S), "-i", "anoisesrc=color=brown:amplitude=0.05:sample_rate=48000"]
    argv += [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-bf",
        "2",
        "-g",
        "50",
        "-keyint_min",
        "50",
        "-sc_threshold",
        "0",
    ]
    argv += [
        "-b:v",
        "1500k",
        "-c:a",
        "aac",
        "-b:a",
        "64k",
        "-shortest",
        "-movflags",
        "+faststart",
        f"file:{unfinished}",
    ]
    process = await FfmpegProcess.start(argv, on_line=lines.append)
    try:
        code = await process.wait()
    finally:
        await process.stop()
    if code != 0:
        raise HlscamError(f"the demo clip could not be made: {lines[-1] if lines else code}")
    await asyncio.to_thread(unfinished.replace, clip)
