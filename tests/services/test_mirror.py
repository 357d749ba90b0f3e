"""What a process that only reads knows of the live edge: the very same, whatever happens to recorder and catalog."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hlscam.adapters.archive import Archive
from hlscam.adapters.archive_lock import archive_lock
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.watch import ArchiveWatch
from hlscam.clock import Clock, SystemClock
from hlscam.domain.camera_notes import CameraNotes
from hlscam.domain.camera_state import CameraState
from hlscam.domain.part import Part
from hlscam.domain.recording import EndReason
from hlscam.services.live import LiveStream, LiveStreams
from hlscam.services.mirror import ArchiveMirror
from hlscam.services.notebook import Notebook
from tests.manual_clock import ManualClock
from tests.rig.waiting import until
from tests.services.studio import PATTERN, Segment, Studio, ffmpegs, lines_of


@dataclass
class Reader:
    """A process that only reads, as far as one process can play two."""

    mirror: ArchiveMirror
    live: LiveStreams

    @property
    def stream(self) -> LiveStream:
        return self.live.stream("porch")

    def lines(self) -> dict[int, Segment]:
        return {line.media_sequence: line for row in self.stream.recordings for line in lines_of(row)}

    async def reaches(self, wanted: dict[int, Segment]) -> None:
        """Until it knows all of these segments; it must know them as they are."""

        async def knows() -> bool:
            return wanted.keys() <= self.lines().keys()

        await until(knows, f"the reader knows segments up to {max(wanted)}")
        assert {number: self.lines()[number] for number in wanted} == wanted


@asynccontextmanager
async def reader(root: Path, clock: Clock | None = None) -> AsyncIterator[Reader]:
    archive = Archive(root)
    catalog = await Catalog.open(f"sqlite:///{root / 'catalog.sqlite3'}", read_only=True)
    watch = ArchiveWatch(root)
    await asyncio.to_thread(watch.start)
    live = LiveStreams(30)
    mirror = ArchiveMirror(archive, catalog, watch, live, clock or SystemClock(), 65)
    mirror.start(["porch"])
    try:
        yield Reader(mirror, live)
    finally:
        await mirror.stop()
        await asyncio.to_thread(watch.close)
        await catalog.close()
        await asyncio.to_thread(archive.close)


def newest_lines(studio: Studio, count: int = 6) -> dict[int, Segment]:
    """The newest segments as the recorder's own live edge has them."""
    rows = studio.live.stream("porch").recordings
    lines = [line for row in rows for line in lines_of(row)]
    return {line.media_sequence: line for line in lines[-count:]}


async def test_the_reader_knows_what_the_recorder_knows(tmp_path: Path) -> None:
    async with Studio(tmp_path, {"porch": PATTERN}) as studio, archive_lock(tmp_path), reader(tmp_path) as reading:
        await studio.segments("porch", 6)  # over a roll
        await reading.reaches(newest_lines(studio))
        await studio.changes("porch", lambda: len(studio.newest("porch").segments) == 2, "in the middle of a recording")
        os.kill(ffmpegs(tmp_path / "porch")[0], signal.SIGKILL)
        await studio.changes("porch", lambda: studio.newest("porch").discontinuity_sequence == 1, "went on")
        await studio.segments("porch", 2)
        await reading.reaches(newest_lines(studio))

        async def is_closed_there() -> bool:
            ends = {row.name: row.end_reason for row in reading.stream.recordings}
            return EndReason.CRASHED in ends.values()

        await until(is_closed_there, "the reader knows how the run ended")
        notes = reading.mirror.notes("porch")
        assert notes is not None
        await until(lambda: _recorded(reading), "the reader knows that it is recorded")
        init_hash = studio.newest("porch").init_hash
        assert reading.stream.inits[init_hash] == studio.live.stream("porch").inits[init_hash]


async def _recorded(reading: Reader) -> bool:
    notes = reading.mirror.notes("porch")
    return notes is not None and notes.status.state is CameraState.RECORDING


async def test_a_reader_that_starts_in_the_middle_knows_the_recording_from_its_start(tmp_path: Path) -> None:
    async with Studio(tmp_path, {"porch": PATTERN}, recording_s=3600) as studio:
        await studio.segments("porch", 5)
        wanted = newest_lines(studio, 5)
        async with reader(tmp_path) as reading:
            await reading.reaches(wanted)
            await studio.segments("porch", 2)
            await reading.reaches(newest_lines(studio))


async def test_a_reader_that_starts_in_the_middle_never_shows_less_than_was_listed(tmp_path: Path) -> None:
    """The catalog has the recording with one segment; a player that was told of the others counts on from there."""
    async with Studio(tmp_path, {"porch": PATTERN}, recording_s=3600) as studio:
        await studio.segments("porch", 5)
        listed, (row,) = studio.newest("porch").end_media_sequence, await studio.catalog.recordings("porch")
        assert row.end_media_sequence < listed
        async with reader(tmp_path) as reading:
            watching = asyncio.create_task(first_ends(reading.stream, 3))
            await reading.mirror.wait_looked()
            assert reading.stream.version == 1, "all at once"
            assert reading.stream.parts
            assert min(await watching) >= listed


async def first_ends(stream: LiveStream, count: int) -> list[int]:
    """What comes next according to each of the first states of a live edge."""
    ends: list[int] = []
    while len(ends) < count:
        await stream.wait_changed()
        ends.append(stream.newest.end_media_sequence if stream.newest else 0)
    return ends


class PartsSeen:
    """Every part that a live edge has had. What is told of one never changes."""

    def __init__(self, stream: LiveStream) -> None:
        self.stream = stream
        self.seen: dict[tuple[int, int], Part] = {}

    def look(self) -> None:
        for each in self.stream.parts:
            assert self.seen.setdefault(each.position, each) == each

    async def watch(self) -> None:
        while True:
            self.look()
            await self.stream.wait_changed()


@pytest.mark.parametrize("is_slow", [False, True])
async def test_the_reader_knows_the_same_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_slow: bool) -> None:
    """To the last one of a recording, also where a reader finds that and the recording's end in the same look."""
    may_look = asyncio.Event()
    may_look.set()

    class Awaited(Notebook):
        async def load(self) -> CameraNotes | None:
            await may_look.wait()
            return await super().load()

    monkeypatch.setattr("hlscam.services.mirror.Notebook", Awaited)
    async with AsyncExitStack() as longer:
        async with Studio(tmp_path, {"porch": PATTERN.replace("audio=0", "audio=1")}) as studio:
            await studio.segments("porch", 1)
            reading = await longer.enter_async_context(reader(tmp_path))
            here, there = PartsSeen(studio.live.stream("porch")), PartsSeen(reading.stream)
            watching = [asyncio.create_task(each.watch()) for each in (here, there)]
            await studio.segments("porch", 5)
            await reading.reaches(newest_lines(studio, 2))
            await studio.changes("porch", lambda: len(studio.newest("porch").segments) == 2, "in the middle")
            if is_slow:
                may_look.clear()
            await studio.segments("porch", 1)
        here.look()
        may_look.set()

        async def is_closed_there() -> bool:
            return reading.stream.newest is not None and reading.stream.newest == here.stream.newest

        await until(is_closed_there, "the reader knows how it ended")
        there.look()
        for each in watching:
            each.cancel()
        assert list(reading.stream.parts) == list(here.stream.parts)
        assert there.seen == {position: part for position, part in here.seen.items() if position >= min(there.seen)}


async def test_nobody_waits_for_a_camera_that_cannot_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has nothing yet, and one is on a disk that does not answer."""
    async with reader(tmp_path) as reading:
        await reading.mirror.wait_looked()
        assert reading.stream.newest is None

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("hlscam.services.mirror.load_from_catalog", never)
    clock = ManualClock()
    async with reader(tmp_path, clock) as reading:
        waiting = asyncio.create_task(reading.mirror.wait_looked())
        await clock.wait_sleeping(2)
        clock.advance(9)
        await asyncio.sleep(0)
        assert not waiting.done()
        clock.advance(1)
        await waiting


async def test_a_reader_that_is_there_first_waits_for_the_recorder(tmp_path: Path) -> None:
    async with reader(tmp_path) as reading:
        assert reading.stream.newest is None
        async with Studio(tmp_path, {"porch": PATTERN}) as studio:
            await studio.segments("porch", 2)
            await reading.reaches(newest_lines(studio, 2))


async def test_without_a_recorder_a_camera_is_stopped_whatever_its_notes_say(crashed_copy: Path) -> None:
    async with reader(crashed_copy) as reading:

        async def has_notes() -> bool:
            notes = reading.mirror.notes("porch")
            return notes is not None and notes.status.since_wall_us > 0

        await until(has_notes, "the notes were read")
        notes = reading.mirror.notes("porch")
        assert notes is not None
        assert notes.status.state is CameraState.STOPPED
        assert "nothing records here" in notes.status.last_error
        assert reading.mirror.notes("yard") is None


async def test_a_reader_writes_nothing(archive_copy: Path, tmp_path: Path) -> None:
    def image(root: Path) -> dict[str, bytes]:
        aside = ("catalog.sqlite3-wal", "catalog.sqlite3-shm")
        files = (path for path in root.rglob("*") if path.is_file() and path.name not in aside)
        return {str(path.relative_to(root)): path.read_bytes() for path in files}

    before = image(archive_copy)
    shutil.copytree(archive_copy, tmp_path / "kept")
    async with reader(archive_copy) as reading:
        await until(lambda: _has_footage(reading), "the reader knows the newest recordings")
    assert image(archive_copy) == before


async def _has_footage(reading: Reader) -> bool:
    return reading.stream.newest is not None


@pytest.mark.parametrize("observer", ["inotify"])
async def test_the_recorder_goes_away_and_comes_back(tmp_path: Path, observer: str) -> None:
    async with reader(tmp_path) as reading:
        for _ in range(2):
            async with Studio(tmp_path, {"porch": PATTERN}, observer=observer) as studio:
                await studio.segments("porch", len(studio.viewers["porch"].seen) + 2)
                await reading.reaches(newest_lines(studio, 3))
        discontinuities = [row.discontinuity_sequence for row in reading.stream.recordings]
        assert discontinuities == sorted(discontinuities)
        assert discontinuities[-1] == 1
