"""How old is the live picture? Read off the clock in the picture, in hls.js in Chromium and in VLC (plain HLS)."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from hlscam.bench.clockface import Picture
from tests.bench.figure import Figure
from tests.rig.chromium import open_tab
from tests.rig.hlscam_server import HlscamServer
from tests.rig.media_server import MediaServer
from tests.rig.vlc import Vlc

SETTINGS = """
archive: {path: ./archive}
cameras:
  c: {source: "test:?size=640x360&rate=25&gop_s=2&audio=1"}
"""
WARM_UP_S = 14
STARTS = 5
SAMPLES = 5
"""Of each start: where a player begins depends on how old the newest segment was just then."""


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with HlscamServer(Path(name), SETTINGS) as server:
            await asyncio.sleep(WARM_UP_S)
            page, alone, vlc = [
                [age_s for _ in range(STARTS) for age_s in await ask(server)] for ask in (_on_page, _in_hls_js, _in_vlc)
            ]
    return [
        Figure("our page (hls.js), median of 5 starts", statistics.median(page), "s", "3 segments, about 7 s"),
        Figure("hls.js as it comes, median of 5 starts", statistics.median(alone), "s", "3 segments, about 7 s"),
        Figure("VLC, median of 5 starts", statistics.median(vlc), "s", "3 segments, about 7 s"),
    ]


async def _on_page(server: HlscamServer) -> list[float]:
    async with open_tab() as tab:
        await tab.page.goto(server.url(""))
        return await _sample(lambda: tab.shown_picture("[data-camera=c] video", rows=32))


async def _in_hls_js(server: HlscamServer) -> list[float]:
    async with MediaServer(server.folder) as host, open_tab() as tab:
        await tab.page.goto(host.player_url(server.url("hls/c/index.m3u8")))
        return await _sample(lambda: tab.shown_picture(rows=32))


async def _in_vlc(server: HlscamServer) -> list[float]:
    async with Vlc(server.url("hls/c/index.m3u8")) as vlc:
        await vlc.playing(displayed=25)
        return await _sample(vlc.picture)


async def _sample(look: Callable[[], Awaitable[Picture]]) -> list[float]:
    behind_s: list[float] = []
    await asyncio.sleep(5)
    while len(behind_s) < SAMPLES:
        await asyncio.sleep(0.5)
        shown_ms = (await look()).clock_ms(360)
        if shown_ms is not None:
            behind_s.append(time.time() - shown_ms / 1000)
    return behind_s
