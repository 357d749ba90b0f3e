"""The timeline: any stretch of a camera's footage as rows of segments. Pure: (recordings, range) in, spans out.

Live, ten seconds ago and three weeks ago are windows on one row of recordings, so there is one way to cut a window and
one way to list it (`listing.py`). Recordings come in media_sequence order, as the catalog gives them; the open one is
among them with the segments it has so far.

Players count the segments of a playlist up from EXT-X-MEDIA-SEQUENCE, and take it for an error when a segment's number
changes in a reload. Two things make the numbers leap:

* After a power cut a run begins a few numbers further on. A timeline counts on from its beginning, which says the same
  in every reload. The live window begins behind the leap, for it slides, and says the same to whoever comes.
* Recordings are missing: retention removed the neighbours of a protected one, or somebody removed a file. Such a hole
  becomes wider, and all behind it would get smaller numbers each time. So a playlist that lists both its sides is never
  loaded again: it has an end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from hlscam.domain.gaps import TOUCHING_US, footage_is_gone
from hlscam.domain.recording import Recording


@dataclass(frozen=True, slots=True)
class Span:
    """The segments [first, end) of one recording."""

    recording: Recording
    first: int
    end: int

    @property
    def media_sequence(self) -> int:
        return self.recording.first_media_sequence + self.first

    @property
    def end_media_sequence(self) -> int:
        """One past the last segment's number."""
        return self.recording.first_media_sequence + self.end

    @property
    def discontinuity(self) -> bool:
        """Whether EXT-X-DISCONTINUITY stands before the first segment. The very first run follows nothing."""
        return self.recording.starts_run and self.first == 0 and self.recording.discontinuity_sequence > 0

    @property
    def start_wall_us(self) -> int:
        return self.recording.wall_us_at(sum(self.recording.segments.durations_ticks[: self.first]))

    @property
    def end_wall_us(self) -> int:
        return self.recording.wall_us_at(sum(self.recording.segments.durations_ticks[: self.end]))


def spans_between(recordings: Sequence[Recording], from_wall_us: int, to_wall_us: int | None) -> list[Span]:
    """The segments that overlap [from, to), starting with the one that contains `from`; no end without `to`."""
    spans = (_span_between(recording, from_wall_us, to_wall_us) for recording in recordings)
    return [span for span in spans if span.first < span.end]


def _span_between(recording: Recording, from_wall_us: int, to_wall_us: int | None) -> Span:
    count = len(recording.segments)
    if from_wall_us >= recording.end_wall_us:
        return Span(recording, count, count)
    if from_wall_us <= recording.start_wall_us and (to_wall_us is None or to_wall_us > recording.end_wall_us):
        return Span(recording, 0, count)  # all but the first and the last of a long range
    starts = starts_wall_us(recording)
    first = max(bisect_right(starts, from_wall_us) - 1, 0)
    end = count if to_wall_us is None else bisect_left(starts, to_wall_us, lo=first)
    return Span(recording, first, end)


def spans_after(recordings: Sequence[Recording], media_sequence: int, to_wall_us: int | None) -> list[Span]:
    """The segments numbered above `media_sequence` that begin before `to`; no end without `to`."""
    spans = [_span_after(recording, media_sequence, to_wall_us) for recording in recordings]
    return [span for span in spans if span.first < span.end]


def _span_after(recording: Recording, media_sequence: int, to_wall_us: int | None) -> Span:
    count = len(recording.segments)
    first = min(max(media_sequence + 1 - recording.first_media_sequence, 0), count)
    if to_wall_us is None or to_wall_us >= recording.end_wall_us:
        return Span(recording, first, count)
    return Span(recording, first, bisect_left(starts_wall_us(recording), to_wall_us))


def starts_wall_us(recording: Recording) -> list[int]:
    """Program date time of every segment of a recording."""
    elapsed = accumulate(recording.segments.durations_ticks, initial=0)
    return [recording.wall_us_at(ticks) for ticks, _ in zip(elapsed, recording.segments.durations_ticks, strict=False)]


def last_spans(recordings: Sequence[Recording], *, duration_s: float, at_least: int) -> list[Span]:
    """The live window: the newest segments, `duration_s` of media and `at_least` so many where there are."""
    whole = [Span(recording, 0, len(recording.segments)) for recording in recordings]
    return newest_spans(whole, duration_s=duration_s, at_least=at_least)


def numbered_on(recordings: Sequence[Recording]) -> Sequence[Recording]:
    """The newest recordings whose numbers, of media and of discontinuities, follow each other without a leap."""
    for index in range(len(recordings) - 1, 0, -1):
        before, after = recordings[index - 1], recordings[index]
        discontinuities = after.discontinuity_sequence - before.discontinuity_sequence
        if after.first_media_sequence != before.end_media_sequence or discontinuities > 1:
            return recordings[index:]
    return recordings


def paced(spans: Sequence[Span], *, opened_for_s: float, ahead_segments: int, kept_s: float) -> list[Span]:
    """The part of a timeline that a viewer who plays it since `opened_for_s` seconds needs now.

    At first `ahead_segments` segments, then one more whenever the viewer has come to the next one; of these the newest
    `kept_s` seconds: the timeline grows and slides at the pace of live. Counted in media time, so that a hole
    takes no time.
    """
    grown: list[Span] = []
    seconds = 0.0
    starts_s: deque[float] = deque(maxlen=ahead_segments)
    for span in spans:
        end = span.first
        while end < span.end:
            starts_s.append(seconds)
            if starts_s[0] > opened_for_s:
                break
            seconds += span.recording.segments.durations_ticks[end] / span.recording.timescale
            end += 1
        if end > span.first:
            grown.append(Span(span.recording, span.first, end))
        if end < span.end:
            break
    return newest_spans(grown, duration_s=kept_s, at_least=ahead_segments)


def newest_spans(spans: Sequence[Span], *, duration_s: float, at_least: int) -> list[Span]:
    """The newest segments of a row: `duration_s` of media, and `at_least` so many where there are."""
    kept: list[Span] = []
    seconds, count = 0.0, 0
    for span in reversed(spans):
        first = span.end
        while first > span.first and (seconds < duration_s or count < at_least):
            first -= 1
            count += 1
            seconds += span.recording.segments.durations_ticks[first] / span.recording.timescale
        if first < span.end:
            kept.append(Span(span.recording, first, span.end))
        if first > span.first:
            break
    return kept[::-1]


def counted(spans: Sequence[Span]) -> list[Span]:
    """The spans up to where recordings are missing: those whose segments keep the numbers that players give them."""
    for index, (before, after) in enumerate(pairwise(spans), start=1):
        if footage_is_gone(before.recording, after.recording):
            return list(spans[:index])
    return list(spans)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Wall time without a hole, half-open."""

    start_wall_us: int
    end_wall_us: int
    run: str


def stretches(recordings: Sequence[Recording]) -> list[Stretch]:
    """Where there is footage: recordings of one run that touch, joined."""
    joined: list[Stretch] = []
    for recording in recordings:
        here = Stretch(recording.start_wall_us, recording.end_wall_us, recording.run)
        last = joined[-1] if joined else None
        if last and last.run == here.run and here.start_wall_us - last.end_wall_us <= TOUCHING_US:
            joined[-1] = Stretch(last.start_wall_us, here.end_wall_us, here.run)
        else:
            joined.append(here)
    return joined


def numbering_faults(recordings: Sequence[Recording]) -> Iterator[str]:
    """What is wrong with a camera's numbers and times (invariant 2 and 8), one sentence each."""
    for before, after in pairwise(recordings):
        if after.first_media_sequence < before.end_media_sequence:
            yield f"{after.name}: media_sequence {after.first_media_sequence} stands already in {before.name}"
        if after.discontinuity_sequence < before.discontinuity_sequence:
            yield f"{after.name}: discontinuity_sequence goes back from {before.name}"
        if after.start_wall_us < before.end_wall_us:
            yield f"{after.name}: starts before {before.name} has ended"
        is_next = after.first_media_sequence == before.end_media_sequence  # else the one that began the run may be gone
        begins = after.discontinuity_sequence != before.discontinuity_sequence
        if begins != after.starts_run and (is_next or after.starts_run):
            yield f"{after.name}: its discontinuity_sequence does not fit its place in the run"
