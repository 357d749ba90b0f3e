"""Spans of a timeline as a media playlist: blocks of segments, the holes between them, parts at the live edge. Pure.

A hole in wall time lies between two runs. In the playlist it is the discontinuity and the jump of program date time of
the run that follows, and an EXT-X-DATERANGE that says why. EXT-X-GAP makes VLC stop and hls.js freeze, so it is only
for who asks. Then one entry stands for each discontinuity, in front of it, wherever both its sides are listed
(ExoPlayer does not get past one at the beginning), and the numbers of that playlist are media_sequence +
discontinuity_sequence: the same in every window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise

from hlscam.domain.gaps import gap_between
from hlscam.domain.low_latency import HOLD_BACK_PARTS, SKIP_TARGETS, LowLatency
from hlscam.domain.part import Part
from hlscam.domain.timeline import Span, newest_spans
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
    kept = newest_spans(spans, duration_s=SKIP_TARGETS * target_duration_s, at_least=1) if skip else spans
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
    """What follows the last whole segment: the parts of the one in progress, and the hint at the next if one is."""
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
    if low_latency.hint is not None:
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
