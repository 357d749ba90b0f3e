"""The JSON API: cameras, recordings, and where there is footage. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from hlscam import __version__
from hlscam.domain.gaps import Gap, clipped, gap_now, gaps_between
from hlscam.domain.recording import Recording
from hlscam.domain.timeline import stretches
from hlscam.errors import InvalidRequest, NotFound
from hlscam.server.queries import cursor, not_in_future, page_size, required_time, time_range
from hlscam.server.services import SERVICES, Services
from hlscam.units import US_PER_S, format_rfc3339

_LONGEST_TIMELINE_US = 32 * 24 * 3600 * US_PER_S


async def cameras(request: web.Request) -> web.Response:
    """`GET /api/v1/cameras`."""
    services = request.app[SERVICES]
    return _json({"cameras": [await _camera(services, each) for each in await services.footage.cameras()]})


async def camera(request: web.Request) -> web.Response:
    """`GET /api/v1/cameras/{camera}`."""
    services, camera_id = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera_id)
    return _json(await _camera(services, camera_id))


async def recordings(request: web.Request) -> web.Response:
    """`GET /api/v1/cameras/{camera}/recordings?from=&to=&limit=&cursor=`, oldest first."""
    services, camera_id = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera_id)
    wanted, limit, after = time_range(request), page_size(request), cursor(request)
    found = await services.footage.recordings(
        camera_id,
        from_wall_us=wanted.from_wall_us,
        to_wall_us=wanted.to_wall_us,
        after_media_sequence=after,
        limit=limit + 1,
    )
    page = found[:limit]
    more = len(found) > limit
    return _json(
        {
            "recordings": [_recording(each) for each in page],
            "next": str(page[-1].first_media_sequence) if more else None,
        }
    )


async def recording_at(request: web.Request) -> web.Response:
    """`GET /api/v1/cameras/{camera}/recordings/at?time=`: the recording that holds that moment."""
    services, camera_id = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera_id)
    wall_us = not_in_future(required_time(request, "time"), services.latest_wall_us(camera_id))
    found = await services.footage.recordings(camera_id, from_wall_us=wall_us, to_wall_us=wall_us + 1, limit=1)
    if not found:
        raise NotFound(f"camera {camera_id!r} recorded nothing at {format_rfc3339(wall_us)}")
    elapsed_s = (wall_us - found[0].start_wall_us) / US_PER_S
    return _json({**_recording(found[0]), "offset_s": round(elapsed_s, 3)})


async def timeline(request: web.Request) -> web.Response:
    """`GET /api/v1/cameras/{camera}/timeline?from=&to=`: where there is footage, and why there is none elsewhere.

    A span is footage of one run without a hole, `{"start", "end", "run"}`. A gap is what lies between two recordings,
    or behind the newest while nothing is recorded, `{"start", "end", "reason", "message"}`: `end` is null while it
    lasts, `reason` is null where it is not known or where the footage is no longer there (removed by retention, or
    lost), and `message` says either as a sentence. Both are cut to the range. Before a camera's oldest footage, and
    after its newest while it records, is neither.
    """
    services, camera_id = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera_id)
    from_wall_us = required_time(request, "from")
    to_wall_us, now_us = time_range(request).to_wall_us, services.latest_wall_us(camera_id)
    end_us = now_us if to_wall_us is None else to_wall_us
    if end_us - from_wall_us > _LONGEST_TIMELINE_US:
        raise InvalidRequest("a timeline is at most 32 days long", hint="ask for one month after the other")
    if end_us <= from_wall_us:
        return _json({"spans": [], "gaps": [], "next": None})
    found, more_follow = await services.footage.with_neighbours(camera_id, from_wall_us, end_us)
    gaps = gaps_between(found)
    lasting = None if more_follow else gap_now(found[-1] if found else None, services.notes_of(camera_id))
    shown = clipped([*gaps, *([lasting] if lasting else [])], from_wall_us, end_us, now_wall_us=now_us)
    spans = [
        {
            "start": format_rfc3339(max(each.start_wall_us, from_wall_us)),
            "end": format_rfc3339(min(each.end_wall_us, end_us)),
            "run": each.run,
        }
        for each in stretches(found)
        if each.start_wall_us < end_us and each.end_wall_us > from_wall_us
    ]
    return _json({"spans": spans, "gaps": [_gap(each) for each in shown], "next": None})


async def status(request: web.Request) -> web.Response:
    """`GET /api/v1/status`."""
    services = request.app[SERVICES]
    cache = services.cache
    return _json(
        {
            "version": __version__,
            "time": format_rfc3339(services.clock.wall_us()),
            "cameras": {each: _state(services, each) for each in await services.footage.cameras()},
            "segment_cache": {"bytes": cache.held_bytes, "hits": cache.hits, "misses": cache.misses},
        }
    )


async def healthz(_: web.Request) -> web.Response:
    """`GET /healthz`: the process answers."""
    return _json({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """`GET /readyz`: catalog and archive answer, and every enabled camera has been started."""
    services = request.app[SERVICES]
    missing = services.ready()
    await services.catalog.cameras()
    return _json({"status": missing or "ready"}, status=503 if missing else 200)


def _json(body: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})


def _state(services: Services, camera_id: str) -> dict[str, Any]:
    notes = services.notes_of(camera_id)
    if notes is None:
        return {"state": "disabled", "state_since": None, "last_error": None}
    status = notes.status
    since = format_rfc3339(status.since_wall_us)
    return {"state": str(status.state), "state_since": since, "last_error": status.last_error or None}


def _notes(services: Services, camera_id: str) -> dict[str, Any]:
    """Why nothing is recorded now, and how well the camera's time is known."""
    notes = services.notes_of(camera_id)
    clock, reason = (notes.clock, notes.gap_reason) if notes else (None, None)
    return {
        "gap_reason": str(reason) if reason else None,
        "clock": {"error_ms": round(clock.error_us / 1000, 1), "drift_ppm": round(clock.drift_ppb / 1000, 1)}
        if clock
        else None,
    }


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "start": format_rfc3339(gap.start_wall_us),
        "end": None if gap.end_wall_us is None else format_rfc3339(gap.end_wall_us),
        "reason": str(gap.reason) if gap.reason else None,
        "message": gap.message,
    }


async def _camera(services: Services, camera_id: str) -> dict[str, Any]:
    config = services.config.cameras.get(camera_id)
    totals = await services.catalog.totals(camera_id)
    newest = services.live.stream(camera_id).newest
    start_us = totals.first_wall_us if totals.recordings else newest.start_wall_us if newest else None
    end_us = newest.end_wall_us if newest else totals.last_wall_us if totals.recordings else None
    return {
        "id": camera_id,
        "name": config.name if config else camera_id,
        **_state(services, camera_id),
        **_notes(services, camera_id),
        "playlist": f"/hls/{camera_id}/index.m3u8",
        "first": None if start_us is None else format_rfc3339(start_us),
        "last": None if end_us is None else format_rfc3339(end_us),
        "media_sequence": newest.end_media_sequence - 1 if newest and newest.segments else None,
        "recordings": totals.recordings,
        "bytes": totals.size_bytes,
        **(_media(newest) if newest else {"video": None, "audio": None}),
    }


def _media(recording: Recording) -> dict[str, Any]:
    media = recording.media
    sound = {
        "codec": media.audio_codec,
        "sample_rate_hz": media.audio_sample_rate_hz,
        "channels": media.audio_channels,
    }
    return {
        "video": {
            "codec": media.video_codec,
            "width": media.width,
            "height": media.height,
            "frame_rate": media.frame_rate,
            "bit_rate_bps": media.bit_rate_bps,
        },
        "audio": sound if media.audio_codec else None,
    }


def _recording(recording: Recording) -> dict[str, Any]:
    end_us = recording.end_wall_us
    return {
        "name": recording.name,
        "url": f"/recordings/{recording.camera}/{recording.name}",
        "start": format_rfc3339(recording.start_wall_us),
        "end": None if recording.is_open else format_rfc3339(end_us),
        "duration_s": round((end_us - recording.start_wall_us) / US_PER_S, 3),
        "bytes": recording.size_bytes,
        "run": recording.run,
        "first_media_sequence": recording.first_media_sequence,
        "segments": len(recording.segments),
        "discontinuity_sequence": recording.discontinuity_sequence,
        "end_reason": str(recording.end_reason) if recording.end_reason else None,
        "gap_reason": str(recording.gap_reason) if recording.gap_reason else None,
        **_media(recording),
    }
