"""MJPEG at the live edge: one decoder for all, the newest picture for each, and no end when the camera comes and goes.

One recording server for the module, whose tests share its loop.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from hlscam.app import Server, running_server
from hlscam.services.live import LiveStream
from tests.bench.processes import children
from tests.rig.mjpeg import Shown, Watching, watch_mjpeg
from tests.rig.waiting import until
from tests.server.serving import CAMERA, make_config, newest_count, until_changed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Live:
    """A recording server and a client of it."""

    server: Server
    session: aiohttp.ClientSession

    @property
    def stream(self) -> LiveStream:
        return self.server.services.live.stream(CAMERA)

    def url(self, query: str = "") -> str:
        return f"{self.server.url}mjpeg/{CAMERA}{query}"

    async def no_decoder(self) -> None:
        """Until the last one has ended."""

        async def ended() -> bool:
            return self.server.services.motion.decoders == 0

        await until(ended, "no decoder runs")

    def processes(self, word: bytes) -> list[int]:
        """The ffmpegs whose command line has this word."""
        return [pid for pid in children(os.getpid()) if word in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    config = make_config(tmp_path_factory.mktemp("live") / "archive", recording_s=6)
    async with running_server(config) as server, aiohttp.ClientSession() as session:
        live = Live(server, session)
        await until_changed(live.stream, lambda: newest_count(live.stream) >= 2)
        yield live


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def short_grace(live: Live, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """No test sees the decoder of another."""
    monkeypatch.setattr("hlscam.services.live_pictures._GRACE_S", 0.3)
    yield
    await live.no_decoder()


def newest_number(live: Live) -> int:
    """The number of the newest segment that is listed."""
    newest = live.stream.newest
    assert newest is not None
    return newest.end_media_sequence - 1


async def test_pictures_come_as_they_are_taken(live: Live) -> None:
    number = newest_number(live)
    async with watch_mjpeg(live.session, live.url()) as watching:
        pictures = await watching.some(45)
    places = [each.position for each in pictures]
    assert places == sorted(set(places))
    assert places[0][0] >= number
    assert places[-1][0] >= places[0][0] + 1
    times = [each.timestamp for each in pictures]
    assert times == sorted(set(times))


async def test_one_decoder_shows_all(live: Live) -> None:
    async with watch_mjpeg(live.session, live.url()) as first, watch_mjpeg(live.session, live.url("?fps=5")) as second:
        many, few = await asyncio.gather(first.some(30), second.some(8))
        assert live.server.services.motion.decoders == 1
        jpegs = {each.position: each.jpeg for each in many}
        assert any(each.jpeg == jpegs.get(each.position) for each in few)
        async with watch_mjpeg(live.session, live.url("?width=160")) as small:
            await small.next()
            assert live.server.services.motion.decoders == 2


async def test_who_comes_back_sees_the_newest_at_once(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder has gone on, and the first picture is none of those that were there when it began."""
    monkeypatch.setattr("hlscam.services.live_pictures._GRACE_S", 30)
    async with watch_mjpeg(live.session, live.url()) as watching:
        last = (await watching.some(3))[-1]
    (pictures,) = live.server.services.live_motion._running.values()
    seen = pictures.newest
    for _ in range(20):
        seen = await pictures.newer_than(seen)
    assert seen is not None
    monkeypatch.setattr("hlscam.services.live_pictures._GRACE_S", 0.3)
    async with watch_mjpeg(live.session, live.url()) as watching:
        first = await watching.next()
        assert list(live.server.services.live_motion._running.values()) == [pictures]
    assert first.position >= (seen.position.media_sequence, seen.position.picture) > last.position


async def test_who_reads_slowly_gets_few_pictures_but_new_ones(live: Live) -> None:
    """One reads nothing while another sees 60 pictures; what it then finds are some old ones, and at once new ones."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    host, port = live.server.url.removeprefix("http://").rstrip("/").split(":")
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=connection, limit=2048)
    writer.write(f"GET /mjpeg/{CAMERA} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    async with watch_mjpeg(live.session, live.url()) as other:
        await other.some(60)
        newest = (await other.next()).position
        old = 0
        async with asyncio.timeout(20):
            while (place := await _next_place(reader)) < newest:
                old += 1
        assert old <= 20
        assert place >= newest
    writer.close()
    await writer.wait_closed()


async def _next_place(reader: asyncio.StreamReader) -> tuple[int, int]:
    """Read up to the position of the next picture, line by line or what is taken for one."""
    line = b""
    while not line.startswith(b"X-Position: "):
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as overrun:
            await reader.readexactly(overrun.consumed)
    number, _, picture = line.decode().removeprefix("X-Position: ").partition(".")
    return int(number), int(picture)


async def test_from_the_past_into_live_without_a_picture_left_out(live: Live) -> None:
    """Begun in the last but one segment, and watched until the segments that were listed then are long over."""
    services = live.server.services

    def joined() -> bool:
        """Whether the one decoder is that which shows what is live."""
        return (CAMERA, None) in services.live_motion._running and services.motion.decoders == 1

    number = newest_number(live) - 1
    pictures: list[Shown] = []
    async with watch_mjpeg(live.session, live.url(f"?after={number}.3")) as watching:
        async with asyncio.timeout(20):
            while not pictures or pictures[-1].position < (number + 4, 3) or not joined():
                pictures.append(await watching.next())
    places = [each.position for each in pictures]
    by_number = {each: [index for its, index in places if its == each] for each in range(number, places[-1][0])}
    assert by_number[number][0] == 4
    for n, indices in by_number.items():
        assert indices == list(range(indices[0], indices[0] + len(indices)))
        assert n == number or indices[0] == 0
        assert indices[-1] == 14


@pytest.mark.parametrize("query", ["", "?after={}.0"])
async def test_a_camera_that_goes_and_comes_ends_nothing(live: Live, query: str) -> None:
    """Its ffmpeg is killed: a new run begins, and the same answer goes on with it."""
    run = live.stream.recordings[-1].run
    async with watch_mjpeg(live.session, live.url(query.format(newest_number(live)))) as watching:
        before = await watching.next()
        (recorder,) = live.processes(b"strftime")
        os.kill(recorder, signal.SIGKILL)
        await until_changed(live.stream, lambda: live.stream.recordings[-1].run != run)
        begins = live.stream.recordings[-1].first_media_sequence
        after = await _until_segment(watching, begins)
    assert after.position > before.position
    assert after.timestamp > before.timestamp


async def _until_segment(watching: Watching, number: int) -> Shown:
    while (picture := await watching.next()).position[0] < number:
        pass
    return picture


async def test_a_decoder_that_dies_is_replaced(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    async with watch_mjpeg(live.session, live.url()) as watching:
        before = await watching.next()
        (decoder,) = live.processes(b"image2pipe")
        os.kill(decoder, signal.SIGKILL)
        after = await _until_segment(watching, before.position[0] + 2)
        assert live.processes(b"image2pipe") != [decoder]
    assert after.timestamp > before.timestamp
    assert "live pictures begin anew: the decoder has ended" in caplog.text


async def test_pictures_are_shown_before_their_segment_is_listed(live: Live) -> None:
    async with watch_mjpeg(live.session, live.url()) as watching:
        for _ in range(15):
            picture = await watching.next()
            if picture.position[0] > newest_number(live):
                break
        else:
            pytest.fail("all pictures were of segments that were listed already")


async def test_a_still_of_the_segment_in_progress(live: Live, tmp_path: Path) -> None:
    """The newest picture, and later the very same by its time, when its segment is listed."""
    snapshot = f"{live.server.url}api/v1/cameras/{CAMERA}/snapshot.jpg"
    while True:
        async with live.session.get(snapshot) as response:
            newest, number = await response.read(), int(response.headers["X-Position"].partition(".")[0])
            timestamp, position = response.headers["X-Timestamp"], response.headers["X-Position"]
        if number > newest_number(live):
            break
    for _ in range(2):
        async with live.session.get(f"{snapshot}?time={timestamp}&exact=1") as response:
            assert (response.headers["X-Position"], await response.read()) == (position, newest)
        async with live.session.get(f"{snapshot}?time={timestamp}") as response:
            assert response.headers["X-Position"] == f"{number}.0"
        await until_changed(live.stream, lambda: newest_number(live) >= number)
