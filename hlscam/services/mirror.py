"""The live edge in a process that does not record: `hlscam serve` beside `hlscam record`.

The file system is the bus. The recorder notes in each camera's folder what it does and the anchor of the recording in
progress; with the anchor and the file itself a reader knows every segment that the recorder knows, at the same moment.
What was closed says so in its own box, and what is older comes from the catalog, which is only read here. Nothing is
written, so any number of servers may run on one archive, and come and go while recording goes on.

The first look at a camera is told when it is complete: the catalog knows an open recording as it was with one segment,
and a server that starts again shows nothing older than what players have seen of the one before.

A camera's mirror looks again whenever something in its folder changes, and now and then in case an event was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from hlscam.adapters.archive import Archive
from hlscam.adapters.archive_lock import is_locked
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.watch import ArchiveWatch
from hlscam.clock import Clock, first_of
from hlscam.domain.camera_notes import Anchor, CameraNotes
from hlscam.domain.camera_state import CameraState, CameraStatus
from hlscam.domain.part import Part
from hlscam.domain.recording import Recording
from hlscam.domain.recording_index import RecordingIndex, RunIndex
from hlscam.domain.run import RunIdentity
from hlscam.errors import CatalogError, HlscamError
from hlscam.isobmff.init_section import InitSection
from hlscam.services.keeper import Kept, read_parts, read_sealed
from hlscam.services.live import LiveStream, LiveStreams, load_from_catalog
from hlscam.services.notebook import Notebook
from hlscam.services.open_recording import OpenRecording

log = logging.getLogger(__name__)

_LONGEST_REST_S = 5.0
_LONGEST_FIRST_LOOK_S = 10.0
_ABSENT = CameraStatus(CameraState.STOPPED, 0, "nothing records here (start `hlscam record`)")


class CameraMirror:
    """One camera's live edge and notes, as far as they can be read."""

    def __init__(
        self, camera: str, archive: Archive, catalog: Catalog, watch: ArchiveWatch, stream: LiveStream, segments: int
    ) -> None:
        self.camera = camera
        self._archive, self._catalog = archive, catalog
        self._watch = watch
        self._changed = watch.changed(camera)
        self.has_looked = asyncio.Event()
        """Set when it was looked for the first time, with or without success."""
        self._shown = stream
        self._stream = stream.blank()
        self._segments = segments
        self._notebook = Notebook(archive, camera)
        self._followed: dict[str, OpenRecording] = {}
        self._is_loaded = False

    @property
    def notes(self) -> CameraNotes:
        return self._notebook.notes

    async def run(self) -> None:
        """Mirror until cancelled. What cannot be read now is tried again."""
        failing = False
        try:
            while True:
                self._changed.clear()
                try:
                    await self._look()
                    failing = False
                except (CatalogError, OSError) as error:
                    if not failing:
                        log.warning("camera %s: its live edge waits: %s", self.camera, error)
                    failing = True
                finally:
                    self.has_looked.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LONGEST_REST_S)
        finally:
            for each in self._followed.values():
                each.close()

    async def _look(self) -> None:
        await asyncio.to_thread(self._watch.add, self.camera)
        if not self._is_loaded:
            await load_from_catalog(self._stream, self._catalog, self._segments)
            self._is_loaded = True
        await self._follow(await self._notebook.load() or self.notes)
        if self._stream is not self._shown:
            self._shown.show(self._stream)
            self._stream = self._shown

    async def _follow(self, notes: CameraNotes) -> None:
        if not await self._close_all(notes):
            return  # what comes after would take the numbers of what is missing
        for anchor in notes.open:
            if anchor.name not in self._followed:
                with contextlib.suppress(FileNotFoundError):
                    await self._begin(anchor)
        for each in self._followed.values():
            await self._read(each)

    async def _close_all(self, notes: CameraNotes) -> bool:
        """Take in what the recorder has closed since the last look; False when one of them cannot be told yet."""
        known = {each.name: each for each in self._stream.recordings}
        ended = {name for name, each in known.items() if each.is_open} | self._followed.keys()
        oldest = min((each.first_media_sequence for each in known.values()), default=0)
        for name in [*sorted(ended), *notes.closed]:
            is_new = name in ended or name not in known
            if is_new and notes.anchor(name) is None and not await self._close(name, not_before=oldest):
                return False
        return True

    async def _begin(self, anchor: Anchor) -> None:
        def open_index(init: InitSection) -> RecordingIndex | None:
            identity = RunIdentity.from_comment(init.comment)
            return RunIndex(identity).open_recording(anchor.name, init, anchor=anchor) if identity else None

        self._followed[anchor.name] = await OpenRecording.open(self._archive, self.camera, anchor.name, open_index)

    async def _read(self, followed: OpenRecording) -> None:
        fragments = await followed.read(self._archive)
        grown = followed.take(fragments, arrival_wall_us=None)
        parts = followed.take_parts()
        if grown or parts:
            assert followed.index is not None
            if followed.index.facts is None:
                self._stream.publish_parts(parts, followed.init)
            else:
                self._stream.publish(followed.index.facts, followed.init, parts)

    async def _close(self, name: str, *, not_before: int) -> bool:
        """A recording is complete: its own box says how it ended; False when that cannot be told yet."""
        try:
            kept = await read_sealed(self._archive, self.camera, name)
        except FileNotFoundError:
            self._stream.withdraw(name)
            self._let_go(name)
            return True
        if kept is None:  # damaged, and closed all the same
            row = await self._catalog.recording(self.camera, name)
            followed = self._followed.get(name)
            if row is None or row.is_open or followed is None or followed.index is None:
                return False
            kept = Kept(row, followed.init)
        if kept.recording.first_media_sequence >= not_before:
            self._stream.publish(kept.recording, kept.init, await self._last_parts(kept.recording, kept.init))
        self._let_go(name)
        return True

    async def _last_parts(self, ended: Recording, init: InitSection) -> list[Part]:
        """Those that came since the last look. They are read anew: a torn tail that was read is other bytes now."""
        known = self._stream.parts[-1].position if self._stream.parts else (-1, -1)
        try:
            found = await read_parts(self._archive, ended, self._stream.missing_parts(ended), init)
        except HlscamError as error:
            log.warning("%s/%s: its last parts cannot be read: %s", self.camera, ended.name, error.message)
            return []
        return [each for each in found if each.position > known]

    def _let_go(self, name: str) -> None:
        followed = self._followed.pop(name, None)
        if followed is not None:
            followed.close()


class ArchiveMirror:
    """All cameras' mirrors, each a task that is owned here; and whether anybody records at all."""

    def __init__(
        self, archive: Archive, catalog: Catalog, watch: ArchiveWatch, live: LiveStreams, clock: Clock, segments: int
    ) -> None:
        self._archive, self._catalog, self._watch, self._live = archive, catalog, watch, live
        self._clock = clock
        self._segments = segments
        self._mirrors: dict[str, CameraMirror] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._is_recorded = False

    def notes(self, camera: str) -> CameraNotes | None:
        """What the recorder notes of a camera; when there is no recorder, that it is stopped."""
        mirror = self._mirrors.get(camera)
        if mirror is None:
            return None
        if self._is_recorded or mirror.notes.status.state in (CameraState.STOPPED, CameraState.DISABLED):
            return mirror.notes
        return replace(mirror.notes, status=replace(_ABSENT, since_wall_us=mirror.notes.status.since_wall_us))

    def start(self, cameras: list[str]) -> None:
        """Mirror these cameras from now on."""
        for camera in cameras:
            mirror = CameraMirror(
                camera, self._archive, self._catalog, self._watch, self._live.stream(camera), self._segments
            )
            self._mirrors[camera] = mirror
            self._tasks.append(asyncio.create_task(mirror.run(), name=f"mirror {camera}"))
        self._tasks.append(asyncio.create_task(self._watch_recorder(), name="watch the recorder"))

    async def wait_looked(self) -> None:
        """Until every camera was looked at once, whatever came of it; not for ever where a disk does not answer."""

        async def have_looked() -> None:
            for each in self._mirrors.values():
                await each.has_looked.wait()

        await first_of(have_looked(), self._clock.sleep(_LONGEST_FIRST_LOOK_S))

    async def stop(self) -> None:
        """Let go of all files. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _watch_recorder(self) -> None:
        while True:
            self._is_recorded = await asyncio.to_thread(is_locked, self._archive.root)
            await self._clock.sleep(_LONGEST_REST_S)
