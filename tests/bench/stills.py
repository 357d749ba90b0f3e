"""How long does a still of the past take, from the request to its last byte? 1080p with a GOP of 2 s, nothing cached.

Each is asked for with a width of its own, none of them less than the picture's, so that each is decoded. Meanwhile
nothing is recorded: the test pattern costs more than many cameras.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path

import aiohttp

from hlscam.units import US_PER_S, parse_time
from tests.bench.figure import Figure
from tests.rig.hlscam_server import HlscamServer

SETTINGS = """
archive: {{path: ./archive}}
cameras:
  c: {{source: "test:?size=1920x1080&rate=30&gop_s=2&audio=1", enabled: {enabled}}}
"""
RECORDED_S = 20
STILLS = 100
_WIDTH = 1920


async def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        async with HlscamServer(Path(name), SETTINGS.format(enabled="true")):
            await asyncio.sleep(RECORDED_S)
        async with HlscamServer(Path(name), SETTINGS.format(enabled="false")) as server:
            nearest = await _ask(server, "")
            exact = await _ask(server, "&exact=1")
            live = await _ask(server, None)
    goal = "300 ms"
    return [
        *_figures("still of the past, nearest picture", nearest, goal),
        *_figures("still of the past, exact to the frame", exact, goal),
        *_figures("newest picture", live, ""),
    ]


def _figures(what: str, taken_ms: list[float], goal: str) -> list[Figure]:
    ranked = sorted(taken_ms)
    return [
        Figure(f"{what}, median", ranked[len(ranked) // 2], "ms"),
        Figure(f"{what}, p95", ranked[len(ranked) * 95 // 100], "ms", goal),
    ]


async def _ask(server: HlscamServer, exact: str | None) -> list[float]:
    camera = await server.json("api/v1/cameras/c")
    first_us, last_us = parse_time(camera["first"]), parse_time(camera["last"]) - US_PER_S // 10
    pick = random.Random(1)
    taken_ms = []
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        for at in range(STILLS):
            when = "" if exact is None else f"&time={pick.randint(first_us, last_us) / US_PER_S:.6f}{exact}"
            url = server.url(f"api/v1/cameras/c/snapshot.jpg?width={_WIDTH + at}{when}")
            began_s = time.perf_counter()
            async with session.get(url) as response:
                await response.read()
            taken_ms.append((time.perf_counter() - began_s) * 1000)
    return taken_ms
