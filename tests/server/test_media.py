"""Segments, init sections and whole recordings: the bytes are those of the files, whoever asks and however."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from aiohttp import ClientPayloadError, ClientResponse

from hlscam.domain.recording import Recording
from tests.rig.ffmpeg_tools import decode
from tests.server.serving import CAMERA, ENOUGH_S, Serve, Serving, make_config, problem_of


def file_of(folder: Path, recording: Recording) -> bytes:
    return (folder / CAMERA / recording.name).read_bytes()


async def remove_oldest(serving: Serving) -> Recording:
    """What retention does: the file and the row of the oldest recording are gone."""
    oldest = serving.recordings[0]
    await serving.remove(oldest)
    return oldest


async def test_segments_are_the_files_bytes(serving: Serving, archive_folder: Path) -> None:
    """And the first after a discontinuity has the init section in front, for players that load no second map."""
    fronted = 0
    for recording in serving.recordings:
        data = file_of(archive_folder, recording)
        init = (await serving.ask(f"/hls/gate/init-{recording.init_hash}.mp4")).body
        ends = list(accumulate(recording.segments.sizes_bytes, initial=recording.first_offset))
        for index, (start, end) in enumerate(pairwise(ends)):
            answer = await serving.ask(f"/hls/gate/{recording.first_media_sequence + index}.m4s")
            in_front = init if recording.starts_run and index == 0 else b""
            assert answer.body == in_front + data[start:end], (recording.name, index)
            fronted += bool(in_front)
    assert fronted == 2


async def test_every_segment_decodes_by_itself(serving: Serving, tmp_path: Path) -> None:
    frames = 0
    for recording in serving.recordings:
        init = (await serving.ask(f"/hls/gate/init-{recording.init_hash}.mp4")).body
        for number in range(recording.first_media_sequence, recording.end_media_sequence):
            segment = (await serving.ask(f"/hls/gate/{number}.m4s")).body
            path = tmp_path / f"{number}.mp4"
            path.write_bytes(segment if segment.startswith(init) else init + segment)
            decoded = await decode(path)
            assert decoded.errors == [], number
            frames += decoded.frames
    media_s = sum(each.duration_ticks / each.timescale for each in serving.recordings)
    assert frames == round(media_s * 15)


async def test_a_run_in_a_row_decodes(serving: Serving, tmp_path: Path) -> None:
    first = [each for each in serving.recordings if each.run == serving.recordings[0].run]
    path = tmp_path / "run.mp4"
    numbers = range(first[0].first_media_sequence, first[-1].end_media_sequence)
    path.write_bytes(b"".join([(await serving.ask(f"/hls/gate/{number}.m4s")).body for number in numbers]))
    decoded = await decode(path)
    assert decoded.errors == []
    assert decoded.duration_s == pytest.approx((first[-1].end_wall_us - first[0].start_wall_us) / 1e6, abs=0.1)


async def test_a_hundred_viewers_are_one_read(serving: Serving) -> None:
    number = serving.recordings[-1].first_media_sequence
    answers = await asyncio.gather(*(serving.ask(f"/hls/gate/{number}.m4s") for _ in range(100)))
    assert len({answer.body for answer in answers}) == 1
    assert serving.services.cache.misses == 1


NEVER_WAS = [
    "/hls/gate/1.m4s",
    "/hls/gate/{end}.m4s",
    "/hls/gate/999999999999999999.m4s",
    f"/hls/gate/{'9' * 400}.m4s",
    "/hls/gate/-1.m4s",
    "/hls/gate/x.m4s",
    "/hls/gate/1.5.m4s",
    "/hls/gate/١.m4s",
    "/hls/shed/1.m4s",
    "/hls/attic/{first}.m4s",
    "/hls/attic/init-{hash}.mp4",
    "/hls/gate/init-0123456789abcdef.mp4",
    "/hls/gate/init-x.mp4",
    "/hls/gate/init-.mp4",
    "/recordings/gate/nothing.mp4",
    "/recordings/gate/20000101T000000Z-0123abcd.mp4",
    "/recordings/gate/20990101T000000Z-0123abcd.mp4",
    "/recordings/attic/{name}",
    "/recordings/shed/{name}",
]


@pytest.mark.parametrize("headers", [{}, {"If_None_Match": "*"}, {"Range": "bytes=0-1"}])
async def test_what_never_was_is_404(serving: Serving, headers: dict[str, str]) -> None:
    newest = serving.recordings[-1]
    words = {"end": newest.end_media_sequence, "first": newest.first_media_sequence}
    for path in NEVER_WAS:
        path = path.format(**words, name=newest.name, hash=newest.init_hash)
        answer = await serving.ask(path, **headers)
        problem = problem_of(answer)
        assert (answer.status, problem["status"]) == (404, 404), path
        assert (problem["type"], problem["title"]) == ("about:blank", "Not Found")
        assert problem["detail"]
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("asked_before", [False, True])
async def test_what_retention_removed_is_410(serve: Serve, own_folder: Path, asked_before: bool) -> None:
    """Also when it was served a moment ago, and whatever has never been stays 404."""
    serving = await serve(make_config(own_folder, cache_mb=0))
    oldest = serving.recordings[0]
    numbers = range(oldest.first_media_sequence, oldest.end_media_sequence)
    if asked_before:
        for number in numbers:
            assert (await serving.ask(f"/hls/gate/{number}.m4s")).status == 200
    await remove_oldest(serving)
    for path in [*(f"/hls/gate/{number}.m4s" for number in numbers), f"/recordings/gate/{oldest.name}"]:
        answer = await serving.ask(path)
        assert answer.status == 410, path
        assert problem_of(answer)["title"] == "Gone"
        assert "retention" in problem_of(answer)["detail"]
    for path in (f"/hls/gate/{serving.recordings[-1].end_media_sequence}.m4s", "/recordings/gate/0.mp4"):
        assert (await serving.ask(path)).status == 404
    assert (await serving.ask(f"/hls/gate/{oldest.end_media_sequence}.m4s")).status == 200


@pytest.mark.parametrize("harm", ["missing", "cut short", "a folder"])
async def test_a_file_that_cannot_be_read_is_503(
    serve: Serve, own_folder: Path, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be a disk that comes back: said in one line, and the others are served."""
    serving = await serve(make_config(own_folder))
    hurt, well = serving.recordings[0], serving.recordings[1]
    path = own_folder / CAMERA / hurt.name
    if harm == "cut short":
        path.write_bytes(path.read_bytes()[: hurt.first_offset + 10])
    else:
        path.unlink()
        if harm == "a folder":
            path.mkdir()
    for url, headers in [
        (f"/hls/gate/{hurt.first_media_sequence}.m4s", {}),
        (f"/hls/gate/{hurt.first_media_sequence}.m4s", {}),
        (f"/recordings/gate/{hurt.name}", {}),
        (f"/recordings/gate/{hurt.name}", {"Range": "bytes=-100"}),
    ]:
        caplog.clear()
        answer = await serving.ask(url, **headers)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2"), url
        assert str(own_folder) not in answer.body.decode()
        assert "Traceback" not in answer.body.decode()
        assert [(each.levelname, each.exc_info) for each in caplog.records] == [("ERROR", None)]
        assert hurt.name in caplog.text
    assert (await serving.ask(f"/hls/gate/{well.first_media_sequence}.m4s")).status == 200


async def test_a_failed_read_is_tried_again(serve: Serve, own_folder: Path) -> None:
    serving = await serve(make_config(own_folder))
    newest = serving.recordings[-1]
    path, away = own_folder / CAMERA / newest.name, own_folder / "away"
    url = f"/hls/gate/{newest.first_media_sequence}.m4s"
    path.rename(away)
    assert (await serving.ask(url)).status == 503
    away.rename(path)
    assert (await serving.ask(url)).status == 200


RANGES = {
    "": (200, slice(None)),
    "bytes=0-": (206, slice(None)),
    "bytes=0-0": (206, slice(0, 1)),
    "bytes=1000-1999": (206, slice(1000, 2000)),
    "bytes=-500": (206, slice(-500, None)),
    "bytes=2000-": (206, slice(2000, None)),
    "bytes=2000-999999999": (206, slice(2000, None)),
    "bytes=-999999999": (206, slice(None)),
    "bytes=0-1,5-6": (200, slice(None)),
    "bytes=6-5": (200, slice(None)),
    "pages=1-2": (200, slice(None)),
}


@pytest.mark.parametrize("header", RANGES)
async def test_ranges_of_a_recording(serving: Serving, archive_folder: Path, header: str) -> None:
    for recording in serving.recordings[:2]:
        data = file_of(archive_folder, recording)
        status, part = RANGES[header]
        answer = await serving.ask(f"/recordings/gate/{recording.name}", **({"Range": header} if header else {}))
        assert answer.status == status
        assert answer.body == data[part]
        assert answer.headers["accept-ranges"] == "bytes"
        assert int(answer.headers["content-length"]) == len(answer.body)
        start, end, _ = part.indices(len(data))
        expected = f"bytes {start}-{end - 1}/{len(data)}" if status == 206 else None
        assert answer.headers.get("content-range") == expected
        assert answer.headers["content-disposition"] == f'inline; filename="gate-{recording.name}"'


@pytest.mark.parametrize("header", ["bytes={size}-", "bytes={size}-{size}", "bytes=-0"])
async def test_a_range_beyond_is_416(serving: Serving, header: str) -> None:
    newest = serving.recordings[-1]
    answer = await serving.ask(f"/recordings/gate/{newest.name}", Range=header.format(size=newest.size_bytes))
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{newest.size_bytes}")
    assert problem_of(answer)["status"] == 416


async def test_if_range(serving: Serving) -> None:
    """A part is only sent of the very file that the client has a part of."""
    path = f"/recordings/gate/{serving.recordings[0].name}"
    etag = (await serving.ask(path)).headers["etag"]
    for condition, status in {
        etag: 206,
        f"W/{etag}": 200,
        '"other"': 200,
        "Sun, 22 Nov 2026 12:00:00 GMT": 200,
    }.items():
        assert (await serving.ask(path, Range="bytes=1-2", If_Range=condition)).status == status, condition


async def test_head_knows_no_ranges(serving: Serving) -> None:
    """RFC 9110 14.2: Range is defined for GET alone."""
    recording = serving.recordings[0]
    for header in ("bytes=1-2", "bytes=999999999-"):
        answer = await serving.ask(f"/recordings/gate/{recording.name}", method="HEAD", Range=header)
        assert (answer.status, answer.headers["content-length"]) == (200, str(recording.size_bytes))


async def test_a_whole_recording_plays(serving: Serving, tmp_path: Path) -> None:
    recording = serving.recordings[0]
    path = tmp_path / "recording.mp4"
    path.write_bytes((await serving.ask(f"/recordings/gate/{recording.name}")).body)
    decoded = await decode(path)
    assert (decoded.errors, decoded.frames) == ([], round(recording.duration_ticks / recording.timescale * 15))


async def grown(serving: Serving, recording: Recording) -> int:
    """Make a recording too long for any socket's buffers; the catalog is told."""
    path = serving.services.archive.path(CAMERA, recording.name)
    path.write_bytes(path.read_bytes() + bytes(64 * 1024 * 1024))
    await serving.services.catalog.put_recording(replace(recording, size_bytes=path.stat().st_size))
    return path.stat().st_size


def _open_files(folder: Path) -> list[str]:
    links = [each for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [path for path in map(os.readlink, links) if path.startswith(str(folder))]


async def test_a_client_that_goes_away_leaves_nothing_behind(
    serve: Serve, own_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    serving = await serve(make_config(own_folder))
    recording = serving.recordings[0]
    await grown(serving, recording)
    caplog.clear()
    caplog.set_level(logging.INFO)
    before = asyncio.all_tasks()
    reader, writer = await asyncio.open_connection(serving.client.server.host, serving.client.server.port, limit=1024)
    writer.write(f"GET /recordings/gate/{recording.name} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    sending = asyncio.all_tasks() - before
    assert sending
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
    await asyncio.wait_for(asyncio.wait(sending), ENOUGH_S)
    assert [each.getMessage() for each in caplog.records if each.name.startswith("hlscam")] == []
    assert (await serving.ask("/healthz")).status == 200
    serving.services.archive.close()  # a read that was under way has ended
    assert _open_files(own_folder / CAMERA) == []


async def _read_into(got: bytearray, response: ClientResponse) -> None:
    while chunk := await response.content.readany():
        got += chunk


async def test_a_download_goes_on_when_retention_removes_it(serve: Serve, own_folder: Path) -> None:
    serving = await serve(make_config(own_folder))
    recording = serving.recordings[0]
    await grown(serving, recording)
    path = serving.services.archive.path(CAMERA, recording.name)
    data, got = path.read_bytes(), bytearray()
    async with serving.client.get(f"/recordings/gate/{recording.name}") as response:
        assert response.status == 200
        await serving.remove(recording)
        await asyncio.wait_for(_read_into(got, response), ENOUGH_S)
    assert got == data
    answer = await serving.ask(f"/recordings/gate/{recording.name}")
    assert answer.status == 410


async def test_a_file_that_ends_early_ends_the_answer_early(
    serve: Serve, own_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The promised length cannot be kept: the client must see that, and never get a problem document for media."""
    serving = await serve(make_config(own_folder))
    recording = serving.recordings[0]
    size_bytes = await grown(serving, recording)
    path = serving.services.archive.path(CAMERA, recording.name)
    got = bytearray()
    async with serving.client.get(f"/recordings/gate/{recording.name}") as response:
        assert response.status == 200
        with path.open("r+b") as file:
            file.truncate(size_bytes - 1000)
        with pytest.raises(ClientPayloadError):
            await asyncio.wait_for(_read_into(got, response), ENOUGH_S)
    assert got == path.read_bytes()[: len(got)]
    assert b"about:blank" not in got
    assert "before the end of what was asked for" in caplog.text
    assert "Traceback" not in caplog.text
