"""The indexer: which recordings there are, and which numbers come next. It keeps the books of all cameras.

Before a camera's first run its books are put in order (`recover`): what a crash left behind is taken in, rows without a
file go, the live edge is loaded, and the notes say where the counters stand. From then on the followers of its
runs (`run_follower.py`) tell each recording as it grows and ends.

The catalog is a cache here too: no run depends on it. What cannot be written waits (`catalog_care.py`), and where the
counters stand is known from the notes, in memory and on disk.

Nothing here deletes anything. A file that cannot be a recording is moved to the quarantine, and named in the log.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from hlscam.adapters.archive import Archive
from hlscam.adapters.catalog.store import Catalog
from hlscam.adapters.quarantine import move_to_quarantine
from hlscam.adapters.watch import ArchiveWatch
from hlscam.clock import Clock
from hlscam.domain.camera_notes import Anchor, CameraNotes, Counters
from hlscam.domain.camera_state import CameraState
from hlscam.domain.recording import EndReason, Recording
from hlscam.domain.run import RunIdentity, run_of_name
from hlscam.errors import CatalogError
from hlscam.isobmff.init_section import InitSection
from hlscam.services.adoption import adopt
from hlscam.services.catalog_care import CatalogCare
from hlscam.services.keeper import Kept, seal, take_in
from hlscam.services.live import LiveStreams, load_from_catalog
from hlscam.services.notebook import Notebook
from hlscam.services.progress import LoggedProgress
from hlscam.units import US_PER_S

log = logging.getLogger(__name__)

_MOST_SEGMENTS_PER_S = 2
"""Segments are half a second at least, but for a stub at a recording's end."""


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A recording that has ended, as it is to be sealed; `whole_bytes` is where its last whole box ends."""

    recording: Recording
    init: InitSection
    whole_bytes: int


class Indexer:
    """Keeps the books of all cameras."""

    def __init__(
        self,
        *,
        archive: Archive,
        catalog: Catalog,
        care: CatalogCare,
        watch: ArchiveWatch,
        live: LiveStreams,
        clock: Clock,
        segment_duration_s: float,
        live_segments: int,
        rescan_interval_s: float,
        fsync_interval_s: float,
        longest_picture_s: float,
        boot: str,
    ) -> None:
        self.archive = archive
        self.catalog = catalog
        self.care = care
        self.watch = watch
        self.live = live
        self.clock = clock
        self.rescan_interval_s = rescan_interval_s
        self.fsync_interval_s = fsync_interval_s
        self.boot = boot
        self._longest_picture_s = longest_picture_s
        self._segment_duration_s = segment_duration_s
        self._live_segments = live_segments
        self._notebooks: dict[str, Notebook] = {}
        self._in_order: set[str] = set()
        self._unsealed: dict[str, list[Unsealed]] = {}

    def notebook(self, camera: str) -> Notebook:
        """The camera's notebook; it holds what an earlier process wrote once `recover` has been there."""
        if camera not in self._notebooks:
            self._notebooks[camera] = Notebook(self.archive, camera)
        return self._notebooks[camera]

    async def recover(self, camera: str) -> None:
        """Make the books agree with the folder, before the first run: take in what a crash left, load the live edge.

        Raises ArchiveError when the folder cannot be read; rows and the live edge stay as they are then. It never goes
        back where there is one: a follower that failed has listed more than its recording's row says.
        """
        listed = list(self.live.stream(camera).recordings)
        if not listed:
            await self._load_live(camera)
        notebook = self.notebook(camera)
        if camera not in self._in_order:
            await notebook.load()
        names = await self.archive.names(camera)
        rows = await self.catalog.recording_names(camera)
        counters = await self._drop_rows(camera, rows.keys() - set(names), notebook.notes.counters)
        missing = [name for name in names if not rows.get(name, False)]
        taken = await self._take_in_all(camera, await self._adopt(camera, missing), notebook.notes)
        quarantined = (rows.keys() & set(missing)) - set(await self.archive.names(camera))
        counters = await self._drop_rows(camera, quarantined, counters)
        await self._load_live(camera)
        for each in taken:  # their rows may still have to wait
            self.live.stream(camera).publish(each.recording, each.init)
        known = self.live.stream(camera).recordings
        for recording in [*listed, *known]:
            counters = counters.after(recording)
        # The row of an open one is as old as its first segment.
        sure = {each.name for each in [*listed, *(each.recording for each in taken)]}
        sure |= {each.name for each in known if not each.is_open}
        for anchor in notebook.notes.open:
            if anchor.name not in sure:
                counters = self._beyond(anchor, counters)
        if notebook.notes.may_miss_footage(self.boot):
            counters = replace(counters, media_sequence=max(counters.media_sequence, notebook.notes.listed_below))
        closed = notebook.notes.with_closed(*missing)
        reason = _gap_reason(notebook.notes, torn=any(each.was_torn for each in taken))
        await notebook.change(counters=counters, open=(), closed=closed, gap_reason=reason)
        self._in_order.add(camera)

    async def _load_live(self, camera: str) -> None:
        await load_from_catalog(self.live.stream(camera), self.catalog, self._live_segments)

    async def _drop_rows(self, camera: str, names: set[str], counters: Counters) -> Counters:
        """Rows whose files are gone go too, but their numbers are never given again."""
        for name in sorted(names):
            log.warning("%s/%s is no longer in the archive: its row is removed", camera, name)
            row = await self.catalog.recording(camera, name)
            if row is not None:
                counters = counters.after(row)
                await self.forget(row)
        return counters

    async def _adopt(self, camera: str, names: list[str]) -> list[str]:
        """Give rows to recordings that say all of themselves; the names of the others."""
        try:
            return await adopt(self.archive, self.catalog, camera, names, progress=LoggedProgress(log, self.clock))
        except CatalogError as error:
            log.error("camera %s: %s; its recordings are taken in one by one", camera, error.message)
            return names

    async def _take_in_all(self, camera: str, names: list[str], notes: CameraNotes) -> list[Kept]:
        """Take in files that have no row, sealing those that have no box."""
        taken: list[Kept] = []
        for name in names:
            try:
                kept = await self._take_in(camera, name, notes)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.error("%s/%s is left alone: it cannot be read: %s", camera, name, error.strerror)
                continue
            if kept is not None:
                taken.append(kept)
                await self.care.keep(kept.recording, kept.init)
        return taken

    async def _take_in(self, camera: str, name: str, notes: CameraNotes) -> Kept | None:
        row = await self.catalog.recording(camera, name)
        before = await self.catalog.recording_before(camera, run_of_name(name) or "", name)
        known = notes.anchor(name) or row
        whole = notes.may_miss_footage(self.boot)
        kept = await take_in(self.archive, camera, name, before=before, known=known, whole_segments=whole)
        if isinstance(kept, Kept):
            return kept
        if kept.unreadable:
            await self.quarantine(camera, name, kept.why)
        else:
            log.warning("%s/%s is left alone: %s", camera, name, kept.why)
        return None

    async def quarantine(self, camera: str, name: str, why: str) -> None:
        """Move a file that is no recording out of the way. Told when that fails; the file stays then."""
        root = self.archive.root
        try:
            there = await self.archive.run(lambda: move_to_quarantine(root, camera, name))
        except OSError as error:
            log.error("%s/%s cannot be moved to the quarantine: %s", camera, name, error.strerror)
        else:
            log.warning("%s/%s is no recording (%s): it was moved to %s", camera, name, why, there)

    def _beyond(self, anchor: Anchor, counters: Counters) -> Counters:
        """Counters beyond a recording that was in progress, and that nobody can read any more."""
        lasted_us = max(0, self.clock.wall_us() - anchor.start_wall_us)
        most = lasted_us * _MOST_SEGMENTS_PER_S // US_PER_S + 1
        return replace(
            counters,
            media_sequence=max(counters.media_sequence, anchor.first_media_sequence + most),
            discontinuity_sequence=max(counters.discontinuity_sequence, anchor.discontinuity_sequence + 1),
            not_before_wall_us=max(counters.not_before_wall_us, anchor.start_wall_us),
        )

    def books_open(self, camera: str) -> None:
        """A run is being followed: until `books_closed`, files and catalog need not agree."""
        self._in_order.discard(camera)

    def books_closed(self, camera: str) -> None:
        """The run was followed to its end, and every number that its files use is known."""
        self._in_order.add(camera)

    async def forget(self, recording: Recording) -> None:
        """A recording's file is gone: its row goes too."""
        await self.care.remove(recording.camera, recording.name)

    def seal_later(self, unsealed: Unsealed) -> None:
        """A recording could not be sealed when it ended: on a full disk there is no room for its index."""
        self._unsealed.setdefault(unsealed.recording.camera, []).append(unsealed)

    async def seal_what_is_left(self, camera: str) -> None:
        """There may be room now: seal what could not be sealed before. What cannot be yet waits on."""
        for each in self._unsealed.pop(camera, []):
            name = each.recording.name
            try:
                final = await seal(self.archive, each.recording, whole_bytes=each.whole_bytes)
            except FileNotFoundError:  # retention, or somebody else, was faster
                await self.note_end(camera, name)
            except OSError:
                self.seal_later(each)
            else:
                log.info("%s/%s is sealed now", camera, name)
                await self.care.keep(final, each.init)
                await self.note_end(camera, name)
                self.live.stream(camera).publish(final, each.init)

    async def note_end(self, camera: str, name: str, counters: Counters | None = None) -> None:
        """A recording is closed, or gone: its anchor is needed no more."""
        notes = self.notebook(camera).notes
        await self.notebook(camera).change(
            open=notes.without_anchor(name), closed=notes.with_closed(name), counters=counters or notes.counters
        )

    async def begin_run(self, camera: str, run: str) -> RunIdentity:
        """The identity of a camera's next run: its counters go on where the newest recording ends.

        The very first media_sequence is the Unix second, because segments are `immutable` for caches: a camera whose
        archive was emptied must never give another segment the URL of an old one. (A second of wall time brings
        less than one segment, so the numbers never catch up with the clock.) Raises ArchiveError when the folder
        cannot be read, while what it holds is not known.
        """
        if camera not in self._in_order:
            await self.recover(camera)
        await self.seal_what_is_left(camera)
        await asyncio.to_thread(self.watch.add, camera)
        notes = self.notebook(camera).notes
        counters, is_first = notes.counters, notes.counters.media_sequence == 0
        return RunIdentity(
            camera=camera,
            run=run,
            media_sequence=self.clock.wall_us() // US_PER_S if is_first else counters.media_sequence,
            discontinuity_sequence=counters.discontinuity_sequence,
            segment_duration_s=self._segment_duration_s,
            target_duration_s=counters.target_duration_s,
            not_before_wall_us=counters.not_before_wall_us,
            gap_reason=None if is_first else notes.gap_reason,
            longest_picture_s=self._longest_picture_s,
        )


def _gap_reason(notes: CameraNotes, *, torn: bool) -> EndReason | None:
    """Why nothing was recorded since the last time: what the notes say, or that nobody had the time to note it."""
    was_recording = notes.gap_reason is None and notes.status.state is not CameraState.STOPPED
    return EndReason.SERVER_CRASHED if was_recording or (torn and notes.gap_reason is None) else notes.gap_reason
