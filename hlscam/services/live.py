"""The live edge of every camera, kept in memory: what the live playlist lists now.

The indexer publishes, servers read. A stream holds the newest recordings, enough for the live window; the last of
them may be open, and then it is newer here than in the catalog: whoever puts past and live together lets these
recordings stand in place of their rows (`server/footage.py`). Beside them it holds the parts of the newest segments,
and of the one in progress: what is live to the fragment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hlscam.adapters.catalog.store import Catalog
from hlscam.domain.low_latency import PART_DURATION_S, LowLatency, fragment_us, part_target_us
from hlscam.domain.part import Part
from hlscam.domain.recording import Recording
from hlscam.domain.run import RunIdentity
from hlscam.domain.timeline import Span, last_spans, numbered_on
from hlscam.isobmff.init_section import InitSection
from hlscam.units import US_PER_S

_PARTS_KEPT_TARGETS = 3

SOON_SEGMENTS = 30
"""Numbers that many ahead may have been told by another server of this archive, or before a power cut took them."""

FEWEST_SEGMENTS = 5
"""A live window has at least so many segments, however long they are (RFC 8216bis 6.2.2 asks for three durations)."""


class LiveStream:
    """One camera's newest recordings, in order, and the init sections they need. `version` grows with every change."""

    def __init__(self, camera: str, window_s: float, part_duration_s: float = PART_DURATION_S) -> None:
        self.camera = camera
        self.version = 0
        self.inits: dict[str, bytes] = {}
        self._parts: list[Part] = []
        self._cut_by: tuple[str, int | None] = "", None
        self._part_target: tuple[tuple[str, int | None], int] = ("", None), 0
        self._low_latency: tuple[int, LowLatency | None] = -1, None
        self._window_s = window_s
        self._part_duration_s = part_duration_s
        self._recordings: list[Recording] = []
        self._changed = asyncio.Event()

    @property
    def recordings(self) -> Sequence[Recording]:
        return self._recordings

    @property
    def parts(self) -> Sequence[Part]:
        """The parts of the newest segments, oldest first; the last of them are those of the segment in progress."""
        return self._parts

    @property
    def newest(self) -> Recording | None:
        return self._recordings[-1] if self._recordings else None

    def load(self, recordings: Sequence[Recording]) -> None:
        """Begin with what the catalog knows."""
        self._recordings = list(recordings)
        self._tell()

    def blank(self) -> LiveStream:
        """Another one of this camera that nobody looks at, to be filled and then shown by `show`."""
        return LiveStream(self.camera, self._window_s, self._part_duration_s)

    def show(self, other: LiveStream) -> None:
        """Be what another one of this camera has become, all at once; that one is not used any more."""
        self.inits, self._parts, self._recordings = other.inits, other._parts, other._recordings
        self._cut_by, self._part_target = other._cut_by, other._part_target
        self._tell()

    def publish(self, recording: Recording, init: InitSection, parts: Sequence[Part] = ()) -> None:
        """A recording is new, or has new segments, or is closed; and `parts`, those that are new of it."""
        self._add_parts(parts, recording.target_duration_s)
        self.inits[init.hash] = init.data
        if recording.is_open and recording.run != self._cut_by[0]:
            identity = RunIdentity.from_comment(init.comment)
            self._cut_by = recording.run, identity.fragment_us if identity else None
        index = next((at for at, each in enumerate(self._recordings) if each.name == recording.name), None)
        if index is not None:
            self._recordings[index] = recording
        else:
            self._recordings.append(recording)
            self._recordings.sort(key=lambda each: each.first_media_sequence)
        self._drop_oldest()
        self._tell()

    def _drop_oldest(self) -> None:
        """Keep what the live window needs, and the recording before the newest.

        And what a player may still fetch that read the playlist before: a segment that leaves it remains available for
        its own duration and the playlist's (RFC 8216bis 6.2.2). Looked at with every segment, not only where another
        recording begins, since retention spares what is kept here.
        """
        kept_s = 2 * self._window_s + self._recordings[-1].target_duration_s
        spans = last_spans(self._recordings, duration_s=kept_s, at_least=2 * FEWEST_SEGMENTS + 1)
        oldest = spans[0].recording.name if spans else self._recordings[0].name
        while len(self._recordings) > 2 and self._recordings[0].name != oldest:
            self._recordings.pop(0)
        needed = {each.init_hash for each in self._recordings} | {each.init_hash for each in self._parts}
        self.inits = {each: data for each, data in self.inits.items() if each in needed}

    def publish_parts(self, parts: Sequence[Part], init: InitSection) -> None:
        """The first parts of a recording, before it has a whole segment."""
        self.inits[init.hash] = init.data
        self._add_parts(parts, self.newest.target_duration_s if self.newest else 1)
        self._tell()

    def _add_parts(self, parts: Sequence[Part], target_duration_s: int) -> None:
        """Keep the segments that begin within the last three target durations (RFC 8216bis 4.4.4.9)."""
        if not parts:
            return
        joined = [*self._parts, *parts]
        last = joined[-1]
        from_us = last.wall_us + last.duration_us - _PARTS_KEPT_TARGETS * target_duration_s * US_PER_S
        recent = (each.media_sequence for each in joined if each.index == 0 and each.wall_us >= from_us)
        oldest = next(recent, last.media_sequence)
        self._parts = [each for each in joined if each.media_sequence >= oldest]

    def missing_parts(self, recording: Recording) -> range:
        """The indices of the segments, of a recording that has ended, whose parts belong here and may not all be."""
        kept_s = _PARTS_KEPT_TARGETS * recording.target_duration_s
        spans = last_spans([recording], duration_s=kept_s, at_least=1)
        known = self._parts[-1].media_sequence - recording.first_media_sequence if self._parts else 0
        return range(max(spans[0].first, known), spans[0].end) if spans else range(0)

    def withdraw(self, name: str) -> None:
        """A recording is no longer there."""
        self._parts = [each for each in self._parts if each.name != name]
        self._recordings = [each for each in self._recordings if each.name != name]
        self._tell()

    def window(self) -> list[Span]:
        """The segments of the live playlist, oldest first; empty before the first.

        It begins after a leap of the numbers (a power cut took listed footage along): numbers in a playlist count up
        one by one, and a leap that slides out of it would give all that follows other ones.
        """
        row = numbered_on(self._recordings)
        return last_spans(row, duration_s=self._window_s, at_least=FEWEST_SEGMENTS)

    async def wait_changed(self) -> None:
        """Until the next change, or until somebody `wake`s all who wait."""
        await self._changed.wait()

    @property
    def low_latency(self) -> LowLatency | None:
        """The live edge to the part; None before the first segment. One part target holds for a whole run."""
        newest = self.newest
        if self._low_latency[0] != self.version and newest is not None:
            self._low_latency = (
                self.version,
                LowLatency.of(
                    self._parts,
                    end_media_sequence=newest.end_media_sequence,
                    target_us=self._target_us(newest),
                    usual_segment_us=newest.target_duration_s * US_PER_S,
                ),
            )
        return None if newest is None else self._low_latency[1]

    def _target_us(self, newest: Recording) -> int:
        """Settled with the first recording of a run that is open: closed ones, as the catalog has them, do not tell."""
        cut_by = self._cut_by if self._cut_by[0] == newest.run else (newest.run, None)
        if self._part_target[0] != cut_by:
            rate = newest.media.frame_rate
            cut_us = cut_by[1] or fragment_us(self._part_duration_s, rate, None)
            self._part_target = cut_by, part_target_us(cut_us, rate)
        return self._part_target[1]

    def wake(self) -> None:
        """Let all who wait look whether they have waited for long enough."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def has(self, media_sequence: int, part: int | None = None) -> bool:
        """Whether the live playlist lists a segment; or a part of it, or what comes after that."""
        low_latency = self.low_latency
        if low_latency is None or part is None:
            return self.newest is not None and media_sequence < self.newest.end_media_sequence
        return low_latency.lists(media_sequence, part)

    def _tell(self) -> None:
        self.version += 1
        self.wake()


async def load_from_catalog(stream: LiveStream, catalog: Catalog, segments: int) -> None:
    """Begin with the newest recordings of the catalog that hold so many segments. Raises CatalogError.

    A row is as old as the first segment while its recording is open: what the stream knows of that one stays.
    """
    newest = await catalog.newest(stream.camera, segments)
    for init_hash in {each.init_hash for each in newest}:
        data = await catalog.init_section(init_hash)
        if data is not None:
            stream.inits[init_hash] = data
    known = {each.name: each for each in stream.recordings}
    stream.load([known.get(row.name, row) if row.is_open else row for row in newest])


class LiveStreams:
    """Every camera's live edge."""

    def __init__(self, window_s: float, part_duration_s: float = PART_DURATION_S) -> None:
        self._window_s = window_s
        self._part_duration_s = part_duration_s
        self._streams: dict[str, LiveStream] = {}

    def stream(self, camera: str) -> LiveStream:
        if camera not in self._streams:
            self._streams[camera] = LiveStream(camera, self._window_s, self._part_duration_s)
        return self._streams[camera]

    def streams(self) -> list[LiveStream]:
        """All of them."""
        return list(self._streams.values())

    def init_section(self, init_hash: str) -> bytes | None:
        """An init section that some live playlist may name now."""
        return next((each.inits[init_hash] for each in self._streams.values() if init_hash in each.inits), None)

    def recordings(self) -> list[Recording]:
        """What the live playlists list or listed just now, of all cameras."""
        return [recording for stream in self._streams.values() for recording in stream.recordings]
