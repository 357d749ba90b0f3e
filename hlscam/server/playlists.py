"""The playlists: multivariant, live, and timeline.

All three are windows on one numbering. A reload costs a render of a few segments (a day takes some 30 ms, so long
ones are rendered off the loop).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from aiohttp import web

from hlscam.domain.recording import Recording
from hlscam.domain.timeline import Span, counted, media_playlist, paced, spans_between
from hlscam.errors import NotFound, NotReady
from hlscam.hls.multivariant import Variant, render_multivariant
from hlscam.server.queries import TimeRange, not_in_future, optional_time, required_time, time_range
from hlscam.server.responses import text_response
from hlscam.server.services import SERVICES, Services
from hlscam.units import US_PER_MS, US_PER_S

MPEGURL = "application/vnd.apple.mpegurl"
_LIVE_MAX_AGE_S = 1
_PAST_MAX_AGE_S = 60
_RENDER_ON_LOOP_SEGMENTS = 1000
_PEAK_MARGIN = 1.25
"""BANDWIDTH must not be below any segment's bit rate to come, so what was seen is given some room."""
_SETTLING_S = 5
"""A segment is listed this long after its last sample at the latest."""
_PACED_AHEAD_SEGMENTS = 3
"""ffmpeg begins three segments before the end of a playlist that grows: with three it begins at the first."""
_PACED_KEPT_S = 600
_PACED_ENOUGH_S = 120
_PACED_PAGE = 16
_LONGEST_SEGMENT_S = 30
"""Of a camera whose target duration is not measured yet."""


async def multivariant(request: web.Request) -> web.Response:
    """`/hls/{camera}/index.m3u8`. With `from` (and `to`) its variant is that timeline instead of live."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    wanted = time_range(request)
    recordings = list(services.live.stream(camera).recordings)
    if wanted.from_wall_us is not None:
        not_in_future(wanted.from_wall_us, services.clock.wall_us())
        recordings = (
            await services.footage.recordings(
                camera, from_wall_us=wanted.from_wall_us, to_wall_us=wanted.to_wall_us, limit=1
            )
            or recordings
        )
    if not recordings:
        raise _no_footage_yet(services, camera)
    uri = "live.m3u8" if wanted.from_wall_us is None else _timeline_uri(request, wanted, services.clock.wall_us())
    newest = recordings[-1]
    # A claim about every segment to come: a timeline's are not known here, and its own playlist tells.
    independent = wanted.from_wall_us is None and all(all(each.segments.independents) for each in recordings)
    text = render_multivariant([_variant(uri, newest)], independent=independent)
    return text_response(request, text, content_type=MPEGURL, max_age_s=_LIVE_MAX_AGE_S)


async def live(request: web.Request) -> web.Response:
    """`/hls/{camera}/live.m3u8`: the newest segments."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    spans = services.live.stream(camera).window()
    if not spans:
        raise _no_footage_yet(services, camera)
    text = media_playlist(spans).render()
    return text_response(request, text, content_type=MPEGURL, max_age_s=_LIVE_MAX_AGE_S)


async def timeline(request: web.Request) -> web.Response:
    """`/hls/{camera}/timeline.m3u8?from=&to=`: from the segment that contains `from`, to `to` or on into live."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    required_time(request, "from")
    wanted, opened_wall_us = time_range(request), optional_time(request, "opened")
    if opened_wall_us is not None and wanted.to_wall_us is None:
        found = await _find_paced(services, camera, wanted, opened_wall_us)
    else:
        found = await _find(services, camera, wanted)
    text = await _rendered(found) or _beyond_the_newest(services, camera, ended=found.ended)
    max_age_s = _PAST_MAX_AGE_S if found.ended else _LIVE_MAX_AGE_S
    return text_response(request, text, content_type=MPEGURL, max_age_s=max_age_s)


@dataclass(frozen=True, slots=True)
class _Found:
    """The footage of a range, and whether nothing can be added to it any more."""

    recordings: list[Recording]
    from_wall_us: int
    to_wall_us: int | None
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

        One that goes over a hole in the numbers ends there, or now: its segments are numbered for this once only.
        """
        spans = spans_between(self.recordings, self.from_wall_us, self.to_wall_us)
        if not spans:
            return ""
        known = counted(spans)
        if self.opened_for_s is not None:
            pace = self.opened_for_s
            shown = paced(known, opened_for_s=pace, ahead_segments=_PACED_AHEAD_SEGMENTS, kept_s=_PACED_KEPT_S)
            is_out = len(known) < len(spans) and shown[-1].end_media_sequence == known[-1].end_media_sequence
            return media_playlist(shown, ended=is_out).render()
        ended = self.ended or len(known) < len(spans)
        return media_playlist(spans, ended=ended, from_start=not ended).render()


async def _find(services: Services, camera: str, wanted: TimeRange) -> _Found:
    """What there is of a range. One that ends in the future, or is not recorded yet, goes on as if without an end."""
    now_wall_us = services.clock.wall_us()
    from_wall_us = not_in_future(wanted.from_wall_us or 0, now_wall_us)
    to_wall_us = wanted.to_wall_us
    recordings = await services.footage.recordings(camera, from_wall_us=from_wall_us, to_wall_us=to_wall_us)
    ended = to_wall_us is not None and _nothing_follows(services, camera, to_wall_us, now_wall_us)
    return _Found(recordings, from_wall_us, to_wall_us, ended)


async def _find_paced(services: Services, camera: str, wanted: TimeRange, opened_wall_us: int) -> _Found:
    """As much of an open timeline as a viewer who opened it at `opened` can have come to by now."""
    now_wall_us = services.clock.wall_us()
    from_wall_us = not_in_future(wanted.from_wall_us or 0, now_wall_us)
    opened_for_s = max(0, now_wall_us - opened_wall_us) / US_PER_S
    recordings: list[Recording] = []
    media_s = 0.0
    while True:
        more = await services.footage.recordings(
            camera,
            from_wall_us=from_wall_us,
            after_media_sequence=recordings[-1].first_media_sequence if recordings else None,
            limit=_PACED_PAGE,
        )
        recordings += more
        media_s += sum(each.duration_ticks / each.timescale for each in more)
        first_s = recordings[0].duration_ticks / recordings[0].timescale if recordings else 0
        if len(more) < _PACED_PAGE or media_s - first_s > opened_for_s + _PACED_ENOUGH_S:
            return _Found(recordings, from_wall_us, None, ended=False, opened_for_s=opened_for_s)


def _timeline_uri(request: web.Request, wanted: TimeRange, now_wall_us: int) -> str:
    """The variant that plays a range: with an end it is a file to seek in; without, a stream that begins there.

    VLC and ffmpeg join whatever has no end at its end. So that they begin at `from`, that playlist says when it was
    opened and grows at the pace of live: the past, played as if it were now.
    """
    query = {name: request.query[name] for name in ("from", "to") if name in request.query}
    if wanted.to_wall_us is None:
        query["opened"] = f"{now_wall_us / US_PER_S:.3f}"
    return f"timeline.m3u8?{urlencode(query)}"


async def _rendered(found: _Found) -> str:
    if found.segments <= _RENDER_ON_LOOP_SEGMENTS:
        return found.render()
    return await asyncio.to_thread(found.as_it_is_now().render)


def _beyond_the_newest(services: Services, camera: str, *, ended: bool) -> str:
    """The playlist of a range without footage: the newest segment, where the range may still get some."""
    if ended:
        raise NotFound(
            f"camera {camera!r} has no footage in this range", hint=f"/api/v1/cameras/{camera}/timeline tells"
        )
    window = services.live.stream(camera).window()
    if not window:
        raise _no_footage_yet(services, camera)
    newest = window[-1]
    return media_playlist([Span(newest.recording, newest.end - 1, newest.end)], from_start=True).render()


def _nothing_follows(services: Services, camera: str, to_wall_us: int, now_wall_us: int) -> bool:
    """Whether all footage before `to` is listed already.

    It is when the newest footage reaches beyond, or when `to` is so long ago that a segment which began before it
    must be whole by now.
    """
    newest = services.live.stream(camera).newest
    if newest is not None and newest.end_wall_us + US_PER_MS > to_wall_us:  # the API writes ends rounded up
        return True
    longest_s = newest.target_duration_s if newest is not None else _LONGEST_SEGMENT_S
    return to_wall_us + (longest_s + _SETTLING_S) * US_PER_S < now_wall_us


def _variant(uri: str, recording: Recording) -> Variant:
    return Variant(
        uri=uri,
        peak_bps=round(_peak_bps(recording) * _PEAK_MARGIN),
        average_bps=recording.media.bit_rate_bps,
        codecs=recording.media.codecs,
        width=recording.media.width,
        height=recording.media.height,
        frame_rate=recording.media.frame_rate,
    )


def _peak_bps(recording: Recording) -> float:
    table = recording.segments
    rates = _bit_rates(table.sizes_bytes, table.durations_ticks, recording.timescale)
    return max(rates, default=recording.media.bit_rate_bps)


def _bit_rates(sizes_bytes: Sequence[int], durations_ticks: Sequence[int], timescale: int) -> list[float]:
    half_s = timescale // 2  # a stub at a recording's end says nothing about the bit rate
    pairs = zip(sizes_bytes, durations_ticks, strict=True)
    return [size * 8 * timescale / ticks for size, ticks in pairs if ticks >= half_s]


def _no_footage_yet(services: Services, camera: str) -> NotReady:
    notes = services.notes(camera)
    error = notes.status.last_error if notes else ""
    return NotReady(f"camera {camera!r} has no footage yet" + (f": {error}" if error else ""))
