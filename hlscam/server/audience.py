"""Who watches over WebSocket: one task a camera waits for its live edge and looks at its state, and wakes all.

A client costs an Event. Whatever it may want to send (a new part, a state, a gap) is a reason to wake; what it is,
it sees for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import WSCloseCode, web

from hlscam.server.services import Services

GOODBYE_S = 1.0
"""For a client's answer to a goodbye."""
_STATE_EVERY_S = 1.0


class Audience:
    """All clients of all cameras."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._seats: dict[str, set[asyncio.Event]] = {}
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport | None] = {}
        self._ushers: dict[str, asyncio.Task[object]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._sockets)

    @contextlib.asynccontextmanager
    async def seat(
        self, camera: str, socket: web.WebSocketResponse, transport: asyncio.Transport | None
    ) -> AsyncIterator[asyncio.Event]:
        """A client's Event, which is set whenever there may be something new."""
        wake = asyncio.Event()
        seats = self._seats.setdefault(camera, set())
        seats.add(wake)
        self._sockets[socket] = transport
        if len(seats) == 1:
            self._ushers[camera] = asyncio.create_task(self._usher(camera), name=f"audience of {camera}")
        try:
            yield wake
        finally:
            del self._sockets[socket]
            seats.discard(wake)
            if not seats:
                del self._seats[camera]
                self._ushers.pop(camera).cancel()

    async def close(self) -> None:
        """Send all home: the server stops, and they come back when it has started again.

        Who takes nothing does not take a goodbye either, and is not waited for.
        """
        left = dict(self._sockets)
        goodbyes = [asyncio.create_task(each.close(code=WSCloseCode.GOING_AWAY)) for each in left]
        if goodbyes:
            await asyncio.wait(goodbyes, timeout=GOODBYE_S)
        for goodbye, transport in zip(goodbyes, left.values(), strict=True):
            if not goodbye.done() and transport is not None:
                transport.abort()
        await asyncio.gather(*goodbyes, return_exceptions=True)

    async def _usher(self, camera: str) -> None:
        looking = asyncio.create_task(self._look_at_state(camera))
        try:
            await self._follow(camera)
        finally:
            looking.cancel()

    async def _follow(self, camera: str) -> None:
        stream, seen = self._services.live.stream(camera), -1
        while True:
            if stream.version == seen:
                await stream.wait_changed()
            seen = stream.version
            self._wake(camera)

    async def _look_at_state(self, camera: str) -> None:
        """Notes change without telling: in the process that records, and in a file that another one writes."""
        seen = None
        while True:
            notes = self._services.notes_of(camera)
            facts = notes and (notes.status, notes.gap_reason)
            if facts != seen:
                self._wake(camera)
            seen = facts
            await self._services.clock.sleep(_STATE_EVERY_S)

    def _wake(self, camera: str) -> None:
        for each in self._seats.get(camera, ()):
            each.set()


AUDIENCE = web.AppKey("audience", Audience)
