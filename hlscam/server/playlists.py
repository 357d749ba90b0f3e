"""The multivariant and the live playlist. `timelines.py` has the third kind; all are windows on one numbering."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from hlscam.domain.listing import media_playlist
from hlscam.domain.recording import Recording
from hlscam.hls.multivariant import Variant, render_multivariant
from hlscam.server.delivery import Delivery
from hlscam.server.queries import TimelineRange, switch, timeline_range
from hlscam.server.range_playlist import recordings_of
from hlscam.server.responses import MPEGURL, text_response
from hlscam.server.services import SERVICES, Services
from hlscam.server.timelines import check_beginning, no_footage_yet
from hlscam.services.live import LiveStream
from hlscam.units import US_PER_S

_MAX_AGE_S = 1
_PEAK_MARGIN = 1.25
"""BANDWIDTH must not be below any segment's bit rate to come, so what was seen is given some room."""


async def multivariant(request: web.Request) -> web.Response:
    """`/hls/{camera}/index.m3u8`. With `from` or `after` (and `to`) its variant is that timeline instead of live."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    wanted, gaps = timeline_range(request), switch(request, "gaps")
    recordings = list(services.live.stream(camera).recordings)
    if wanted.has_beginning:
        check_beginning(services, camera, wanted)
        recordings = await recordings_of(services, camera, wanted, limit=1) or recordings
    if not recordings:
        raise no_footage_yet(services, camera)
    uri = _variant_uri(request, wanted, gaps=gaps, now_wall_us=services.clock.wall_us())
    text = render_multivariant([_variant(uri, recordings[-1])])
    max_age_s = 0 if "opened=" in uri else _MAX_AGE_S  # it is opened for the one who asks, now
    return text_response(request, text, content_type=MPEGURL, max_age_s=max_age_s)


async def live(request: web.Request) -> web.Response:
    """`/hls/{camera}/live.m3u8`: the newest segments, and the parts of the newest of them and of the one in progress.

    With `_HLS_msn` and `_HLS_part` it is answered when that is listed, or after as long as players wait: a camera that
    stalls is no error, and the playlist is what it was. With `gaps` its numbers are others, and there are no parts.
    """
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    gaps, delivery, stream = switch(request, "gaps"), Delivery.of(request), services.live.stream(camera)
    if not gaps and stream.newest is not None:
        delivery.check(stream)
        await services.holding.until(stream, lambda: delivery.is_reached(stream))
    text = _live_text(services, stream, gaps=gaps, skip=delivery.skip and not gaps)
    if not text:
        raise no_footage_yet(services, camera)
    reached = delivery.is_reached(stream)  # nothing was awaited since the text was written
    max_age_s = _MAX_AGE_S if gaps else delivery.max_age_s(stream, _MAX_AGE_S, reached=reached)
    return text_response(request, text, content_type=MPEGURL, max_age_s=max_age_s)


def _live_text(services: Services, stream: LiveStream, *, gaps: bool, skip: bool) -> str:
    """The live playlist as it is now, written once for all who ask; empty before the first segment."""
    key = stream.camera, gaps, skip
    version, text = services.live_texts.get(key, (-1, ""))
    if version != stream.version:
        spans = stream.window()
        low_latency = None if gaps else stream.low_latency
        text = media_playlist(spans, gaps=gaps, low_latency=low_latency, skip=skip).render() if spans else ""
        services.live_texts[key] = stream.version, text
    return text


def _variant_uri(request: web.Request, wanted: TimelineRange, *, gaps: bool, now_wall_us: int) -> str:
    """Live; or the timeline of a range, with an end as a file to seek in, without one as a stream that begins there."""
    query: dict[str, str] = {}
    if wanted.has_beginning:
        query = {name: request.query[name] for name in ("from", "after", "to") if name in request.query}
        if wanted.to_wall_us is None:
            query["opened"] = f"{now_wall_us / US_PER_S:.3f}"
    if gaps:
        query["gaps"] = "1"
    name = "timeline.m3u8" if wanted.has_beginning else "live.m3u8"
    return f"{name}?{urlencode(query)}" if query else name


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
