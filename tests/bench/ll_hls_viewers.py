"""500 viewers of one camera by LL-HLS, the server on one core: how late does each part come, after it is on disk?

Late is from the moment that the fragment was whole in the recording to the moment that its last byte came to a viewer,
who first had to be told of it. The viewers share one process with a core of its own: when that is busy, their own
waiting is in the figure too, so how busy it was is told.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import Any

from hlscam.bench.report import percentile
from tests.bench.crowd import SERVER_CORE, one_camera, run_crowd
from tests.bench.figure import Figure
from tests.bench.on_disk import DiskWatch
from tests.bench.processes import children, cpu_s, pin
from tests.rig.hlscam_server import HlscamServer

VIEWERS = 500
MEASURE_S = 30
BIT_RATE = "2M"
_LONGEST_S = MEASURE_S + 120


async def measure() -> list[Figure]:
    async with one_camera(BIT_RATE) as server:
        if "#EXT-X-PART:" not in await server.text("hls/c/live.m3u8"):
            return [Figure("LL-HLS viewers: live.m3u8 lists no parts", 0, "viewers", str(VIEWERS))]
        pin(server.pid, {SERVER_CORE})
        for ffmpeg in children(server.pid):
            pin(ffmpeg, os.sched_getaffinity(0) - {SERVER_CORE} or {SERVER_CORE})
        return await _watched(server)


async def _watched(server: HlscamServer) -> list[Figure]:
    disk = DiskWatch(server.folder / "archive" / "c")
    following = asyncio.create_task(disk.follow())
    began_s, server_s = time.perf_counter(), cpu_s(server.pid)
    try:
        crowd = ("tests.bench.viewers", "127.0.0.1", server.port, "c", VIEWERS, MEASURE_S)
        seen = await run_crowd(*crowd, within_s=_LONGEST_S)
        server_share = (cpu_s(server.pid) - server_s) / (time.perf_counter() - began_s)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
    return [
        *_figures(seen, disk.times),
        Figure("server, of its core", server_share * 100, "%"),
        Figure("viewers, of theirs", seen["core_share"] * 100, "%"),
    ]


def lateness_ms(arrivals: dict[str, list[float]], on_disk: dict[str, float]) -> list[float]:
    """How late each part came to each viewer."""
    return [(at - on_disk[key]) * 1000 for key, times in arrivals.items() if key in on_disk for at in times]


def _figures(seen: dict[str, Any], on_disk: dict[str, float]) -> list[Figure]:
    arrivals, errors = seen["arrivals"], seen["errors"]
    late_ms = lateness_ms(arrivals, on_disk)
    missed = sum(VIEWERS - len(times) for times in list(arrivals.values())[1:-1])
    said = "; ".join(f"{count} × {what}" for what, count in errors.items()) or "0"
    figures = [
        Figure(f"parts delivered to {VIEWERS} viewers", len(late_ms), ""),
        Figure("errors", sum(errors.values()), "", said),
        Figure("parts not delivered, but for the first and the last", missed, "", "0"),
    ]
    if late_ms:
        figures += [
            Figure("a part at a viewer, after it is on disk, p50", percentile(late_ms, 50), "ms"),
            Figure("a part at a viewer, after it is on disk, p99", percentile(late_ms, 99), "ms", "200"),
            Figure("a part at a viewer, after it is on disk, worst", max(late_ms), "ms"),
        ]
    return figures
