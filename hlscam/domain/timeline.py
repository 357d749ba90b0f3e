"""The timeline: any stretch of a camera's footage as rows of segments. Pure: (recordings, range) in, spans out.

Live, ten seconds ago and three weeks ago are windows on one row of recordings, so there is one way to cut a window and
one way to list it. Recordings come in media_sequence order, as the catalog gives them; the open one is among
them with the segments it has so far.

A hole in wall time lies between two runs. Nothing stands for it in the playlist but the discontinuity and the jump of
program date time of the run that follows (EXT-X-GAP makes VLC stop and hls.js freeze).

A hole in the numbers is where a recording is missing: retention removes the neighbours of a protected one, or
somebody removed a file. Players count the segments of a playlist up from EXT-X-MEDIA-SEQUENCE, so what stands behind
such a hole has another number for them than its URL says, and a smaller one each time that the hole becomes wider.
hls.js takes it for an error when a segment's number changes in a reload. So a playlist that lists both sides of such a
hole is never loaded again: it has an end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise

from hlscam.domain.recording import Recording
from hlscam.hls.media_playlist import MediaPlaylist, SegmentBlock, render_block
from hlscam.units import US_PER_S, ticks_to_us


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
    starts = starts_wall_us(recording)
    first = max(bisect_right(starts, from_wall_us) - 1, 0)
    end = count if to_wall_us is None else bisect_left(starts, to_wall_us, lo=first)
    return Span(recording, first, end)


def starts_wall_us(recording: Recording) -> list[int]:
    """Program date time of every segment of a recording."""
    elapsed = accumulate(recording.segments.durations_ticks, initial=0)
    return [recording.wall_us_at(ticks) for ticks, _ in zip(elapsed, recording.segments.durations_ticks, strict=False)]


def last_spans(recordings: Sequence[Recording], *, duration_s: float, at_least: int) -> list[Span]:
    """The live window: the newest segments, `duration_s` of media and `at_least` so many where there are."""
    whole = [Span(recording, 0, len(recording.segments)) for recording in recordings]
    return _newest(whole, duration_s=duration_s, at_least=at_least)


def numbered_on(recordings: Sequence[Recording]) -> Sequence[Recording]:
    """The newest recordings whose media sequences follow each other without a leap."""
    for index in range(len(recordings) - 1, 0, -1):
        if recordings[index].first_media_sequence != recordings[index - 1].end_media_sequence:
            return recordings[index:]
    return recordings


def paced(spans: Sequence[Span], *, opened_for_s: float, ahead_segments: int, kept_s: float) -> list[Span]:
    """The part of a timeline that a viewer who plays it since `opened_for_s` seconds needs now.

    At first `ahead_segments` segments, then one more whenever the viewer has come as far; of these the newest
    `kept_s` seconds: the timeline grows and slides at the pace of live. Counted in media time, so that a hole
    takes no time.
    """
    grown: list[Span] = []
    seconds, seconds_ahead, count = 0.0, 0.0, 0
    for span in spans:
        end = span.first
        while end < span.end and (count < ahead_segments or seconds - seconds_ahead < opened_for_s):
            seconds += span.recording.segments.durations_ticks[end] / span.recording.timescale
            end += 1
            count += 1
            seconds_ahead = seconds if count <= ahead_segments else seconds_ahead
        if end > span.first:
            grown.append(Span(span.recording, span.first, end))
    return _newest(grown, duration_s=kept_s, at_least=ahead_segments)


def _newest(spans: Sequence[Span], *, duration_s: float, at_least: int) -> list[Span]:
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


def media_playlist(spans: Sequence[Span], *, ended: bool = False, from_start: bool = False) -> MediaPlaylist:
    """The playlist that lists `spans`, of which there is at least one."""
    opening = spans[0]
    return MediaPlaylist(
        target_duration_s=max(max(span.recording.target_duration_s, _longest_s(span)) for span in spans),
        media_sequence=opening.media_sequence,
        discontinuity_sequence=opening.recording.discontinuity_sequence - opening.discontinuity,
        independent=all(all(span.recording.segments.independents[span.first : span.end]) for span in spans),
        blocks=list(_blocks(spans)),
        ended=ended,
        from_start=from_start,
    )


def _longest_s(span: Span) -> int:
    """The longest segment's EXTINF in seconds as players round it.

    It is above the recording's own target only where a picture stood still for long (`segmenter.py`): such a playlist
    keeps the rule that no EXTINF may exceed EXT-X-TARGETDURATION (RFC 8216bis 4.4.3.1) at the price of a target that
    changes while it lists the segment, which players take in their stride.
    """
    longest_ticks = max(islice(span.recording.segments.durations_ticks, span.first, span.end))
    return (ticks_to_us(longest_ticks, span.recording.timescale) + US_PER_S // 2) // US_PER_S


def _blocks(spans: Sequence[Span]) -> Iterator[str]:
    previous_map_uri = ""
    for before, span in zip([None, *spans], spans, strict=False):
        recording = span.recording
        map_uri = f"init-{recording.init_hash}.mp4"
        block = SegmentBlock(
            media_sequence=span.media_sequence,
            durations_ticks=recording.segments.durations_ticks,
            first=span.first,
            end=span.end,
            timescale=recording.timescale,
            start_wall_us=recording.start_wall_us,
            slew_ppb=recording.slew_ppb,
            map_uri=map_uri,
            discontinuity=span.discontinuity or (before is not None and _torn_apart(before, span)),
        )
        yield render_block(block, previous_map_uri=previous_map_uri)
        previous_map_uri = map_uri


def _torn_apart(before: Span, after: Span) -> bool:
    """Whether a recording that stood between the two is missing, so that media time jumps."""
    return (
        _numbers_jump(before, after)
        or before.recording.discontinuity_sequence != after.recording.discontinuity_sequence
    )


def _numbers_jump(before: Span, after: Span) -> bool:
    return before.end_media_sequence != after.media_sequence


def counted(spans: Sequence[Span]) -> list[Span]:
    """The spans up to the first hole in the numbers: those whose segments players number as we do."""
    for index, (before, after) in enumerate(pairwise(spans), start=1):
        if _numbers_jump(before, after):
            return list(spans[:index])
    return list(spans)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Wall time without a hole, half-open."""

    start_wall_us: int
    end_wall_us: int
    run: str


_TOUCHING_US = 1_000
"""Recordings of one run that lie closer than this are one stretch: a rounded tick is not a hole."""


def stretches(recordings: Sequence[Recording]) -> list[Stretch]:
    """Where there is footage: recordings of one run that touch, joined."""
    joined: list[Stretch] = []
    for recording in recordings:
        here = Stretch(recording.start_wall_us, recording.end_wall_us, recording.run)
        last = joined[-1] if joined else None
        if last and last.run == here.run and here.start_wall_us - last.end_wall_us <= _TOUCHING_US:
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
