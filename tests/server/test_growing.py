"""A server that records while it is asked: what is in progress is part of everything, and nothing said is taken back.

One server for the module, over a copy of the archive, so that its live run is the third; the tests share its loop.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from hlscam.app import Server, running_server
from hlscam.domain.recording import Recording
from hlscam.services.live import LiveStream
from hlscam.units import US_PER_S
from tests.rig.ffmpeg_tools import decode
from tests.rig.playlist_lint import lint, lint_all, read_m3u8
from tests.server.serving import (
    CAMERA,
    ENOUGH_S,
    HOLE_S,
    LaterClock,
    at,
    make_config,
    newest_count,
    shown,
    until_changed,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
RELOADS = 5


@dataclass(frozen=True, slots=True)
class Growing:
    """A recording server and a client of it."""

    server: Server
    client: aiohttp.ClientSession
    folder: Path

    @property
    def stream(self) -> LiveStream:
        return self.server.services.live.stream(CAMERA)

    @property
    def newest(self) -> Recording:
        assert self.stream.newest is not None
        return self.stream.newest

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, and body."""
        async with self.client.get(self.server.url.rstrip("/") + path, headers=headers) as response:
            lower = {name.lower(): value for name, value in response.headers.items()}
            return response.status, lower, await response.read()

    async def text(self, path: str) -> str:
        status, _, body = await self.get(path)
        assert status == 200, (path, body)
        return body.decode()

    async def json(self, path: str) -> Any:
        return json.loads(await self.text(path))

    async def until(self, reached: Callable[[], bool]) -> None:
        await until_changed(self.stream, reached)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def growing(archive_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Growing]:
    folder = tmp_path_factory.mktemp("growing") / "archive"
    shutil.copytree(archive_folder, folder)
    # Nothing is cached, so that every segment is read from its file each time.
    config = make_config(folder, cache_mb=0, recording_s=6)
    async with running_server(config, clock=LaterClock(2 * HOLE_S)) as server, aiohttp.ClientSession() as client:
        yield Growing(server, client, folder)


async def with_open(growing: Growing) -> Recording:
    """The recording in progress, with two segments at least, one of them just listed: it stays open for a moment."""
    await growing.stream.wait_changed()
    await growing.until(lambda: growing.newest.is_open and newest_count(growing.stream) >= 2)
    return growing.newest


async def test_the_recording_in_progress_can_be_downloaded(growing: Growing, tmp_path: Path) -> None:
    """Up to its last whole segment, and what came plays."""
    recording = await with_open(growing)
    _, headers, body = await growing.get(f"/recordings/gate/{recording.name}")
    file = (growing.folder / CAMERA / recording.name).read_bytes()
    assert len(file) >= len(body) == int(headers["content-length"]) >= recording.size_bytes
    assert body == file[: len(body)]
    assert headers["cache-control"] == "no-cache"
    (tmp_path / "so-far.mp4").write_bytes(body)
    decoded = await decode(tmp_path / "so-far.mp4")
    assert decoded.errors == []
    assert decoded.frames >= 2 * 15


async def test_ranges_of_the_recording_in_progress(growing: Growing) -> None:
    recording = await with_open(growing)
    path = f"/recordings/gate/{recording.name}"
    end = recording.size_bytes
    status, headers, body = await growing.get(path, Range=f"bytes={end - 100}-{end - 1}")
    assert (status, len(body)) == (206, 100)
    total = int(headers["content-range"].rpartition("/")[2])
    assert total >= end
    file = (growing.folder / CAMERA / recording.name).read_bytes()
    assert body == file[end - 100 : end]
    assert (await growing.get(path, Range=f"bytes={len(file) + 10_000_000}-"))[0] == 416
    # The tag changes as it grows: a part of it is never joined with a part of what it was before.
    before = headers["etag"]
    await growing.until(lambda: growing.newest.name != recording.name or growing.newest.size_bytes > total)
    status, headers, _ = await growing.get(path, **{"If-Range": before, "Range": "bytes=0-1"})
    assert (status, headers["etag"] != before) == (200, True)


async def test_the_api_tells_what_is_in_progress(growing: Growing) -> None:
    before = await with_open(growing)
    last = (await growing.json("/api/v1/cameras/gate/recordings"))["recordings"][-1]
    assert (last["name"], last["end"], last["end_reason"]) == (before.name, None, None)
    assert last["segments"] >= 2
    moment = before.end_wall_us - US_PER_S // 2
    found = await growing.json(f"/api/v1/cameras/gate/recordings/at?time={at(moment)}")
    assert (found["name"], found["offset_s"]) == (before.name, round((moment - before.start_wall_us) / US_PER_S, 3))
    an_hour_ago = at(before.start_wall_us - 3600 * US_PER_S)
    spans = (await growing.json(f"/api/v1/cameras/gate/timeline?from={an_hour_ago}"))["spans"]
    assert len({each["run"] for each in spans}) == len(spans) == 3
    assert spans[-1]["end"] >= shown(before.end_wall_us)
    camera = await growing.json("/api/v1/cameras/gate")
    assert (camera["state"], camera["last_error"]) == ("recording", None)
    assert camera["last"] >= shown(before.end_wall_us)
    assert (await growing.json("/readyz")) == {"status": "ready"}


async def test_pages_hold_each_recording_once_while_one_is_open(growing: Growing) -> None:
    await with_open(growing)
    everything = [each["name"] for each in (await growing.json("/api/v1/cameras/gate/recordings"))["recordings"]]
    for limit in (1, 2):
        names: list[str] = []
        cursor = ""
        while True:
            page = await growing.json(f"/api/v1/cameras/gate/recordings?limit={limit}{cursor}")
            names += [each["name"] for each in page["recordings"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        # A recording may have begun since, and then it comes last.
        assert names[: len(everything)] == everything
        assert len(names) == len(set(names)) <= len(everything) + 1


@dataclass(slots=True)
class Seen:
    """What playlists have said of each segment, and the texts; saying otherwise later fails."""

    texts: list[str] = field(default_factory=list)
    said: dict[int, tuple[str, float, str, str]] = field(default_factory=dict)
    first_number: int = -1

    def take(self, text: str, *, may_slide: bool) -> None:
        playlist = read_m3u8(text)
        first = playlist.media_sequence
        assert first >= self.first_number
        assert may_slide or self.first_number in (-1, first)
        self.first_number = first
        for number, segment in enumerate(playlist.segments, start=first):
            now = (
                segment.uri,
                segment.duration,
                segment.current_program_date_time.isoformat(timespec="milliseconds"),
                segment.init_section.uri,
            )
            assert self.said.setdefault(number, now) == now
        assert max(self.said) == first + len(playlist.segments) - 1  # never less than before at the far end
        if not self.texts or self.texts[-1] != text:
            self.texts.append(text)


async def test_nothing_that_was_listed_ever_changes(growing: Growing) -> None:
    """Live and timeline, reloaded at every change until a recording has rolled, and a little further."""
    held_us = growing.stream.recordings[0].start_wall_us
    live, timeline, bounded = Seen(), Seen(), Seen()
    from_us = (await growing.json("/api/v1/cameras/gate"))["first"]
    soon = at(growing.newest.end_wall_us + 3600 * US_PER_S)
    media: dict[int, bytes] = {}
    first_name = growing.newest.name
    async with asyncio.timeout(ENOUGH_S):
        while growing.newest.name == first_name or len(timeline.texts) < RELOADS:
            changed = asyncio.ensure_future(growing.stream.wait_changed())
            live.take(await growing.text("/hls/gate/live.m3u8"), may_slide=True)
            timeline.take(await growing.text(f"/hls/gate/timeline.m3u8?from={from_us}"), may_slide=False)
            bounded.take(await growing.text(f"/hls/gate/timeline.m3u8?from={at(held_us)}&to={soon}"), may_slide=False)
            newest = max(live.said)
            media.setdefault(newest, (await growing.get(f"/hls/gate/{newest}.m4s"))[2])
            await changed
    for playlist in await lint_all([*live.texts, *timeline.texts, *bounded.texts]):
        assert not playlist["ended"]
    for number, said in live.said.items():
        assert timeline.said[number] == said
    assert len(media) >= 3
    for number, data in media.items():  # read while it grew; by now its file is closed, for most
        assert data
        assert (await growing.get(f"/hls/gate/{number}.m4s"))[2] == data


async def test_a_range_that_the_present_has_passed_is_ended(growing: Growing) -> None:
    recording = await with_open(growing)
    from_us, to_us = recording.start_wall_us, recording.end_wall_us - 1
    playlist = await lint(await growing.text(f"/hls/gate/timeline.m3u8?from={at(from_us)}&to={at(to_us)}"))
    assert playlist["ended"]
    numbers = [each["mediaSequence"] for each in playlist["segments"]]
    assert numbers == list(range(recording.first_media_sequence, recording.first_media_sequence + len(numbers)))
    assert len(numbers) >= 2


async def test_the_next_segment_is_waited_for_and_told_the_moment_it_is_there(growing: Growing) -> None:
    """Again and again, as a viewer at the live edge asks: each once, in order, none left out."""
    seen = [growing.newest.end_media_sequence - 1]
    for _ in range(4):
        text = await growing.text(f"/hls/gate/timeline.m3u8?after={seen[-1]}")
        playlist = read_m3u8(text)
        assert playlist.media_sequence == seen[-1] + 1
        assert playlist.segments[0].uri == f"{seen[-1] + 1}.m4s"
        seen += [seen[-1] + 1 + at for at in range(len(playlist.segments))]
    assert seen == list(range(seen[0], seen[0] + len(seen)))


async def test_what_comes_next_is_not_there_yet(growing: Growing) -> None:
    ahead = growing.newest.end_media_sequence + 1000
    assert (await growing.get(f"/hls/gate/{ahead}.m4s"))[0] == 404
