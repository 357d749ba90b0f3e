"""Stills: the picture of a moment is the one that was on the screen then, by the clock in the picture itself."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from hlscam.app import running_server
from hlscam.bench.clockface import Picture
from hlscam.domain.recording import Recording
from hlscam.units import US_PER_S
from tests.bench.processes import children
from tests.rig.ffmpeg_tools import gray_picture, probe, run_ffmpeg
from tests.rig.waiting import until
from tests.server.serving import CAMERA, Answer, Serve, Serving, at, make_config, problem_of, shown

SNAPSHOT = f"/api/v1/cameras/{CAMERA}/snapshot.jpg"
RATE, WIDTH, HEIGHT = 15, 320, 180
IMMUTABLE = "public, max-age=31536000, immutable"
FRAME_US = US_PER_S / RATE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def clock_of(answer: Answer, folder: Path) -> int:
    """UTC Unix milliseconds that the clock in the picture says."""
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg"), answer
    path = folder / "still.jpg"
    path.write_bytes(answer.body)
    clock_ms = (await gray_picture(path)).clock_ms()
    assert clock_ms is not None
    return clock_ms


async def clocks_of_segment(serving: Serving, number: int, folder: Path) -> list[int | None]:
    """The clocks of all pictures of a segment, decoded by ffmpeg in one go."""
    recording = next(each for each in serving.recordings if each.end_media_sequence > number)
    init = await serving.ask(f"/hls/gate/init-{recording.init_hash}.mp4")
    media = await serving.ask(f"/hls/gate/{number}.m4s")
    path = folder / "segment.mp4"
    path.write_bytes(init.body + media.body.removeprefix(init.body))
    raw = ["-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    gray = (await run_ffmpeg(["-v", "error", "-i", path, *raw])).stdout
    size = WIDTH * HEIGHT
    return [Picture(WIDTH, HEIGHT, gray[n : n + size]).clock_ms() for n in range(0, len(gray), size)]


def with_two_segments(serving: Serving) -> Recording:
    return next(each for each in serving.recordings if len(each.segments) >= 2)


def segment_start_us(recording: Recording, index: int) -> int:
    return recording.wall_us_at(sum(recording.segments.durations_ticks[:index]))


def taken_at_us(recording: Recording, index: int, picture: int) -> int:
    """By the recording's own clock, which is slewed a little against the pictures'."""
    before_ticks = sum(recording.segments.durations_ticks[:index])
    return recording.wall_us_at(before_ticks + round(picture * recording.timescale / RATE))


def timestamp_us(answer: Answer) -> int:
    whole_s, _, rest = answer.headers["x-timestamp"].partition(".")
    assert len(rest) == 6
    return int(whole_s) * US_PER_S + int(rest)


async def test_exact_is_the_very_picture_of_a_moment(serving: Serving, folder: Path) -> None:
    """In the first and the last segment of a recording in the middle of a run, and of one that begins a run."""
    for recording in (serving.recordings[1], serving.recordings[-1]):
        for index in (0, len(recording.segments) - 1):
            number = recording.first_media_sequence + index
            clocks = await clocks_of_segment(serving, number, folder)
            for picture in sorted({0, len(clocks) // 3, len(clocks) // 2, len(clocks) - 1}):
                taken_us = taken_at_us(recording, index, picture)
                answer = await serving.ask(f"{SNAPSHOT}?time={at(round(taken_us + FRAME_US / 2))}&exact=1")
                assert await clock_of(answer, folder) == clocks[picture]
                assert answer.headers["x-position"] == f"{number}.{picture}"
                assert abs(timestamp_us(answer) - taken_us) <= 1
                again = await serving.ask(f"{SNAPSHOT}?time={answer.headers['x-timestamp']}&exact=1")
                assert again.body == answer.body


async def test_without_exact_it_is_the_nearest_that_decodes_alone(serving: Serving, folder: Path) -> None:
    """A segment has one, its first; and it is decoded once for all moments of the segment."""
    recording = with_two_segments(serving)
    start_us = segment_start_us(recording, 1)
    (first, *_) = await clocks_of_segment(serving, recording.first_media_sequence + 1, folder)
    answers = [await serving.ask(f"{SNAPSHOT}?time={at(start_us + ms * 1000)}") for ms in (0, 400, 900)]
    assert {answer.body for answer in answers} == {answers[0].body}
    assert await clock_of(answers[0], folder) == first
    assert {answer.headers["x-position"] for answer in answers} == {f"{recording.first_media_sequence + 1}.0"}
    assert abs(timestamp_us(answers[0]) - start_us) <= 1
    assert serving.services.stills.decoded == 1


async def test_what_is_shown_is_kept_for_ever(serving: Serving) -> None:
    moment = at(serving.first_us + US_PER_S // 2)
    answer = await serving.ask(f"{SNAPSHOT}?time={moment}&exact=1&width=160")
    assert answer.headers["cache-control"] == IMMUTABLE
    again = await serving.ask(f"{SNAPSHOT}?time={moment}&exact=1&width=160", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    for name in ("etag", "cache-control", "x-timestamp", "x-position"):
        assert again.headers[name] == answer.headers[name]
    others = [f"?time={moment}&exact=1", f"?time={moment}&width=160", f"?time={moment}&exact=1&width=162"]
    etags = {(await serving.ask(SNAPSHOT + other)).headers["etag"] for other in others}
    assert len(etags | {answer.headers["etag"]}) == 4


async def test_the_newest_picture_is_shown_without_a_time(serving: Serving, folder: Path) -> None:
    clocks = await clocks_of_segment(serving, serving.last_number, folder)
    answer = await serving.ask(SNAPSHOT)
    assert await clock_of(answer, folder) == clocks[-1]
    assert answer.headers["x-position"] == f"{serving.last_number}.{len(clocks) - 1}"
    assert answer.headers["cache-control"] == "public, max-age=1"


@pytest.mark.parametrize(("width", "size"), [(64, (64, 36)), (200, (200, 112)), (3840, (WIDTH, HEIGHT))])
async def test_width(serving: Serving, folder: Path, width: int, size: tuple[int, int]) -> None:
    (folder / "still.jpg").write_bytes((await serving.ask(f"{SNAPSHOT}?width={width}")).body)
    (stream,) = (await probe(folder / "still.jpg")).streams
    assert (stream.width, stream.height) == size


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("width=15", "width"),
        ("width=3841", "width"),
        ("width=-1", "width"),
        ("width=", "width"),
        ("exact=yes", "exact"),
        ("time=yesterday", "time"),
        ("time=4000000000", "future"),
    ],
)
async def test_what_cannot_be_asked(serving: Serving, query: str, word: str) -> None:
    answer = await serving.ask(f"{SNAPSHOT}?{query}")
    assert answer.status == 400
    assert word in problem_of(answer)["detail"]


async def test_a_moment_without_footage_says_where_the_nearest_is(serving: Serving) -> None:
    """In a hole, before all and after all; and there is a picture where it says."""
    before_us, after_us = serving.hole_us
    cases = {
        before_us + US_PER_S: before_us - 1000,
        after_us - US_PER_S: after_us,
        serving.first_us - US_PER_S: serving.first_us,
        serving.last_us + US_PER_S: serving.last_us - 1000,
    }
    for moment_us, nearest_us in cases.items():
        answer = await serving.ask(f"{SNAPSHOT}?time={at(moment_us)}")
        assert (answer.status, answer.headers["cache-control"]) == (404, "no-store")
        detail = problem_of(answer)["detail"]
        assert f"the nearest footage is at {shown(nearest_us)}" in detail
        assert (await serving.ask(f"{SNAPSHOT}?time={shown(nearest_us)}&exact=1")).status == 200


async def test_a_camera_without_footage(serving: Serving) -> None:
    assert (await serving.ask("/api/v1/cameras/attic/snapshot.jpg")).status == 404
    assert (await serving.ask("/api/v1/cameras/shed/snapshot.jpg")).status == 503
    answer = await serving.ask(f"/api/v1/cameras/shed/snapshot.jpg?time={at(serving.first_us)}")
    assert answer.status == 404
    assert problem_of(answer)["detail"].endswith(f"has no picture of {shown(serving.first_us)}")


async def test_all_who_ask_at_once_are_shown_what_is_decoded_once(serving: Serving) -> None:
    path = f"{SNAPSHOT}?time={at(serving.first_us + US_PER_S // 2)}&exact=1"
    answers = await asyncio.gather(*(serving.ask(path) for _ in range(8)))
    assert {answer.body for answer in answers} == {answers[0].body}
    assert serving.services.stills.decoded == 1


async def test_what_is_kept_is_bounded(serve: Serve, archive_folder: Path) -> None:
    site = await serve(make_config(archive_folder, cache_mb=0))
    first, again = await site.ask(SNAPSHOT), await site.ask(SNAPSHOT)
    assert first.body == again.body
    assert (site.services.stills.decoded, site.services.stills.held_bytes) == (2, 0)


async def test_a_segment_without_a_sync_sample_is_decoded_from_the_one_before(serving: Serving, folder: Path) -> None:
    """As of a camera whose GOP is longer than a segment can be: here only said so, and so all of both is decoded."""
    recording = with_two_segments(serving)
    index, number = 1, recording.first_media_sequence + 1
    table = replace(recording.segments, independents=bytearray(recording.segments.independents))
    table.independents[index] = False
    serving.services.live.stream(CAMERA).load([replace(recording, segments=table)])
    clocks = await clocks_of_segment(serving, number, folder)
    moment_us = segment_start_us(recording, index) + round(4.5 * FRAME_US)
    answer = await serving.ask(f"{SNAPSHOT}?time={at(moment_us)}&exact=1")
    assert await clock_of(answer, folder) == clocks[4]
    assert answer.headers["x-position"] == f"{number}.4"
    nearest = await serving.ask(f"{SNAPSHOT}?time={at(moment_us)}")
    assert await clock_of(nearest, folder) == clocks[0]


async def test_no_decoder_outlives_its_client(own_folder: Path) -> None:
    """Clients that ask for many and go away at once; then one that stays is answered."""
    config = make_config(own_folder)
    idle_camera = config.cameras[CAMERA].model_copy(update={"enabled": False})
    config = config.model_copy(update={"cameras": {CAMERA: idle_camera}})
    async with running_server(config) as server, aiohttp.ClientSession() as session:
        first = (await server.services.footage.recordings(CAMERA))[0]
        url = server.url.rstrip("/") + SNAPSHOT

        async def ask(moment_us: int) -> bytes:
            async with session.get(f"{url}?time={at(moment_us)}&exact=1") as response:
                return await response.read()

        moments = [first.start_wall_us + n * 100_000 for n in range(12)]
        asking = [asyncio.create_task(ask(each)) for each in moments]

        async def decoding() -> bool:
            return bool(server.services.stills._making)

        await until(decoding, "a still is being made")
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

        async def idle() -> bool:
            return not server.services.stills._making and not children(os.getpid())

        await until(idle, "no decoder runs")
        assert server.services.stills.decoded < len(moments)
        assert (await ask(moments[-1])).startswith(b"\xff\xd8")
