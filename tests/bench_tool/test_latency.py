"""The instrument as a whole: a server of its own, a real Chromium, a few pictures. Nothing is said of how fast."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from hlscam.bench.browser import open_browser
from hlscam.bench.clockface import Picture
from hlscam.bench.dates import start_by_clocks_ms
from hlscam.bench.latency import measure
from hlscam.bench.own_server import own_server
from hlscam.bench.plan import Plan
from hlscam.bench.watching import NoPicture, read_samples, watch
from hlscam.bench.ways import WAYS
from hlscam.errors import HlscamError
from tests.rig.clockface import band_rows

SHOWN_MS = 1_795_385_400_000
QUICK = Plan(
    ways=(),
    starts=1,
    samples=5,
    settle_s=0.2,
    full_window=False,
    source="test:?size=320x180&rate=15",
)


@pytest.mark.players
async def test_a_real_run() -> None:
    hls = WAYS["hls"]
    ways = (
        hls,
        replace(hls, name="never", title="Never", mark="#EXT-X-NEVER:"),
        replace(hls, name="nowhere", title="Nowhere", probe="hls/nobody/live.m3u8"),
        replace(hls, name="other", title="Other", carrier="ws"),
    )
    told: list[str] = []
    report = await measure(replace(QUICK, ways=ways), tell=told.append)
    measured, never, nowhere, other = report.rows
    assert measured.missing == ""
    (start,) = measured.starts
    assert len(start.latencies_ms) + start.unread >= 5
    assert 0 < min(start.latencies_ms) <= max(start.latencies_ms) < 60_000
    assert 0 < start.first_picture_ms < 30_000
    assert len(start.date_errors_ms) == len(start.latencies_ms)
    assert max(map(abs, start.date_errors_ms)) < 1000, "the page's time has to do with the picture's"
    assert report.date_errors_ms, "segments were recorded meanwhile"
    assert max(map(abs, report.date_errors_ms)) < 1000
    assert never.missing == "not there: /hls/pattern/live.m3u8 has no #EXT-X-NEVER"
    assert nowhere.missing == "not there: /hls/nobody/live.m3u8 answers 404"
    assert other.missing == "start 1: the page played HLS instead"
    assert told[0] == "starting a server ..."


async def test_a_server_that_cannot_start_is_told_with_its_log() -> None:
    with pytest.raises(HlscamError, match="did not start") as told:
        async with own_server("cameras: {c: {source: 'fly:'}}"):
            pass
    assert "cameras.c.source" in told.value.hint


@pytest.mark.players
async def test_a_page_without_a_picture() -> None:
    """A page of the instrument's own comes from no server."""
    blank = replace(WAYS["mjpeg"], html="<img alt=''>")
    async with open_browser() as browser:
        with pytest.raises(NoPicture, match=r"no picture within 0\.1 s"):
            await watch(blank, replace(QUICK, first_picture_within_s=0.1), "http://127.0.0.1:8080/", browser)


async def test_nobody_there() -> None:
    with pytest.raises(HlscamError, match=r"http://127\.0\.0\.1:9/ does not answer"):
        await measure(replace(QUICK, ways=(WAYS["hls"],), url="http://127.0.0.1:9/"))


def sample(clock_ms: int | None, *, page_ms: float, wall_ms: float, says_ms: float | None = None) -> dict[str, Any]:
    """What sampler.js brings of a frame of 320x180."""
    rows = band_rows(clock_ms, 4) if clock_ms is not None else [bytes(224)] * 8
    gray = base64.b64encode(b"".join(rows)).decode()
    place = {"width": 224, "height": 8, "fullHeight": 180, "gray": gray}
    return {"pageMs": page_ms, "wallMs": wall_ms, "saysMs": says_ms, **place}


def test_samples_become_figures() -> None:
    eager = [
        sample(None, page_ms=300, wall_ms=SHOWN_MS),
        sample(SHOWN_MS, page_ms=340, wall_ms=SHOWN_MS + 900),
        sample(SHOWN_MS, page_ms=380, wall_ms=SHOWN_MS + 900),
    ]
    later = [
        sample(SHOWN_MS, page_ms=4000, wall_ms=SHOWN_MS + 700, says_ms=SHOWN_MS + 8.5),
        sample(None, page_ms=4100, wall_ms=SHOWN_MS),
        sample(SHOWN_MS, page_ms=4200, wall_ms=SHOWN_MS + 800),
    ]
    watched = read_samples(eager + later)
    assert watched.first_picture_ms == 340
    assert list(watched.latencies_ms) == [700, 800]
    assert list(watched.date_errors_ms) == [8.5]
    assert watched.unread == 2


def band(clock_ms: int | None) -> Picture:
    """The top rows of a frame of 320x180."""
    rows = band_rows(clock_ms, 4) if clock_ms is not None else [bytes(224)] * 8
    return Picture(320, 8, b"".join(row.ljust(320, b"\0") for row in rows))


def test_a_segment_begins_where_its_least_late_picture_says() -> None:
    late_ms = [20, 3, None, 100]
    bands = [band(None if late is None else SHOWN_MS + 500 * at + late) for at, late in enumerate(late_ms)]
    assert start_by_clocks_ms(bands, 180, 2000) == SHOWN_MS + 3
    assert start_by_clocks_ms([band(None)], 180, 2000) is None
    assert start_by_clocks_ms([], 180, 2000) is None


def test_pictures_without_a_clock() -> None:
    with pytest.raises(NoPicture, match="without the test pattern's clock"):
        read_samples([sample(None, page_ms=at, wall_ms=at) for at in range(9)])
