"""The footage of a range as a playlist: what there is of it, whether it grows, and its text.

Long ones are rendered in a thread of their own: three weeks are 900,000 segments.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hlscam.domain.listing import media_playlist
from hlscam.domain.recording import Recording
from hlscam.domain.timeline import Span, counted, paced, spans_after, spans_between
from hlscam.server.delivery import Delivery
from hlscam.server.queries import TimelineRange
from hlscam.server.services import Services
from hlscam.units import US_PER_MS, US_PER_S

_RENDER_ON_LOOP_SEGMENTS = 1000
_SETTLING_S = 5
"""A segment is listed this long after its last sample at the latest."""
_LONGEST_SEGMENT_S = 30
"""Of a camera whose target duration is not measured yet."""
_PACED_AHEAD_SEGMENTS = 3
"""With up to three, VLC and ffmpeg begin at the first; with four, at the second."""
_JOINING_S = 1
"""A player has asked for its first playlist by then, and is not shown more before."""
_PACED_KEPT_S = 600
_PACED_ENOUGH_S = 120
_PACED_PAGE = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A timeline as the URL asks for it."""

    range: TimelineRange
    opened_wall_us: int | None
    gaps: bool
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Found:
    """The footage of a range, and whether nothing can be added to it any more."""

    recordings: list[Recording]
    asked: Asked
    ended: bool
    opened_for_s: float | None = None

    @property
    def segments(self) -> int:
        return sum(len(each.segments) for each in self.recordings)

    def awaited(self) -> Delivery:
        """What a player waits for, by the camera's own numbers: nothing where its playlist does not let it wait.

        It counts segments up from the first. After a power cut a segment's own number is higher than that.
        """
        delivery = self.asked.delivery
        spans = [] if delivery.media_sequence is None else self._spans()
        if not spans or not self._is_blocking(spans):
            return Delivery()
        counted_up = spans[0].media_sequence + sum(each.end - each.first for each in spans)
        return delivery.by_segments(spans[-1].end_media_sequence - counted_up)

    def has(self, awaited: Delivery) -> bool:
        """Whether the playlist, if it were rendered now, would list what `awaited` tells; it grows at its end."""
        end = self.recordings[-1].end_media_sequence if self.recordings else 0
        return awaited.media_sequence is None or awaited.media_sequence < end

    def _is_blocking(self, spans: list[Span]) -> bool:
        """Whether players may wait for what comes: the playlist grows at its end, one by one."""
        grows = not self.ended and self.opened_for_s is None and len(counted(spans)) == len(spans)
        return grows and not self.asked.gaps

    def render(self) -> str:
        """The playlist; empty without a single segment.

        One that goes over a hole that recordings left ends there, or now: its segments are numbered for this once only.
        """
        spans, gaps = self._spans(), self.asked.gaps
        if not spans:
            return ""
        lasting = counted(spans)
        is_cut = len(lasting) < len(spans)
        if self.opened_for_s is None:
            ended, blocking = self.ended or is_cut, self._is_blocking(spans)
            skip = blocking and self.asked.delivery.skip
            return media_playlist(
                spans, ended=ended, from_start=not ended, gaps=gaps, blocking=blocking, skip=skip
            ).render()
        pace = self.opened_for_s
        shown = paced(lasting, opened_for_s=pace, ahead_segments=_PACED_AHEAD_SEGMENTS, kept_s=_PACED_KEPT_S)
        is_out = is_cut and shown[-1].end_media_sequence == lasting[-1].end_media_sequence
        return media_playlist(shown, ended=is_out, gaps=gaps, since=lasting).render()

    def _spans(self) -> list[Span]:
        wanted = self.asked.range
        if wanted.after is not None:
            return spans_after(self.recordings, wanted.after, wanted.to_wall_us)
        return spans_between(self.recordings, wanted.from_wall_us or 0, wanted.to_wall_us)


async def find(services: Services, camera: str, asked: Asked) -> Found:
    """What there is of a range. One that ends in the future, or is not recorded yet, goes on as if without an end."""
    if asked.opened_wall_us is not None and asked.range.to_wall_us is None:
        return await _find_paced(services, camera, asked, asked.opened_wall_us)
    to_wall_us = asked.range.to_wall_us
    recordings = await recordings_of(services, camera, asked.range)
    ended = to_wall_us is not None and _nothing_follows(services, camera, to_wall_us)
    return Found(recordings, asked, ended)


async def _find_paced(services: Services, camera: str, asked: Asked, opened_wall_us: int) -> Found:
    """As much of an open timeline as a viewer who opened it at `opened` can have come to by now."""
    opened_for_s = (services.clock.wall_us() - opened_wall_us) / US_PER_S
    if opened_for_s < _JOINING_S:
        opened_for_s = 0
    recordings = more = await recordings_of(services, camera, asked.range, limit=_PACED_PAGE)
    media_s = _media_s(more)
    first_s = _media_s(more[:1])
    while len(more) == _PACED_PAGE and media_s - first_s <= opened_for_s + _PACED_ENOUGH_S:
        more = await services.footage.recordings(
            camera, after_media_sequence=recordings[-1].first_media_sequence, limit=_PACED_PAGE
        )
        recordings = [*recordings, *more]
        media_s += _media_s(more)
    return Found(recordings, asked, ended=False, opened_for_s=opened_for_s)


async def recordings_of(
    services: Services, camera: str, wanted: TimelineRange, *, limit: int | None = None
) -> list[Recording]:
    """The first `limit` recordings of a range, or all."""
    return await services.footage.recordings(
        camera,
        from_wall_us=wanted.from_wall_us,
        from_media_sequence=None if wanted.after is None else wanted.after + 1,
        to_wall_us=wanted.to_wall_us,
        limit=limit,
    )


def _media_s(recordings: list[Recording]) -> float:
    return sum(each.duration_ticks / each.timescale for each in recordings)


async def rendered(found: Found) -> str:
    """The playlist, rendered where it holds up nobody; empty without a single segment."""
    if found.segments <= _RENDER_ON_LOOP_SEGMENTS:
        return found.render()
    return await asyncio.to_thread(found.render)


def _nothing_follows(services: Services, camera: str, to_wall_us: int) -> bool:
    """Whether all footage before `to` is listed already.

    It is when the newest footage reaches beyond, or when `to` is so long ago that a segment which began before it
    must be whole by now.
    """
    newest = services.live.stream(camera).newest
    if newest is not None and newest.end_wall_us + US_PER_MS > to_wall_us:  # the API writes ends rounded up
        return True
    longest_s = newest.target_duration_s if newest is not None else _LONGEST_SEGMENT_S
    return to_wall_us + (longest_s + _SETTLING_S) * US_PER_S < services.clock.wall_us()
