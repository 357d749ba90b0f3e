"""From the fragments of a run to its recordings: numbers, segments, wall time. Pure: nothing here reads or waits.

`RunIndex` carries what passes from one recording of a run to the next (counters, the wall clock, the target
duration); `RecordingIndex` takes the fragments of one recording and says at any moment what is known of it.
The same code follows a file that grows, takes in one that a crash left behind, and rebuilds a lost catalog, so
all three give the same numbers.

Facts that were given never change: they are told to players at one moment, after much that has to be waited for.

A recording has no facts until its first segment is whole: only then are its numbers and its start fixed, and from
then on they never change. A run's first recording waits until the burst is over with which a run begins
(`RunClock.is_settled`): what is placed by it is seconds late, for the whole run.

A camera's clock that leaps ahead makes its last picture before the leap as long as the leap: ffmpeg has no other way
to write it (**measured**). No player could show such a segment, so listing ends before its fragment: what is behind it
is in the file, and in no segment. That depends on the fragments alone, or two readers would not list the same. The
recorder ends the run when it sees a leap (`clock_watch.py`); should another recording begin before that, it begins
as if the camera had sent another stream: a discontinuity, right behind what is listed.
"""

from __future__ import annotations

from dataclasses import replace

from hlscam.domain.camera_notes import Anchor
from hlscam.domain.part import Part, PartCutter
from hlscam.domain.recording import EndReason, MediaFacts, Recording, slewed_us
from hlscam.domain.run import RunIdentity
from hlscam.domain.run_clock import RunClock
from hlscam.domain.segment_table import SegmentEntry, SegmentTable
from hlscam.domain.segmenter import Segmenter
from hlscam.isobmff.fragment import Fragment
from hlscam.isobmff.init_section import InitSection
from hlscam.units import ticks_to_us

_LONGEST_WAIT_IN_SEGMENTS = 5
"""A burst that is longer is not waited for."""


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
        self._timescale = init.video.timescale
        self._segmenter = Segmenter(
            timescale=init.video.timescale,
            segment_duration_s=run.identity.segment_duration_s,
            target_duration_s=run.target_duration_s,
        )
        self._cutter = PartCutter()
        self._table = SegmentTable()
        self._first: Fragment | None = None
        self._sample_count = 0
        self._media_bytes = 0
        self._end_ticks = 0
        self._listed_ticks = 0
        self.has_leapt = False
        self._facts: Recording | None = None

    @property
    def facts(self) -> Recording | None:
        """What is known of the recording up to its last whole segment; None before the first."""
        return self._facts

    @property
    def anchor(self) -> Anchor | None:
        """What is settled about the recording; None before its first part was taken, or its first segment."""
        return Anchor.of(self._facts, cut_for_s=self.cut_for_s) if self._facts else self._anchor

    def take_parts(self) -> list[Part]:
        """The parts that are whole and were not taken before: of listed segments, and of the one being filled.

        With the first of them the recording's numbers and its start are settled (`anchor`), before it has facts. None
        before it can be placed.
        """
        facts = self._facts or self._begun()
        if facts is None:
            return []
        cuts = [cut for index, each in self._segmenter.take_placed() for cut in self._cutter.push(index, each)]
        if not facts.is_open:
            cuts.extend(self._cutter.finish())
        return [Part.of(facts, cut) for cut in cuts]

    def add(self, fragment: Fragment, *, arrival_wall_us: int | None) -> bool:
        """Take the next fragment; True when at least one more segment is whole.

        `arrival_wall_us` is when the host saw it, None when nobody was looking.
        """
        self.has_leapt |= self._leaps(fragment)
        if self.has_leapt:
            return False
        if self._first is None:
            if not fragment.sample_count:
                return False  # sound before the first picture is in the file, and in no segment
            self._first = fragment
        self._sample_count += fragment.sample_count
        self._media_bytes += fragment.size_bytes
        self._end_ticks = fragment.decode_ticks + fragment.duration_ticks
        if arrival_wall_us is not None:
            self._run.clock.observe(self._taken_us(fragment), arrival_wall_us)
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
        self._list([] if whole_segments else self._segmenter.finish(), is_last=True)
        if self._facts is None:
            return None
        final = replace(self._facts, end_reason=end_reason, size_bytes=size_bytes)
        self._facts = final
        self._run.last = final
        self._run.clock.roll()
        return final

    def _taken_us(self, fragment: Fragment) -> int:
        """Up to when media had been taken when the fragment came: that of its pictures, or of the sound after its own.

        Packets are written in the order of their decode times. So whichever packet followed the fragment, one of sound
        was there that begins where the fragment's sound ends; and sound is only there when all of the packet was taken.
        Sound that is further ahead than that is not in time with the pictures, and tells nothing.
        """
        end_us, audio = self._us(self._end_ticks), self.init.audio
        if audio is None or fragment.audio_decode_ticks is None:
            return end_us
        sound_end_us = ticks_to_us(fragment.audio_decode_ticks + fragment.audio_duration_ticks, audio.timescale)
        packet_us = ticks_to_us(fragment.audio_sample_ticks, audio.timescale)
        return max(end_us, sound_end_us + packet_us) if sound_end_us <= end_us + packet_us else end_us

    def _leaps(self, fragment: Fragment) -> bool:
        """Whether the fragment, or the hole before it, lasts for longer than any picture of this run."""
        longest_s = self._run.identity.longest_picture_s
        if longest_s is None:
            return False
        audio = self.init.audio
        if audio is not None and fragment.audio_duration_ticks > longest_s * audio.timescale:
            return True
        from_ticks = fragment.decode_ticks if self._first is None else self._end_ticks
        return fragment.sample_count > 0 and fragment.end_decode_ticks - from_ticks > longest_s * self._timescale

    def _list(self, done: list[SegmentEntry], *, is_last: bool = False) -> bool:
        """Put whole segments into the table; True when there is something new to tell."""
        for entry in done:
            self._table.append(entry)
            self._listed_ticks += entry.duration_ticks
        if self._facts is None and not is_last and not self._can_be_placed():
            return False
        if not self._table or (self._facts is not None and not done):
            return False
        self._refresh_facts()
        return True

    def _begun(self) -> Recording | None:
        """The recording before its first segment is whole, if it can be placed: what its parts need to know."""
        if self._first is None or self._segmenter.open is None or not self._can_be_placed():
            return None
        begun = self._first_facts()
        self._anchor = Anchor.of(begun, cut_for_s=self.cut_for_s)
        return begun

    def _can_be_placed(self) -> bool:
        """Whether the start may be fixed now: it is known already, or the fragments that tell it have come."""
        if self._anchor is not None or self._run.last is not None:
            return True
        clock = self._run.clock
        waited_for = clock.is_settled or len(self._table) >= _LONGEST_WAIT_IN_SEGMENTS
        return clock.offset_us is not None and waited_for

    def _refresh_facts(self) -> None:
        if self._facts is None:
            self._facts = self._first_facts()
            start = self._facts
            self._run.clock.place(self._us(start.first_decode_ticks), start.start_wall_us, start.slew_ppb)
        self._run.target_duration_s = self._segmenter.target_duration_s
        self._facts = replace(
            self._facts,
            duration_ticks=self._listed_ticks,
            size_bytes=self._facts.first_offset + sum(self._table.sizes_bytes),
            media=self._media(),
            segments=self._table.copy(),  # whoever was given facts sees no segment before it is told
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
            timescale=self._timescale,
            first_decode_ticks=self._first.decode_ticks,
            duration_ticks=0,
            first_offset=self._first.offset,
            size_bytes=0,
            target_duration_s=self._segmenter.target_duration_s or self._run.target_duration_s or 1,
            media=self._media(),
            gap_reason=anchor.gap_reason,
        )

    def _settled(self, first: Fragment) -> Anchor:
        """The numbers and the start of a recording that nobody was told of before."""
        last, identity = self._run.last, self._run.identity
        start_wall_us, slew_ppb = self._placed(first)
        runs_on = last is not None and last.init_hash == self.init.hash and not self._is_behind_a_leap(first, last)
        return Anchor(
            name=self.name,
            first_media_sequence=last.end_media_sequence if last else identity.media_sequence,
            discontinuity_sequence=(
                last.discontinuity_sequence + (not runs_on) if last else identity.discontinuity_sequence
            ),
            starts_run=not runs_on,
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
        if self._is_behind_a_leap(first, last):
            return last.end_wall_us, 0
        elapsed_ticks = self._elapsed_ticks(first, last)
        start_wall_us = max(
            last.start_wall_us + slewed_us(elapsed_ticks, last.timescale, last.slew_ppb), last.end_wall_us
        )
        before_us = ticks_to_us(last.duration_ticks, last.timescale)
        return start_wall_us, clock.slew_ppb(first_us, start_wall_us, before_us)

    def _elapsed_ticks(self, first: Fragment, last: Recording) -> int:
        """Media time between the starts of the recording before and of this one, in the other's ticks."""
        return first.decode_ticks * last.timescale // self._timescale - last.first_decode_ticks

    def _is_behind_a_leap(self, first: Fragment, last: Recording) -> bool:
        longest_s = self._run.identity.longest_picture_s
        if longest_s is None:
            return False
        return self._elapsed_ticks(first, last) - last.duration_ticks > longest_s * last.timescale

    def _media(self) -> MediaFacts:
        assert self._first is not None
        seconds = max(self._end_ticks - self._first.decode_ticks, 1) / self._timescale
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
        return ticks_to_us(ticks, self._timescale)
