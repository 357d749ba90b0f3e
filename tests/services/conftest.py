"""One life of two cameras, recorded once and looked at by many tests."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.rig.ffmpeg_tools import make_clip
from tests.services.studio import PATTERN, Segment, Studio, crash_image, ffmpegs


@dataclass(frozen=True)
class Life:
    """`root` is the archive after all was stopped in order, `crashed` the same as a crash would have left it.

    `porch` was recorded in two runs, since its ffmpeg was killed; `loop` is a clip of two seconds with B-frames and
    sound, over and over. `seen` is what viewers got, `listed_at_crash` the part that had been listed by the crash.
    """

    root: Path
    crashed: Path
    seen: dict[str, dict[int, Segment]]
    seen_at_kill: dict[int, Segment]
    listed_at_crash: dict[str, dict[int, Segment]]


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    return asyncio.run(_live(tmp_path_factory.mktemp("life")))


async def _live(folder: Path) -> Life:
    clip = make_clip(folder / "clip.mp4", seconds=2, size="128x96", rate=10, gop=5, b_frames=2, audio="aac")
    async with Studio(folder / "archive", {"porch": PATTERN, "loop": f"file:{clip}"}) as studio:
        await studio.segments("porch", 6)
        newest = partial(studio.newest, "porch")
        await studio.changes("porch", lambda: len(newest().segments) == 2, "in the middle of a recording")
        seen_at_kill = dict(studio.viewers["porch"].seen)
        os.kill(ffmpegs(studio.root / "porch")[0], signal.SIGKILL)
        await studio.changes("porch", lambda: newest().discontinuity_sequence == 1, "went on")
        await studio.segments("porch", 1)
        edges = [partial(studio.newest, "porch"), partial(studio.newest, "loop")]
        reached = lambda: all(len(edge().segments) in (2, 3) for edge in edges)  # noqa: E731
        await studio.changes("porch", reached, "in the middle of a recording together with the other one")
        listed = {camera: dict(viewer.seen) for camera, viewer in studio.viewers.items()}
        crashed = await asyncio.to_thread(crash_image, studio.root, folder / "crashed")
    seen = {camera: dict(viewer.seen) for camera, viewer in studio.viewers.items()}
    return Life(studio.root, crashed, seen, seen_at_kill, listed)


@pytest.fixture
def archive_copy(life: Life, tmp_path: Path) -> Path:
    """The whole archive, to be spoilt."""
    return Path(shutil.copytree(life.root, tmp_path / "archive"))


@pytest.fixture
def crashed_copy(life: Life, tmp_path: Path) -> Path:
    """The archive after the crash, to be taken in."""
    return Path(shutil.copytree(life.crashed, tmp_path / "crashed"))


@pytest.fixture
def crashed_again(life: Life, tmp_path: Path) -> Path:
    """A second copy of the archive after the crash."""
    return Path(shutil.copytree(life.crashed, tmp_path / "crashed-again"))


@pytest.fixture
def recordings(life: Life) -> Callable[[str], list[Path]]:
    """A camera's files, oldest first."""
    return lambda camera: sorted((life.root / camera).glob("*.mp4"))
