"""200 WebSocket clients, 20 of them reading nothing: is the server's memory bounded, are the others unaffected?

The camera sends 4 Mbit/s, so that what is kept for those who do not read shows soon: a server that forgets nothing
would grow by half a megabyte a second for each. The cache of segments is small, or its filling would be all that shows.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp

from hlscam.bench.report import percentile
from tests.bench.crowd import one_camera, run_crowd
from tests.bench.figure import Figure
from tests.bench.ll_hls_viewers import lateness_ms
from tests.bench.on_disk import DiskWatch
from tests.bench.processes import own_bytes
from tests.rig.hlscam_server import HlscamServer

READERS, SILENT = 180, 20
BEFORE_S, AFTER_S = 20, 60
BIT_RATE = "4M"
CACHE = "cache_mb: 4"
_LONGEST_S = BEFORE_S + AFTER_S + 60


async def measure() -> list[Figure]:
    async with one_camera(BIT_RATE, server=CACHE) as server:
        url = server.url("ws/c")
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            if answer.status == 404:
                return [Figure("WebSocket clients: /ws/c answers 404", 0, "clients", str(READERS + SILENT))]
        return await _listened(server, url)


async def _listened(server: HlscamServer, url: str) -> list[Figure]:
    disk = DiskWatch(server.folder / "archive" / "c")
    held_bytes: list[int] = []
    others = [asyncio.create_task(disk.follow()), asyncio.create_task(_weigh(server.pid, held_bytes))]
    try:
        crowd = ("tests.bench.sockets", url, READERS, SILENT, BEFORE_S, AFTER_S)
        heard = await run_crowd(*crowd, within_s=_LONGEST_S)
    finally:
        for task in others:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    return [*_figures(heard, disk.times, held_bytes), Figure("clients, of their core", heard["core_share"] * 100, "%")]


async def _weigh(pid: int, held_bytes: list[int]) -> None:
    """Note the server's memory every second."""
    while True:
        held_bytes.append(await asyncio.to_thread(own_bytes, pid))
        await asyncio.sleep(1)


def _figures(heard: dict[str, Any], on_disk: dict[str, float], held_bytes: list[int]) -> list[Figure]:
    figures = []
    for phase, words in (("before", "all read"), ("after", f"{SILENT} more read nothing")):
        late_ms = lateness_ms(heard[phase], on_disk)
        figures.append(Figure(f"fragments to {READERS} readers, {words}", len(late_ms), ""))
        if late_ms:
            figures += [
                Figure(f"on disk until at a reader, p{at}, {words}", percentile(late_ms, at), "ms") for at in (50, 99)
            ]
    errors = "; ".join(f"{count} × {what}" for what, count in heard["errors"].items()) or "0"
    joined = max(0, len(held_bytes) - AFTER_S - 2)
    return [
        *figures,
        Figure("errors of readers", sum(heard["errors"].values()), "", errors),
        Figure(f"of {SILENT} silent connections, closed by the server", heard["silent_closed"], ""),
        Figure("server memory (Pss) before the silent ones joined", held_bytes[joined] / 2**20, "MiB"),
        Figure("server memory (Pss) at the end", held_bytes[-1] / 2**20, "MiB"),
        Figure("server memory (Pss), most", max(held_bytes) / 2**20, "MiB", "bounded"),
    ]
