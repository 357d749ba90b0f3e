"""`make run`'s promise: video on the page within 5 s of the printed URL."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from tests.bench.figure import Figure
from tests.rig.chromium import open_tab
from tests.rig.hlscam_server import HlscamServer

SETTINGS = """
archive: {path: ./archive}
cameras:
  c: {source: "test:?size=1280x720&rate=30&gop_s=2&audio=1"}
"""
RUNS = 5
_SHOWS_A_PICTURE = (
    "() => (document.querySelector('[data-camera=c] video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > 0"
)


async def measure() -> list[Figure]:
    until_ready_s, until_picture_s = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            async with open_tab() as tab:
                started_s = time.perf_counter()
                async with HlscamServer(Path(name), SETTINGS) as server:
                    ready_s = time.perf_counter()
                    await tab.page.goto(server.url(""))
                    while not await tab.page.evaluate(_SHOWS_A_PICTURE):
                        await tab.page.wait_for_timeout(20)
                    until_picture_s.append(time.perf_counter() - ready_s)
                    until_ready_s.append(ready_s - started_s)
    return [
        Figure("start of the server until its URL is printed, median", statistics.median(until_ready_s), "s"),
        Figure("printed URL until a picture on the page, median", statistics.median(until_picture_s), "s", "5"),
    ]
