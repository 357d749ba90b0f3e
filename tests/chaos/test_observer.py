"""The observer is merciless: each kind of broken promise is a complaint, and what is promised is none."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.chaos.observer import Observer

HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
MAP = '#EXT-X-MAP:URI="init-{init}.mp4"\n'
ZERO_S = int(time.time()) - 3600


def playlist(
    first: int = 10,
    count: int = 3,
    *,
    discontinuity_sequence: int = 0,
    discontinuity_at: int | None = None,
    duration_s: float = 2.0,
    late_s: float = 0.0,
    target_s: int = 2,
    init: str = "a",
    folder: str = "",
) -> str:
    """A live playlist of segments that are numbered by time: number 0 begins at `ZERO_S + late_s`."""
    text = HEAD.format(target=target_s, first=first)
    if discontinuity_sequence:
        text += f"#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuity_sequence}\n"
    text += MAP.format(init=init)
    for number in range(first, first + count):
        if number == discontinuity_at:
            text += "#EXT-X-DISCONTINUITY\n"
        start_s = ZERO_S + late_s + number * 2
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(start_s)) + f".{round(start_s % 1 * 1000):03d}Z"
        text += f"#EXT-X-PROGRAM-DATE-TIME:{moment}\n#EXTINF:{duration_s:.6f},\n{folder}{number}.m4s\n"
    return text


class Liar:
    """A server that answers what a test tells it to."""

    def __init__(self) -> None:
        self.playlist = playlist()
        self.status = 200
        self.bytes = b"media"
        self.segment_status = 200
        self.down = False
        self.origin = ""

    def url(self, path: str) -> str:
        return f"{self.origin}/{path}"

    def was_down(self, from_mono_s: float, to_mono_s: float) -> bool:
        return self.down

    async def answer(self, request: web.Request) -> web.Response:
        if request.path.endswith(".m3u8"):
            return web.Response(text=self.playlist, status=self.status)
        return web.Response(body=self.bytes, status=self.segment_status)


@asynccontextmanager
async def observed(liar: Liar) -> AsyncIterator[tuple[Observer, list[str]]]:
    application = web.Application()
    application.router.add_get("/{path:.*}", liar.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    liar.origin = f"http://{host}:{port}"
    complaints: list[str] = []
    observer = Observer("porch", liar, complaints)
    try:
        async with aiohttp.ClientSession() as observer.session:
            yield observer, complaints
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "then",
    [
        playlist(),
        playlist(11),
        playlist(12, 4, discontinuity_at=14),
        playlist(13, 3, discontinuity_sequence=1, discontinuity_at=14),
        playlist(late_s=0.001),
        playlist(20, late_s=7),
    ],
    ids=["the same", "slides", "discontinuity", "slid out", "rounded", "after a hole"],
)
async def test_a_stream_that_goes_on_is_none(then: str) -> None:
    liar = Liar()
    async with observed(liar) as (observer, complaints):
        await observer.look()
        liar.playlist = then
        await observer.look()
        assert sorted(observer.seen)[:3] == [10, 11, 12]
        assert all(sighting.digest for sighting in observer.seen.values())
    assert complaints == []


@pytest.mark.parametrize(
    ("then", "complaint"),
    [
        (playlist(9), "EXT-X-MEDIA-SEQUENCE went back from 10 to 9"),
        (playlist(count=2), "the newest segment was 12, is 11"),
        (playlist(discontinuity_sequence=1), "discontinuity_sequence 0 became 1"),
        (playlist(discontinuity_at=12), "segment 12 changed: discontinuity_sequence 0 became 1"),
        (playlist(duration_s=1.9), "segment 10 changed: duration_s 2.0 became 1.9"),
        (playlist(late_s=0.01), "segment 10 changed: start_s"),
        (playlist(init="b"), "segment 10 changed: map_uri init-a.mp4 became init-b.mp4"),
        (playlist(folder="old/"), "segment 10 changed: uri 10.m4s became old/10.m4s"),
        (playlist(13, folder="old/"), "segment 13 is called old/13.m4s"),
        (playlist(13, late_s=-1), "segment 13 starts 1.000 s before 12 ends"),
        (playlist(13, duration_s=0), "segment 13 lasts 0.0 s"),
        (playlist(target_s=6), "EXT-X-TARGETDURATION is 6, not 2"),
        (playlist(13, duration_s=4), "EXT-X-TARGETDURATION is 2, not 4"),
        (playlist(13, late_s=10**9), "in the future"),
        (playlist() + "#EXT-X-ENDLIST\n", "the live playlist has an end"),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n10.m4s\n", "the playlist cannot be read"),
    ],
)
async def test_what_goes_back_or_changes_is_one(then: str, complaint: str) -> None:
    liar = Liar()
    async with observed(liar) as (observer, complaints):
        await observer.look()
        assert complaints == []
        liar.playlist = then
        await observer.look()
    assert any(complaint in each for each in complaints), complaints
    assert all(each.startswith("porch: ") for each in complaints)


async def test_the_discontinuity_sequence_may_not_go_back() -> None:
    liar = Liar()
    liar.playlist = playlist(discontinuity_sequence=3)
    async with observed(liar) as (observer, complaints):
        await observer.look()
        liar.playlist = playlist(13, discontinuity_sequence=2, discontinuity_at=13)
        await observer.look()
    assert complaints == ["porch: EXT-X-DISCONTINUITY-SEQUENCE went back from 3 to 2"]


async def test_bytes_that_change_are_one_and_told_once() -> None:
    liar = Liar()
    async with observed(liar) as (observer, complaints):
        await observer.look()
        assert await observer.fetch_all([10, 11]) == 2
        assert await observer.fetch_map("init-a.mp4") == b"media"
        assert complaints == []
        liar.bytes = b"other"
        await observer.fetch_all([10, 10])
        await observer.fetch_map("init-a.mp4")
    assert complaints == [
        "porch: the bytes of segment 10 changed (5 bytes now)",
        "porch: the bytes of init-a.mp4 changed",
    ]


async def test_what_is_listed_must_be_there() -> None:
    liar = Liar()
    liar.segment_status = 404
    async with observed(liar) as (observer, complaints):
        await observer.look()
    assert "porch: 10.m4s was answered with 404: media" in complaints
    assert observer.removed == set()


async def test_what_retention_removed_is_noted() -> None:
    liar = Liar()
    async with observed(liar) as (observer, complaints):
        await observer.look()
        liar.segment_status = 410
        assert await observer.fetch_all([10]) == 0
    assert complaints == []
    assert observer.removed == {10}


async def test_no_answer_is_excused_only_while_the_server_is_down() -> None:
    liar = Liar()
    async with observed(liar) as (observer, complaints):
        await observer.look()
        liar.origin = "http://127.0.0.1:1"
        liar.down = True
        await observer.look()
        assert complaints == []
        liar.down = False
        await observer.look()
    assert len(complaints) == 1
    assert "live.m3u8 got no answer: ClientConnectorError" in complaints[0]


async def test_not_ready_is_excused_only_before_the_first_segment() -> None:
    liar = Liar()
    liar.status = 503
    async with observed(liar) as (observer, complaints):
        await observer.look()
        liar.status = 200
        await observer.look()
        assert complaints == []
        liar.status = 503
        await observer.look()
    assert len(complaints) == 1
    assert "live.m3u8 was answered with 503" in complaints[0]


async def test_the_timeline_must_list_what_was_seen_and_tell_it_the_same() -> None:
    liar = Liar()
    async with observed(liar) as (observer, complaints):
        await observer.look()
        liar.playlist = playlist(10, 5)
        await observer.look_back(ZERO_S, ZERO_S + 60)
        assert complaints == []
        assert sorted(observer.seen) == [10, 11, 12, 13, 14]
        liar.playlist = playlist(11, 4, duration_s=1.5)
        await observer.look_back(ZERO_S, ZERO_S + 60)
    assert "porch: the timeline tells segment 11 differently: duration_s 2.0 became 1.5" in complaints
    assert "porch: the timeline does not list [10]" in complaints
