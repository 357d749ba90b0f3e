"""How old is the live picture? `hlscam bench latency` with the default parts and the shortest, and other players.

Read off the clock in the picture: on our page by every way to it, in hls.js as it comes, and in VLC.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
import time
from pathlib import Path

from hlscam.bench import latency
from hlscam.bench.browser import open_browser
from hlscam.bench.plan import SOURCE, Plan
from hlscam.bench.report import Report, percentile, worst
from hlscam.bench.watching import watch
from hlscam.bench.ways import Way
from tests.bench.figure import Figure
from tests.rig.hlscam_server import HlscamServer
from tests.rig.media_server import MediaServer
from tests.rig.vlc import Vlc

SETTINGS = f"""
archive: {{path: ./archive}}
cameras:
  c: {{source: "{SOURCE}"}}
"""
GOALS = {
    (None, "hls"): "3 segments, about 7 s",
    (None, "ll-hls"): "1.6",
    (0.2, "ll-hls"): "1.1",
    (None, "ws"): "0.8",
    (0.2, "ws"): "0.5",
    (None, "mjpeg"): "0.8",
}
FIRST_PICTURE_GOALS = {"ll-hls": "1", "ws": "1"}
HLS_JS = Way(name="hls.js", title="hls.js as it comes", path="", probe="", carrier=None)
WARM_UP_S = 14
STARTS = 5
SAMPLES = 5
"""Of each start of VLC: where a player begins depends on how old the newest segment was just then."""


async def measure() -> list[Figure]:
    figures: list[Figure] = []
    for part_duration_s in (None, 0.2):
        report = await latency.measure(Plan(starts=STARTS, part_duration_s=part_duration_s))
        figures += _figures(report, part_duration_s)
    return figures + await _others()


def _figures(report: Report, part_duration_s: float | None) -> list[Figure]:
    parts = "" if part_duration_s is None else f", parts of {part_duration_s} s"
    figures: list[Figure] = []
    for row in report.rows:
        name = f"{row.title}{parts}"
        goal = GOALS.get((part_duration_s, row.name), "")
        if row.missing:
            figures.append(Figure(name, math.nan, "s", row.missing))
            continue
        median_s, p95_s = statistics.median(row.latencies_ms) / 1000, percentile(row.latencies_ms, 95) / 1000
        first_s, first_goal = statistics.median(row.first_pictures_ms) / 1000, FIRST_PICTURE_GOALS.get(row.name, "")
        figures += [
            Figure(f"{name}, median of {len(row.starts)} starts", median_s, "s", goal),
            Figure(f"{name}, p95", p95_s, "s"),
            Figure(f"{name}, cold page until a picture, median", first_s, "s", first_goal),
        ]
    name = f"program date time less the picture's clock, worst{parts}"
    return [*figures, Figure(name, worst(report.date_errors_ms), "ms", "under 50")]


async def _others() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with HlscamServer(Path(name), SETTINGS) as server:
            await asyncio.sleep(WARM_UP_S)
            alone = [age_s for _ in range(STARTS) for age_s in await _in_hls_js(server)]
            vlc = [age_s for _ in range(STARTS) for age_s in await _in_vlc(server)]
    return [
        Figure(f"hls.js as it comes, median of {STARTS} starts", statistics.median(alone), "s"),
        Figure(f"VLC, median of {STARTS} starts", statistics.median(vlc), "s", "3 segments, about 7 s"),
    ]


async def _in_hls_js(server: HlscamServer) -> list[float]:
    async with MediaServer(server.folder) as host, open_browser() as browser:
        watched = await watch(HLS_JS, Plan(camera="c"), host.player_url(server.url("hls/c/index.m3u8")), browser)
        return [each / 1000 for each in watched.latencies_ms]


async def _in_vlc(server: HlscamServer) -> list[float]:
    async with Vlc(server.url("hls/c/index.m3u8")) as vlc:
        await vlc.playing(displayed=25)
        await asyncio.sleep(5)
        ages_s: list[float] = []
        while len(ages_s) < SAMPLES:
            await asyncio.sleep(0.5)
            shown_ms = (await vlc.picture()).clock_ms()
            if shown_ms is not None:
                ages_s.append(time.time() - shown_ms / 1000)
        return ages_s
