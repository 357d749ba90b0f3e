"""Exact resume in a real browser: who watches goes on at the very next picture, whatever became of network and server.

The page itself is driven, as the server serves it. What is shown is taken from the pictures that Chromium composed
(`requestVideoFrameCallback`), as program date time.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.rig.chromium import Tab, open_tab
from tests.rig.hlscam_server import HlscamServer
from tests.rig.waiting import until

pytestmark = pytest.mark.players

SETTINGS = """
archive: {path: ./archive, recording_minutes: 0.1}
cameras:
  pattern: {name: Test pattern, source: "test:?size=320x180&rate=25&gop_s=1&audio=1"}
"""
SEGMENT_MS = 2000
FRAME_MS = 40
FOOTAGE_S = 5
PLAYER = "window.hlscam.players.get('pattern')"

WATCH = """() => {
    const player = window.hlscam.players.get("pattern");
    const seen = { fatal: [], seeks: 0, shownMs: [] };
    player.hls.on("hlsError", (_, error) => { if (error.fatal) seen.fatal.push(error.details); });
    player.video.addEventListener("seeking", () => { seen.seeks += 1; });
    const note = (_, { mediaTime }) => {
        const lies = (fragment) => fragment.start <= mediaTime + 0.001 && mediaTime + 0.001 < fragment.end;
        const fragment = player.hls?.latestLevelDetails?.fragments.find(lies);
        if (fragment) seen.shownMs.push(fragment.programDateTime + (mediaTime - fragment.start) * 1000);
        player.video.requestVideoFrameCallback(note);
    };
    player.video.requestVideoFrameCallback(note);
    window.seen = seen;
    window.firstHls = player.hls;
}"""
"""Begin to keep a record of a player: every picture that was composed, and all that went wrong."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HlscamServer]:
    async with HlscamServer(tmp_path, SETTINGS) as running:
        yield running


async def until_true(tab: Tab, condition: str, *, timeout_s: float = 30) -> Any:
    """Wait for a JavaScript expression on the page, whose Content-Security-Policy lets Playwright not do it."""
    return await until(lambda: tab.page.evaluate(condition), condition, timeout_s=timeout_s)


async def picture_ms(tab: Tab) -> float:
    """UTC of the picture that is shown, once there is one."""
    return float(await until_true(tab, f"{PLAYER}?.pictureMs"))


async def past(server: HlscamServer) -> str:
    """The start of footage of which there is enough to be watched for a while."""

    async def ask() -> str | None:
        camera = await server.json("api/v1/cameras/pattern")
        if camera["first"] is None:
            return None
        first, last = (datetime.fromisoformat(camera[name]) for name in ("first", "last"))
        return str(camera["first"]) if (last - first).total_seconds() > FOOTAGE_S else None

    return await until(ask, "some footage", timeout_s=40)


async def seen(tab: Tab) -> dict[str, Any]:
    record: dict[str, Any] = await tab.page.evaluate(
        f"({{ ...window.seen, sameHls: window.firstHls === {PLAYER}.hls, buffered: {PLAYER}.video.buffered.length }})"
    )
    return record


async def test_the_past_goes_on_where_it_was_after_a_reload_a_pause_and_a_lost_network(server: HlscamServer) -> None:
    first = await past(server)
    async with open_tab() as tab:
        await tab.page.goto(server.url(f"#/camera/pattern?at={first}"))
        await until_true(tab, f"{PLAYER}?.video.currentTime > 1.5")
        await _reload_while_it_plays(tab)
        await _reload_while_it_is_paused(tab)
        await _lose_the_network(tab)
        await _pause_live(tab)
        assert not tab.page_errors


async def _reload_while_it_plays(tab: Tab) -> None:
    before_ms = await picture_ms(tab)
    await tab.page.reload()
    assert before_ms - FRAME_MS <= await picture_ms(tab) < before_ms + SEGMENT_MS


async def _reload_while_it_is_paused(tab: Tab) -> None:
    await tab.page.click("[data-testid=play]")
    before_ms = await picture_ms(tab)
    await tab.page.reload()
    assert await picture_ms(tab) == pytest.approx(before_ms, abs=FRAME_MS)
    assert await tab.page.inner_text("[data-testid=play]") == "Play"
    await tab.page.click("[data-testid=play]")
    await until_true(tab, f"!{PLAYER}.video.paused && {PLAYER}.video.readyState > 2")


async def _lose_the_network(tab: Tab) -> None:
    """For longer than the buffer lasts, which is played out four times as fast."""
    await tab.page.evaluate(WATCH)
    await tab.page.context.set_offline(True)
    await tab.page.evaluate(f"{PLAYER}.video.playbackRate = 4")
    await until_true(tab, f"{PLAYER}.trouble !== null")
    await tab.page.evaluate(f"{PLAYER}.video.playbackRate = 1")
    stood_ms = await picture_ms(tab)
    await tab.page.context.set_offline(False)
    await until_true(tab, f"{PLAYER}.pictureMs > {stood_ms + SEGMENT_MS} && {PLAYER}.trouble === null")
    record = await seen(tab)
    assert record["fatal"] == []
    # The same player played on through one buffer without a hole, and sought nowhere: nothing is missing or repeated.
    assert (record["sameHls"], record["seeks"], record["buffered"]) == (True, 0, 1)
    assert record["shownMs"] == sorted(record["shownMs"])
    assert max(after - before for before, after in pairwise(record["shownMs"])) < SEGMENT_MS
    assert record["shownMs"][-1] > stood_ms


async def _pause_live(tab: Tab) -> None:
    """Live moves on meanwhile; the picture that stood is the next to be shown, and live is one click away."""
    await tab.page.click("[data-testid=live]")
    await until_true(tab, f"{PLAYER}.live && {PLAYER}.pictureMs && !{PLAYER}.video.paused")
    await tab.page.click("[data-testid=play]")
    stood_ms = await picture_ms(tab)
    await tab.page.click("[data-testid=play]")
    assert stood_ms - FRAME_MS <= await picture_ms(tab) < stood_ms + SEGMENT_MS
    assert await tab.page.get_attribute("[data-testid=live]", "aria-pressed") == "false"


async def test_the_past_and_live_go_on_by_themselves_after_a_server_restart(server: HlscamServer) -> None:
    first = await past(server)
    async with open_tab() as tab, open_tab() as live:
        await tab.page.goto(server.url(f"#/camera/pattern?at={first}"))
        await live.page.goto(server.url("?way=hls#/camera/pattern"))
        for each in (tab, live):
            await until_true(each, f"{PLAYER}?.video.currentTime > 1")
            await each.page.evaluate(WATCH)

        await server.stop()
        for each in (tab, live):
            await until_true(each, f"{PLAYER}.trouble !== null")
        await server.start()
        started_ms = time.time() * 1000
        for each in (tab, live):
            await until_true(each, f"{PLAYER}.pictureMs > {started_ms} && {PLAYER}.trouble === null", timeout_s=40)
            assert not each.page_errors
        record, live_record = await seen(tab), await seen(live)
        spans = (await server.json(f"api/v1/cameras/pattern/timeline?from={first}"))["spans"]

    for each_record in (record, live_record):
        assert each_record["fatal"] == []
        assert each_record["sameHls"]
    # Nothing that was recorded is left out: the one jump is over the time in which the server was not there.
    assert record["shownMs"] == sorted(record["shownMs"])
    left_ms, entered_ms = (
        datetime.fromisoformat(each).timestamp() * 1000 for each in (spans[0]["end"], spans[1]["start"])
    )
    before_ms = max(each for each in record["shownMs"] if each < entered_ms - FRAME_MS)
    after_ms = min(each for each in record["shownMs"] if each > before_ms)
    assert left_ms - SEGMENT_MS < before_ms < left_ms
    assert entered_ms - FRAME_MS <= after_ms < entered_ms + SEGMENT_MS
