"""The page's own player over WebSocket, in a real browser: soon there, hardly behind, and never starting over.

Pictures are told by the moments that Chromium composed (`requestVideoFrameCallback`) and the player's own account.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.rig.chromium import Tab, open_tab
from tests.rig.hlscam_server import HlscamServer
from tests.rig.waiting import until

pytestmark = pytest.mark.players

SETTINGS = """
archive: {path: ./archive, recording_minutes: 0.1}
cameras:
  pattern: {name: Test pattern, source: "test:?size=320x180&rate=25&gop_s=2&audio=1"}
"""
MOST_BEHIND_S = 2
"""Of a machine with other things to do; what is usual is told by `hlscam bench latency`."""
PLAYER = "window.hlscam.players.get('pattern')"

WATCH = """() => {
    const player = window.hlscam.players.get("pattern");
    const seen = { shownMs: [], source: player.video.src };
    const note = () => {
        if (player.pictureMs !== null) seen.shownMs.push(player.pictureMs);
        player.video.requestVideoFrameCallback(note);
    };
    player.video.requestVideoFrameCallback(note);
    window.seen = seen;
}"""
"""Begin to keep a record of what is shown, and in which Media Source."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HlscamServer]:
    async with HlscamServer(tmp_path, SETTINGS) as running:
        yield running


async def until_true(tab: Tab, condition: str, *, timeout_s: float = 30) -> Any:
    return await until(lambda: tab.page.evaluate(condition), condition, timeout_s=timeout_s)


async def test_live_is_hardly_behind_and_goes_on_through_a_pause_and_a_restart(server: HlscamServer) -> None:
    async with open_tab() as tab:
        await tab.page.goto(server.url("#/camera/pattern"))
        await until_true(tab, f"{PLAYER}?.video.currentTime > 3 && !{PLAYER}.video.seeking")
        await _is_now(tab)
        await _survives_a_restart(tab, server)
        await _pauses(tab)
        assert not tab.page_errors


async def _is_now(tab: Tab) -> None:
    """By the clock in the picture, which is also what the page says of it."""

    async def behind_s() -> float | None:
        shown_ms = (await tab.shown_picture()).clock_ms()
        return None if shown_ms is None else time.time() - shown_ms / 1000

    assert 0 < await until(behind_s, "a readable clock in the picture") < MOST_BEHIND_S
    assert await tab.page.inner_text("[data-testid=way]") == "WebSocket"
    assert (await tab.page.inner_text("[data-testid=latency]")).startswith("live, ")


async def _survives_a_restart(tab: Tab, server: HlscamServer) -> None:
    """The same Media Source plays on: first all that was recorded until the end, then what is recorded since."""
    await tab.page.evaluate(WATCH)
    await server.stop()
    await until_true(tab, f"{PLAYER}.trouble !== null")
    await server.start()
    started_ms = time.time() * 1000
    await until_true(tab, f"{PLAYER}.pictureMs > {started_ms} && {PLAYER}.trouble === null", timeout_s=40)
    record = await tab.page.evaluate(f"({{ ...window.seen, sourceNow: {PLAYER}.video.src, way: {PLAYER}.way }})")
    assert record["sourceNow"] == record["source"]
    assert record["way"] == "ws"
    assert record["shownMs"] == sorted(record["shownMs"])


async def _pauses(tab: Tab) -> None:
    """The picture that stood is the next that is shown, and all that came meanwhile follows."""
    await until_true(tab, f"{PLAYER}.pictureMs > Date.now() - {MOST_BEHIND_S * 1000}")
    await tab.page.click("[data-testid=play]")
    stood_ms = float(await tab.page.evaluate(f"{PLAYER}.pictureMs"))
    await until_true(tab, f"Date.now() > {stood_ms} + 4000")
    assert await tab.page.evaluate(f"{PLAYER}.pictureMs") == stood_ms
    await tab.page.evaluate(WATCH)
    await tab.page.click("[data-testid=play]")
    await until_true(tab, f"{PLAYER}.pictureMs > {stood_ms} + 5000")
    shown = await tab.page.evaluate("window.seen.shownMs")
    assert stood_ms <= shown[0] < stood_ms + 500
    assert max(after - before for before, after in pairwise(shown)) < 500
    assert await tab.page.get_attribute("[data-testid=live]", "aria-pressed") == "false"
    await _stays_in_the_past(tab)
    await tab.page.click("[data-testid=live]")
    await until_true(tab, f"{PLAYER}.live && {PLAYER}.pictureMs > Date.now() - {MOST_BEHIND_S * 1000}")


async def _stays_in_the_past(tab: Tab) -> None:
    """Though the decoder breaks; a player that follows live is not what the page says then."""
    await tab.page.evaluate(WATCH)
    before_ms = await tab.page.evaluate(f"{PLAYER}.pictureMs")
    await tab.page.evaluate(f"{PLAYER}.video.dispatchEvent(new Event('error'))")
    await until_true(tab, f"{PLAYER}.way === 'hls' && {PLAYER}.pictureMs > {before_ms} + 1000")
    shown = await tab.page.evaluate("window.seen.shownMs")
    assert max(after - before for before, after in pairwise(shown)) < 1000
    assert not await tab.page.evaluate(f"{PLAYER}.live")


async def test_a_paused_picture_stands_through_a_restart(server: HlscamServer) -> None:
    """Nothing is asked for while it stands; then the very next one is shown, and all that was recorded since."""
    async with open_tab() as tab:
        connections: list[str] = []
        tab.page.on("websocket", lambda socket: connections.append(socket.url))
        await tab.page.goto(server.url("#/camera/pattern"))
        await until_true(tab, f"{PLAYER}?.video.currentTime > 3 && !{PLAYER}.video.seeking")
        await tab.page.click("[data-testid=play]")
        stood_ms = float(await tab.page.evaluate(f"{PLAYER}.pictureMs"))
        await server.stop()
        await server.start()
        restarted_ms = time.time() * 1000
        await until_true(tab, f"Date.now() > {restarted_ms} + 5000")
        assert await tab.page.evaluate(f"{PLAYER}.pictureMs") == stood_ms
        assert len(connections) == 1
        await tab.page.evaluate(WATCH)
        await tab.page.click("[data-testid=play]")
        await until_true(tab, f"{PLAYER}.pictureMs > {restarted_ms} + 2000", timeout_s=40)
        shown = await tab.page.evaluate("window.seen.shownMs")
        assert stood_ms <= shown[0] < stood_ms + 500
        assert shown == sorted(shown)
        assert connections[1].partition("?")[2].startswith("after=")
        assert not tab.page_errors


@asynccontextmanager
async def old_proxy(server: HlscamServer) -> AsyncIterator[str]:
    """The address of a proxy in front of a server that knows no WebSocket."""

    async def pass_on(request: web.Request) -> web.Response:
        if request.headers.get("Upgrade"):
            return web.Response(status=501)
        async with session.get(server.url(request.raw_path.lstrip("/"))) as answer:
            headers = {"Content-Type": answer.headers["Content-Type"]}
            return web.Response(status=answer.status, body=await answer.read(), headers=headers)

    application = web.Application()
    application.router.add_get("/{path:.*}", pass_on)
    runner = web.AppRunner(application)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


async def test_without_websocket_live_comes_as_hls(server: HlscamServer) -> None:
    """What stands between lets no WebSocket through: the picture comes all the same. Who asks for a way, gets that."""
    async with old_proxy(server) as url, open_tab() as tab:
        await tab.page.goto(f"{url}#/camera/pattern")
        await until_true(tab, f"{PLAYER}?.way === 'll-hls' && {PLAYER}.video.currentTime > 1")
        await _says(tab, "low-latency HLS")
        await tab.page.goto(f"{url}?way=hls#/camera/pattern")
        await until_true(tab, f"{PLAYER}?.way === 'hls' && {PLAYER}.video.currentTime > 1")
        await _says(tab, "HLS")


async def _says(tab: Tab, words: str) -> None:
    await until_true(tab, f"document.querySelector('[data-testid=way]').textContent === '{words}'")
