"""The fault table. Each kind happens to a scene and tells what it did to whom, from when to when.

A fault ends when what caused it is gone: a killed process's has ended when it is *started* again, so that all the time
hlscam takes to come back is its own. `hit` are the cameras that may have a hole because of it; any other camera must
not notice. `is_kill` says that a process died: then at most one fragment of what was there before may be lost.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import read_events
from tests.chaos.scene import CAMERAS, PART_S, RTSP_CAMERAS, Scene
from tests.rig.waiting import until

Strike = Callable[[Scene, random.Random], Awaitable["Fault"]]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault that happened. Times are Unix seconds, and monotonic ones."""

    kind: str
    hit: tuple[str, ...]
    began_wall_s: float = field(default_factory=time.time)
    ended_wall_s: float = 0.0
    ended_mono_s: float = 0.0
    said: str = ""
    is_kill: bool = False
    cut_s: float = 0.0
    """Footage that the fault itself took from the disk, at most."""

    may_remove: bool = False
    """Whether retention may have had to make room."""

    def end(self) -> Fault:
        """Its cause is gone, now."""
        self.ended_wall_s, self.ended_mono_s = time.time(), time.monotonic()
        return self


async def kill_ffmpeg(scene: Scene, chance: random.Random) -> Fault:
    """`kill -9` of one camera's ffmpeg."""
    camera = chance.choice(CAMERAS)

    async def running() -> list[int]:
        return scene.servers.ffmpegs(camera)

    pids = await until(running, f"an ffmpeg of {camera}")
    fault = Fault(kind="ffmpeg killed", hit=(camera,), said=camera, is_kill=True)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return fault.end()


async def kill_server(scene: Scene, chance: random.Random) -> Fault:
    """`kill -9` of hlscam (of the process that records, where there are two), and its restart."""
    away_s = chance.uniform(*scene.pace.down_s)
    fault = Fault(kind="server killed", hit=CAMERAS, said=f"away for {away_s:.1f} s", is_kill=True)
    async with _killed(scene, fault, away_s):
        pass
    return fault


async def stop_server(scene: Scene, _: random.Random) -> Fault:
    """A restart in order: nothing that was there before may be lost."""
    servers, role = scene.servers, scene.servers.recording
    fault = Fault(kind="server restarted", hit=CAMERAS, is_kill=True)
    await servers.stop(role)
    fault.end()
    fault.said = f"stopped in {fault.ended_wall_s - fault.began_wall_s:.1f} s"
    await servers.start(role)
    return fault


async def kill_rtsp(scene: Scene, chance: random.Random) -> Fault:
    """`kill -9` of the RTSP server, and its restart."""
    away_s = chance.uniform(*scene.pace.down_s)
    fault = Fault(kind="rtsp killed", hit=RTSP_CAMERAS, said=f"away for {away_s:.1f} s", is_kill=True)
    await scene.rtsp.stop()
    await asyncio.sleep(away_s)
    await scene.rtsp.start()
    return fault.end()


async def freeze_rtsp(scene: Scene, _: random.Random) -> Fault:
    """SIGSTOP of the RTSP server, for longer than it takes to be missed."""
    fault = Fault(kind="rtsp frozen", hit=RTSP_CAMERAS, said=f"for {scene.pace.frozen_s:.0f} s")
    scene.rtsp.pause()
    try:
        await asyncio.sleep(scene.pace.frozen_s)
    finally:
        scene.rtsp.resume()
    return fault.end()


async def silence_network(scene: Scene, _: random.Random) -> Fault:
    """The network to one camera drops everything."""
    fault = Fault(kind="network silent", hit=("porch",), said=f"porch for {scene.pace.silent_s:.0f} s")
    scene.network.drop()
    try:
        await asyncio.sleep(scene.pace.silent_s)
    finally:
        scene.network.restore()
    return fault.end()


async def delete_catalog(scene: Scene, _: random.Random) -> Fault:
    """The catalog is removed under the running server: a cache, so no camera may notice."""
    fault = Fault(kind="catalog deleted", hit=())
    names = [f"catalog.sqlite3{suffix}" for suffix in ("", "-wal", "-shm")]
    there = [name for name in names if (scene.archive / name).exists()]
    for name in there:
        (scene.archive / name).unlink()
    fault.said = f"{len(there)} files"
    return fault.end()


async def cut_tail(scene: Scene, chance: random.Random) -> Fault:
    """`kill -9` of the server, and one camera's open recording cut somewhere behind what was listed of it.

    That is its last fragment, torn or not, and what may stand before it of a segment that nobody was shown.
    """
    return await _cut(scene, chance, "tail cut", of_listed=False)


async def cut_power(scene: Scene, chance: random.Random) -> Fault:
    """The same, somewhere within the last segment that was listed: what a power cut may take, but for an fdatasync."""
    return await _cut(scene, chance, "power cut", of_listed=True)


async def _cut(scene: Scene, chance: random.Random, kind: str, *, of_listed: bool) -> Fault:
    camera = chance.choice(CAMERAS)
    fault = Fault(kind=kind, hit=CAMERAS, is_kill=True)
    for pid in scene.servers.ffmpegs(camera):
        os.kill(pid, signal.SIGSTOP)  # so that what is listed and what is written stand still
    recording = await _newest_listed(scene, camera)
    async with _killed(scene, fault, 0.1):
        path = max((scene.archive / camera).glob("*.mp4"), key=lambda each: each.name)
        size_bytes = path.stat().st_size
        listed_bytes = int(recording["bytes"]) if recording["name"] == path.name else 0
        at = chance.randint(min(listed_bytes, size_bytes), size_bytes)
        if of_listed and listed_bytes and recording["end"] is None:
            last = recording["first_media_sequence"] + recording["segments"] - 1
            scene.observers[camera].destroyed.add(last)
            at = chance.randint(listed_bytes - scene.observers[camera].seen[last].size_bytes, listed_bytes - 1)
        fragments = _fragments_behind(path, at)
        os.truncate(path, at)
        fault.cut_s = (fragments + 1) * PART_S
        lost = f"{size_bytes - at} bytes, {fragments} whole fragments ({size_bytes - listed_bytes} bytes were unlisted)"
        fault.said = f"{camera}/{path.name} at byte {at}: {lost}"
    return fault


def _fragments_behind(path: Path, at: int) -> int:
    """How many whole fragments end behind a byte."""
    return sum(isinstance(event, Fragment) and event.end > at for event in read_events(path.read_bytes()))


async def _newest_listed(scene: Scene, camera: str) -> dict[str, Any]:
    """What the API says of the newest recording of which something is listed; it stands still by now."""
    before: dict[str, Any] = {}
    url = scene.servers.url(f"api/v1/cameras/{camera}/recordings?from={time.time() - 60:.3f}&limit=1000")
    async with aiohttp.ClientSession(raise_for_status=True) as session:

        async def settled() -> dict[str, Any] | None:
            nonlocal before
            async with session.get(url) as answer:
                last, before = before, (await answer.json())["recordings"][-1]
            return before if last == before else None

        return await until(settled, f"the last segment of {camera} listed", every_s=0.2)


async def fill_disk(scene: Scene, chance: random.Random) -> Fault:
    """Another program takes all the room there is, and gives it back later. One old recording is protected."""
    name = sorted(scene.recordings(), key=lambda each: each.split("/")[1])[chance.randrange(len(CAMERAS))]
    (scene.archive / name).chmod(0o444)
    scene.protected.add(name)
    fault = Fault(kind="disk filled", hit=CAMERAS, may_remove=True)
    scene.disk.fill()
    try:
        await asyncio.sleep(scene.pace.full_s)
        fault.said = f"with {scene.disk.filler_bytes >> 20} MiB for {scene.pace.full_s:.0f} s"
    finally:
        scene.disk.relieve()
    return fault.end()


async def kill_serve(scene: Scene, chance: random.Random) -> Fault:
    """`kill -9` of the process that only answers, and its restart: no camera may notice."""
    away_s = chance.uniform(*scene.pace.down_s)
    servers, role = scene.servers, scene.servers.answering
    fault = Fault(kind="serve killed", hit=(), said=f"away for {away_s:.1f} s")
    await servers.kill(role)
    await asyncio.sleep(away_s)
    fault.end()
    await servers.start(role)
    return fault


async def stop_serve(scene: Scene, _: random.Random) -> Fault:
    """A restart in order of the process that only answers: no camera may notice."""
    servers, role = scene.servers, scene.servers.answering
    fault = Fault(kind="serve restarted", hit=())
    await servers.stop(role)
    fault.end()
    await servers.start(role)
    return fault


KINDS: dict[str, Strike] = {
    "ffmpeg": kill_ffmpeg,
    "server": kill_server,
    "restart": stop_server,
    "rtsp": kill_rtsp,
    "freeze": freeze_rtsp,
    "silence": silence_network,
    "catalog": delete_catalog,
    "tail": cut_tail,
    "disk": fill_disk,
}


KINDS_OF_TWO: dict[str, Strike] = {**KINDS, "serve": kill_serve, "restart-serve": stop_serve}
"""Where one process records and another answers."""

UNDRAWN: dict[str, Strike] = {"power": cut_power}
"""Only when asked for by name: what hlscam does not promise."""


def draw(chance: random.Random, count: int, kinds: list[str]) -> list[str]:
    """`count` kinds in random order: each once, then any."""
    first = kinds[:count]
    chance.shuffle(first)
    return [*first, *chance.choices(kinds, k=count - len(first))]


@asynccontextmanager
async def _killed(scene: Scene, fault: Fault, away_s: float) -> AsyncIterator[None]:
    """The process that records is dead for `away_s` and for the length of the block; then it is started again."""
    servers, role = scene.servers, scene.servers.recording
    await servers.kill(role)
    await asyncio.sleep(away_s)
    yield
    fault.end()
    await servers.start(role)
