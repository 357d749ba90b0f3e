"""The timeline: any stretch of a camera's footage as rows of segments. Pure: (recordings, range) in, spans out.

Live, ten seconds ago and three weeks ago are windows on one row of recordings, so there is one way to cut a window and
one way to list it. Recordings come in media_sequence order, as the catalog gives them; the open one is among
them with the segments it has so far.

A hole in wall time lies between two runs. In the playlist it is the discontinuity and the jump of program date time of
the run that follows, and an EXT-X-DATERANGE that says why. EXT-X-GAP makes VLC stop and hls.js freeze, so it is only
for who asks. Then one entry stands for each discontinuity, in front of it, wherever both its sides are listed
(ExoPlayer does not get past one at the beginning), and the numbers of that playlist are media_sequence +
discontinuity_sequence: the same in every window.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise

from hlscam.domain.gaps import TOUCHING_US, footage_is_gone, gap_between
from hlscam.domain.low_latency import HOLD_BACK_PARTS, SKIP_TARGETS, LowLatency
from hlscam.domain.part import Part
from hlscam.domain.recording import Recording
from hlscam.hls.media_playlist import (
    VERSION,
    VERSION_OF_DELTA,
    VERSION_WITH_GAPS,
    Hole,
    MediaPlaylist,
    PartLine,
    SegmentBlock,
    ServerControl,
    render_block,
    render_gap,
    render_hint,
    render_hole,
    render_open,
)
from hlscam.units import US_PER_MS, US_PER_S, ticks_to_us


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
    return _newest(whole, duration_s=duration_s, at_least=at_least)


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


def media_playlist(
    spans: Sequence[Span],
    *,
    ended: bool = False,
    from_start: bool = False,
    gaps: bool = False,
    since: Sequence[Span] = (),
    low_latency: LowLatency | None = None,
    blocking: bool = False,
    skip: bool = False,
) -> MediaPlaylist:
    """The playlist that lists `spans`, of which there is at least one.

    `since` is what it listed and has yet to list since it was opened, when it slides. `gaps` puts an EXT-X-GAP in front
    of each discontinuity. `blocking`: players may wait for what comes, and ask for delta updates; `low_latency` is that
    and adds parts. With `skip` it is a delta update if there is anything to skip.
    """
    opening = spans[0]
    target_duration_s = max(max(span.recording.target_duration_s, _longest_s(span)) for span in spans)
    media_sequence, discontinuity_sequence = _numbers_of(opening, since or spans)
    longest_gap_us = target_duration_s * US_PER_S if gaps else None
    kept = _newest(spans, duration_s=SKIP_TARGETS * target_duration_s, at_least=1) if skip else spans
    skipped = _count(spans) - _count(kept)
    holes = [
        line for before, after in pairwise(spans[: len(spans) - len(kept) + 1]) for line in _between(before, after)
    ]
    rows = low_latency.parts.items() if low_latency else ()
    parts = {number: [_line(each) for each in row] for number, row in rows}
    blocks = [*holes, *_blocks(kept, parts, longest_gap_us)]
    if low_latency is not None:
        blocks += _edge(spans[-1], low_latency)
    return MediaPlaylist(
        target_duration_s=target_duration_s,
        media_sequence=media_sequence + discontinuity_sequence if gaps else media_sequence,
        discontinuity_sequence=discontinuity_sequence - opening.discontinuity,
        independent=all(all(span.recording.segments.independents[span.first : span.end]) for span in spans),
        blocks=blocks,
        ended=ended,
        from_start=from_start,
        version=VERSION_WITH_GAPS if gaps else VERSION_OF_DELTA if skipped else VERSION,
        control=_control(low_latency, target_duration_s) if blocking or low_latency else None,
        skipped_segments=skipped,
    )


def _control(low_latency: LowLatency | None, target_duration_s: int) -> ServerControl:
    part_target_us = low_latency.part_target_us if low_latency else None
    return ServerControl(SKIP_TARGETS * target_duration_s, part_target_us, HOLD_BACK_PARTS)


def _count(spans: Sequence[Span]) -> int:
    return sum(span.end - span.first for span in spans)


def _numbers_of(opening: Span, since: Sequence[Span]) -> tuple[int, int]:
    """(media sequence, discontinuity sequence) of the first segment of `opening`, counted on from that of `since`."""
    media_sequence, discontinuity_sequence = since[0].media_sequence, since[0].recording.discontinuity_sequence
    for before, span in zip([None, *since], since, strict=False):
        discontinuity_sequence += before is not None and _is_discontinuity(before, span)
        if span.recording.name == opening.recording.name:
            return media_sequence + opening.first - span.first, discontinuity_sequence
        media_sequence += span.end - span.first
    raise ValueError(f"{opening.recording.name} is not in the playlist that it is to open")


def _longest_s(span: Span) -> int:
    """The longest segment's EXTINF in seconds as players round it.

    It is above the recording's own target only where a picture stood still for long (`segmenter.py`): such a playlist
    keeps the rule that no EXTINF may exceed EXT-X-TARGETDURATION (RFC 8216bis 4.4.3.1) at the price of a target that
    changes while it lists the segment, which players take in their stride.
    """
    longest_ticks = max(islice(span.recording.segments.durations_ticks, span.first, span.end))
    return (ticks_to_us(longest_ticks, span.recording.timescale) + US_PER_S // 2) // US_PER_S


def _edge(last: Span, low_latency: LowLatency) -> Iterator[str]:
    """What follows the last whole segment: the parts of the one in progress, and the hint at the next."""
    map_uri = _map_uri(last.recording.init_hash)
    row = low_latency.parts.get(low_latency.following, ())
    if row:
        first = row[0]
        yield render_open(
            [_line(each) for each in row],
            discontinuity=first.opens_run,
            wall_us=first.wall_us,
            map_uri=_map_uri(first.init_hash),
            previous_map_uri=map_uri,
        )
    yield render_hint("{}.{}.m4s".format(*low_latency.hint))


def _line(part: Part) -> PartLine:
    """Sound alone at a segment's end takes no time, but strict readers want a duration above 0."""
    uri = f"{part.media_sequence}.{part.index}.m4s"
    return PartLine(uri, max(part.duration_us, US_PER_MS), part.independent)


def _map_uri(init_hash: str) -> str:
    return f"init-{init_hash}.mp4"


def _blocks(
    spans: Sequence[Span], parts: Mapping[int, Sequence[PartLine]], longest_gap_us: int | None
) -> Iterator[str]:
    previous_map_uri = ""
    for before, span in zip([None, *spans], spans, strict=False):
        recording = span.recording
        map_uri = _map_uri(recording.init_hash)
        discontinuity = span.discontinuity if before is None else _is_discontinuity(before, span)
        if before is not None:
            yield from _between(before, span, longest_gap_us if discontinuity else None)
        block = SegmentBlock(
            media_sequence=span.media_sequence,
            durations_ticks=recording.segments.durations_ticks,
            first=span.first,
            end=span.end,
            timescale=recording.timescale,
            start_wall_us=recording.start_wall_us,
            slew_ppb=recording.slew_ppb,
            map_uri=map_uri,
            discontinuity=discontinuity,
            parts=parts,
        )
        yield render_block(block, previous_map_uri=previous_map_uri)
        previous_map_uri = map_uri


def _between(before: Span, after: Span, longest_gap_us: int | None = None) -> Iterator[str]:
    """What stands between two spans that follow each other in a playlist: why there is a hole."""
    gap = gap_between(before.recording, after.recording)
    hole_us = gap.end_wall_us - gap.start_wall_us if gap and gap.end_wall_us is not None else 0
    if longest_gap_us is not None:
        yield render_gap(after.media_sequence, min(hole_us, longest_gap_us))
    if gap is not None:
        yield render_hole(
            Hole(
                media_sequence=after.media_sequence,
                start_wall_us=gap.start_wall_us,
                end_wall_us=gap.start_wall_us + hole_us,
                reason=gap.reason or "",
            )
        )


def _is_discontinuity(before: Span, after: Span) -> bool:
    """Whether a run begins with `after`, or a recording that stood between the two is missing: media time jumps."""
    return (
        after.discontinuity
        or before.end_media_sequence != after.media_sequence
        or before.recording.discontinuity_sequence != after.recording.discontinuity_sequence
    )


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
