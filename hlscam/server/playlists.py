"""The playlists: multivariant, live, and timeline.

All three are windows on one numbering. A reload costs a render of a few segments (a day takes some 30 ms, so long
ones are rendered off the loop).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from hlscam.domain.recording import Recording
from hlscam.domain.timeline import Span, media_playlist, spans_between
from hlscam.errors import NotFound, NotReady
from hlscam.hls.multivariant import Variant, render_multivariant
from hlscam.server.queries import TimeRange, not_in_future, required_time, time_range
from hlscam.server.responses import text_response
from hlscam.server.services import SERVICES, Services

MPEGURL = "application/vnd.apple.mpegurl"
_LIVE_MAX_AGE_S = 1
_PAST_MAX_AGE_S = 60
_RENDER_ON_LOOP_SEGMENTS = 1000
_PEAK_MARGIN = 1.25
"""BANDWIDTH must not be below any segment's bit rate to come, so what was seen is given some room."""


async def multivariant(request: web.Request) -> web.Response:
    """`/hls/{camera}/index.m3u8`. With `from` (and `to`) its variant is that timeline instead of live."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    wanted = time_range(request)
    recordings = list(services.live.stream(camera).recordings)
    if wanted.from_wall_us is not None:
        recordings = (
            await services.footage.recordings(
                camera, from_wall_us=wanted.from_wall_us, to_wall_us=wanted.to_wall_us, limit=1
            )
            or recordings
        )
    if not recordings:
        raise _no_footage_yet(services, camera)
    timeline_query = {name: request.query[name] for name in ("from", "to") if name in request.query}
    uri = f"timeline.m3u8?{urlencode(timeline_query)}" if wanted.from_wall_us is not None else "live.m3u8"
    newest = recordings[-1]
    independent = all(all(each.segments.independents) for each in recordings)
    text = render_multivariant([_variant(uri, newest)], independent=independent)
    return text_response(request, text, content_type=MPEGURL, max_age_s=_LIVE_MAX_AGE_S)


async def live(request: web.Request) -> web.Response:
    """`/hls/{camera}/live.m3u8`: the newest segments."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    spans = services.live.stream(camera).window()
    if not spans:
        await services.footage.check_camera(camera)
        raise _no_footage_yet(services, camera)
    text = media_playlist(spans).render()
    return text_response(request, text, content_type=MPEGURL, max_age_s=_LIVE_MAX_AGE_S)


async def timeline(request: web.Request) -> web.Response:
    """`/hls/{camera}/timeline.m3u8?from=&to=`: from the segment that contains `from`, to `to` or on into live."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    required_time(request, "from")
    wanted = time_range(request)
    found = await _find(services, camera, wanted)
    if found.segments > _RENDER_ON_LOOP_SEGMENTS:
        text = await asyncio.to_thread(_render, found)
    else:
        text = _render(found)
    max_age_s = _PAST_MAX_AGE_S if found.ended else _LIVE_MAX_AGE_S
    return text_response(request, text, content_type=MPEGURL, max_age_s=max_age_s)


@dataclass(frozen=True, slots=True)
class _Found:
    spans: list[Span]
    ended: bool

    @property
    def segments(self) -> int:
        return sum(span.end - span.first for span in self.spans)


def _render(found: _Found) -> str:
    return media_playlist(found.spans, ended=found.ended, from_start=not found.ended).render()


async def _find(services: Services, camera: str, wanted: TimeRange) -> _Found:
    """The spans of a range, and whether nothing can be added to them any more.

    A range that ends in the future, or is not recorded yet, goes on like one without an end.
    """
    now_wall_us = services.clock.wall_us()
    from_wall_us = not_in_future(wanted.from_wall_us or 0, now_wall_us)
    rows = await services.footage.recordings(camera, from_wall_us=from_wall_us, to_wall_us=wanted.to_wall_us)
    spans = spans_between(rows, from_wall_us, wanted.to_wall_us)
    ended = wanted.to_wall_us is not None and _nothing_follows(services, camera, wanted.to_wall_us, now_wall_us)
    if not spans and not ended:
        spans = services.live.stream(camera).window()[-1:]
        spans = [Span(span.recording, span.end - 1, span.end) for span in spans]
    if not spans:
        raise NotFound(
            f"camera {camera!r} has no footage in this range", hint=f"/api/v1/cameras/{camera}/timeline tells"
        )
    return _Found(spans, ended)


def _nothing_follows(services: Services, camera: str, to_wall_us: int, now_wall_us: int) -> bool:
    """Whether all footage before `to` is listed already.

    It is when the newest footage reaches beyond, or when `to` is so long ago that a segment which began before it
    must be whole by now.
    """
    newest = services.live.stream(camera).newest
    if newest is None:
        return True
    if newest.end_wall_us >= to_wall_us:
        return True
    longest_wait_us = (newest.target_duration_s + _SETTLING_S) * 1_000_000
    return to_wall_us + longest_wait_us < now_wall_us


_SETTLING_S = 5
"""A segment is listed this long after its last sample at the latest."""


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
    status = services.status(camera)
    error = status.last_error if status else ""
    return NotReady(f"camera {camera!r} has no footage yet" + (f": {error}" if error else ""))
