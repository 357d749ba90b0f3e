"""What the load benchmarks share: a server with one camera of a constant bit rate, and a crowd in a process of its own.

The crowd is a module that is run with arguments, the last of them its core and a file, into which it writes what it has
seen as JSON when it is done.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from tests.rig.child import Child
from tests.rig.ffmpeg_tools import make_clip
from tests.rig.hlscam_server import HlscamServer
from tests.rig.paths import REPOSITORY

SERVER_CORE, CROWD_CORE = 0, 1


@asynccontextmanager
async def one_camera(bit_rate: str, *, server: str = "") -> AsyncIterator[HlscamServer]:
    """A server whose camera `c` is a clip of that bit rate, looped; with sound and a sync sample every 2 s.

    `server` are settings of that section, such as `cache_mb: 8`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        clip = folder / "clip.mp4"
        constant = ["-b:v", bit_rate, "-minrate", bit_rate, "-maxrate", bit_rate, "-bufsize", bit_rate]
        await asyncio.to_thread(
            make_clip,
            clip,
            seconds=20,
            size="1280x720",
            rate=25,
            gop=50,
            audio="aac",
            options=[*constant, "-x264-params", "nal-hrd=cbr"],
        )
        settings = f"archive: {{path: ./archive}}\ncameras: {{c: {{source: 'file:{clip}'}}}}"
        async with HlscamServer(folder, settings, server=server) as running:
            yield running


async def run_crowd(module: str, *arguments: object, within_s: float) -> dict[str, Any]:
    """What a crowd has seen, and `core_share`. Raises AssertionError with what it said on stderr."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        seen = Path(name) / "seen.json"
        argv = [sys.executable, "-m", module, *map(str, arguments), str(CROWD_CORE), str(seen)]
        child = await Child.start(argv, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
        try:
            code = await child.ended(within_s)
        finally:
            log = await child.kill()
        assert code == 0, log[-2000:]
        found: dict[str, Any] = json.loads(await asyncio.to_thread(seen.read_text))
        return found


def crowd_main(work: Callable[..., Coroutine[Any, Any, dict[str, Any]]], argv: list[str]) -> None:
    """The crowd's side: do `work` with the arguments, on the core that they name, and write what it has seen."""
    *arguments, core, path = argv
    os.sched_setaffinity(0, {int(core)})
    began_s = time.perf_counter()
    seen = uvloop.run(work(*arguments))
    seen["core_share"] = time.process_time() / (time.perf_counter() - began_s)
    Path(path).write_text(json.dumps(seen), encoding="utf-8")
