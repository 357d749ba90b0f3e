"""Stills: `snapshot.jpg`, the newest picture or that of any moment, decoded from one segment.

Without `exact` it is the picture nearest to the moment of those in its segment that decode alone, as a rule the one
that the segment begins with: one picture is decoded in place of up to a whole segment, and who drags along a timeline
finds it in the cache most of the time. With `exact=1` it is the very picture that was on the screen at that moment.
The newest picture is always exact. `X-Timestamp` says when the picture that is shown was taken, and asking for just
that time with `exact=1` gives the same picture.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from aiohttp import ETag, hdrs, web

from hlscam.domain.picture import Picture, Piece
from hlscam.domain.position import PicturePosition
from hlscam.domain.recording import Recording
from hlscam.domain.timeline import starts_wall_us
from hlscam.errors import DecodingError, NotFound
from hlscam.server.pieces import in_progress, load_piece, load_progress
from hlscam.server.queries import not_in_future, optional_time, picture_width, switch
from hlscam.server.responses import IMMUTABLE, not_modified
from hlscam.server.services import SERVICES, Services
from hlscam.server.timelines import no_footage_yet
from hlscam.units import US_PER_MS, US_PER_S, format_rfc3339

JPEG = "image/jpeg"
_NEWEST = "public, max-age=1"


@dataclass(frozen=True, slots=True)
class _Found:
    """The picture to show, and the piece of footage that it is decoded from. `alone`: it decodes alone."""

    recording: Recording
    piece: Piece
    picture: Picture
    alone: bool


async def snapshot(request: web.Request) -> web.Response:
    """`GET /api/v1/cameras/{camera}/snapshot.jpg?time=&width=&exact=1`."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    wall_us, exact, width = optional_time(request, "time"), switch(request, "exact"), picture_width(request)
    if wall_us is None:
        found = await _newest(services, camera)
    else:
        found = await _at(services, camera, not_in_future(wall_us, services.latest_wall_us(camera)), exact=exact)
    position = str(found.picture.position)
    etag = f"{found.recording.run}-{position}-{width or 'full'}"
    response = not_modified(request, etag)
    if response is None:
        key = (camera, found.recording.name, position, width)
        jpeg = await services.stills.jpeg(found.piece, found.picture, alone=found.alone, width=width, key=key)
        response = web.Response(body=jpeg, content_type=JPEG)
    response.etag = ETag(etag)
    response.headers[hdrs.CACHE_CONTROL] = _NEWEST if wall_us is None else IMMUTABLE
    response.headers.update(picture_headers(found.picture.position, found.picture.wall_us))
    return response


def picture_headers(position: PicturePosition, wall_us: int) -> dict[str, str]:
    """When a picture was taken, in Unix seconds, and where it stands."""
    whole_s, rest_us = divmod(wall_us, US_PER_S)
    return {"X-Timestamp": f"{whole_s}.{rest_us:06}", "X-Position": str(position)}


async def _newest(services: Services, camera: str) -> _Found:
    progress = in_progress(services, camera)
    if progress is not None:
        piece = await load_progress(services, progress)
        return _found(progress.recording, piece, piece.shown_at(progress.end_wall_us), alone=False)
    recording = services.live.stream(camera).newest
    if recording is None or not recording.segments:
        raise no_footage_yet(services, camera)
    piece = await load_piece(services, recording, len(recording.segments) - 1)
    return _found(recording, piece, piece.shown_at(recording.end_wall_us), alone=False)


async def _at(services: Services, camera: str, wall_us: int, *, exact: bool) -> _Found:
    progress = in_progress(services, camera)
    if progress is not None and progress.start_wall_us <= wall_us < progress.end_wall_us:
        recording, index, piece = progress.recording, progress.index, await load_progress(services, progress)
    else:
        found = await services.footage.recordings(camera, from_wall_us=wall_us, to_wall_us=wall_us + 1, limit=1)
        if not found:
            raise await _nothing_at(services, camera, wall_us)
        recording = found[0]
        index = bisect_right(starts_wall_us(recording), wall_us) - 1
        piece = await load_piece(services, recording, index)
    if exact:
        return _found(recording, piece, piece.shown_at(wall_us), alone=False)
    nearest = piece.nearest_alone(wall_us, recording.first_media_sequence + index)
    return _found(recording, piece, nearest, alone=True)


def _found(recording: Recording, piece: Piece, picture: Picture | None, *, alone: bool) -> _Found:
    if picture is None:
        raise DecodingError(f"{recording.name} has no picture there that decodes alone")
    return _Found(recording, piece, picture, alone)


async def _nothing_at(services: Services, camera: str, wall_us: int) -> NotFound:
    """What to say of a moment without footage: where the nearest is."""
    around, _ = await services.footage.with_neighbours(camera, wall_us, wall_us + 1)
    edges = [edge for each in around for edge in (each.start_wall_us, each.end_wall_us - US_PER_MS)]
    nearest_us = min(edges, key=lambda edge: abs(edge - wall_us), default=None)
    hint = "" if nearest_us is None else f"the nearest footage is at {format_rfc3339(nearest_us)}"
    return NotFound(f"camera {camera!r} has no picture of {format_rfc3339(wall_us)}", hint=hint)
