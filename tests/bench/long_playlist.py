"""A day as one playlist: 43,200 segments, asked for over HTTP, from a catalog of a week of a camera.

With an end, and without one: then it is loaded again for each new segment, whole or as a delta update.

Cold is the first request of a new process on a database whose pages the kernel was told to forget; warm is the
median of ten after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.domain.config import Config
from hlscam.server.application import make_application
from hlscam.server.page_files import PageFiles
from hlscam.server.services import Services
from hlscam.services.live import LiveStreams
from hlscam.units import US_PER_S
from tests.adapters.catalog.samples import INIT_HASH, NOON_US, recording
from tests.bench.figure import Figure
from tests.manual_clock import ManualClock

DAYS = 7
DAY_US = 86_400 * US_PER_S
COLD_RUNS = 5


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        url = f"sqlite:///{name}/catalog.sqlite3"
        await _fill(url)
        answers = []
        for _ in range(COLD_RUNS):
            _forget_pages(Path(name) / "catalog.sqlite3")
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.long_playlist", name, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await child.communicate()
            answers.append(json.loads(out))
    return [
        Figure("segments listed", answers[0]["segments"], "", "43,200"),
        Figure("first request of a process, cold database", statistics.median(a["cold"] for a in answers), "ms", "150"),
        Figure("later requests", statistics.median(a["warm"] for a in answers), "ms", "50"),
        Figure("later requests, gzip", statistics.median(a["gzip"] for a in answers), "ms"),
        Figure("bytes, gzip", answers[0]["gzip_bytes"] / 1024, "KiB"),
        Figure("one that grows, whole, gzip", statistics.median(a["whole"] for a in answers), "ms"),
        Figure("one that grows, bytes, gzip", answers[0]["whole_bytes"] / 1024, "KiB"),
        Figure("its delta update", statistics.median(a["delta"] for a in answers), "ms"),
        Figure("its delta update, bytes", answers[0]["delta_bytes"] / 1024, "KiB"),
    ]


async def _fill(url: str) -> None:
    catalog = await Catalog.open(url)
    await catalog.put_init_section(INIT_HASH, b"an init section")
    for at in range(DAYS):
        await catalog.put_recordings(recording(index, segments=300) for index in range(at * 144, at * 144 + 144))
    await catalog.close()


def _forget_pages(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


async def _serve_and_ask(folder: Path) -> dict[str, float]:
    """One process's part: serve the catalog and ask for a day of it."""
    config = Config()
    catalog = await Catalog.open(f"sqlite:///{folder}/catalog.sqlite3")
    archive, live = Archive(folder), LiveStreams(30)
    services = Services.over(
        config,
        archive,
        catalog,
        live,
        clock=ManualClock(wall_us=NOON_US + DAYS * DAY_US),
        notes=lambda _: None,
        ready=lambda: "",
    )
    runner = web.AppRunner(make_application(services, PageFiles()))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    start_s = (NOON_US + 3 * DAY_US) // US_PER_S
    camera = (await catalog.cameras())[0]
    host, port = runner.addresses[0][:2]
    base = f"http://{host}:{port}/hls/{camera}/timeline.m3u8"
    url = f"{base}?from={start_s}&to={start_s + 86_400}"
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            cold_ms, text = await _ask(session, url, "identity")
            warm = [(await _ask(session, url, "identity"))[0] for _ in range(10)]
            zipped = [await _ask(session, url, "gzip") for _ in range(5)]
            growing = f"{base}?from={(NOON_US + (DAYS - 1) * DAY_US) // US_PER_S}"
            whole = [await _ask(session, growing, "gzip") for _ in range(5)]
            delta = [await _ask(session, f"{growing}&_HLS_skip=YES", "gzip") for _ in range(5)]
    finally:
        await runner.cleanup()
        await catalog.close()
        archive.close()
    return {
        "segments": text.count(b"#EXTINF"),
        "cold": cold_ms,
        "warm": statistics.median(warm),
        "gzip": statistics.median(ms for ms, _ in zipped),
        "gzip_bytes": len(zipped[0][1]),
        "whole": statistics.median(ms for ms, _ in whole),
        "whole_bytes": len(whole[0][1]),
        "delta": statistics.median(ms for ms, _ in delta),
        "delta_bytes": len(delta[0][1]),
    }


async def _ask(session: aiohttp.ClientSession, url: str, encoding: str) -> tuple[float, bytes]:
    began_s = time.perf_counter()
    async with session.get(url, headers={"Accept-Encoding": encoding}) as response:
        response.raise_for_status()
        body = await response.read()
    return (time.perf_counter() - began_s) * 1000, body


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        print(json.dumps(asyncio.run(_serve_and_ask(Path(sys.argv[1])))))
