"""Follows one run's recordings while ffmpeg writes them, and closes each one's books.

It sleeps until the archive watch says that something in its camera's folder changed, reads what is new of the
recording in progress (box headers only), and publishes segments as they become whole. When the next recording of the
run appears, or the run has ended, the one before is complete: it is sealed, its row is written, and it never
changes again. A scan at the start and every `rescan_interval_s` makes up for lost events; what is written reaches the
disk every `fsync_interval_s`.

A recording that cannot be read further is kept up to its last whole fragment; that harms neither the next
recording nor another camera. No catalog that fails and no full disk stops following.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import replace
from pathlib import Path

from hlscam.adapters.quarantine import remove_shell
from hlscam.domain.clock_watch import ClockFault, HostClockWatch, MediaClockWatch
from hlscam.domain.part import Part
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.recording_index import RecordingIndex, RunIndex
from hlscam.domain.run import RunIdentity, name_out_of_the_way, run_of_name
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.services.indexer import Indexer, Unsealed
from hlscam.services.keeper import seal
from hlscam.services.live import LiveStream
from hlscam.services.open_recording import OpenRecording
from hlscam.units import US_PER_S, ticks_to_us

log = logging.getLogger(__name__)

_NOTED_AHEAD = 64
"""Segments that are noted as listed before they are, so that two minutes of them cost one note."""


class RunFollower:
    """Follows one run's recordings from its first to its last. `start`, then `finish` when ffmpeg has ended.

    `camera_clock`: media time is the camera's, so it may be one that cannot be used; `clock_fault` says so then.
    `recording_s` is how often ffmpeg cuts; None when it does not.
    """

    def __init__(
        self, indexer: Indexer, identity: RunIdentity, *, camera_clock: bool = True, recording_s: float | None = None
    ) -> None:
        self.camera = identity.camera
        self.run = identity.run
        self.fragments_seen = 0
        self.last_fragment_mono_s = indexer.clock.mono_s()
        self._indexer = indexer
        self._index = RunIndex(identity)
        self._clock_watch = MediaClockWatch() if camera_clock else None
        self._host_watch = HostClockWatch()
        self._changed = indexer.watch.changed(self.camera)
        self._stream: LiveStream = indexer.live.stream(self.camera)
        self._notebook = indexer.notebook(self.camera)
        self._progress = asyncio.Event()
        self._waiting: list[str] = []
        self._known: set[str] = set()
        self._recording_s = recording_s
        self._moved_from = ""
        self._current: OpenRecording | None = None
        self._is_anchored = False
        self._is_settled = False
        self._end_reason: EndReason | None = None
        self._next_rescan_mono_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self._syncing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._indexer.books_open(self.camera)
        self._task = asyncio.create_task(self._follow(), name=f"follow {self.camera}/{self.run}")
        self._syncing = asyncio.create_task(self._sync_regularly(), name=f"sync {self.camera}/{self.run}")

    async def finish(self, reason: EndReason) -> None:
        """ffmpeg has ended, because of `reason`: read to the end, close the books of this run, and return."""
        self._end_reason = reason
        self._changed.set()
        try:
            if self._task is not None:
                await self._task
        finally:
            if self._syncing is not None:
                self._syncing.cancel()
                await asyncio.gather(self._syncing, return_exceptions=True)

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
                self._current.close()
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
        if self._moved_from in new and not await self._exists(self._moved_from):
            new.discard(self._moved_from)  # what was still heard of it before it was moved
        if new and not self._known:
            new = await self._out_of_the_way(min(new)) | new - {min(new)}
        self._known |= new
        self._waiting = sorted([*self._waiting, *new])

    async def _exists(self, name: str) -> bool:
        path = self._indexer.archive.path(self.camera, name)
        return await self._indexer.archive.run(path.exists)

    async def _out_of_the_way(self, first: str) -> set[str]:
        """The run's first recording, under another name where ffmpeg may soon write over it."""
        other = name_out_of_the_way(first, self._recording_s) if self._recording_s else None
        if other is None:
            return {first}
        path, moved = (self._indexer.archive.path(self.camera, name) for name in (first, other))
        try:
            await self._indexer.archive.run(lambda: path.rename(moved))
        except OSError as error:
            log.error("%s/%s cannot be renamed: %s", self.camera, first, error.strerror)
            return {first}
        self._moved_from = first
        return {other}

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

            def open_index(init: InitSection, name: str = name) -> RecordingIndex:
                return self._index.open_recording(name, init)

            try:
                self._current = await OpenRecording.open(self._indexer.archive, self.camera, name, open_index)
            except OSError as error:
                log.error("%s/%s cannot be followed: %s", self.camera, name, error.strerror)
                continue
            self._is_anchored = self._is_settled = False
            return True
        return False

    async def _read(self, current: OpenRecording) -> None:
        fragments = await current.read(self._indexer.archive)
        arrival_wall_us = None if self.host_clock_stepped() else self._indexer.clock.wall_us()
        grown = current.take(fragments, arrival_wall_us=arrival_wall_us)
        for each in fragments:
            self._watch_clock(each, current.init)
            if each.sample_count:  # sound alone is no progress: a camera is for its picture
                self._saw_fragment()
        parts = current.take_parts()
        if grown or parts:
            await self._publish(current, parts)

    @property
    def clock_fault(self) -> ClockFault | None:
        """What is wrong with the camera's clock; the run should end then."""
        return self._clock_watch.fault if self._clock_watch else None

    def host_clock_stepped(self) -> bool:
        """Whether the host's clock has been set since the run began: it tells nothing of this run any more."""
        clock = self._indexer.clock
        self._host_watch.observe(clock.wall_us(), clock.mono_s())
        return self._host_watch.step_us is not None

    def _watch_clock(self, fragment: Fragment, init: InitSection) -> None:
        if self._clock_watch is None:
            return
        sound_end_us = None
        if init.audio is not None and fragment.audio_decode_ticks is not None:
            end_ticks = fragment.audio_decode_ticks + fragment.audio_duration_ticks
            sound_end_us = ticks_to_us(end_ticks, init.audio.timescale)
        self._clock_watch.observe(
            arrival_us=round(self._indexer.clock.mono_s() * US_PER_S),
            video_end_us=ticks_to_us(fragment.end_decode_ticks, init.video.timescale),
            pictures=fragment.sample_count,
            audio_end_us=sound_end_us,
        )

    def _saw_fragment(self) -> None:
        self.fragments_seen += 1
        self.last_fragment_mono_s = self._indexer.clock.mono_s()
        progress, self._progress = self._progress, asyncio.Event()
        progress.set()

    async def _publish(self, current: OpenRecording, parts: list[Part]) -> None:
        """Players may see segments and parts now: what is settled by that is noted first."""
        index = current.index
        assert index is not None
        assert index.anchor is not None
        if not self._is_anchored:
            await self._notebook.change(open=self._notebook.notes.with_anchor(index.anchor))
            self._is_anchored = True
        listed = index.facts.end_media_sequence if index.facts else index.anchor.first_media_sequence
        end = listed + 1  # the one in progress shows its parts
        if end > self._notebook.notes.listed_below:
            await self._notebook.change(listed_below=end + _NOTED_AHEAD, boot=self._indexer.boot)
        if index.facts is None:
            self._stream.publish_parts(parts, current.init)
            return
        if not self._is_settled:
            await self._settle(index)
        self._stream.publish(index.facts, current.init, parts)

    async def _settle(self, index: RecordingIndex) -> None:
        """The recording's first segment is whole: note what it settles, and give it a row."""
        assert index.facts is not None
        counters = replace(self._notebook.notes.counters, target_duration_s=index.facts.target_duration_s)
        await self._notebook.change(counters=counters, clock=self._index.clock.facts())
        await self._indexer.care.keep(index.facts, index.init)
        self._is_settled = True

    async def _close(self, current: OpenRecording, reason: EndReason) -> None:
        """The file is complete: box, row, notes, live edge."""
        final = self._final_facts(current, reason)
        try:
            if final is None:
                await self._put_away(current)
                return
            if current.damage is None:
                final = await seal(self._indexer.archive, final, whole_bytes=current.whole_bytes)
            await self._tell(current, final)
            await self._indexer.seal_what_is_left(self.camera)
        except FileNotFoundError:
            log.error("%s/%s was removed while it was being recorded", self.camera, current.name)
            if final is not None:
                self._index.last = final
                await self._note_end(final)
                await self._indexer.forget(final)
            self._stream.withdraw(current.name)
        except OSError as error:
            why = error.strerror
            log.error("%s/%s could not be sealed: %s; it is tried again", self.camera, current.name, why)
            if final is not None:
                self._indexer.seal_later(Unsealed(final, current.init, current.whole_bytes))
                await self._tell(current, replace(final, end_reason=None))
        finally:
            current.close()

    def _final_facts(self, current: OpenRecording, reason: EndReason) -> Recording | None:
        if current.index is None or current.written is None:
            return None
        final = current.index.finish(
            reason,
            size_bytes=current.written.size_bytes,
            last_write_wall_us=current.written.last_write_wall_us,
        )
        return replace(final, size_bytes=current.whole_bytes) if final else None

    async def _tell(self, current: OpenRecording, final: Recording) -> None:
        self._index.last = final
        await self._indexer.care.keep(final, current.init)
        await self._note_end(final)
        self._stream.publish(final, current.init, current.take_parts())

    async def _note_end(self, final: Recording) -> None:
        """An unsealed recording keeps its anchor, for whoever seals it."""
        counters = self._notebook.notes.counters.after(final)
        if final.is_open:
            await self._notebook.change(counters=counters)
        else:
            await self._indexer.note_end(self.camera, final.name, counters)

    async def _put_away(self, current: OpenRecording) -> None:
        """A file without a single picture. Of a run that brought none at all it is an empty shell, and no footage."""
        path = self._indexer.archive.path(self.camera, current.name)
        size_bytes = current.written.size_bytes if current.written else 0
        is_shell = current.is_shell and not self.fragments_seen
        if is_shell and await self._indexer.archive.run(lambda: remove_shell(path, size_bytes=size_bytes)):
            log.info("%s/%s: ffmpeg ended before it wrote any media into it", self.camera, current.name)
            return
        await self._indexer.quarantine(self.camera, current.name, "it holds no picture")

    async def _sync_regularly(self) -> None:
        """A power cut costs no more than `fsync_interval_s`, whatever the kernel would like to wait for."""
        synced = 0
        while True:
            await self._indexer.clock.sleep(self._indexer.fsync_interval_s)
            if self._current is None or self.fragments_seen == synced:
                continue
            synced = self.fragments_seen
            path = self._indexer.archive.path(self.camera, self._current.name)
            try:
                await asyncio.to_thread(_sync, path)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.error("%s/%s cannot be synced: %s", self.camera, path.name, error.strerror)


def _sync(path: Path) -> None:
    """On a descriptor of its own: syncing may take seconds, and the follower must not wait for it to close the file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)
