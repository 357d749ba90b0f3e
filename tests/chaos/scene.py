"""The running set: four cameras, a small disk, hlscam, and an observer for each camera.

| camera | source |
|---|---|
| street | a real RTSP server, without its sound |
| porch | the same, with its sound, through a network that can drop everything |
| garden | a clip, looped |
| pattern | the test pattern |

All are small, so that two cores suffice.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hlscam.domain.config import Config
from tests.chaos.observer import Observer
from tests.chaos.servers import ONE, Role, Servers
from tests.rig.ffmpeg_tools import make_clip
from tests.rig.proxy import TcpProxy
from tests.rig.rtsp import RtspCamera
from tests.rig.small_disk import SmallDisk
from tests.rig.waiting import until

RTSP_CAMERAS = ("street", "porch")
CAMERAS = (*RTSP_CAMERAS, "garden", "pattern")
PART_S = 0.5
RATE = 10
_FIRST_SEGMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long things last. A frozen camera and a silent network last longer than `stall_timeout_s`."""

    stall_timeout_s: float
    frozen_s: float
    silent_s: float
    full_s: float
    pauses_s: tuple[float, float]
    """Between two faults."""

    down_s: tuple[float, float]
    """How long a process stays away that was killed."""

    disk_mb: int


LONG = Pace(stall_timeout_s=10, frozen_s=30, silent_s=60, full_s=15, pauses_s=(1, 10), down_s=(0.1, 5), disk_mb=512)
SHORT = Pace(
    stall_timeout_s=4, frozen_s=6, silent_s=8, full_s=6, pauses_s=(1, 3), down_s=(0.1, 0.1), disk_mb=96
)  # fmt: skip


def settings(pace: Pace, sources: dict[str, str]) -> str:
    """The configuration. Sections that this hlscam does not know yet are left out."""
    sections = {
        "archive": "{path: ./archive, recording_minutes: 0.25}",
        "hls": f"{{part_duration_s: {PART_S}}}",
        "log": "{level: debug}",
        "retention": "{headroom_mb: 16}",
        "recorder": f"{{stall_timeout_s: {pace.stall_timeout_s}}}",
    }
    known = [f"{name}: {text}" for name, text in sections.items() if name in Config.model_fields]
    cameras = [f"  {camera}: {{source: '{source}'{_audio(camera)}}}" for camera, source in sources.items()]
    return "\n".join([*known, "cameras:", *cameras])


def _audio(camera: str) -> str:
    return ", audio: none" if camera == "street" else ""


class Scene:
    """What faults happen to, and what is looked at."""

    def __init__(self, pace: Pace, disk: SmallDisk, camera: RtspCamera, network: TcpProxy, servers: Servers) -> None:
        self.pace = pace
        self.disk = disk
        self.rtsp = camera
        self.network = network
        self.servers = servers
        self.protected: set[str] = set()
        """Recordings that retention must leave alone, `camera/name`."""

        self.complaints: list[str] = []
        """Of all observers, in the order in which they were made."""

        self.observers = {each: Observer(each, servers, self.complaints) for each in CAMERAS}

    @property
    def archive(self) -> Path:
        return self.disk.folder

    def recordings(self) -> dict[str, int]:
        """The files of all recordings, `camera/name`, and their sizes."""
        return _files(self.archive, "*/*.mp4")

    def quarantined(self) -> dict[str, int]:
        """The same of those that were set aside because they cannot be read."""
        return _files(self.archive, "quarantine/*/*.mp4")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Every camera is observed, from its first segments on, for the length of the block."""
        tasks = [asyncio.create_task(each.watch(), name=f"observe {each.camera}") for each in self.observers.values()]
        try:
            await until(self._have_begun, "the first segments of every camera", timeout_s=60)
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [end for end in ends if isinstance(end, Exception)]
        if failed:
            raise failed[0]

    async def _have_begun(self) -> bool:
        self.servers.assert_alive()
        return all(len(each.seen) >= _FIRST_SEGMENTS for each in self.observers.values())


def _files(root: Path, pattern: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for path in root.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            found[f"{path.parent.name}/{path.name}"] = path.stat().st_size
    return found


@asynccontextmanager
async def running_scene(pace: Pace, *, roles: Sequence[Role] = ONE) -> AsyncIterator[Scene]:
    """Everything, started and observed."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        clip = folder / "garden.mp4"
        make_clip(clip, seconds=10, size="320x180", rate=RATE, gop=RATE, b_frames=2, audio="aac")
        with SmallDisk(folder / "archive", size_mb=pace.disk_mb) as disk:
            async with RtspCamera(audio="alaw", rate=RATE, gop=RATE) as camera, TcpProxy(camera.port) as network:
                sources = {
                    "street": camera.url,
                    "porch": network.between(camera.url),
                    "garden": f"file:{clip}",
                    "pattern": f"test:?size=320x180&rate={RATE}&gop_s=1&audio=1",
                }
                async with Servers(folder, settings(pace, sources), roles=roles) as servers:
                    scene = Scene(pace, disk, camera, network, servers)
                    async with scene.watched():
                        yield scene
