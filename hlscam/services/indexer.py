"""The indexer: follows recordings while they grow and turns fragments into segments, rows and the live edge.

One `RunFollower` per run. It sleeps until the archive watch says that something in its camera's folder changed, reads
what is new of the recording in progress (box headers only), and publishes segments as they become whole. When the
next recording of the run appears, or the run has ended, the one before is complete: it is sealed, its row is written,
and it never changes again. A scan at the start and every `rescan_interval_s` makes up for lost events.

A recording that cannot be read further is kept up to its last whole fragment; that harms neither the next
recording nor another camera. Nothing here deletes anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from hlscam.adapters.archive import Archive, RecordingFile, Written
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.watch import ArchiveWatch
from hlscam.clock import Clock
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.recording_index import RecordingIndex, RunIndex
from hlscam.domain.run import RunIdentity, run_of_name
from hlscam.errors import MediaError
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.services.keeper import seal, take_in
from hlscam.services.live import FEWEST_SEGMENTS, LiveStream, LiveStreams
from hlscam.units import US_PER_S

log = logging.getLogger(__name__)


class Indexer:
    """Keeps the books of all cameras: the one writer of the catalog."""

    def __init__(
        self,
        *,
        archive: Archive,
        catalog: Catalog,
        watch: ArchiveWatch,
        live: LiveStreams,
        clock: Clock,
        segment_duration_s: float,
        live_window_s: float,
        rescan_interval_s: float,
    ) -> None:
        self.archive = archive
        self.catalog = catalog
        self.watch = watch
        self.live = live
        self.clock = clock
        self.rescan_interval_s = rescan_interval_s
        self._segment_duration_s = segment_duration_s
        self._live_window_s = live_window_s
        self._in_order: set[str] = set()
        self._removed: dict[str, Recording] = {}

    async def recover(self, camera: str) -> None:
        """Make the books agree with the folder, before the first run: take in what a crash left, load the live edge.

        Raises ArchiveError when the folder cannot be read; rows and the live edge stay as they are then.
        """
        await self._load_live(camera)
        names = await self.archive.names(camera)
        rows = await self.catalog.recording_names(camera)
        for name in sorted(rows.keys() - set(names)):
            log.warning("%s/%s is no longer in the archive: its row is removed", camera, name)
            await self._forget_name(camera, name)
        for name in names:
            if not rows.get(name, False):
                with contextlib.suppress(FileNotFoundError):
                    await self._take_in(camera, name)
        await self._load_live(camera)
        self._in_order.add(camera)

    async def _load_live(self, camera: str) -> None:
        enough = FEWEST_SEGMENTS + int(self._live_window_s / self._segment_duration_s)
        self.live.stream(camera).load(await self.catalog.newest(camera, enough))

    def books_open(self, camera: str) -> None:
        """A run is being followed: until `books_closed`, files and catalog need not agree."""
        self._in_order.discard(camera)

    def books_closed(self, camera: str) -> None:
        """The run was followed to its end, and every number that its files use is known."""
        self._in_order.add(camera)

    async def forget(self, recording: Recording) -> None:
        """A recording's file is gone: its row goes too, but its numbers are never given again."""
        furthest = self._removed.get(recording.camera)
        if furthest is None or recording.end_media_sequence > furthest.end_media_sequence:
            self._removed[recording.camera] = recording
        await self.catalog.remove_recording(recording.camera, recording.name)

    async def _forget_name(self, camera: str, name: str) -> None:
        row = await self.catalog.recording(camera, name)
        if row is not None:
            await self.forget(row)

    async def begin_run(self, camera: str, run: str) -> RunIdentity:
        """The identity of a camera's next run: its counters go on where the newest recording ends.

        The very first media_sequence is the Unix second, because segments are `immutable` for caches: a camera whose
        archive was emptied must never give another segment the URL of an old one. (A second of wall time brings
        less than one segment, so the numbers never catch up with the clock.) Raises ArchiveError when the folder
        cannot be read, while what it holds is not known.
        """
        if camera not in self._in_order:
            await self.recover(camera)
        known = [each for each in (self.live.stream(camera).newest, self._removed.get(camera)) if each is not None]
        newest = max(known, key=lambda each: each.end_media_sequence, default=None)
        return RunIdentity(
            camera=camera,
            run=run,
            media_sequence=newest.end_media_sequence if newest else self.clock.wall_us() // US_PER_S,
            discontinuity_sequence=newest.discontinuity_sequence + 1 if newest else 0,
            segment_duration_s=self._segment_duration_s,
            target_duration_s=await self.catalog.target_duration(camera),
            not_before_wall_us=newest.end_wall_us if newest else 0,
        )

    async def _take_in(self, camera: str, name: str) -> None:
        run = run_of_name(name)
        row = await self.catalog.recording(camera, name)
        before = await self.catalog.recording_before(camera, run or "", name)
        try:
            kept = await take_in(self.archive, camera, name, before=before, known=row)
        except FileNotFoundError:
            raise
        except OSError as error:
            log.error("%s/%s is left alone: it cannot be read: %s", camera, name, error.strerror)
            return
        if kept is not None:
            await self.write_row(kept.recording, kept.init)

    async def write_row(self, recording: Recording, init: InitSection) -> None:
        """Put a recording, and what its segments need, into the catalog."""
        await self.catalog.put_init_section(init.hash, init.data)
        await self.catalog.put_recording(recording)


class RunFollower:
    """Follows one run's recordings from its first to its last. `start`, then `finish` when ffmpeg has ended.

    When following fails (a database that cannot be written), `wait_ended` returns, `finish` raises why, and
    `Indexer.begin_run` puts the books in order before it gives out the next number.
    """

    def __init__(self, indexer: Indexer, identity: RunIdentity) -> None:
        self.camera = identity.camera
        self.run = identity.run
        self.fragments_seen = 0
        self._indexer = indexer
        self._index = RunIndex(identity)
        self._changed = indexer.watch.changed(self.camera)
        self._stream: LiveStream = indexer.live.stream(self.camera)
        self._progress = asyncio.Event()
        self._waiting: list[str] = []
        self._known: set[str] = set()
        self._current: _Current | None = None
        self._end_reason: EndReason | None = None
        self._next_rescan_mono_s = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._indexer.books_open(self.camera)
        self._task = asyncio.create_task(self._follow(), name=f"follow {self.camera}/{self.run}")

    async def finish(self, reason: EndReason) -> None:
        """ffmpeg has ended, because of `reason`: read to the end, close the books of this run, and return."""
        self._end_reason = reason
        self._changed.set()
        if self._task is not None:
            await self._task

    async def wait_ended(self) -> None:
        """Until nobody follows any more: before `finish`, only because following failed, and `finish` tells why."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def look(self) -> None:
        """Look at the whole folder now, in case an event was lost."""
        self._next_rescan_mono_s = 0.0
        self._changed.set()

    async def wait_progress(self) -> None:
        """Until the next fragment."""
        await self._progress.wait()

    async def _follow(self) -> None:
        try:
            while not await self._follow_once():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), self._indexer.rescan_interval_s)
        finally:
            if self._current is not None:
                self._current.file.close()
        self._indexer.books_closed(self.camera)

    async def _follow_once(self) -> bool:
        """Take in all that is new; whether that was the last of the run."""
        ended = self._end_reason is not None
        self._changed.clear()
        await self._look_for_recordings(rescan=ended)
        await self._read_all(ended=ended)
        return ended

    async def _look_for_recordings(self, *, rescan: bool) -> None:
        names = self._indexer.watch.take_names(self.camera)
        if rescan or self._indexer.clock.mono_s() >= self._next_rescan_mono_s:
            self._next_rescan_mono_s = self._indexer.clock.mono_s() + self._indexer.rescan_interval_s
            names |= set(await self._indexer.archive.names(self.camera))
        new = {name for name in names if run_of_name(name) == self.run} - self._known
        self._known |= new
        self._waiting = sorted([*self._waiting, *new])

    async def _read_all(self, *, ended: bool) -> None:
        while True:
            if self._current is None and not await self._open_next():
                return
            assert self._current is not None
            await self._read(self._current)
            if not self._waiting and not ended:
                return
            reason = EndReason.ROLLED if self._waiting else self._end_reason or EndReason.CRASHED
            await self._close(self._current, reason)
            self._current = None

    async def _open_next(self) -> bool:
        while self._waiting:
            name = self._waiting.pop(0)
            try:
                self._current = _Current(name, await self._indexer.archive.follow(self.camera, name))
            except OSError as error:
                log.error("%s/%s cannot be followed: %s", self.camera, name, error.strerror)
                continue
            return True
        return False

    async def _read(self, current: _Current) -> None:
        if current.damage is not None:
            return
        written = await self._indexer.archive.run(current.file.read_new)
        current.written = written
        current.damage = written.damage
        if written.damage is not None:
            log.error("%s/%s is damaged, and kept up to there: %s", self.camera, current.name, written.damage.message)
        arrival_wall_us = self._indexer.clock.wall_us()
        grown = False
        for event in written.events:
            if isinstance(event, InitSection):
                current.index = self._index.open_recording(current.name, event)
            elif isinstance(event, Fragment) and current.index is not None:
                grown |= current.index.add(event, arrival_wall_us=arrival_wall_us)
                if event.sample_count:  # sound alone is no progress: a camera is for its picture
                    self._saw_fragment()
        if grown:
            await self._publish(current)

    def _saw_fragment(self) -> None:
        self.fragments_seen += 1
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()

    async def _publish(self, current: _Current) -> None:
        assert current.index is not None
        assert current.index.facts is not None
        if not current.has_row:
            await self._indexer.write_row(current.index.facts, current.index.init)
            current.has_row = True
        self._stream.publish(current.index.facts)

    async def _close(self, current: _Current, reason: EndReason) -> None:
        """The file is complete: box, row, live edge."""
        final = self._final_facts(current, reason)
        try:
            if final is None:
                return
            assert current.index is not None
            if current.damage is None:
                final = await seal(self._indexer.archive, final, whole_bytes=current.whole_bytes)
            self._index.last = final
            await self._indexer.write_row(final, current.index.init)
            self._stream.publish(final)
        except FileNotFoundError:
            log.error("%s/%s was removed while it was being recorded", self.camera, current.name)
            if final is not None:
                await self._indexer.forget(final)
            self._stream.withdraw(current.name)
        except OSError as error:
            why = error.strerror
            log.error("%s/%s could not be sealed: %s; it is at the next start", self.camera, current.name, why)
            if final is not None and current.index is not None:
                final = replace(final, end_reason=None)
                await self._indexer.write_row(final, current.index.init)
                self._stream.publish(final)
        finally:
            current.file.close()

    def _final_facts(self, current: _Current, reason: EndReason) -> Recording | None:
        if current.index is None or current.written is None:
            log.warning("%s/%s holds no picture", self.camera, current.name)
            return None
        final = current.index.finish(
            reason,
            size_bytes=current.written.size_bytes,
            last_write_wall_us=current.written.last_write_wall_us,
        )
        return replace(final, size_bytes=current.whole_bytes) if final else None


class _Current:
    """The recording that is being followed."""

    def __init__(self, name: str, file: RecordingFile) -> None:
        self.name = name
        self.file = file
        self.index: RecordingIndex | None = None
        self.written: Written | None = None
        self.damage: MediaError | None = None
        self.has_row = False

    @property
    def whole_bytes(self) -> int:
        """Where the file's last whole box ends."""
        return self.file.whole_bytes
