"""What the server's tests share: a camera's footage made by the product itself, and servers of it.

`record` is a recorder's life in short: start, record, stop, start again, stop. `Serving` is the real application over
real files and a real catalog, with nothing recording, so that every answer is known; `test_growing.py` has one that
records.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.app import running_server
from hlscam.clock import SystemClock
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.camera_state import CameraState, CameraStatus
from hlscam.domain.config import ArchiveConfig, CameraConfig, Config, HlsConfig, ServerConfig
from hlscam.domain.recording import Recording
from hlscam.domain.source import parse_source
from hlscam.server.application import make_application
from hlscam.server.page_files import PageFiles
from hlscam.server.services import Services
from hlscam.services.live import LiveStream, LiveStreams
from hlscam.units import US_PER_S, format_rfc3339
from tests.manual_clock import NOON_WALL_US, ManualClock

CAMERA = "gate"
HOLE_S = 10
ENOUGH_S = 60
LIVE_SEGMENTS = 4


class LaterClock(SystemClock):
    """The host's clock, some seconds ahead: time between two runs that nobody has to wait for."""

    def __init__(self, ahead_s: int) -> None:
        self._ahead_us = ahead_s * US_PER_S

    def wall_us(self) -> int:
        return super().wall_us() + self._ahead_us


SOURCE = "test:?size=320x180&rate=15&gop_s=1&audio=1"
LONG_GOP_S = 4
LONG_GOP_SOURCE = f"test:?size=320x180&rate=15&gop_s={LONG_GOP_S}&bframes=2&audio=1"
"""A GOP that is too long for one segment of 1 s, and is cut between its B-frames."""


def make_config(
    folder: Path,
    *,
    cors_origins: Sequence[str] = (),
    cache_mb: int = 64,
    recording_s: int = 3,
    source: str = SOURCE,
) -> Config:
    """One camera with segments of 1 s in recordings of 3 s, and one that has no footage."""
    return Config(
        server=ServerConfig(port=0, cors_origins=tuple(cors_origins), cache_mb=cache_mb),
        archive=ArchiveConfig(path=folder, recording_minutes=recording_s / 60),
        hls=HlsConfig(segment_duration_s=1, live_window_s=8),
        cameras={
            CAMERA: CameraConfig(name="Garden gate", source=parse_source(source, folder)),
            "shed": CameraConfig(source=parse_source("test:", folder), enabled=False),
        },
    )


async def record(folder: Path) -> None:
    """Two runs with a hole of some `HOLE_S` between them; the first has two recordings at least."""
    async with running_server(make_config(folder)) as server:
        stream = server.services.live.stream(CAMERA)
        await until_changed(stream, lambda: len(stream.recordings) >= 2 and newest_count(stream) >= 2)
    async with running_server(make_config(folder), clock=LaterClock(HOLE_S)) as server:
        stream = server.services.live.stream(CAMERA)
        run = stream.recordings[-1].run
        await until_changed(stream, lambda: stream.recordings[-1].run != run and newest_count(stream) >= 2)


async def record_long_gop(folder: Path) -> None:
    """A recording which ends with segments that begin without a sync sample; where the minute was over, one before."""
    config = make_config(folder, recording_s=60, source=LONG_GOP_SOURCE)
    async with running_server(config) as server:
        stream = server.services.live.stream(CAMERA)
        await until_changed(stream, lambda: newest_count(stream) >= LONG_GOP_S + 3)


def newest_count(stream: LiveStream) -> int:
    """How many segments the newest recording has."""
    return len(stream.newest.segments) if stream.newest else 0


async def until_changed(stream: LiveStream, reached: Callable[[], bool]) -> None:
    """Until a camera's live edge has got there."""
    async with asyncio.timeout(ENOUGH_S):
        while not reached():
            await stream.wait_changed()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end. `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Serving:
    """A server of an archive in which nothing is recorded; `recordings` is all there is, oldest first.

    Its clock stands a minute after the last of them has ended.
    """

    client: TestClient[web.Request, web.Application]
    services: Services
    recordings: list[Recording]
    clock: ManualClock

    async def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        """A request; header names are written with `_`. Nothing is compressed unless asked for, nor decompressed."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(
            method, path, headers=named, skip_auto_headers=["Accept-Encoding"], allow_redirects=False
        ) as response:
            lower = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, lower, await response.read())

    async def raw(self, target: bytes, method: bytes = b"GET") -> Answer:
        """A request whose target goes over the wire as it is, without a client's tidying."""
        reader, writer = await asyncio.open_connection(self.client.server.host, self.client.server.port)
        writer.write(method + b" " + target + b" HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        status, *lines = head.decode().split("\r\n")
        fields = (line.partition(": ") for line in lines)
        return Answer(int(status.split()[1]), {name.lower(): value for name, _, value in fields}, body)

    async def text(self, path: str) -> str:
        """The body of an answer that is expected to be 200."""
        answer = await self.ask(path)
        assert answer.status == 200, (path, answer.status, answer.body)
        return answer.body.decode()

    async def json(self, path: str) -> Any:
        """The document of an answer that is expected to be 200."""
        async with self.client.get(path) as response:
            assert response.status == 200, (path, response.status, await response.text())
            return await response.json()

    async def remove(self, recording: Recording) -> None:
        """What retention does to one that is not listed live any more: row first, then file."""
        await self.services.catalog.remove_recording(recording.camera, recording.name)
        self.services.live.stream(recording.camera).withdraw(recording.name)
        self.services.archive.path(recording.camera, recording.name).unlink()

    @property
    def first_us(self) -> int:
        return self.recordings[0].start_wall_us

    @property
    def first_number(self) -> int:
        return self.recordings[0].first_media_sequence

    @property
    def last_number(self) -> int:
        return self.recordings[-1].end_media_sequence - 1

    @property
    def last_us(self) -> int:
        return self.recordings[-1].end_wall_us

    @property
    def hole_us(self) -> tuple[int, int]:
        """Where the first run ended, and where the second began."""
        second = next(each for each in self.recordings if each.run != self.recordings[0].run)
        before = self.recordings[self.recordings.index(second) - 1]
        return before.end_wall_us, second.start_wall_us


class Serve:
    """Makes `Serving`s, which end with the test."""

    def __init__(self, aiohttp_client: Any, stack: AsyncExitStack) -> None:
        self._aiohttp_client = aiohttp_client
        self._stack = stack

    async def __call__(
        self,
        config: Config,
        *,
        page: Path | None = None,
        notes: Callable[[str], CameraNotes | None] | None = None,
        not_ready: str = "",
    ) -> Serving:
        """Serve the archive of `config` as it is."""
        archive, catalog = Archive(config.archive.path), await Catalog.open(config.catalog_url)
        self._stack.callback(archive.close)
        self._stack.push_async_callback(catalog.close)
        recordings = await catalog.recordings(next(iter(config.cameras), CAMERA))
        clock = ManualClock(wall_us=recordings[-1].end_wall_us + 60 * US_PER_S if recordings else NOON_WALL_US)
        live = LiveStreams(config.hls.live_window_s, config.hls.part_duration_s)
        for camera in await catalog.cameras():
            live.stream(camera).load(await catalog.newest(camera, LIVE_SEGMENTS))
        services = Services.over(
            config,
            archive,
            catalog,
            live,
            clock=clock,
            notes=notes or (lambda camera: noted(CameraState.STOPPED, clock.wall_us())),
            ready=lambda: not_ready,
        )
        self._stack.push_async_callback(services.close)
        client = await self._aiohttp_client(
            make_application(services, PageFiles(page) if page else PageFiles()),
            auto_decompress=False,
        )
        return Serving(client, services, recordings, clock)


def noted(state: CameraState, since_wall_us: int = 0, last_error: str = "", **facts: Any) -> CameraNotes:
    """The notes of a camera in this state."""
    return CameraNotes(status=CameraStatus(state, since_wall_us, last_error), **facts)


def at(wall_us: int) -> str:
    """A time as URLs take it, to the microsecond."""
    return f"{wall_us // US_PER_S}.{wall_us % US_PER_S:06}"


def shown(wall_us: int) -> str:
    """A time as playlists and the API write it."""
    return format_rfc3339(wall_us)


def problem_of(answer: Answer) -> Any:
    """The document of a problem."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer
    return json.loads(answer.body)
