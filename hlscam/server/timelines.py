"""The timeline playlist: any stretch of a camera's footage, with an end or going on into live.

It begins at a moment (`from`: with the segment that contains it) or behind a segment (`after`: with the very next one,
now or years later). A viewer who has seen all there is waits for that next one: the request is held until it is there,
for a playlist without segments is none, and one that repeats the last segment would be shown twice.

VLC and ffmpeg join whatever has no end three segments before its end. So that they begin where they are meant to, the
multivariant playlist gives them a timeline that says when it was `opened`, has three segments at first, and grows at
the pace of live: the past, played as if it were now.
"""

from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import dataclass, replace

from aiohttp import web

from hlscam.clock import first_of
from hlscam.domain.gaps import WORDS
from hlscam.domain.recording import Recording
from hlscam.domain.timeline import Span, counted, media_playlist, paced, spans_after, spans_between
from hlscam.errors import InvalidRequest, NotFound, NotReady
from hlscam.server.holding import LONGEST_HOLD_S
from hlscam.server.queries import TimelineRange, not_in_future, optional_time, switch, timeline_range
from hlscam.server.responses import MPEGURL, text_response
from hlscam.server.services import SERVICES, Services
from hlscam.units import US_PER_MS, US_PER_S

_GROWING_MAX_AGE_S = 1
_ENDED_MAX_AGE_S = 60
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
_SOON_SEGMENTS = 30
"""Numbers that many ahead may have been told by another server of this archive, or before a power cut took them."""


async def timeline(request: web.Request) -> web.Response:
    """`/hls/{camera}/timeline.m3u8?from=&to=`, or `?after=&to=`."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    wanted = timeline_range(request)
    if not wanted.has_beginning:
        raise InvalidRequest(
            "`from` is missing", hint="add ?from=2026-11-22T22:10:00Z, Unix seconds, or ?after= a media sequence"
        )
    check_beginning(services, camera, wanted)
    asked = _Asked(wanted, optional_time(request, "opened"), switch(request, "gaps"))
    found = await _find(services, camera, asked)
    if wanted.after is not None and not found.ended and not services.footage.is_listed(camera, wanted.after + 1):
        await _hold_until_listed(services, camera, wanted.after + 1)
        found = await _find(services, camera, asked)
    text = await _rendered(found) or _beyond_the_newest(services, camera, found)
    max_age_s = _ENDED_MAX_AGE_S if found.ended else _GROWING_MAX_AGE_S
    return text_response(request, text, content_type=MPEGURL, max_age_s=max_age_s)


def check_beginning(services: Services, camera: str, wanted: TimelineRange) -> None:
    """Raises InvalidRequest for a moment in the future, NotFound for a segment that nobody can have seen."""
    if wanted.from_wall_us is not None:
        not_in_future(wanted.from_wall_us, services.latest_wall_us(camera))
    newest = services.live.stream(camera).newest
    if wanted.after is not None and newest and wanted.after >= newest.end_media_sequence + _SOON_SEGMENTS:
        raise NotFound(
            f"camera {camera!r} has no segment {wanted.after} yet: its newest is {newest.end_media_sequence - 1}"
        )


def no_footage_yet(services: Services, camera: str) -> NotReady:
    """Nothing to play, and why."""
    return _not_ready(services, camera, f"camera {camera!r} has no footage yet")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A timeline as the URL asks for it."""

    range: TimelineRange
    opened_wall_us: int | None
    gaps: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """The footage of a range, and whether nothing can be added to it any more."""

    recordings: list[Recording]
    asked: _Asked
    ended: bool
    opened_for_s: float | None = None

    @property
    def segments(self) -> int:
        return sum(len(each.segments) for each in self.recordings)

    def as_it_is_now(self) -> _Found:
        """A copy that another thread can read while the indexer adds segments to the open recording."""
        copied = [replace(each, segments=deepcopy(each.segments)) if each.is_open else each for each in self.recordings]
        return replace(self, recordings=copied)

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
            ended = self.ended or is_cut
            return media_playlist(spans, ended=ended, from_start=not ended, gaps=gaps).render()
        pace = self.opened_for_s
        shown = paced(lasting, opened_for_s=pace, ahead_segments=_PACED_AHEAD_SEGMENTS, kept_s=_PACED_KEPT_S)
        is_out = is_cut and shown[-1].end_media_sequence == lasting[-1].end_media_sequence
        return media_playlist(shown, ended=is_out, gaps=gaps, since=lasting).render()

    def _spans(self) -> list[Span]:
        wanted = self.asked.range
        if wanted.after is not None:
            return spans_after(self.recordings, wanted.after, wanted.to_wall_us)
        return spans_between(self.recordings, wanted.from_wall_us or 0, wanted.to_wall_us)


async def _find(services: Services, camera: str, asked: _Asked) -> _Found:
    """What there is of a range. One that ends in the future, or is not recorded yet, goes on as if without an end."""
    if asked.opened_wall_us is not None and asked.range.to_wall_us is None:
        return await _find_paced(services, camera, asked, asked.opened_wall_us)
    to_wall_us = asked.range.to_wall_us
    recordings = await _page(services, camera, asked.range)
    ended = to_wall_us is not None and _nothing_follows(services, camera, to_wall_us)
    return _Found(recordings, asked, ended)


async def _find_paced(services: Services, camera: str, asked: _Asked, opened_wall_us: int) -> _Found:
    """As much of an open timeline as a viewer who opened it at `opened` can have come to by now."""
    opened_for_s = (services.clock.wall_us() - opened_wall_us) / US_PER_S
    if opened_for_s < _JOINING_S:
        opened_for_s = 0
    recordings = more = await _page(services, camera, asked.range, limit=_PACED_PAGE)
    media_s = _media_s(more)
    first_s = _media_s(more[:1])
    while len(more) == _PACED_PAGE and media_s - first_s <= opened_for_s + _PACED_ENOUGH_S:
        more = await services.footage.recordings(
            camera, after_media_sequence=recordings[-1].first_media_sequence, limit=_PACED_PAGE
        )
        recordings = [*recordings, *more]
        media_s += _media_s(more)
    return _Found(recordings, asked, ended=False, opened_for_s=opened_for_s)


async def _page(services: Services, camera: str, wanted: TimelineRange, *, limit: int | None = None) -> list[Recording]:
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


async def _rendered(found: _Found) -> str:
    if found.segments <= _RENDER_ON_LOOP_SEGMENTS:
        return found.render()
    return await asyncio.to_thread(found.as_it_is_now().render)


async def _hold_until_listed(services: Services, camera: str, media_sequence: int) -> None:
    """Wait for a segment that is yet to come. Raises NotReady when it does not, for so long as a player waits."""
    if services.live.stream(camera).newest is None:
        raise no_footage_yet(services, camera)
    await first_of(_until_listed(services, camera, media_sequence), services.clock.sleep(LONGEST_HOLD_S))
    if not services.footage.is_listed(camera, media_sequence):
        raise _not_ready(services, camera, f"camera {camera!r} has not recorded segment {media_sequence} yet")


async def _until_listed(services: Services, camera: str, media_sequence: int) -> None:
    while not services.footage.is_listed(camera, media_sequence):
        await services.live.stream(camera).wait_changed()


def _beyond_the_newest(services: Services, camera: str, found: _Found) -> str:
    """The playlist of a range without footage: the newest segment, where the range may still get some."""
    if found.ended:
        raise NotFound(
            f"camera {camera!r} has no footage in this range", hint=f"/api/v1/cameras/{camera}/timeline tells"
        )
    window = services.live.stream(camera).window()
    if not window:
        raise no_footage_yet(services, camera)
    newest = Span(window[-1].recording, window[-1].end - 1, window[-1].end)
    return media_playlist([newest], from_start=True, gaps=found.asked.gaps).render()


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


def _not_ready(services: Services, camera: str, what: str) -> NotReady:
    notes = services.notes_of(camera)
    why = ""
    if notes is not None:
        why = notes.status.last_error or (WORDS.get(notes.gap_reason, "") if notes.gap_reason else "")
    return NotReady(what + (f": {why}" if why else ""))
