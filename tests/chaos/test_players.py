"""hls.js in Chromium as it comes, and VLC: started before the faults, never touched, and still live after them.

One server, two cameras, two players for each of them. `radio` is behind a network that drops everything for a minute;
meanwhile `wired`, another camera, is dead for 40 s. Then the server is restarted in order, and once more after
`kill -9`. After each of these every player must show a picture that the camera took *afterwards*, read off the clock
in it.

hls.js as it comes asks for a playlist three times, at once, after 1 s and after 2 s more, and then gives up for ever
(`playlistLoadPolicy.errorRetry`): a server may refuse connections for 3 s and no longer. A connection that is accepted
and answered late does it no harm (10 s).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from tests.chaos.observer import Observer
from tests.chaos.servers import Servers
from tests.rig.chromium import Tab, open_tab
from tests.rig.media_server import MediaServer
from tests.rig.proxy import TcpProxy
from tests.rig.rtsp import RtspCamera
from tests.rig.vlc import Vlc
from tests.rig.waiting import until

pytestmark = pytest.mark.players

SETTINGS = """
archive: {{path: ./archive, recording_minutes: 0.5}}
cameras:
  wired: {{source: "{wired}"}}
  radio: {{source: "{radio}"}}
"""
RATE = 12
DEAD_S = 40
SILENT_S = 60
PATIENCE_S = 90


class Player(Protocol):
    """A player of one camera."""

    name: str

    async def shown_s(self) -> float | None:
        """When the picture was taken that it shows now, Unix seconds; None when it cannot be read just now."""

    async def assert_well(self) -> None:
        """Raise AssertionError when it has given up, or said that it must."""


@dataclass
class HlsJs:
    name: str
    tab: Tab

    async def shown_s(self) -> float | None:
        if not await self.tab.page.evaluate("document.querySelector('video').readyState >= 2"):
            return None
        clock_ms = (await self.tab.shown_picture()).clock_ms()
        return None if clock_ms is None else clock_ms / 1000

    async def assert_well(self) -> None:
        look = await self.tab.look()
        fatal = [error for error in look["errors"] if error["fatal"]]
        assert not fatal, f"{self.name} gave up: {fatal}"
        assert not look["ended"], f"{self.name} thinks that live has ended"
        assert not self.tab.page_errors, f"{self.name}: {self.tab.page_errors}"
        # By the playhead: where a segment turns out shorter than its parts promised, hls.js moves the border under it.
        played = [(frag["position"], frag["sn"]) for frag in look["frags"]]
        positions_s = [position_s for position_s, _ in played]
        assert positions_s == sorted(positions_s), f"{self.name} went back: {played}"


@dataclass
class VlcPlayer:
    name: str
    vlc: Vlc

    async def shown_s(self) -> float | None:
        try:
            clock_ms = (await self.vlc.picture()).clock_ms()
        except AssertionError:
            return None  # it has none just now
        return None if clock_ms is None else clock_ms / 1000

    async def assert_well(self) -> None:
        assert self.vlc.is_alive, f"{self.name} ended"
        state = await self.vlc.state()
        assert state == "playing", f"{self.name} is {state}"


async def show(players: Sequence[Player], after_s: float, what: str) -> None:
    """Wait until every player shows a moving picture that was taken after that moment, and is well."""
    await asyncio.gather(*(_shows(player, after_s, what) for player in players))


async def _shows(player: Player, after_s: float, what: str) -> None:
    async def ask() -> float | None:
        await player.assert_well()
        shown_s = await player.shown_s()
        return shown_s if shown_s is not None and shown_s > after_s else None

    first_s = await until(ask, f"{player.name} shows a picture from after {what}", timeout_s=PATIENCE_S, every_s=0.5)
    took_s = time.time() - after_s
    after_s = first_s
    moved_s = await until(ask, f"{player.name} shows moving pictures after {what}", timeout_s=20, every_s=0.5)
    behind_s = time.time() - moved_s
    print(f"{what:<34}{player.name:<14} a new picture after {took_s:5.1f} s, {behind_s:5.1f} s behind live", flush=True)


@asynccontextmanager
async def players_of(server: Servers, cameras: Sequence[str]) -> AsyncIterator[dict[str, list[Player]]]:
    """hls.js and VLC on each camera's one URL."""
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(MediaServer(server.folder))
        players: dict[str, list[Player]] = {}
        for camera in cameras:
            url = server.url(f"hls/{camera}/index.m3u8")
            tab = await stack.enter_async_context(open_tab())
            await tab.page.goto(host.player_url(url))
            vlc = await stack.enter_async_context(Vlc(url))
            await vlc.playing(timeout_s=PATIENCE_S)  # it answers before it has begun, and is `stopped` then
            players[camera] = [HlsJs(f"{camera} hls.js", tab), VlcPlayer(f"{camera} VLC", vlc)]
        yield players


async def test_players_that_are_never_touched_play_on(tmp_path: Path) -> None:
    async with (
        RtspCamera(rate=RATE, gop=RATE) as wired,
        RtspCamera(rate=RATE, gop=RATE, audio="alaw") as radio,
        TcpProxy(radio.port) as network,
        Servers(tmp_path, SETTINGS.format(wired=wired.url, radio=network.between(radio.url))) as server,
    ):
        complaints: list[str] = []
        observers = [Observer(camera, server, complaints) for camera in ("wired", "radio")]
        watching = [asyncio.create_task(observer.watch()) for observer in observers]
        try:
            await until(partial(_have_segments, observers), "the first segments", timeout_s=60)
            async with players_of(server, ("wired", "radio")) as players:
                everyone = [*players["wired"], *players["radio"]]
                await show(everyone, time.time() - 60, "the start")
                await _outages(players, wired, network)
                await _restarts(everyone, server)
                await asyncio.gather(*(player.assert_well() for player in everyone))
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        assert complaints == []


async def _have_segments(observers: Sequence[Observer]) -> bool:
    return min(len(observer.seen) for observer in observers) >= 3


async def _outages(players: dict[str, list[Player]], wired: RtspCamera, network: TcpProxy) -> None:
    began_s = time.time()
    network.drop()
    await wired.stop()
    await asyncio.sleep(DEAD_S)
    await wired.start()
    back = asyncio.create_task(show(players["wired"], time.time(), f"{DEAD_S} s without a camera"))
    await asyncio.sleep(began_s + SILENT_S - time.time())
    network.restore()
    await show(players["radio"], time.time(), f"{SILENT_S} s of a silent network")
    await back


async def _restarts(everyone: Sequence[Player], server: Servers) -> None:
    await server.stop(server.answering)
    await server.start(server.answering)
    print(f"nobody listened for {server.last_downtime_s:.1f} s", flush=True)
    await show(everyone, time.time(), "a restart of the server")
    await server.kill(server.answering)
    await server.start(server.answering)
    print(f"nobody listened for {server.last_downtime_s:.1f} s", flush=True)
    await show(everyone, time.time(), "kill -9 of the server")
