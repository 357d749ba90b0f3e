"""MJPEG: pictures one after the other in one answer (`multipart/x-mixed-replace`), for `<img>` and for scripts.

`/mjpeg/{camera}` is live: a client gets the newest picture whenever it is ready for one. With `from` (or `time`) it is
the footage from that moment on, picture by picture, as far apart as they were taken; with `after`, a position that
`X-Position` told, from the very next picture on, be it years later. Holes take no time, and at the live edge it goes on
with what comes. A camera that is down ends nothing: the answer stays, and goes on when there is footage again.

Every part says when its picture was taken (`X-Timestamp`) and where it stands (`X-Position`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, aclosing, contextmanager, suppress
from dataclasses import dataclass

from aiohttp import hdrs, web

from hlscam.domain.position import PicturePosition
from hlscam.domain.timeline import starts_wall_us
from hlscam.errors import FileMissing, Gone, HlscamError, InvalidRequest, MediaError, NotFound, NotReady
from hlscam.server.feeds import feeds_from, feeds_live
from hlscam.server.pieces import in_progress, load_piece, load_progress
from hlscam.server.queries import (
    TimelineRange,
    frame_rate,
    not_in_future,
    optional_time,
    picture_position,
    picture_width,
)
from hlscam.server.services import SERVICES, Services
from hlscam.server.snapshots import picture_headers
from hlscam.server.timelines import check_beginning
from hlscam.services.live_pictures import LivePictures
from hlscam.services.motion import Frame, Pacer
from hlscam.units import US_PER_S

log = logging.getLogger(__name__)

_BOUNDARY = "picture"
_JOINING = 1.25
"""How much faster than they were taken pictures are played that have just come: who is so near to live comes to it."""
_UNSENT_BYTES = 16 * 1024
"""What the kernel takes before the network does: a queue there would be seconds of old pictures."""

_ANSWERING = web.AppKey("_ANSWERING", set[asyncio.Task[object]])


def prepare(application: web.Application) -> None:
    """Answers without an end end when the server does, and their decoders with them."""
    application[_ANSWERING] = set()

    async def hang_up(_: web.Application) -> None:
        for each in application[_ANSWERING]:
            each.cancel()

    application.on_shutdown.append(hang_up)
    application.on_cleanup.append(lambda _: application[SERVICES].live_motion.close())


async def mjpeg(request: web.Request) -> web.StreamResponse:
    """`GET /mjpeg/{camera}?width=&fps=`, `?from=` or `?time=`, `?after=`."""
    services, camera = request.app[SERVICES], request.match_info["camera"]
    await services.footage.check_camera(camera)
    asked = _Asked(camera, picture_width(request), frame_rate(request))
    begin = await _beginning(request, services, camera)
    response = web.StreamResponse()
    response.headers[hdrs.CONTENT_TYPE] = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect pictures before it passes them on
    if request.method == hdrs.METH_HEAD:
        await response.prepare(request)
        return response
    async with AsyncExitStack() as stack:
        frames = await _frames(stack, services, asked, begin)  # refused, if it is, before the answer has begun
        await response.prepare(request)
        _keep_queue_short(request)
        with _until_shutdown(request):
            await _send_all(request, response, frames)
    return response


@dataclass(frozen=True, slots=True)
class _Asked:
    camera: str
    width: int | None
    fps: float | None


@dataclass(frozen=True, slots=True)
class _Beginning:
    """The first picture to be sent: that at `position`, or the next one after it.

    `taken` is its run, and when it was taken; None where that is not known.
    """

    position: PicturePosition
    taken: tuple[str, int] | None
    after: bool

    def is_reached(self, frame: Frame) -> bool:
        """Whether pictures are sent from this one on. By time, since a cut GOP puts positions out of order."""
        if frame.position == self.position:
            return not self.after
        if self.taken is None or frame.run != self.taken[0]:
            return frame.position > self.position
        return frame.wall_us > self.taken[1]


async def _beginning(request: web.Request, services: Services, camera: str) -> _Beginning | None:
    """Where to begin; None for live."""
    given = [name for name in ("time", "from", "after") if name in request.query]
    if len(given) > 1:
        raise InvalidRequest(f"`{given[0]}` and `{given[1]}` both say where to begin", hint="leave one of them out")
    position = picture_position(request, "after")
    if position is not None:
        check_beginning(services, camera, TimelineRange(None, position.media_sequence, None))
        return _Beginning(position, await _taken(services, camera, position), after=True)
    wall_us = optional_time(request, given[0]) if given else None
    if wall_us is None:
        return None
    not_in_future(wall_us, services.latest_wall_us(camera))
    found = await services.footage.recordings(camera, from_wall_us=wall_us, limit=1)
    if not found:
        return None  # later than all there is: what comes next
    index = max(bisect_right(starts_wall_us(found[0]), wall_us) - 1, 0)
    picture = (await load_piece(services, found[0], index)).shown_at(wall_us)
    number = found[0].first_media_sequence + index
    if picture is None:
        return _Beginning(PicturePosition(number, 0), None, after=False)
    return _Beginning(picture.position, (found[0].run, picture.wall_us), after=False)


async def _taken(services: Services, camera: str, position: PicturePosition) -> tuple[str, int] | None:
    """In which run, and when a picture was taken; None for one that is not there any more."""
    progress = in_progress(services, camera)
    try:
        if progress is not None and progress.media_sequence == position.media_sequence:
            recording, piece = progress.recording, await load_progress(services, progress)
        else:
            recording, index = await services.footage.locate(camera, position.media_sequence)
            piece = await load_piece(services, recording, index)
    except (Gone, NotFound, FileMissing, MediaError):
        return None
    return next(((recording.run, each.wall_us) for each in piece.pictures if each.position == position), None)


async def _frames(
    stack: AsyncExitStack, services: Services, asked: _Asked, begin: _Beginning | None
) -> AsyncIterator[Frame]:
    """The pictures that are asked for, until `stack` is closed. Raises NotReady."""
    if begin is None:
        pictures = await stack.enter_async_context(_looking(services, asked))
        return await stack.enter_async_context(aclosing(_newest(services, asked, pictures)))
    room = stack.enter_context(ExitStack())
    room.enter_context(services.motion.room())
    return await stack.enter_async_context(aclosing(_past(services, asked, begin, room)))


async def _past(services: Services, asked: _Asked, begin: _Beginning, room: ExitStack) -> AsyncGenerator[Frame]:
    """Picture by picture, as far apart as they were taken; of more than `fps` some are left out.

    It has a decoder of its own, and its room, until it has come to a picture that those who look at what is live have
    just seen.
    """
    async with AsyncExitStack() as stack:
        live: LivePictures | None = None
        async with (
            aclosing(feeds_from(services, asked.camera, begin.position.media_sequence)) as feeds,
            aclosing(services.motion.frames(feeds, width=asked.width)) as decoded,
            aclosing(_paced(services, asked, decoded, begin)) as paced,
        ):
            async for frame in paced:
                yield frame
                if frame.awaited and live is None:
                    with suppress(NotReady):  # our own decoder does as well
                        live = await stack.enter_async_context(_looking(services, asked))
                if live is not None and live.since(frame) is not None:
                    break
        room.close()
        if live is not None:
            while missed := live.since(frame):
                for frame in missed:
                    yield frame
            newest = await stack.enter_async_context(aclosing(_newest(services, asked, live)))
            async for newer in newest:
                if newer.is_after(frame):
                    yield newer


def _looking(services: Services, asked: _Asked) -> AbstractAsyncContextManager[LivePictures]:
    return services.live_motion.looking(asked.camera, asked.width, lambda: feeds_live(services, asked.camera))


async def _newest(services: Services, asked: _Asked, pictures: LivePictures) -> AsyncGenerator[Frame]:
    seen: Frame | None = None
    due_mono_s = services.clock.mono_s()
    while True:
        seen = await pictures.newer_than(seen)
        yield seen
        if asked.fps is not None:
            due_mono_s = max(due_mono_s + 1 / asked.fps, services.clock.mono_s())
            await services.clock.sleep(due_mono_s - services.clock.mono_s())


async def _paced(
    services: Services, asked: _Asked, decoded: AsyncIterator[Frame], begin: _Beginning
) -> AsyncGenerator[Frame]:
    pacer, before, next_wall_us = Pacer(services.clock), None, 0
    step_us = US_PER_S / asked.fps if asked.fps else 0
    async for frame in decoded:
        if before is None and not begin.is_reached(frame):
            continue
        if before is None or not frame.goes_on(before):
            next_wall_us = frame.wall_us
        before = frame
        if frame.wall_us < next_wall_us:
            continue
        await pacer.wait_due(frame, speed=_JOINING if frame.awaited else 1)
        yield frame
        next_wall_us = max(round(next_wall_us + step_us), round(frame.wall_us - step_us))


async def _send_all(request: web.Request, response: web.StreamResponse, frames: AsyncIterator[Frame]) -> None:
    """A boundary goes behind each picture, not in front: browsers show a picture when they see it."""
    try:
        await response.write(f"--{_BOUNDARY}\r\n".encode())
        async for frame in frames:
            lines = {
                "Content-Type": "image/jpeg",
                "Content-Length": str(len(frame.jpeg)),
                **picture_headers(frame.position, frame.wall_us),
            }
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            await response.write(b"%b\r\n%b\r\n--%b\r\n" % (head.encode(), frame.jpeg, _BOUNDARY.encode()))
    except ConnectionError:
        log.debug("%s: the client went away", request.path)
    except HlscamError as error:
        log.error("%s %s: %s", request.method, request.path, error.message)
        if request.transport is not None:
            request.transport.close()


@contextmanager
def _until_shutdown(request: web.Request) -> Iterator[None]:
    answering, task = request.app[_ANSWERING], asyncio.current_task()
    assert task is not None
    answering.add(task)
    try:
        yield
    finally:
        answering.discard(task)


def _keep_queue_short(request: web.Request) -> None:
    """A slow client gets few pictures, but new ones."""
    if request.transport is None:
        return
    request.transport.set_write_buffer_limits(high=0)
    connection = request.transport.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
