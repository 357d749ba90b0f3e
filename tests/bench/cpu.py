"""What a camera costs the server, beyond ffmpeg's own work: 16 looped cameras of 4 Mbit/s, for a minute."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.bench.figure import Figure
from tests.bench.processes import children, cpu_s, resident_bytes
from tests.rig.ffmpeg_tools import make_clip
from tests.rig.hlscam_server import HlscamServer

CAMERAS = 16
SETTLE_S = 15
MEASURE_S = 60


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        rate = ["-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M", "-x264-params", "nal-hrd=cbr"]
        await asyncio.to_thread(
            make_clip, clip, seconds=10, size="1280x720", rate=25, gop=50, audio="aac", options=rate
        )
        cameras = "\n".join(f"  c{at}: {{source: 'file:{clip}'}}" for at in range(CAMERAS))
        async with HlscamServer(folder, f"archive: {{path: ./archive}}\ncameras:\n{cameras}") as server:
            await asyncio.sleep(SETTLE_S)
            ffmpegs = children(server.pid)
            before = cpu_s(server.pid), sum(map(cpu_s, ffmpegs)), _archive_bytes(folder)
            await asyncio.sleep(MEASURE_S)
            after = cpu_s(server.pid), sum(map(cpu_s, ffmpegs)), _archive_bytes(folder)
            resident = resident_bytes(server.pid)
    server_s, ffmpeg_s, media_bytes = (later - earlier for earlier, later in zip(before, after, strict=True))
    per_camera = 100 / MEASURE_S / CAMERAS
    return [
        Figure("bit rate of a camera", media_bytes * 8 / MEASURE_S / CAMERAS / 1e6, "Mbit/s", "about 4"),
        Figure("server CPU per camera", server_s * per_camera, "% of a core", "under 1"),
        Figure("ffmpeg CPU per camera", ffmpeg_s * per_camera, "% of a core"),
        Figure("server memory, 16 cameras", resident / 2**20, "MiB"),
    ]


def _archive_bytes(folder: Path) -> int:
    return sum(each.stat().st_size for each in (folder / "archive").rglob("*.mp4"))
