"""Live in real players: it plays, and it is at most three segments (about 7 s) behind, read off the picture itself."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hlscam.bench.clockface import Picture
from tests.rig.chromium import Tab, open_tab
from tests.rig.ffmpeg_tools import decode
from tests.rig.hlscam_server import HlscamServer
from tests.rig.media_server import MediaServer
from tests.rig.vlc import Vlc
from tests.rig.waiting import until

pytestmark = pytest.mark.players

SETTINGS = """
archive: {path: ./archive, recording_minutes: 0.25}
cameras:
  pattern: {name: Test pattern, source: "test:?size=640x360&rate=25&gop_s=2&audio=1"}
  hevc: {name: HEVC, source: "test:?size=192x108&rate=10&gop_s=2&codec=hevc&audio=0"}
"""
SEGMENT_S = 2
MOST_BEHIND_S = 3 * SEGMENT_S + 1


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HlscamServer]:
    async with HlscamServer(tmp_path, SETTINGS) as running:
        yield running


def behind_s(picture: Picture, full_height: int) -> float | None:
    """How old the shown picture is, by the clock in it."""
    shown_ms = picture.clock_ms(full_height)
    return None if shown_ms is None else time.time() - shown_ms / 1000


async def shown_behind_s(tab: Tab, selector: str = "video") -> float:
    """How far the picture on the page is behind, once one is shown whose clock can be read."""

    async def ask() -> float | None:
        return behind_s(await tab.shown_picture(selector, rows=32), 360)

    return await until(ask, "a readable clock in the picture")


async def test_hls_js_plays_live_within_three_segments(server: HlscamServer) -> None:
    async with MediaServer(server.folder) as host, open_tab() as tab:
        await tab.page.goto(host.player_url(server.url("hls/pattern/index.m3u8"), config={"liveSyncDurationCount": 2}))
        await tab.wait_for("() => window.look().time > 4", timeout_s=30)
        behind = await shown_behind_s(tab)
        look = await tab.look()
        tab.assert_quiet()
    assert 0 < behind <= MOST_BEHIND_S
    assert not [error for error in look["errors"] if error["fatal"]]
    assert {frag["cc"] for frag in look["frags"]} == {0}


async def test_hls_js_shows_the_time_of_the_picture_as_program_date_time(server: HlscamServer) -> None:
    """EXT-X-PROGRAM-DATE-TIME is the host's time of the picture: the clock drawn in it agrees."""
    async with MediaServer(server.folder) as host, open_tab() as tab:
        await tab.page.goto(host.player_url(server.url("hls/pattern/index.m3u8")))
        await tab.wait_for("() => window.look().time > 1 && window.video.readyState > 2", timeout_s=30)
        await tab.page.evaluate("window.video.pause()")
        shown_ms = (await tab.shown_picture(rows=32)).clock_ms(360)
        look = await tab.look()
    assert shown_ms is not None
    assert abs(shown_ms - look["playingDateMs"]) < 250


async def test_vlc_plays_live_within_three_segments(server: HlscamServer) -> None:
    async with Vlc(server.url("hls/pattern/index.m3u8")) as vlc:
        await vlc.playing(displayed=50, timeout_s=40)

        async def ask() -> float | None:
            return behind_s(await vlc.picture(), 360)

        behind = await until(ask, "a readable clock in VLC's picture", timeout_s=30)
        stats = await vlc.stats()
    assert 0 < behind <= MOST_BEHIND_S
    assert stats.audio_played > 0


@pytest.mark.parametrize("camera", ["pattern", "hevc"])
async def test_ffmpeg_reads_live(server: HlscamServer, camera: str) -> None:
    decoded = await decode(server.url(f"hls/{camera}/index.m3u8"), duration_s=4)
    assert decoded.frames > 20
    assert not decoded.errors


async def test_the_page_shows_cameras_live_and_plays_from_a_time(server: HlscamServer) -> None:
    async with open_tab() as tab:
        await tab.page.goto(server.url(""))
        await tab.page.wait_for_selector("[data-camera=pattern] video", timeout=20_000)
        assert await tab.page.locator("[data-camera]").count() == 2

        async def playing() -> bool:
            video = "document.querySelector('[data-camera=pattern] video')"
            return bool(await tab.page.evaluate(f"{video}?.readyState > 2 && {video}.currentTime > 3"))

        await until(playing, "the card plays", timeout_s=30)
        behind = await shown_behind_s(tab, "[data-camera=pattern] video")
        assert 0 < behind <= MOST_BEHIND_S

        first = (await server.json("api/v1/cameras/pattern"))["first"]
        await tab.page.goto(server.url(f"#/camera/pattern?at={first}"))
        shown = await until(lambda: _picture_time(tab), "the picture's time", timeout_s=30)
        assert first[:17] <= shown[:17]
        assert await tab.page.locator("[data-testid=strip]").is_visible()
        assert not tab.page_errors


async def _picture_time(tab: Tab) -> str | None:
    value = await tab.page.evaluate("document.querySelector('[data-testid=picture-time]')?.getAttribute('datetime')")
    return str(value) if value else None
