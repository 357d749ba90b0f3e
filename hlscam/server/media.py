"""Media: segments, init sections and whole recordings.

A segment is a byte range of a recording for ever, so its URL is immutable. What a URL says is a camera id and a
number, or a name to be looked up in the catalog: it never becomes part of a path.
"""

from __future__ import annotations

import logging
import re

from aiohttp import ETag, hdrs, web

from hlscam.adapters.archive import HeldRecording
from hlscam.domain.low_latency import has_leapt
from hlscam.domain.recording import Recording
from hlscam.errors import ArchiveError, NotFound
from hlscam.server.byte_ranges import ByteRange, parse_range
from hlscam.server.problems import problem
from hlscam.server.responses import IMMUTABLE, not_modified
from hlscam.server.services import SERVICES
from hlscam.services.live import LiveStream

log = logging.getLogger(__name__)

MP4 = "video/mp4"
_CHUNK_BYTES = 512 * 1024
_INIT_HASH = re.compile(r"[0-9a-f]{16}")


async def segment(request: web.Request) -> web.Response:
    """`/hls/{camera}/{media_sequence}.m4s`."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    media_sequence = _number(request, "media_sequence")
    recording, index = await services.footage.locate(camera, media_sequence)
    etag = f"{recording.run}-{media_sequence}"
    response = not_modified(request, etag)
    if response is None:
        key = (camera, recording.name, index)
        data = await services.cache.get(key, lambda: services.footage.segment(recording, index))
        response = web.Response(body=data, content_type=MP4)
    response.etag = ETag(etag)
    response.headers[hdrs.CACHE_CONTROL] = IMMUTABLE
    return response


async def part(request: web.Request) -> web.Response:
    """`/hls/{camera}/{media_sequence}.{part}.m4s`, of any segment; the next one is answered when it is whole."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    media_sequence, index = _number(request, "media_sequence"), _number(request, "part")
    await services.footage.check_camera(camera)
    stream = services.live.stream(camera)
    await services.holding.until(stream, lambda: not _is_to_come(stream, media_sequence, index))
    row = await services.footage.parts(camera, media_sequence)
    found = next((each for each in row if each.index == index), None)
    if found is None:
        raise NotFound(f"segment {media_sequence} of camera {camera!r} has no part {index}")
    etag = f"{media_sequence}.{index}-{found.offset}"
    response = not_modified(request, etag)
    if response is None:
        response = web.Response(body=await services.footage.part(camera, found), content_type=MP4)
    response.etag = ETag(etag)
    response.headers[hdrs.CACHE_CONTROL] = IMMUTABLE
    return response


def _is_to_come(stream: LiveStream, media_sequence: int, index: int) -> bool:
    """Whether the next part may have this position: in the segment in progress, or as the first of the next one."""
    if stream.newest is None or media_sequence < stream.newest.end_media_sequence:
        return False
    if has_leapt(stream.parts, stream.newest.end_media_sequence):
        return False
    begun = stream.parts[-1] if stream.parts else None
    if media_sequence > stream.newest.end_media_sequence:
        return (media_sequence, index) == (stream.newest.end_media_sequence + 1, 0)
    return index == (begun.index + 1 if begun is not None and begun.media_sequence == media_sequence else 0)


def _number(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if len(text) > 18:
        raise NotFound(f"camera {request.match_info['camera']!r} has no segment {text}")
    return int(text)


async def init_section(request: web.Request) -> web.Response:
    """`/hls/{camera}/init-{hash}.mp4`."""
    services, init_hash = request.app[SERVICES], request.match_info["hash"]
    await services.footage.check_camera(request.match_info["camera"])
    if not _INIT_HASH.fullmatch(init_hash):
        raise NotFound(f"there is no init section {init_hash!r}")
    data = await services.footage.init_section(init_hash)
    response = not_modified(request, init_hash) or web.Response(body=data, content_type=MP4)
    response.etag = ETag(init_hash)
    response.headers[hdrs.CACHE_CONTROL] = IMMUTABLE
    return response


async def whole_recording(request: web.Request) -> web.StreamResponse:
    """`/recordings/{camera}/{name}.mp4` with Range; the one in progress up to its last whole segment."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    recording = await services.footage.recording(camera, request.match_info["name"] + ".mp4")
    etag = f"{recording.run}-{recording.size_bytes}"
    response = not_modified(request, etag)
    if response is not None:
        response.etag = ETag(etag)
        response.headers[hdrs.CACHE_CONTROL] = _cache_control(recording)
        return response
    wanted = parse_range(_range_header(request, etag), recording.size_bytes)
    if wanted is None:
        detail = f"the recording has {recording.size_bytes} bytes"
        return problem(416, detail, {hdrs.CONTENT_RANGE: f"bytes */{recording.size_bytes}"})
    held = await services.footage.hold(recording)
    try:
        return await _send(request, held, recording, wanted, etag)
    finally:
        await held.close()


def _range_header(request: web.Request, etag: str) -> str | None:
    """Range, where it counts: for GET alone (RFC 9110 14.2), and of the very bytes that If-Range names (13.1.5)."""
    condition = request.headers.get(hdrs.IF_RANGE)
    counts = request.method == hdrs.METH_GET and condition in (None, f'"{etag}"')
    return request.headers.get(hdrs.RANGE) if counts else None


def _cache_control(recording: Recording) -> str:
    return "no-cache" if recording.is_open else "public, max-age=3600"


async def _send(
    request: web.Request, held: HeldRecording, recording: Recording, wanted: ByteRange, etag: str
) -> web.StreamResponse:
    """Stream a byte range of a recording, read off the loop piece by piece as fast as the client takes it."""
    response = web.StreamResponse(status=206 if wanted.is_partial else 200)
    response.content_type = MP4
    response.content_length = wanted.end - wanted.start
    response.etag = ETag(etag)
    response.headers[hdrs.ACCEPT_RANGES] = "bytes"
    response.headers[hdrs.CACHE_CONTROL] = _cache_control(recording)
    response.headers[hdrs.CONTENT_DISPOSITION] = f'inline; filename="{recording.camera}-{recording.name}"'
    if wanted.is_partial:
        response.headers[hdrs.CONTENT_RANGE] = wanted.content_range
    piece = await _piece(held, wanted.start, wanted.end)  # what fails here can still be told
    await response.prepare(request)
    if request.method == hdrs.METH_HEAD:
        return response
    at = wanted.start
    try:
        while piece:
            await response.write(piece)
            at += len(piece)
            piece = await _piece(held, at, wanted.end)
    except ConnectionError:
        log.debug("%s/%s: the client went away at byte %d", recording.camera, recording.name, at)
    except ArchiveError as error:
        log.error("%s %s: %s", request.method, request.path, error.message)
        _hang_up(request)
    return response


def _hang_up(request: web.Request) -> None:
    """The promised length cannot be kept: close the connection early, so that the client sees it."""
    if request.transport is not None:
        request.transport.close()


async def _piece(held: HeldRecording, start: int, end: int) -> bytes:
    length = min(_CHUNK_BYTES, end - start)
    return await held.read(start, length) if length > 0 else b""
