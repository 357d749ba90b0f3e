"""What is live as pictures: one decoder for each camera and width, however many look on.

The first who looks starts it, and it ends some seconds after the last has gone: who comes back meanwhile sees the
newest picture at once. Nobody queues: whoever is ready for a picture gets the newest.

Pictures come from the decoder in bursts, a part of the live edge each, and are shown evenly (`Pacer`), so they are
about as old as a part is long. At a start all that there is already is decoded as fast as can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable

from hlscam.clock import Clock, to_the_end
from hlscam.errors import HlscamError
from hlscam.services.motion import Feed, Frame, Motion, Pacer
from hlscam.units import US_PER_S

log = logging.getLogger(__name__)

_GRACE_S = 5.0
_PAUSE_S = 1.0
_SHOWN_KEPT = 12
"""Pictures that were shown last, for whoever comes from the past: half a second of them at 25 a second."""
_LONGEST_AHEAD_US = 3 * US_PER_S
"""Pictures that were decoded and are to be shown; of more than that the oldest are left out."""
_EVEN, _CATCHING_UP = 1.02, 1.25
"""How much faster than they were taken pictures are shown: always a little, so that they are no later than it takes to
show bursts evenly; and more where many wait, since the camera had stalled or a recording began."""
_MANY_US = US_PER_S


class LivePictures:
    """The pictures of one camera in one width, now. `newest` is None before the first.

    `room` is what its decoder takes, until it is closed. Raises what entering that raises.
    """

    def __init__(
        self,
        begin: Callable[[], AsyncGenerator[Frame]],
        clock: Clock,
        *,
        room: contextlib.AbstractContextManager[None],
    ) -> None:
        self._room = contextlib.ExitStack()
        self._room.enter_context(room)
        self.newest: Frame | None = None
        self.lookers = 0
        self._begin = begin
        self._clock = clock
        self._changed = asyncio.Event()
        self._decoded: deque[Frame] = deque()
        self._shown: deque[Frame] = deque(maxlen=_SHOWN_KEPT)
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="live pictures")

    async def newer_than(self, seen: Frame | None) -> Frame:
        """The newest picture, as soon as it is another than the one that was seen last."""
        while self.newest is None or self.newest is seen:
            await self._changed.wait()
        return self.newest

    def since(self, frame: Frame) -> list[Frame] | None:
        """All pictures after that one that were shown until now; None where they are not all known."""
        if not self._shown or self._shown[0].is_after(frame):
            return None
        return [each for each in self._shown if each.is_after(frame)]

    async def close(self) -> None:
        """End the decoder."""
        self._task.cancel()
        await to_the_end(asyncio.gather(self._task, return_exceptions=True))
        self._room.close()

    async def _run(self) -> None:
        showing = asyncio.create_task(self._show(), name="show live pictures")
        try:
            while True:
                try:
                    await self._decode()
                except (HlscamError, OSError) as error:
                    log.warning("live pictures begin anew: %s", error)
                except Exception:
                    log.exception("live pictures failed, and begin anew")
                await self._clock.sleep(_PAUSE_S)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)

    async def _decode(self) -> None:
        async with contextlib.aclosing(self._begin()) as frames:
            async for frame in frames:
                self._decoded.append(frame)
                while frame.wall_us - self._decoded[0].wall_us > _LONGEST_AHEAD_US:
                    self._decoded.popleft()
                self._more.set()

    async def _show(self) -> None:
        pacer = Pacer(self._clock)
        while True:
            while not self._decoded:
                self._more.clear()
                await self._more.wait()
            frame = self._decoded.popleft()
            if frame.awaited:
                await pacer.wait_due(frame, speed=self._speed(frame))
            self.newest = frame
            self._shown.append(frame)
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def _speed(self, frame: Frame) -> float:
        waiting_us = self._decoded[-1].wall_us - frame.wall_us if self._decoded else 0
        return _CATCHING_UP if waiting_us > _MANY_US else _EVEN


class LiveMotion:
    """The live pictures that somebody looks at, by camera and width."""

    def __init__(self, motion: Motion, clock: Clock) -> None:
        self._motion = motion
        self._clock = clock
        self._running: dict[Hashable, LivePictures] = {}
        self._ending: dict[Hashable, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def looking(
        self, camera: str, width: int | None, feeds: Callable[[], AsyncGenerator[Feed]]
    ) -> AsyncIterator[LivePictures]:
        """Look at a camera; `feeds` begins its footage at the live edge.

        Raises NotReady where that takes one more decoder than may run.
        """
        key = (camera, width)
        pictures = self._running.get(key)
        if pictures is None:
            pictures = LivePictures(
                lambda: self._motion.frames(feeds(), width=width), self._clock, room=self._motion.room()
            )
            self._running[key] = pictures
        ending = self._ending.pop(key, None)
        if ending is not None:
            ending.cancel()
        pictures.lookers += 1
        try:
            yield pictures
        finally:
            pictures.lookers -= 1
            if not pictures.lookers and self._running.get(key) is pictures:
                ending = asyncio.create_task(self._end_later(key), name=f"end pictures of {camera}")
                self._ending[key] = ending
                self._tasks.add(ending)
                ending.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all."""
        for each in self._ending.values():
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        running, self._running, self._ending = self._running, {}, {}
        await asyncio.gather(*(each.close() for each in running.values()))

    async def _end_later(self, key: Hashable) -> None:
        await self._clock.sleep(_GRACE_S)
        del self._ending[key]  # nothing can stop it from here on
        await self._running.pop(key).close()
