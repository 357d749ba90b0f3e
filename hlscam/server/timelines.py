"""The timeline playlist: any stretch of a camera's footage, with an end or going on into live.

It begins at a moment (`from`: with the segment that contains it) or behind a segment (`after`: with the very next one,
now or years later). A viewer who has seen all there is waits for that next one: the request is held until it is there,
for a playlist without segments is none, and one that repeats the last segment would be shown twice.

While it grows, players may wait for its next segment, and be told of what is new alone (RFC 8216bis 6.2.5): a timeline
that was opened this morning has thousands of segments, and is reloaded for each. It has no parts: who wants to see
what is live as early as can be plays the live playlist.

VLC and ffmpeg join whatever has no end three segments before its end. So that they begin where they are meant to, the
multivariant playlist gives them a timeline that says when it was `opened`, has three segments at first, and grows at
the pace of live: the past, played as if it were now.
"""

from __future__ import annotations

from aiohttp import web

from hlscam.domain.gaps import WORDS
from hlscam.domain.listing import media_playlist
from hlscam.domain.timeline import Span
from hlscam.errors import InvalidRequest, NotFound, NotReady
from hlscam.server.delivery import Delivery
from hlscam.server.queries import TimelineRange, not_in_future, optional_time, switch, timeline_range
from hlscam.server.range_playlist import Asked, Found, find, rendered
from hlscam.server.responses import MPEGURL, text_response
from hlscam.server.services import SERVICES, Services
from hlscam.services.live import SOON_SEGMENTS

_GROWING_MAX_AGE_S = 1
_ENDED_MAX_AGE_S = 60


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
    asked = Asked(wanted, optional_time(request, "opened"), switch(request, "gaps"), Delivery.of(request))
    found = await find(services, camera, asked)
    if wanted.after is not None and not found.ended and not services.footage.is_listed(camera, wanted.after + 1):
        await _hold_until_listed(services, camera, wanted.after + 1)
        found = await find(services, camera, asked)
    stream, awaited = services.live.stream(camera), found.awaited()
    awaited.check(stream)
    if not awaited.is_reached(stream):
        await services.holding.until(stream, lambda: awaited.is_reached(stream))
        found = await find(services, camera, asked)
    reached = found.has(awaited)  # as it is written now: more may be listed before that is done
    text = await rendered(found) or _beyond_the_newest(services, camera, found)
    max_age_s = _ENDED_MAX_AGE_S if found.ended else awaited.max_age_s(stream, _GROWING_MAX_AGE_S, reached=reached)
    return text_response(request, text, content_type=MPEGURL, max_age_s=max_age_s)


def check_beginning(services: Services, camera: str, wanted: TimelineRange) -> None:
    """Raises InvalidRequest for a moment in the future, NotFound for a segment that nobody can have seen."""
    if wanted.from_wall_us is not None:
        not_in_future(wanted.from_wall_us, services.latest_wall_us(camera))
    newest = services.live.stream(camera).newest
    if wanted.after is not None and newest and wanted.after >= newest.end_media_sequence + SOON_SEGMENTS:
        raise NotFound(
            f"camera {camera!r} has no segment {wanted.after} yet: its newest is {newest.end_media_sequence - 1}"
        )


def no_footage_yet(services: Services, camera: str) -> NotReady:
    """Nothing to play, and why."""
    return _not_ready(services, camera, f"camera {camera!r} has no footage yet")


async def _hold_until_listed(services: Services, camera: str, media_sequence: int) -> None:
    """Wait for a segment that is yet to come. Raises NotReady when it does not, for so long as a player waits."""
    stream = services.live.stream(camera)
    if stream.newest is None:
        raise no_footage_yet(services, camera)
    if not await services.holding.until(stream, lambda: services.footage.is_listed(camera, media_sequence)):
        raise _not_ready(services, camera, f"camera {camera!r} has not recorded segment {media_sequence} yet")


def _beyond_the_newest(services: Services, camera: str, found: Found) -> str:
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


def _not_ready(services: Services, camera: str, what: str) -> NotReady:
    notes = services.notes_of(camera)
    why = ""
    if notes is not None:
        why = notes.status.last_error or (WORDS.get(notes.gap_reason, "") if notes.gap_reason else "")
    return NotReady(what + (f": {why}" if why else ""))
