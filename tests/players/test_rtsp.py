"""A camera as people have them: RTSP over TCP, H.264 and G.711, a password; recorded, and watched in real players."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig.chromium import Tab, open_tab
from tests.rig.ffmpeg_tools import decode
from tests.rig.hlscam_server import HlscamServer
from tests.rig.media_server import MediaServer
from tests.rig.rtsp import RtspCamera
from tests.rig.vlc import Vlc
from tests.rig.waiting import until

pytestmark = pytest.mark.players


async def test_an_rtsp_camera_with_g711_plays_everywhere(tmp_path: Path) -> None:
    async with RtspCamera(audio="alaw", user="viewer", password="s3cret-word", rate=25, gop=50) as camera:
        source = camera.url_as("viewer", "s3cret-word")
        settings = f"cameras: {{porch: {{name: Front porch, source: '{source}'}}}}"
        async with HlscamServer(tmp_path, settings) as server:
            about = await server.json("api/v1/cameras/porch")
            assert about["state"] == "recording"
            assert about["video"]["codec"].startswith("avc1.")
            assert about["audio"]["codec"] == "mp4a.40.2"
            assert about["audio"]["sample_rate_hz"] >= 16_000
            assert not (await decode(server.url("hls/porch/index.m3u8"), duration_s=4)).errors
            async with Vlc(server.url("hls/porch/index.m3u8")) as vlc:
                stats = await vlc.playing(displayed=75, timeout_s=40)
                assert stats.audio_played > 0
            async with MediaServer(tmp_path) as host, open_tab() as tab:
                await tab.page.goto(host.player_url(server.url("hls/porch/index.m3u8")))
                await tab.wait_for("() => window.look().time > 4", timeout_s=40)
                look = await tab.look()
                assert not [error for error in look["errors"] if error["fatal"]]
                await until(lambda: _shown_ms(tab), "a readable clock in the picture")
    assert "s3cret" not in server.log


async def _shown_ms(tab: Tab) -> int | None:
    """The clock in the picture; None in the moment between two pictures."""
    if not await tab.page.evaluate("document.querySelector('video').readyState >= 2"):
        return None
    return (await tab.shown_picture()).clock_ms()
