"""Cameras being recorded, without the web in front: what `app.py` composes, as tests need it.

    async with Studio(tmp_path, {"porch": PATTERN}) as studio:
        await studio.segments("porch", 3)                 # until three more are listed
        seen = studio.viewers["porch"].seen               # media_sequence -> what a player got

Recordings roll every two seconds and segments last half a second, so that a few seconds hold a camera's whole life.
A `Viewer` looks at each state of the live edge like a player that never misses one: it fetches every segment the moment
it is listed, and anything that is listed twice must be told the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from hlscam.adapters.archive import Archive
from hlscam.adapters.boot import boot_id
from hlscam.adapters.ffmpeg.features import find_ffmpeg
from hlscam.adapters.watch import ArchiveWatch
from hlscam.clock import Clock, SystemClock
from hlscam.domain.camera_state import CameraState, CameraStatus
from hlscam.domain.config import CameraConfig, Config, RetentionConfig
from hlscam.domain.recording import Recording
from hlscam.domain.source import parse_source
from hlscam.errors import ArchiveError
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.reader import read_events
from hlscam.services.catalog_care import CatalogCare, open_catalog
from hlscam.services.cleaner import Cleaner
from hlscam.services.indexer import Indexer
from hlscam.services.live import LiveStream, LiveStreams
from hlscam.services.recorder import CameraRecorder, Recorder, RecorderSettings
from tests.rig import hybrid

PATTERN = "test:?size=128x96&rate=10&gop_s=0.5&audio=0"
RECORDING_S = 2
SEGMENT_S = 0.5
PART_S = 0.25
_PATIENCE_S = 30


@dataclass(frozen=True)
class Segment:
    """A segment as a player knows it."""

    media_sequence: int
    discontinuity_sequence: int
    recording: str
    offset: int
    data: bytes
    start_wall_us: int
    duration_ticks: int
    init_hash: str


class Viewer:
    """Follows a live edge and fetches everything once; it `may_miss` what a test takes away."""

    def __init__(self, archive: Archive, stream: LiveStream) -> None:
        self.seen: dict[int, Segment] = {}
        self.contradictions: list[str] = []
        self.may_miss = False
        self._archive = archive
        self._stream = stream

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            version = self._stream.version
            await self.catch_up()
            while self._stream.version == version:
                await self._stream.wait_changed()

    async def catch_up(self) -> None:
        """Look at all that is listed now."""
        for recording in list(self._stream.recordings):
            await self._look_at(recording)

    async def _look_at(self, recording: Recording) -> None:
        for line in lines_of(recording):
            known = self.seen.get(line.media_sequence)
            if known is None:
                length = recording.segments.sizes_bytes[line.media_sequence - recording.first_media_sequence]
                try:
                    data = await self._archive.read(recording.camera, recording.name, line.offset, length)
                except ArchiveError:
                    if not self.may_miss:
                        raise
                    continue
                self.seen[line.media_sequence] = Segment(**{**line.__dict__, "data": data})
            elif Segment(**{**known.__dict__, "data": b""}) != line:
                self.contradictions.append(f"{known} became {line}")


def lines_of(recording: Recording) -> list[Segment]:
    """The segments of a recording, without their bytes."""
    offsets = accumulate(recording.segments.sizes_bytes, initial=recording.first_offset)
    elapsed = accumulate(recording.segments.durations_ticks, initial=0)
    return [
        Segment(
            recording.first_media_sequence + index,
            recording.discontinuity_sequence,
            recording.name,
            offset,
            b"",
            recording.wall_us_at(ticks),
            recording.segments.durations_ticks[index],
            recording.init_hash,
        )
        for index, (offset, ticks, _) in enumerate(zip(offsets, elapsed, recording.segments, strict=False))
    ]


class Studio:
    """`cameras` are sources by id, or whole configurations of a camera. Nothing is removed without `retention`."""

    def __init__(
        self,
        root: Path,
        cameras: Mapping[str, str | CameraConfig],
        *,
        observer: str = "auto",
        watching: bool = True,
        rescan_interval_s: float = 60,
        clock: Clock | None = None,
        recording_s: float = RECORDING_S,
        catalog_url: str = "",
        boot: str = "",
        live_window_s: float = 30,
        retention: RetentionConfig | None = None,
    ) -> None:
        self.root = root
        self.archive = Archive(root)
        self.clock = clock or SystemClock()
        self.live = LiveStreams(live_window_s)
        self.viewers: dict[str, Viewer] = {}
        self.recorders: dict[str, CameraRecorder] = {}
        self.catalog_url = catalog_url or f"sqlite:///{root / 'catalog.sqlite3'}"
        self._cameras = {id_: _camera(id_, each) for id_, each in cameras.items()}
        self._observer, self._watching, self._rescan_interval_s = observer, watching, rescan_interval_s
        self._boot = boot or boot_id()
        self._recording_s, self._live_window_s, self._retention = recording_s, live_window_s, retention
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Studio:
        stack = await self._stack.__aenter__()
        self.root.mkdir(parents=True, exist_ok=True)
        stack.push_async_callback(asyncio.to_thread, self.archive.close)
        self.catalog = await open_catalog(self.catalog_url, SystemClock(), self.archive)
        stack.push_async_callback(self.catalog.close)
        self.watch = ArchiveWatch(self.root, self._observer)
        if self._watching:
            await asyncio.to_thread(self.watch.start)
            stack.push_async_callback(asyncio.to_thread, self.watch.close)
        self.care = CatalogCare(self.archive, self.catalog, SystemClock())
        self.care.start()
        stack.push_async_callback(self.care.stop)
        self.indexer = Indexer(
            archive=self.archive,
            catalog=self.catalog,
            care=self.care,
            watch=self.watch,
            live=self.live,
            clock=self.clock,
            segment_duration_s=SEGMENT_S,
            live_segments=5 + round(self._live_window_s / SEGMENT_S),
            rescan_interval_s=self._rescan_interval_s,
            fsync_interval_s=2,
            longest_picture_s=15,
            boot=self._boot,
        )
        retention = self._retention or RetentionConfig()
        self.cleaner = Cleaner(
            self.archive, self.catalog, self.live, care=self.care, clock=self.clock, retention=retention
        )
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = RecorderSettings(
            ffmpeg=await find_ffmpeg(None),
            recording_s=self._recording_s,
            part_duration_s=PART_S,
            stall_timeout_s=10,
            scratch=scratch,
            on_disk_full=self.cleaner.wake,
        )
        viewing: list[asyncio.Task[None]] = []
        for id_, config in self._cameras.items():
            with contextlib.suppress(ArchiveError):
                await self.indexer.recover(id_)
            self.recorders[id_] = CameraRecorder(id_, config, settings, self.indexer, self.clock)
            self.viewers[id_] = Viewer(self.archive, self.live.stream(id_))
            viewing.append(asyncio.create_task(self.viewers[id_].watch()))
        if self._retention is not None:
            self.cleaner.start()
            stack.push_async_callback(self.cleaner.stop)
        self.recorder = Recorder(self.recorders)
        self.recorder.start()
        for viewer in self.viewers.values():
            stack.push_async_callback(viewer.catch_up)
        stack.push_async_callback(_end, viewing)
        stack.push_async_callback(self.recorder.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        wrong = [each for viewer in self.viewers.values() for each in viewer.contradictions]
        assert not wrong, wrong

    async def changes(self, camera: str, reached: Callable[[], bool], what: str) -> None:
        """Until the camera's live edge or state is as asked for."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while not reached():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.live.stream(camera).wait_changed(), 0.05)
        except TimeoutError:
            raise AssertionError(f"{camera}: never {what}; it is {self.recorders[camera].status}") from None

    async def segments(self, camera: str, more: int) -> None:
        """Until so many more segments are listed, and fetched by the viewer."""
        seen = self.viewers[camera].seen
        wanted = len(seen) + more
        await self.changes(camera, lambda: len(seen) >= wanted, f"listed {more} more segments")

    async def status(self, camera: str, state: CameraState) -> CameraStatus:
        """The status once the camera is in that state."""
        recorder = self.recorders[camera]
        await self.changes(camera, lambda: recorder.status.state is state, f"became {state}")
        return recorder.status

    def newest(self, camera: str) -> Recording:
        newest = self.live.stream(camera).newest
        assert newest is not None
        return newest


def _camera(id_: str, camera: str | CameraConfig) -> CameraConfig:
    if isinstance(camera, CameraConfig):
        return camera
    return CameraConfig(name=id_, source=parse_source(camera, Path("/")))


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def fragments_of(path: Path) -> list[Fragment]:
    """The whole fragments of a recording."""
    return fragments_in(path.read_bytes())


def fragments_in(data: bytes) -> list[Fragment]:
    """The whole fragments of a recording's bytes."""
    return [each for each in read_events(data) if isinstance(each, Fragment)]


def box_types(path: Path) -> list[str]:
    """The types of a file's top-level boxes."""
    return hybrid.box_types(path.read_bytes())


CLOSED_BY_FFMPEG = ["ftyp", "free", "mdat", "free", "moov", "uuid"]
"""What `box_types` says of a sealed recording; the second `free` is ffmpeg's own index."""

FINISHED_BY_US = ["ftyp", "free", "mdat", "moov", "uuid"]


def crash_image(root: Path, target: Path) -> Path:
    """What a crash would leave of a running archive: its catalog at its last commit, its files as they are now."""
    target.mkdir(parents=True)
    with (
        contextlib.closing(sqlite3.connect(root / "catalog.sqlite3")) as source,
        contextlib.closing(sqlite3.connect(target / "catalog.sqlite3")) as copy,
    ):
        source.backup(copy)
    aside = shutil.ignore_patterns("catalog.sqlite3*", ".writable")
    shutil.copytree(root, target, ignore=aside, dirs_exist_ok=True)
    return target


def ffmpegs(folder: Path) -> list[int]:
    """The processes that write into a camera's folder."""
    found = []
    for each in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if each.name.isdigit() and f"{folder}/%".encode() in (each / "cmdline").read_bytes():
                found.append(int(each.name))
    return found


def config_of(root: Path) -> Config:
    """A configuration for the commands that work on an archive."""
    return Config.model_validate({"archive": {"path": root}})
