"""MJPEG of the past: every picture once, in order, across recordings and runs; and what cannot be asked."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from hlscam.units import US_PER_S, parse_time
from tests.bench.processes import children
from tests.manual_clock import ManualClock
from tests.rig.ffmpeg_tools import gray_picture, probe
from tests.rig.mjpeg import Shown, Watching, watch_mjpeg
from tests.rig.waiting import until
from tests.server.serving import CAMERA, LONG_GOP_S, Serve, Serving, at, make_config, problem_of

MJPEG = f"/mjpeg/{CAMERA}"
RATE = 15


@dataclass(frozen=True, slots=True)
class Cinema:
    """A server of the archive whose clock runs on to whatever is waited for: everything is played at once."""

    serving: Serving
    session: aiohttp.ClientSession

    def watch(self, query: str) -> contextlib.AbstractAsyncContextManager[Watching]:
        return watch_mjpeg(self.session, str(self.serving.client.make_url(f"{MJPEG}{query}")))

    async def some(self, query: str, count: int) -> list[Shown]:
        async with self.watch(query) as watching:
            return await watching.some(count)

    async def all(self) -> list[Shown]:
        """Every picture that there is, from the first on."""
        pictures: list[Shown] = []
        async with self.watch(f"?from={at(self.serving.first_us)}") as watching:
            while not pictures or pictures[-1].timestamp < self.last_timestamp:
                pictures.append(await watching.next())
        return pictures

    @property
    def last_timestamp(self) -> str:
        """A bit before the last picture's."""
        return at(self.serving.last_us - round(1.5 * US_PER_S / RATE))


async def run_clock(clock: ManualClock) -> None:
    while True:
        await clock.wait_sleeping()
        clock.advance(clock.next_wake_s or 0)


@pytest.fixture
async def cinema(serve: Serve, archive_folder: Path) -> AsyncIterator[Cinema]:
    async with playing(await serve(make_config(archive_folder))) as cinema:
        yield cinema


@contextlib.asynccontextmanager
async def playing(serving: Serving) -> AsyncIterator[Cinema]:
    running = asyncio.create_task(run_clock(serving.clock))
    async with aiohttp.ClientSession() as session:
        yield Cinema(serving, session)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def clock_of(picture: Shown, folder: Path) -> int | None:
    (folder / "picture.jpg").write_bytes(picture.jpeg)
    return (await gray_picture(folder / "picture.jpg")).clock_ms()


async def test_every_picture_once_and_in_order(cinema: Cinema) -> None:
    """Over all recordings and both runs; their numbers and times are those of the segments."""
    pictures = await cinema.all()
    numbers = list(dict.fromkeys(number for number, _ in (each.position for each in pictures)))
    recordings = cinema.serving.recordings
    assert numbers == [n for each in recordings for n in range(each.first_media_sequence, each.end_media_sequence)]
    for number in numbers:
        indices = [index for its, index in (each.position for each in pictures) if its == number]
        assert indices == list(range(len(indices)))
    times = [parse_time(each.timestamp) for each in pictures]
    assert times == sorted(times)
    assert abs(times[0] - cinema.serving.first_us) <= 1
    leaps = [after - before for before, after in pairwise(times) if abs(after - before - US_PER_S / RATE) > 100]
    before_us, after_us = cinema.serving.hole_us
    assert leaps == [pytest.approx(after_us - before_us, abs=1e5)]


async def test_each_is_the_picture_that_it_says(cinema: Cinema, tmp_path: Path) -> None:
    """By the clock in the picture: the still of its timestamp shows the same, and says the same position."""
    pictures = (await cinema.all())[:: RATE // 2]
    for each in pictures:
        clock_ms = await clock_of(each, tmp_path)
        assert clock_ms is not None
        still = await cinema.serving.ask(f"/api/v1/cameras/gate/snapshot.jpg?time={each.timestamp}&exact=1")
        assert still.headers["x-position"] == ".".join(map(str, each.position))
        assert await clock_of(Shown(still.body, "", (0, 0)), tmp_path) == clock_ms


async def test_after_a_position_comes_the_very_next_picture(cinema: Cinema) -> None:
    """In the middle of a segment, at the end of a segment, of a recording and of a run."""
    everything = await cinema.all()
    places = [each.position for each in everything]
    lasts = [at for at in range(len(places) - 3) if places[at + 1][1] == 0]
    assert len(lasts) >= 3
    for index in (0, 5, *lasts):
        number, picture = places[index]
        pictures = await cinema.some(f"?after={number}.{picture}", 3)
        assert [each.position for each in pictures] == places[index + 1 : index + 4]
        assert [each.jpeg for each in pictures] == [each.jpeg for each in everything[index + 1 : index + 4]]


async def test_a_gop_that_is_cut_between_segments_is_shown_whole(serve: Serve, long_gop_folder: Path) -> None:
    """B-frames of one segment are shown before the last picture of the one before; and after any comes the next."""
    serving = await serve(make_config(long_gop_folder))
    recording = serving.recordings[-1]
    assert not all(recording.segments.independents)
    async with playing(serving) as cinema:
        count = RATE * (LONG_GOP_S + 2)  # the last ones wait in the decoder for what is shown after them
        everything = await cinema.some(f"?from={at(recording.start_wall_us)}", count)
        places = [each.position for each in everything]
        assert places != sorted(places), "positions are out of order at a cut"
        assert len(set(places)) == len(places)
        times = [parse_time(each.timestamp) for each in everything]
        assert max(after - before for before, after in pairwise(times)) < 1.5 * US_PER_S / RATE
        cut = next(index for index, (before, after) in enumerate(pairwise(places)) if after < before)
        for index in range(cut - 3, cut + 3):
            number, picture = places[index]
            pictures = await cinema.some(f"?after={number}.{picture}", 3)
            assert [each.position for each in pictures] == places[index + 1 : index + 4]


async def test_a_file_that_somebody_removed_is_stepped_over(serve: Serve, own_folder: Path) -> None:
    """The catalog has its row until the next start."""
    serving = await serve(make_config(own_folder))
    first, second, third = serving.recordings[:3]
    serving.services.archive.path(CAMERA, second.name).unlink()
    async with playing(serving) as cinema:
        (picture,) = await cinema.some(f"?after={first.end_media_sequence - 1}.{RATE}", 1)
    assert picture.position == (third.first_media_sequence, 0)


@pytest.mark.parametrize("query", ["?from={first}", "?width={width}"])
async def test_no_more_decoders_than_there_is_room_for(
    cinema: Cinema, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """However many ask at the same moment; who is refused is told so."""
    monkeypatch.setattr("hlscam.services.motion._MOST_DECODERS", 2)
    async with contextlib.AsyncExitStack() as stack:
        queries = [query.format(first=at(cinema.serving.first_us), width=64 + 2 * n) for n in range(6)]
        url = str(cinema.serving.client.make_url(MJPEG))
        asked = await asyncio.gather(*(cinema.session.get(url + each) for each in queries))
        for each in asked:
            stack.callback(each.close)
        assert sorted(each.status for each in asked) == [200, 200, 503, 503, 503, 503]
        assert cinema.serving.services.motion.decoders == 2


@pytest.mark.parametrize("name", ["from", "time"])
async def test_it_begins_with_the_picture_that_was_shown_at_that_moment(cinema: Cinema, name: str) -> None:
    moment_us = cinema.serving.first_us + round(7.5 * US_PER_S / RATE)
    (first,) = await cinema.some(f"?{name}={at(moment_us)}", 1)
    assert first.position == (cinema.serving.first_number, 7)
    (again,) = await cinema.some(f"?{name}={first.timestamp}", 1)
    assert again == first


async def test_a_moment_in_a_hole_or_before_all_begins_with_what_comes_next(cinema: Cinema) -> None:
    second = next(each for each in cinema.serving.recordings if each.run != cinema.serving.recordings[0].run)
    (first,) = await cinema.some(f"?from={at(cinema.serving.hole_us[0] + US_PER_S)}", 1)
    assert first.position == (second.first_media_sequence, 0)
    (first,) = await cinema.some("?from=0", 1)
    assert first.position == (cinema.serving.first_number, 0)


async def test_fps_leaves_pictures_out(cinema: Cinema) -> None:
    pictures = await cinema.some(f"?from={at(cinema.serving.first_us)}&fps=5", 6)
    first = cinema.serving.first_number
    assert [each.position for each in pictures] == [(first + n // 5, n % 5 * 3) for n in range(6)]


async def test_width(cinema: Cinema, tmp_path: Path) -> None:
    for query in ("?width=64", f"?width=64&from={at(cinema.serving.first_us)}"):
        (picture,) = await cinema.some(query, 1)
        (tmp_path / "picture.jpg").write_bytes(picture.jpeg)
        (stream,) = (await probe(tmp_path / "picture.jpg")).streams
        assert (stream.width, stream.height) == (64, 36)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("width=4", "width"),
        ("fps=0", "fps"),
        ("fps=61", "fps"),
        ("fps=many", "fps"),
        ("from=now", "from"),
        ("time=now", "time"),
        ("from=4000000000", "future"),
        ("after=1795385400", "after"),
        ("after=1.2.3", "after"),
        ("from=0&after=1.2", "both"),
        ("from=0&time=0", "both"),
    ],
)
async def test_what_cannot_be_asked(cinema: Cinema, query: str, word: str) -> None:
    answer = await cinema.serving.ask(f"{MJPEG}?{query}")
    assert answer.status == 400
    assert word in problem_of(answer)["detail"]


async def test_what_is_not_there(cinema: Cinema) -> None:
    assert (await cinema.serving.ask("/mjpeg/attic")).status == 404
    far_ahead = cinema.serving.last_number + 1000
    assert (await cinema.serving.ask(f"{MJPEG}?after={far_ahead}.0")).status == 404


async def test_head_says_what_get_would(cinema: Cinema) -> None:
    answer = await cinema.serving.ask(MJPEG, method="HEAD")
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, b"", "no-store")
    assert answer.headers["content-type"].startswith("multipart/x-mixed-replace; boundary=")


async def test_a_client_that_goes_away_leaves_nothing_behind(cinema: Cinema) -> None:
    async with cinema.watch(f"?from={at(cinema.serving.first_us)}") as watching:
        await watching.next()
        assert cinema.serving.services.motion.decoders == 1
        watching.response.close()

    async def gone() -> bool:
        return cinema.serving.services.motion.decoders == 0 and not children(os.getpid())

    await until(gone, "the decoder has ended")


async def test_answers_end_when_the_server_does(cinema: Cinema) -> None:
    async with cinema.watch("") as live, cinema.watch(f"?from={at(cinema.serving.first_us)}") as past:
        await asyncio.gather(live.next(), past.next())
        await cinema.serving.client.server.close()
        assert children(os.getpid()) == []
        for watching in (live, past):
            with pytest.raises((aiohttp.ClientError, asyncio.IncompleteReadError)):
                await watching.some(1000)


async def test_there_is_an_end_to_how_many_can_be_decoded(cinema: Cinema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlscam.services.motion._MOST_DECODERS", 1)
    async with cinema.watch("?width=64") as watching:
        await watching.next()
        async with cinema.watch("?width=64") as second:
            await second.next()
        for query in ("?width=66", f"?width=64&from={at(cinema.serving.first_us)}"):
            answer = await cinema.serving.ask(MJPEG + query)
            assert answer.status == 503
            assert "being decoded already" in problem_of(answer)["detail"]
