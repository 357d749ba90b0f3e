"""A viewer who lost the server at some segment comes back after its restart: the very next picture is the next shown.

Pictures are told apart by the clock in them, which no two have alike. What is expected is read out of the segments
themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hlscam.bench.clockface import Picture
from tests.rig.chromium import Tab, open_tab
from tests.rig.ffmpeg_tools import run_ffmpeg
from tests.rig.hlscam_server import HlscamServer
from tests.rig.media_server import MediaServer
from tests.rig.vlc import Vlc
from tests.rig.waiting import until

pytestmark = pytest.mark.players

WIDTH, HEIGHT = 320, 180
SETTINGS = f"""
archive: {{path: ./archive}}
hls: {{segment_duration_s: 1}}
cameras:
  pattern: {{source: "test:?size={WIDTH}x{HEIGHT}&rate=25&gop_s=1&audio=1"}}
"""
NEVER_PLAY = "HTMLMediaElement.prototype.play = async () => undefined"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HlscamServer]:
    async with HlscamServer(tmp_path, SETTINGS) as running:
        yield running


async def clocks_of(server: HlscamServer, number: int) -> list[int]:
    """The clock in every picture of a segment."""
    playlist = await server.text(f"hls/pattern/timeline.m3u8?after={number - 1}")
    init = playlist.partition('#EXT-X-MAP:URI="')[2].partition('"')[0]
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        parts = [await (await session.get(server.url(f"hls/pattern/{uri}"))).read() for uri in (init, f"{number}.m4s")]
    file = server.folder / f"{number}.mp4"
    file.write_bytes(b"".join(parts))
    done = await run_ffmpeg(["-v", "error", "-i", file, "-map", "0:v", "-pix_fmt", "gray", "-f", "rawvideo", "-"])
    size = WIDTH * HEIGHT
    pictures = [Picture(WIDTH, HEIGHT, done.stdout[at : at + size]) for at in range(0, len(done.stdout), size)]
    clocks = [each.clock_ms() for each in pictures]
    assert clocks, done.stderr
    return [each for each in clocks if each is not None]


async def seen_in_hls_js(server: HlscamServer) -> int:
    """Watch live for a moment, in a player that is then closed; the last segment that was shown to its end."""
    async with MediaServer(server.folder) as host, open_tab() as tab:
        await tab.page.goto(host.player_url(server.url("hls/pattern/index.m3u8")))
        await tab.wait_for("() => window.record.frags.length >= 3", timeout_s=30)
        return int((await tab.look())["frags"][-2]["sn"])


async def first_in_hls_js(server: HlscamServer, number: int) -> int:
    """The clock in the first picture of a player that goes on after a segment."""
    async with MediaServer(server.folder) as host, open_tab() as tab:
        await tab.page.add_init_script(NEVER_PLAY)
        await tab.page.goto(host.player_url(server.url(f"hls/pattern/timeline.m3u8?after={number}")))
        shown_ms = await until(lambda: _shown_ms(tab), "a readable clock in the picture")
        look = await tab.look()
        assert not [error for error in look["errors"] if error["fatal"]]
        return shown_ms


async def _shown_ms(tab: Tab) -> int | None:
    if not await tab.page.evaluate("document.querySelector('video').readyState >= 2"):
        return None
    return (await tab.shown_picture()).clock_ms()


async def one_of_the_first_in_vlc(server: HlscamServer, number: int) -> int:
    """The same in VLC; which, told to pause at once, comes up to half a second further."""
    async with Vlc(server.url(f"hls/pattern/index.m3u8?after={number}"), options=["--start-paused"]) as vlc:
        return await until(lambda: _snapshot_ms(vlc), "a readable clock in VLC's picture")


async def _snapshot_ms(vlc: Vlc) -> int | None:
    try:
        return (await vlc.picture()).clock_ms()
    except AssertionError:  # it shows none yet
        return None


async def test_the_very_next_picture_is_the_next_shown(server: HlscamServer) -> None:
    """Within a run, and where the very next one is the first after the restart."""
    seen = await seen_in_hls_js(server)
    await server.stop()
    await server.start()
    runs = (await server.json("api/v1/cameras/pattern/recordings"))["recordings"]
    last_of_run = runs[-1]["first_media_sequence"] - 1
    assert runs[-1]["run"] != runs[-2]["run"]
    assert seen < last_of_run
    for number in (seen, last_of_run):
        expected = await clocks_of(server, number + 1)
        assert (await clocks_of(server, number))[-1] < expected[0]
        assert await first_in_hls_js(server, number) == expected[0]
        assert await one_of_the_first_in_vlc(server, number) in expected
