"""From the fragments of a run to its recordings: numbers, segments, wall time. Pure: nothing here reads or waits.

`RunIndex` carries what passes from one recording of a run to the next (counters, the wall clock, the target
duration); `RecordingIndex` takes the fragments of one recording and says at any moment what is known of it.
The same code follows a file that grows, takes in one that a crash left behind, and rebuilds a lost catalog, so
all three give the same numbers.

A recording has no facts until its first segment is whole: only then are its numbers and its start fixed, and from
then on they never change.
"""

from __future__ import annotations

from dataclasses import replace

from hlscam.domain.camera_notes import Anchor
from hlscam.domain.recording import EndReason, MediaFacts, Recording, slewed_us
from hlscam.domain.run import RunIdentity
from hlscam.domain.run_clock import RunClock
from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from hlscam.domain.segmenter import OpenSegment, Segmenter
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.units import ticks_to_us


class RunIndex:
    """The recordings of one run, in order."""

    def __init__(self, identity: RunIdentity) -> None:
        self.identity = identity
        self.target_duration_s = identity.target_duration_s
        self.clock = RunClock()
        self.last: Recording | None = None

    def open_recording(self, name: str, init: InitSection, *, anchor: Anchor | None = None) -> RecordingIndex:
        """Begin the next recording of the run; `anchor` holds what players were already told of it."""
        if anchor is not None:
            self.target_duration_s = anchor.cut_for_s
        return RecordingIndex(self, name, init, anchor)

    def resume_after(self, recording: Recording) -> None:
        """The run's earlier recordings are known: go on after this one."""
        self.last = recording
        self.target_duration_s = recording.target_duration_s


class RecordingIndex:
    """One recording, fragment by fragment."""

    def __init__(self, run: RunIndex, name: str, init: InitSection, anchor: Anchor | None) -> None:
        self.name = name
        self.init = init
        self._run = run
        self._anchor = anchor
        self.cut_for_s = run.target_duration_s
        self._segmenter = Segmenter(
            timescale=init.video.timescale,
            segment_duration_s=run.identity.segment_duration_s,
            target_duration_s=run.target_duration_s,
        )
        self._table = SegmentTable()
        self._first: Fragment | None = None
        self._sample_count = 0
        self._media_bytes = 0
        self._end_ticks = 0
        self._listed_ticks = 0
        self._facts: Recording | None = None

    @property
    def facts(self) -> Recording | None:
        """What is known of the recording up to its last whole segment; None before the first."""
        return self._facts

    @property
    def anchor(self) -> Anchor | None:
        """What is settled about the recording; None before its first segment."""
        return Anchor.of(self._facts, cut_for_s=self.cut_for_s) if self._facts else None

    @property
    def open_segment(self) -> OpenSegment | None:
        """The segment that is being filled; its fragments are the parts at the live edge."""
        return self._segmenter.open

    def add(self, fragment: Fragment, *, arrival_wall_us: int | None) -> bool:
        """Take the next fragment; True when at least one more segment is whole.

        `arrival_wall_us` is when the host saw it, None when nobody was looking.
        """
        if self._first is None:
            if not fragment.sample_count:
                return False  # sound before the first picture is in the file, and in no segment
            self._first = fragment
        self._sample_count += fragment.sample_count
        self._media_bytes += fragment.size_bytes
        self._end_ticks = fragment.decode_ticks + fragment.duration_ticks
        if arrival_wall_us is not None:
            self._run.clock.observe(self._us(self._end_ticks), arrival_wall_us)
        return self._list(self._segmenter.push(fragment))

    def finish(
        self, end_reason: EndReason, *, size_bytes: int, last_write_wall_us: int, whole_segments: bool = False
    ) -> Recording | None:
        """The file is complete, `size_bytes` long and last written at `last_write_wall_us`.

        Returns its final facts, or None for a file without a single picture. With `whole_segments` the segment that is
        being filled is left out, and there may be none at all.
        """
        if self._first is None:
            return None
        if self._run.clock.offset_us is None:
            self._run.clock.observe(self._us(self._end_ticks), last_write_wall_us)
        if not whole_segments:
            self._list(self._segmenter.finish())
        if self._facts is None:
            return None
        final = replace(self._facts, end_reason=end_reason, size_bytes=size_bytes)
        self._facts = final
        self._run.last = final
        self._run.clock.roll()
        return final

    def _list(self, done: list[SegmentEntry]) -> bool:
        for entry in done:
            self._table.append(entry)
            self._listed_ticks += entry.duration_ticks
        if done:
            self._refresh_facts()
        return bool(done)

    def _refresh_facts(self) -> None:
        if self._facts is None:
            self._facts = self._first_facts()
        self._run.target_duration_s = self._segmenter.target_duration_s
        self._facts = replace(
            self._facts,
            duration_ticks=self._listed_ticks,
            size_bytes=self._facts.first_offset + sum(self._table.sizes_bytes),
            media=self._media(),
        )

    def _first_facts(self) -> Recording:
        assert self._first is not None
        anchor = self._anchor or self._settled(self._first)
        return Recording(
            camera=self._run.identity.camera,
            name=self.name,
            run=self._run.identity.run,
            first_media_sequence=anchor.first_media_sequence,
            discontinuity_sequence=anchor.discontinuity_sequence,
            starts_run=anchor.starts_run,
            init_hash=self.init.hash,
            start_wall_us=anchor.start_wall_us,
            slew_ppb=anchor.slew_ppb,
            timescale=self.init.video.timescale,
            first_decode_ticks=self._first.decode_ticks,
            duration_ticks=0,
            first_offset=self._first.offset,
            size_bytes=0,
            target_duration_s=self._segmenter.target_duration_s or self._run.target_duration_s or 1,
            media=self._media(),
            segments=self._table,
            gap_reason=anchor.gap_reason,
        )

    def _settled(self, first: Fragment) -> Anchor:
        """The numbers and the start of a recording that nobody was told of before."""
        last, identity = self._run.last, self._run.identity
        start_wall_us, slew_ppb = self._placed(first)
        same_init = last is not None and last.init_hash == self.init.hash
        return Anchor(
            name=self.name,
            first_media_sequence=last.end_media_sequence if last else identity.media_sequence,
            discontinuity_sequence=(
                last.discontinuity_sequence + (not same_init) if last else identity.discontinuity_sequence
            ),
            starts_run=not same_init,
            gap_reason=None if last else identity.gap_reason,
            start_wall_us=start_wall_us,
            slew_ppb=slew_ppb,
            cut_for_s=self.cut_for_s,
        )

    def _placed(self, first: Fragment) -> tuple[int, int]:
        """(start_wall_us, slew_ppb): after the recording before, or where the fragments say."""
        first_us = self._us(first.decode_ticks)
        last, clock = self._run.last, self._run.clock
        if last is None:
            offset_us = clock.offset_us
            assert offset_us is not None, "the first recording of a run is placed by its fragments"
            return max(offset_us + first_us, self._run.identity.not_before_wall_us), 0
        elapsed_ticks = first.decode_ticks * last.timescale // self.init.video.timescale - last.first_decode_ticks
        start_wall_us = max(
            last.start_wall_us + slewed_us(elapsed_ticks, last.timescale, last.slew_ppb), last.end_wall_us
        )
        before_us = ticks_to_us(last.duration_ticks, last.timescale)
        return start_wall_us, clock.slew_ppb(first_us, start_wall_us, before_us)

    def _media(self) -> MediaFacts:
        assert self._first is not None
        seconds = max(self._end_ticks - self._first.decode_ticks, 1) / self.init.video.timescale
        audio = self.init.audio
        return MediaFacts(
            video_codec=self.init.video.codec,
            width=self.init.video.width,
            height=self.init.video.height,
            frame_rate=round(self._sample_count / seconds, 3),
            bit_rate_bps=round(self._media_bytes * 8 / seconds),
            audio_codec=audio.codec if audio else "",
            audio_sample_rate_hz=audio.sample_rate_hz if audio else 0,
            audio_channels=audio.channels if audio else 0,
        )

    def _us(self, ticks: int) -> int:
        return ticks_to_us(ticks, self.init.video.timescale)
