"""VLC and hls.js really play: a small fMP4 HLS made by ffmpeg, whose pictures carry the clock band."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hlscam.bench.clockface import CELLS
from tests.rig.chromium import open_tab
from tests.rig.clockface import band_rows
from tests.rig.ffmpeg_tools import decode, make_clip
from tests.rig.media_server import MediaServer
from tests.rig.vlc import Vlc
from tests.rig.waiting import until

pytestmark = pytest.mark.players

START_MS = 1_795_385_400_000
SECONDS = 8


@pytest.fixture(scope="module")
def vod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with index.m3u8 and 2 s segments; the clock band of its pictures stands still at START_MS."""
    folder = tmp_path_factory.mktemp("vod")
    band = folder / "band.pgm"
    rows = band_rows(START_MS, 4, black=0, white=255)
    band.write_bytes(b"P5 %d %d 255\n" % (CELLS * 4, len(rows)) + b"".join(rows))
    overlay = ["-vf", f"movie={band}[band];[in][band]overlay=0:0"]
    hls = ["-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "2", "-hls_playlist_type", "vod"]
    make_clip(folder / "index.m3u8", seconds=SECONDS, gop=50, audio="aac", options=[*overlay, *hls])
    return folder


async def test_ffmpeg_reads_it_over_http(vod: Path) -> None:
    async with MediaServer(vod) as server:
        decoded = await decode(server.url("index.m3u8"))
    assert (decoded.frames, decoded.errors) == (25 * SECONDS, [])


async def test_vlc_plays_it(vod: Path) -> None:
    async with MediaServer(vod) as server, Vlc(server.url("index.m3u8")) as vlc:
        begun = await vlc.playing(displayed=10)
        picture = await vlc.picture()
        later = await vlc.playing(displayed=begun.displayed + 25)
        assert (picture.width, picture.height, picture.clock_ms()) == (320, 180, START_MS)
        assert later.decoded > begun.decoded
        assert later.audio_played > begun.audio_played
        assert (later.corrupted, later.discontinuities) == (0, 0)
        assert await until(vlc.time_s, "a second of VLC's own clock") >= 1
        assert "using video decoder module" in vlc.log_text()
    assert not vlc.is_alive
    assert "using video decoder module" in vlc.log_text()


async def test_vlc_stops_at_the_end(vod: Path) -> None:
    async with MediaServer(vod) as server, Vlc(server.url("index.m3u8"), options=["--start-time=6"]) as vlc:
        await vlc.playing()

        async def has_stopped() -> bool:
            return await vlc.state() == "stopped"

        await until(has_stopped, "the end of the stream")
        with pytest.raises(AssertionError, match="its state is stopped"):
            await vlc.stats()
        with pytest.raises(AssertionError, match="shows no picture"):
            await vlc.picture()


async def test_a_question_that_was_given_up_does_not_spoil_the_next(vod: Path) -> None:
    async with MediaServer(vod) as server, Vlc(server.url("index.m3u8")) as vlc:
        await vlc.playing()
        asking = asyncio.create_task(vlc.ask("help"))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await vlc.ask("get_title") == "index.m3u8"


async def test_vlc_shows_nothing_of_what_is_not_there(vod: Path) -> None:
    async with MediaServer(vod) as server, Vlc(server.url("missing.m3u8")) as vlc:
        with pytest.raises(AssertionError, match="VLC showing 1 pictures: not within 1"):
            await vlc.playing(timeout_s=1)
        assert await vlc.state() == "stopped"


async def test_hls_js_plays_it_in_chromium(vod: Path) -> None:
    async with MediaServer(vod) as server, open_tab() as tab:
        await tab.page.goto(server.player_url(server.url("index.m3u8"), config={"maxBufferLength": 4}))
        await tab.wait_for("() => window.look().time > 2.5")
        picture = await tab.shown_picture()
        top_rows = await tab.shown_picture(rows=8)
        look = await tab.look()
        tab.assert_quiet()
        assert await tab.page.evaluate("hls.config.maxBufferLength") == 4
    assert (picture.width, picture.height, picture.clock_ms()) == (320, 180, START_MS)
    assert (top_rows.height, top_rows.clock_ms(full_height=180)) == (8, START_MS)
    assert [frag["sn"] for frag in look["frags"]] == [0, 1]
    assert {frag["cc"] for frag in look["frags"]} == {0}
    assert look["levelsLoaded"][0]["endSN"] == 3
    assert look["frames"] > 50
    assert look["dropped"] < look["frames"]  # how many a busy machine drops is not the rig's matter
    assert (look["errors"], look["discontinuities"]) == ([], 0)


async def test_hls_js_records_discontinuities(vod: Path) -> None:
    """Two discontinuities, made of the same segments again."""
    once = [line for line in (vod / "index.m3u8").read_text().splitlines() if line != "#EXT-X-ENDLIST"]
    body = once[next(at for at, line in enumerate(once) if line.startswith("#EXT-X-MAP")) :]
    first = body[:3]  # EXT-X-MAP, EXTINF, URI
    text = "\n".join([*once[:-6], "#EXT-X-DISCONTINUITY", *first, "#EXT-X-ENDLIST", ""])
    (vod / "twice.m3u8").write_text(text)
    async with MediaServer(vod) as server, open_tab() as tab:
        await tab.page.goto(server.player_url(server.url("twice.m3u8"), config={"startPosition": 1.5}))
        await tab.wait_for("() => window.look().discontinuities > 0")
        look = await tab.look()
    assert [frag["cc"] for frag in look["frags"]] == [0, 1]


async def test_a_broken_playlist_is_a_fatal_error_on_record(vod: Path) -> None:
    async with MediaServer(vod) as server, open_tab() as tab:
        await tab.page.goto(server.player_url(server.url("missing.m3u8")))
        await tab.wait_for("() => window.record.errors.some((error) => error.fatal)")
        fatal = [error for error in (await tab.look())["errors"] if error["fatal"]]
        assert (fatal[0]["details"], fatal[0]["status"]) == ("manifestLoadError", 404)
        with pytest.raises(AssertionError, match="404"):
            tab.assert_quiet()
        with pytest.raises(AssertionError, match="shows no picture"):
            await tab.shown_picture()


async def test_the_browser_sees_errors_and_no_other_network(vod: Path) -> None:
    async with MediaServer(vod) as server, open_tab() as tab:
        await tab.page.goto(server.player_url(server.url("index.m3u8")))
        await tab.page.evaluate("() => { setTimeout(() => { throw new Error('a bad day') }); }")
        refused = await tab.page.evaluate("fetch('http://elsewhere.example/').then(() => 'answered', String)")
        await tab.wait_for("() => true")
        await until(lambda: _is(bool(tab.page_errors)), "the page error")
        assert "a bad day" in tab.page_errors[0]
        assert "Failed to fetch" in refused
        assert "ERR_NAME_NOT_RESOLVED" in tab.failed_requests[0]
        with pytest.raises(AssertionError, match=r"never true \*/: .*Timeout"):
            await tab.wait_for("() => null /* never true */", timeout_s=0.2)


async def _is(value: bool) -> bool:
    return value
